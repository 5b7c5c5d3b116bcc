from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from interplay.core.errors import InterplayError
from interplay.train.loop import LoopConfig, Schedule, Trainer

STEPS = 40


class Regression(nn.Module):
    """y = 3x - 1 with noise that the generator of the step decides."""

    def __init__(self, pause_s: float = 0.0, poison_at: int | None = None) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 1)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.pause_s, self.poison_at, self.calls = pause_s, poison_at, 0

    def forward(self, generator: torch.Generator) -> dict[str, Tensor]:
        time.sleep(self.pause_s)
        x = torch.randn(16, 1, generator=generator)
        noise = 0.1 * torch.randn(16, 1, generator=generator)
        loss = (self.linear(x) - (3 * x - 1 + noise)).square().mean()
        self.calls += 1
        return {"loss": loss * float("nan") if self.calls == self.poison_at else loss}


def trainer(folder: Path, **options: float) -> Trainer:
    schedule = Schedule(STEPS, peak=0.2, final=0.0, warmup=5)
    loop = LoopConfig(ema_decay=0.9, save_every=7)
    return Trainer(Regression(**options), schedule, folder, name="fit", seed=3, loop=loop)  # type: ignore[arg-type]


def weights(trained: Trainer) -> Tensor:
    return torch.cat([value.detach().flatten() for value in trained._module.parameters()])


def test_it_learns(tmp_path: Path) -> None:
    fit = trainer(tmp_path)
    history = fit.run()
    assert len(history) == STEPS
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert fit.trainable_parameters == 2


def test_the_schedule_warms_up_and_decays() -> None:
    schedule = Schedule(steps=100, peak=1.0, final=0.1, warmup=10)
    assert schedule.at(0) == pytest.approx(0.1)
    assert schedule.at(9) == pytest.approx(1.0)
    assert schedule.at(55) == pytest.approx(0.55)
    assert schedule.at(100) == pytest.approx(0.1)


def test_killed_at_any_point_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    unbroken = tmp_path / "unbroken"
    unbroken.mkdir()
    whole = trainer(unbroken)
    losses = [row["loss"] for row in whole.run()]
    broken = tmp_path / "broken"
    broken.mkdir()
    for delay_s in (0.3, 0.5):
        _run_and_kill(broken, delay_s)
    resumed = trainer(broken)
    assert 0 < resumed.step < STEPS, "the kills came too early or too late to test anything"
    again = [row["loss"] for row in resumed.run()]
    assert again == losses
    assert torch.equal(weights(resumed), weights(whole))


def _run_and_kill(folder: Path, delay_s: float) -> None:
    """Train in a process of its own and kill it ``delay_s`` after its first checkpoint moved."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path; from train.test_loop import trainer\n"
        "trainer(Path(sys.argv[1]), pause_s=0.03).run()\n"
    )
    tests = str(Path(__file__).parents[1])
    process = subprocess.Popen([sys.executable, "-c", code, str(folder), tests], stderr=subprocess.DEVNULL)
    checkpoint = folder / "fit.checkpoint.pt"
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (checkpoint.exists() and checkpoint.stat().st_mtime_ns > before):
        time.sleep(0.01)
    time.sleep(delay_s / 3)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_step(tmp_path: Path) -> None:
    with pytest.raises(InterplayError, match="step 4"):
        trainer(tmp_path, poison_at=5).run()


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first = trainer(tmp_path)
    first.run()
    second = trainer(tmp_path)
    second.run()
    assert second._module.calls == 0  # type: ignore[union-attr]
    assert torch.equal(weights(first), weights(second))
