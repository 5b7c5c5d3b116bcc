"""One training loop for everything that is trained here; killed at any step, it goes on as if nothing had happened.

What is trained is a module whose ``forward(generator)`` returns named scalar losses; its trainable parameters are the
state. A step is made of one or more draws: the parts of an accumulated gradient, on one or more processes. All
randomness of draw ``d`` of step ``k`` comes from seeds made of ``k`` and ``d``, so a resumed run needs no saved random
state: it repeats no step and skips none. And it does not matter who makes a draw: two processes of one part each see
what one process of two parts sees. Weights, optimiser, moving average and losses are saved together, atomically.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.core.files import atomic_write_text
from interplay.core.progress import Progress, shown
from interplay.core.seeds import derive_seed
from interplay.train.checkpoints import Checkpoints, State
from interplay.train.guard import Guard, Micro
from interplay.train.history import History
from interplay.train.layouts import Copies, Layout, refuse, trained_of
from interplay.train.optimizers import OptimizerConfig, build_optimizers
from interplay.train.precision import Precision
from interplay.train.processes import Processes, make_accelerator
from interplay.train.sharding import Shards, check_shards
from interplay.train.trackers import flat, started_at
from interplay.train.zero import Zero, check_zero

ScheduleShape = Literal["cosine", "linear", "constant"]
WarmupShape = Literal["linear", "third"]
# As accelerate calls them.
_PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


@dataclass(frozen=True)
class Schedule:
    """Learning rate: warm-up to ``peak``, then the ``shape`` from there to ``final`` at ``steps``.

    A ``linear`` warm-up rises from step to step, the one called ``third`` stays at a third of the peak until it is over
    (torch's ``ConstantLR``, which the released MATRIX code uses). A ``constant`` rate stays at ``peak``.
    """

    steps: int
    peak: float
    final: float
    warmup: int
    shape: ScheduleShape = "cosine"
    warmup_shape: WarmupShape = "linear"

    def at(self, step: int) -> float:
        """Learning rate of ``step`` (0-based)."""
        if step < self.warmup:
            return self.peak / 3 if self.warmup_shape == "third" else self.peak * (step + 1) / self.warmup
        if self.shape == "constant":
            return self.peak
        done = (step - self.warmup) / max(self.steps - self.warmup, 1)
        left = 1.0 - done if self.shape == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))
        return self.final + (self.peak - self.final) * left


class LoopConfig(Config):
    """How training runs.

    ``ema_decay`` 0 keeps no moving average. ``accumulate`` draws make the gradient of one step. ``precision`` bfloat16
    computes the forward pass in it; what is trained keeps its own type. Where it is left open, accelerate's
    configuration decides. ``spike_factor``: see :class:`~interplay.train.guard.Guard`.
    """

    optimizer: OptimizerConfig = OptimizerConfig()
    clip_grad_norm: float = 1.0
    ema_decay: float = 0.0
    save_every: int = 200
    keep_checkpoints: int = Field(1, ge=1)
    accumulate: int = Field(1, ge=1)
    precision: Precision | None = None
    spike_factor: float | None = Field(None, gt=1)
    spike_window: int = Field(100, ge=1)


@dataclass(frozen=True)
class Examination:
    """What is measured ``every`` so many steps, before the first one and after the last one.

    ``take(step)`` runs in all processes, with the moving average in place where there is one, and returns the same
    numbers in all. The weights with the smallest ``best_by`` are kept.
    """

    every: int
    take: Callable[[int], Mapping[str, float]]
    best_by: str


class Trainer:
    """Minimises ``losses["loss"]`` of ``module(generator)``; the other losses are logged beside it.

    ``described()`` names the clips of the last forward. ``trackers`` are names that accelerate knows; they write below
    ``tracking`` and are told ``settings``, those of the run.
    """

    def __init__(
        self,
        module: nn.Module,
        schedule: Schedule,
        folder: Path,
        *,
        name: str,
        seed: int,
        loop: LoopConfig,
        described: Callable[[], str] = lambda: "its only batch",
        examination: Examination | None = None,
        trackers: Iterable[Any] = (),
        tracking: Path | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._settings = settings or {}
        self.schedule, self.name, self.seed, self.loop = schedule, name, seed, loop
        self._module, self._described, self._examination = module, described, examination
        self._processes = Processes()
        self._accelerator = make_accelerator(
            gradient_accumulation_steps=loop.accumulate, log_with=list(trackers) or None, project_dir=tracking
        )
        self._layout = self._laid_out(module)
        self._take = self._layout.measuring(examination.take) if examination else None
        self._factors = [
            [group["lr"] / schedule.peak for group in optimizer.param_groups] for optimizer in self._layout.optimizers
        ]
        self._average = {key: value.detach().clone() for key, value in self._trained.items()} if loop.ema_decay else {}
        self._guard = Guard(name, loop.spike_factor, loop.spike_window)
        self.step = 0
        self.history: History = []
        self.examined: History = []
        self.checkpoints = Checkpoints(folder, name, loop.keep_checkpoints)
        self.log = folder / f"{name}.losses.jsonl"
        saved = self.checkpoints.latest()
        if saved is not None:
            self._load(saved)

    @property
    def _trained(self) -> dict[str, Tensor]:
        return self._layout.trained

    @property
    def trainable_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(value.numel() for value in self._trained.values())

    @property
    def draws(self) -> int:
        """How many draws make one step: the parts of its gradient, on all processes."""
        return self.loop.accumulate * self._processes.count

    def run(self) -> History:
        """Train from the last checkpoint to the schedule's end; the weights end as the moving average, if kept."""
        self._open_trackers()
        self.advance(self.schedule.steps - self.step)
        for tracker in self._accelerator.trackers:
            tracker.finish()  # `end_training` would end the process group too, and the processes are not done yet
        self._write(self._average)
        self._layout.leave()
        self._module.eval()
        return self.history

    def advance(self, steps: int) -> None:
        """Train so many steps more, measuring and saving where it is time to."""
        self._module.train()
        last = self.step + steps
        # What the modules draw without a generator of ours is seeded step by step, and the caller's state is kept.
        with shown(self._processes.is_main), torch.random.fork_rng(), self._progress() as progress:
            if self.step == 0:
                self._examine()
            while self.step < last:
                row = self._train_step()
                self.history.append(row)
                self.step += 1
                self._track(row, row["step"])
                progress.advance(note=f"loss {row['loss']:.4f}")
                self._examine()
                if self.step % self.loop.save_every == 0 or self.step == self.schedule.steps:
                    self._save()

    @contextmanager
    def best(self) -> Iterator[dict[str, float] | None]:
        """Inside, the weights are those of the best examination; what it measured, or ``None`` without any."""
        state = self.checkpoints.best()
        if state is None:
            yield None
            return
        with self._in_place(state["weights"]):
            yield state["row"]

    # --- one step ----------------------------------------------------------------------------------------------------

    def _train_step(self) -> dict[str, float]:
        started = time.perf_counter()
        rate = self.schedule.at(self.step)
        self._set_rates(rate)
        self._layout.clear()
        with self._layout.all_draws():
            parts = [self._forward_and_backward(part) for part in range(self.loop.accumulate)]
        values, micros = self._gathered(parts)
        self._guard.check_losses(self.step, micros)
        norm = self._layout.clipped_norm()
        if self._accelerator.scaler is None:  # scaled float16 gradients overflow now and then, and skip their step
            recent = self.history[-self.loop.spike_window :]
            self._guard.check_gradient(self.step, norm, [row["gradient_norm"] for row in recent], micros)
        self._layout.step()
        self._update_average()
        told = {"learning_rate": rate, "gradient_norm": norm, "seconds": time.perf_counter() - started}
        return {"step": self.step, **values, **told}

    def _forward_and_backward(self, part: int) -> tuple[dict[str, Tensor], str]:
        """Losses of one draw, and its clips in words; the gradient is added to what is there."""
        draw = self._processes.number * self.loop.accumulate + part
        # The draw 0 of old: a step of one draw in one process is seeded by its step alone.
        generator = torch.Generator().manual_seed(derive_seed(self.seed, self.name, self.step, draw))
        torch.manual_seed(derive_seed(self.seed, self.name, self.step, draw, "unnamed"))
        with self._layout.one_draw(), self._autocast():
            losses = self._layout.prepared(generator)
            with torch.autocast(self._accelerator.device.type, enabled=False):
                self._layout.backward(losses["loss"])
        return {key: value.detach().float() for key, value in losses.items()}, self._described()

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.loop.precision != "bfloat16":
            return nullcontext()
        return torch.autocast(self._accelerator.device.type, dtype=torch.bfloat16)

    def _gathered(self, parts: list[tuple[dict[str, Tensor], str]]) -> tuple[dict[str, float], list[Micro]]:
        """Means of the losses over all draws of the step, and each draw."""
        mine = [({key: float(value) for key, value in losses.items()}, clips) for losses, clips in parts]
        everyone = self._processes.gathered(mine)
        micros = [
            Micro(process, part, losses["loss"], clips)
            for process, its in enumerate(everyone)
            for part, (losses, clips) in enumerate(its)
        ]
        rows = [losses for its in everyone for losses, _ in its]
        return {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}, micros

    def _set_rates(self, rate: float) -> None:
        for optimizer, factors in zip(self._layout.optimizers, self._factors, strict=True):
            for group, factor in zip(optimizer.param_groups, factors, strict=True):
                group["lr"] = rate * factor

    @torch.no_grad()
    def _update_average(self) -> None:
        # A young average follows closely, so that the random start is forgotten: decay (1+k)/(10+k) at first.
        decay = min(self.loop.ema_decay, (1 + self.step) / (10 + self.step))
        for key, value in self._average.items():
            value.lerp_(self._trained[key], 1.0 - decay)

    # --- measuring ---------------------------------------------------------------------------------------------------

    def _examine(self) -> None:
        """Measure, if it is time to; the best weights so far are written before the checkpoint that knows of them."""
        examination = self._examination
        if examination is None or self._take is None or (self.examined and self.examined[-1]["step"] == self.step):
            return
        if self.step % examination.every and self.step != self.schedule.steps:
            return
        self._module.eval()
        with self._in_place(self._average), self._autocast(), torch.no_grad():
            row = {"step": self.step, **self._take(self.step)}
            best = min((other[examination.best_by] for other in self.examined), default=math.inf)
            if row[examination.best_by] < best:
                weights = self._weights()
                if self._processes.is_main:
                    self.checkpoints.save_best({"row": row, "weights": weights})
        self._module.train()
        self.examined.append(row)
        self._track(row, self.step)

    def _open_trackers(self) -> None:
        if not self._accelerator.log_with:
            return
        started = started_at(self.step)
        self._accelerator.init_trackers(self.name, config=flat(self._settings) or None, init_kwargs=started)
        # What was measured at this very step lies in the checkpoint: it is hidden, too, and not measured again.
        for row in (row for row in self.examined[-1:] if row["step"] == self.step):
            for tracker in (tracker for tracker in self._accelerator.trackers if tracker.name in started):
                tracker.log(_told(row), step=self.step)

    def _track(self, row: Mapping[str, float], step: float) -> None:
        if self._accelerator.log_with:
            self._accelerator.log(_told(row), step=int(step))

    def _progress(self) -> Progress:
        return Progress(self.name, self.schedule.steps, done=self.step)

    # --- saving ------------------------------------------------------------------------------------------------------

    def _save(self) -> None:
        # Gathering what is sharded takes all processes; writing it takes one.
        state = {
            "step": self.step,
            "draws": self.draws,
            "weights": self._weights(),
            "optimizers": self._layout.states(),
            "average": {key: self._layout.whole(value) for key, value in self._average.items()},
            "history": self.history,
            "examined": self.examined,
        }
        if self._processes.is_main:
            self.checkpoints.save(self.step, state)
            atomic_write_text(self.log, "".join(json.dumps(row) + "\n" for row in self.history))
        self._processes.wait()  # who reads it next must find it whole

    def _load(self, state: State) -> None:
        if state["draws"] != self.draws:
            problem = f"was begun with {state['draws']} draws a step, and this run would make {self.draws}"
            cure = "start as many processes as before, or begin anew with another --out"
            raise InputError(problem, where=self.checkpoints.folder, cure=cure)
        self._write(state["weights"])
        self._copy(state["average"], self._average)
        self._layout.load_states(state["optimizers"])
        self.step, self.history, self.examined = state["step"], state["history"], state["examined"]

    # --- where the weights lie ---------------------------------------------------------------------------------------

    def _weights(self) -> dict[str, Tensor]:
        """All of them. All processes must ask."""
        return {key: self._layout.whole(value.detach()) for key, value in self._trained.items()}

    def _write(self, values: Mapping[str, Tensor]) -> None:
        self._copy(values, self._trained)

    @torch.no_grad()
    def _copy(self, values: Mapping[str, Tensor], into: Mapping[str, Tensor]) -> None:
        for key, value in values.items():
            into[key].copy_(self._layout.laid_out(value, into[key]))

    @contextmanager
    def _in_place(self, values: Mapping[str, Tensor]) -> Iterator[None]:
        """Other weights for a while; the very same bits afterwards."""
        before = {key: self._trained[key].detach().clone() for key in values}
        self._write(values)
        try:
            yield
        finally:
            self._write(before)

    def _laid_out(self, module: nn.Module) -> Layout:
        """The module and its optimisers as accelerate's configuration wants them among the processes."""
        self._check_accelerate()
        layout: Callable[..., Layout] = {"FSDP": Shards, "DEEPSPEED": Zero}.get(self._kind, Copies)
        optimizers = build_optimizers(module, trained_of(module), self.loop.optimizer, self.schedule.peak)
        clip, in_bfloat16 = self.loop.clip_grad_norm, self.loop.precision == "bfloat16"
        return layout(self._accelerator, module, optimizers, self._processes, clip=clip, in_bfloat16=in_bfloat16)

    @property
    def _kind(self) -> str:
        return str(self._accelerator.distributed_type.value)

    def _check_accelerate(self) -> None:
        """Refuse what accelerate's configuration asks for and this loop cannot do, or the recipe says otherwise."""
        accelerator, kind, optimizer = self._accelerator, self._kind, self.loop.optimizer.name
        told = accelerator.gradient_accumulation_steps
        precision = _PRECISIONS.get(accelerator.mixed_precision, accelerator.mixed_precision)
        if told != self.loop.accumulate:
            problem = f"asks for {told} parts of a gradient and the recipe for {self.loop.accumulate}"
            refuse(problem, f"set gradient_accumulation to {told} in the recipe, or take it out there")
        if self.loop.precision is not None and precision not in ("no", self.loop.precision):
            problem = f"asks for {precision} and the recipe for {self.loop.precision}"
            refuse(problem, "set mixed_precision: no there, and precision in the recipe (float32 or bfloat16)")
        if kind == "FSDP":
            check_shards(accelerator, optimizer, precision)
        elif self._processes.shards:
            refuse("asks for shards (FSDP), which accelerate makes on GPUs alone", "use DDP there")
        if kind == "DEEPSPEED":
            check_zero(accelerator, optimizer, precision, self.loop.clip_grad_norm)
        elif kind not in ("NO", "FSDP") and not kind.startswith("MULTI_"):
            refuse(f"asks for {kind}, of which checkpoints cannot be exact here", "use DDP, FSDP2 or DeepSpeed")


def _told(row: Mapping[str, float]) -> dict[str, float]:
    """What trackers are told of a row beside its step."""
    return {key: value for key, value in row.items() if key != "step"}
