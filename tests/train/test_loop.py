from __future__ import annotations

import random
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from accelerate.tracking import GeneralTracker
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

from interplay.core.errors import InputError, InterplayError
from interplay.train.checkpoints import Checkpoints
from interplay.train.loop import Examination, LoopConfig, Schedule, Trainer
from interplay.train.trackers import checked
from train.launched import Launched

STEPS = 40


class Regression(nn.Module):
    """y = 3x - 1 with noise that the generator of the step decides, through a hidden layer for Muon to act on."""

    def __init__(self, pause_s: float = 0.0, poison_at: int | None = None, shaken_at: int | None = None) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.blocks = nn.ModuleList([nn.Linear(1, 4), nn.Linear(4, 4)])
            self.out = nn.Linear(4, 1)
        self.pause_s, self.poison_at, self.shaken_at, self.calls = pause_s, poison_at, shaken_at, 0

    def forward(self, generator: torch.Generator) -> dict[str, Tensor]:
        time.sleep(self.pause_s)
        x = torch.randn(16, 1, generator=generator)
        # Drawn without the generator, as a layer of a model might: the trainer seeds that too.
        noise = 0.1 * torch.randn(16, 1)
        hidden = x
        for block in self.blocks:
            hidden = block(hidden).tanh()
        loss = (self.out(hidden) - (3 * x - 1 + noise)).square().mean()
        self.calls += 1
        if self.calls == self.shaken_at:
            loss = loss * 1e4
        return {"loss": loss * float("nan") if self.calls == self.poison_at else loss}


def trainer(folder: Path, loop: dict[str, object] | None = None, examined: bool = False, **options: float) -> Trainer:
    """Every option that has a state: a moving average, two kinds of optimiser, parts of a gradient, a best one."""
    schedule = Schedule(STEPS, peak=0.1, final=0.0, warmup=5)
    settings = {
        "optimizer": {"name": "muon"},
        "ema_decay": 0.9,
        "save_every": 7,
        "keep_checkpoints": 2,
        "accumulate": 2,
    }
    module = Regression(**options)  # type: ignore[arg-type]

    def distance(step: int) -> dict[str, float]:
        return {"held_out": float((module.out.bias.detach() + 1).abs())}

    return Trainer(
        module,
        schedule,
        folder,
        name="fit",
        seed=3,
        loop=LoopConfig.model_validate({**settings, **(loop or {})}),
        described=lambda: f"call {module.calls}",
        examination=Examination(10, distance, "held_out") if examined else None,
    )


def weights(trained: Trainer) -> Tensor:
    return torch.cat([value.detach().flatten() for value in trained._module.parameters()])


def test_it_learns(tmp_path: Path) -> None:
    fit = trainer(tmp_path)
    history = fit.run()
    assert len(history) == STEPS
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert fit.trainable_parameters == (4 + 4) + (16 + 4) + (4 + 1)


def test_the_schedule_warms_up_and_decays() -> None:
    schedule = Schedule(steps=100, peak=1.0, final=0.1, warmup=10)
    assert schedule.at(0) == pytest.approx(0.1)
    assert schedule.at(9) == pytest.approx(1.0)
    assert schedule.at(55) == pytest.approx(0.55)
    assert schedule.at(100) == pytest.approx(0.1)


def test_other_shapes_of_the_schedule() -> None:
    line = Schedule(steps=100, peak=1.0, final=0.0, warmup=0, shape="linear")
    assert [line.at(step) for step in (0, 25, 100)] == pytest.approx([1.0, 0.75, 0.0])
    released = Schedule(steps=100, peak=1.5, final=0.0, warmup=5, shape="constant", warmup_shape="third")
    assert [released.at(step) for step in (0, 4, 5, 99)] == pytest.approx([0.5, 0.5, 1.5, 1.5])


def test_killed_at_any_point_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    unbroken = tmp_path / "unbroken"
    unbroken.mkdir()
    whole = trainer(unbroken, examined=True)
    losses = [row["loss"] for row in whole.run()]
    broken = tmp_path / "broken"
    broken.mkdir()
    for _ in range(2):
        _run_and_kill(broken, random.uniform(0.0, 0.4))
    resumed = trainer(broken, examined=True)
    assert 0 < resumed.step < STEPS, "the kills came too early or too late to test anything"
    again = [row["loss"] for row in resumed.run()]
    assert again == losses
    assert torch.equal(weights(resumed), weights(whole))
    assert resumed.examined == whole.examined
    with resumed.best() as one, whole.best() as other:
        assert one == other
        assert torch.equal(weights(resumed), weights(whole))


def steps_of(folder: Path) -> list[int]:
    return Checkpoints(folder, "fit", keep=2).steps()


def _run_and_kill(folder: Path, delay_s: float) -> None:
    """Train in a process of its own and kill it ``delay_s`` after its first checkpoint is there."""
    process = Launched(_run_slowly, folder)
    before = steps_of(folder)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and steps_of(folder) == before:
        time.sleep(0.01)
    time.sleep(delay_s)
    process.kill()


def _run_slowly(folder: Path) -> None:
    trainer(folder, examined=True, pause_s=0.03).run()


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_step(tmp_path: Path) -> None:
    with pytest.raises(InterplayError, match=r"step 2 \(nan of call 5 in part 0\)"):
        trainer(tmp_path, poison_at=5).run()


def test_a_jump_stops_the_run_before_it_is_learnt_from_and_can_be_ignored(tmp_path: Path) -> None:
    with pytest.raises(InterplayError, match=r"gradient norm jumps at step 29 .*call 60"):
        trainer(tmp_path, {"spike_factor": 50.0}, shaken_at=60).run()
    assert trainer(tmp_path, {"spike_factor": None}).run()[-1]["step"] == STEPS - 1


def test_a_run_of_another_number_of_draws_is_not_gone_on_with(tmp_path: Path) -> None:
    trainer(tmp_path).run()
    with pytest.raises(InputError, match="2 draws a step, and this run would make 3"):
        trainer(tmp_path, {"accumulate": 3})


def test_the_best_weights_are_those_that_were_measured(tmp_path: Path) -> None:
    fit = trainer(tmp_path, examined=True)
    fit.run()
    assert [row["step"] for row in fit.examined] == [0, 10, 20, 30, 40]
    last = weights(fit)
    with fit.best() as row:
        assert row == min(fit.examined, key=lambda one: one["held_out"])
        assert float((fit._module.out.bias.detach() + 1).abs()) == row["held_out"]  # type: ignore[union-attr,operator]
    assert torch.equal(weights(fit), last)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_is_trained_keeps_its_type(precision: str, tmp_path: Path) -> None:
    fit = trainer(tmp_path, {"precision": precision})
    history = fit.run()
    assert weights(fit).dtype == torch.float32
    assert history[-1]["loss"] < history[0]["loss"]


def test_trackers_hear_of_every_step(tmp_path: Path) -> None:
    heard: list[tuple[int, set[str]]] = []
    told: list[dict[str, object]] = []

    class Listener(GeneralTracker):
        name, requires_logging_directory, main_process_only = "listener", False, True
        tracker = None

        def store_init_configuration(self, values: dict[str, object]) -> None:
            told.append(values)

        def log(self, values: dict[str, float], step: int, **options: object) -> None:
            heard.append((step, set(values)))

    module = Regression()
    fit = Trainer(
        module,
        Schedule(3, 0.1, 0.0, 0),
        tmp_path,
        name="fit",
        seed=0,
        loop=LoopConfig(),
        examination=Examination(3, lambda step: {"held_out": 1.0}, "held_out"),
        trackers=[Listener()],
        settings={"steps": 3, "lora": {"rank": 16, "layers": [0, 1]}, "limit": None},
    )
    fit.run()
    trained = {"loss", "learning_rate", "gradient_norm", "seconds"}
    assert heard == [(0, {"held_out"}), (0, trained), (1, trained), (2, trained), (3, {"held_out"})]
    assert told == [{"steps": 3, "lora.rank": 16, "lora.layers": "[0, 1]", "limit": "null"}]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"gradient_accumulation_steps": 4}, "asks for 4 parts of a gradient and the recipe for 2"),
        ({"mixed_precision": "fp16"}, "asks for float16 and the recipe for float32"),
        ({"distributed_type": "MEGATRON_LM"}, "asks for MEGATRON_LM, .* use DDP, FSDP2 or DeepSpeed"),
        ({"distributed_type": "DEEPSPEED"}, "asks for DeepSpeed, and Muon needs whole matrices"),
        ({"distributed_type": "FSDP"}, "first version of FSDP; set fsdp_version: 2"),
        ({"distributed_type": "FSDP", "is_fsdp2": True}, "Muon needs whole matrices"),
    ],
)
def test_what_accelerate_is_told_and_cannot_be_done_is_refused(
    asked: dict[str, object], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Told:
        gradient_accumulation_steps, mixed_precision, is_fsdp2 = 2, "no", False
        distributed_type = SimpleNamespace(value="NO")

    for name, value in asked.items():
        monkeypatch.setattr(Told, name, SimpleNamespace(value=value) if name == "distributed_type" else value)
    monkeypatch.setattr("interplay.train.loop.make_accelerator", lambda **settings: Told())
    with pytest.raises(InputError, match=f"accelerate's configuration: .*{told}"):
        trainer(tmp_path, {"precision": "float32"})


def test_tensorboard_writes_where_it_is_told(tmp_path: Path) -> None:
    schedule, tracking = Schedule(2, 0.1, 0.0, 0), tmp_path / "tracking"
    options = {"name": "fit", "seed": 0, "loop": LoopConfig(), "trackers": checked(["tensorboard"])}
    options["settings"] = {"matrix": {"v2t_layers": [1], "lambda_sga": 0.01}, "buckets": None}
    Trainer(Regression(), schedule, tmp_path, tracking=tracking, **options).run()  # type: ignore[arg-type]
    assert list(tracking.rglob("events.out.tfevents.*"))
    (told,) = tracking.rglob("hparams.yml")
    assert "matrix.lambda_sga: 0.01" in told.read_text()


def test_tensorboard_shows_every_step_once_of_a_run_that_went_on(tmp_path: Path) -> None:
    """Two processes are killed: one before any checkpoint, one after some steps behind its last."""

    def begun() -> Trainer:
        schedule, examination = Schedule(8, 0.1, 0.0, 0), Examination(2, lambda step: {"held_out": 1.0}, "held_out")
        where = {"folder": tmp_path / "work", "tracking": tmp_path / "tracking", "trackers": checked(["tensorboard"])}
        loop = LoopConfig(save_every=4)
        return Trainer(Regression(), schedule, name="fit", seed=0, loop=loop, examination=examination, **where)

    for steps in (3, 7):
        killed = begun()
        killed._open_trackers()
        killed.advance(steps)
    last = begun()
    assert last.step == 4
    last.run()
    shown = EventAccumulator(str(tmp_path / "tracking" / "fit"))
    shown.Reload()
    assert [event.step for event in shown.Scalars("loss")] == list(range(8))
    assert [event.step for event in shown.Scalars("held_out")] == [0, 2, 4, 6, 8]


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first = trainer(tmp_path)
    first.run()
    second = trainer(tmp_path)
    second.run()
    assert second._module.calls == 0  # type: ignore[union-attr]
    assert torch.equal(weights(first), weights(second))
