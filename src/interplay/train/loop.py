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
from typing import Any, Literal, NoReturn

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
from interplay.train.optimizers import OptimizerConfig, build_optimizers
from interplay.train.processes import Processes, make_accelerator
from interplay.train.sharding import (
    Gradients,
    as_forward,
    is_sharded,
    join,
    laid_out_like,
    load_state,
    whole,
    whole_state,
)

History = list[dict[str, float]]
ScheduleShape = Literal["cosine", "linear", "constant"]
WarmupShape = Literal["linear", "third"]
Precision = Literal["float32", "bfloat16"]
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
    ``tracking``.
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
    ) -> None:
        self.schedule, self.name, self.seed, self.loop = schedule, name, seed, loop
        self._module, self._described, self._examination = module, described, examination
        self._trained = _trained_of(module)
        optimizers = build_optimizers(module, self._trained, loop.optimizer, schedule.peak)
        self._factors = [[group["lr"] / schedule.peak for group in o.param_groups] for o in optimizers]
        self._processes = Processes()
        self._accelerator = make_accelerator(
            gradient_accumulation_steps=loop.accumulate, log_with=list(trackers) or None, project_dir=tracking
        )
        self._check_accelerate()
        _name_blocks(module)
        self._prepared, *self._optimizers = self._accelerator.prepare(module, *optimizers)
        # Sharding (FSDP2) puts other tensors in the place of the parameters.
        self._trained = _trained_of(module)
        self._sharded = is_sharded(module)
        self._gradients = Gradients(module) if self._sharded else None
        self._take = self._taker()
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
        _copy_into(self._trained, self._average)
        if self._sharded:
            join(self._module, self._trained)
            self._trained = _trained_of(self._module)
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
        with _in_place_of(self._trained, state["weights"]):
            yield state["row"]

    # --- one step ----------------------------------------------------------------------------------------------------

    def _train_step(self) -> dict[str, float]:
        started = time.perf_counter()
        rate = self.schedule.at(self.step)
        self._set_rates(rate)
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)
        parts = [self._forward_and_backward(part) for part in range(self.loop.accumulate)]
        values, micros = self._gathered(parts)
        self._guard.check_losses(self.step, micros)
        if self._gradients is not None:
            self._gradients.take_out_missing(self._trained, self._processes)
        norm = self._clipped_norm()
        if self._accelerator.scaler is None:  # scaled float16 gradients overflow now and then, and skip their step
            recent = self.history[-self.loop.spike_window :]
            self._guard.check_gradient(self.step, norm, [row["gradient_norm"] for row in recent], micros)
        for optimizer in self._optimizers:
            optimizer.step()
        self._update_average()
        told = {"learning_rate": rate, "gradient_norm": norm, "seconds": time.perf_counter() - started}
        return {"step": self.step, **values, **told}

    def _forward_and_backward(self, part: int) -> tuple[dict[str, Tensor], str]:
        """Losses of one draw, and its clips in words; the gradient is added to what is there."""
        draw = self._processes.number * self.loop.accumulate + part
        # The draw 0 of old: a step of one draw in one process is seeded by its step alone.
        generator = torch.Generator().manual_seed(derive_seed(self.seed, self.name, self.step, draw))
        torch.manual_seed(derive_seed(self.seed, self.name, self.step, draw, "unnamed"))
        with self._accelerator.accumulate(self._prepared), self._autocast():
            losses = self._prepared(generator)
            with torch.autocast(self._accelerator.device.type, enabled=False):
                self._accelerator.backward(losses["loss"])
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

    def _clipped_norm(self) -> float:
        """The norm of the whole gradient before it is clipped."""
        norm = self._accelerator.clip_grad_norm_(self._trained.values(), self.loop.clip_grad_norm)
        return float(whole(norm)) if isinstance(norm, Tensor) else float(norm or 0.0)

    def _set_rates(self, rate: float) -> None:
        for optimizer, factors in zip(self._optimizers, self._factors, strict=True):
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
        if examination is None or (self.examined and self.examined[-1]["step"] == self.step):
            return
        if self.step % examination.every and self.step != self.schedule.steps:
            return
        self._module.eval()
        with _in_place_of(self._trained, self._average), self._autocast(), torch.no_grad():
            row = {"step": self.step, **self._take(self.step)}
            best = min((other[examination.best_by] for other in self.examined), default=math.inf)
            if row[examination.best_by] < best:
                weights = {key: whole(value.detach()) for key, value in self._trained.items()}
                if self._processes.is_main:
                    self.checkpoints.save_best({"row": row, "weights": weights})
        self._module.train()
        self.examined.append(row)
        self._track(row, self.step)

    def _taker(self) -> Callable[[int], Mapping[str, float]]:
        """How to measure. Sharded weights are put together for what counts as a forward of the module, and no more."""
        if self._examination is None or not self._sharded:
            return self._examination.take if self._examination else lambda step: {}
        return as_forward(self._module, "take_examination", self._examination.take)

    def _open_trackers(self) -> None:
        if self._accelerator.log_with:
            self._accelerator.init_trackers(self.name)

    def _track(self, row: Mapping[str, float], step: float) -> None:
        if self._accelerator.log_with:
            self._accelerator.log({key: value for key, value in row.items() if key != "step"}, step=int(step))

    def _progress(self) -> Progress:
        return Progress(self.name, self.schedule.steps, done=self.step)

    # --- saving ------------------------------------------------------------------------------------------------------

    def _save(self) -> None:
        # Gathering what is sharded takes all processes; writing it takes one.
        state = {
            "step": self.step,
            "draws": self.draws,
            "weights": {key: whole(value.detach()) for key, value in self._trained.items()},
            "optimizers": [whole_state(optimizer) for optimizer in self._optimizers],
            "average": {key: whole(value) for key, value in self._average.items()},
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
        _copy_into(self._trained, state["weights"])
        _copy_into(self._average, state["average"])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            load_state(optimizer, saved)
        self.step, self.history, self.examined = state["step"], state["history"], state["examined"]

    def _check_accelerate(self) -> None:
        """Refuse what accelerate's configuration asks for and this loop cannot do, or the recipe says otherwise."""
        accelerator = self._accelerator
        kind, told = str(accelerator.distributed_type.value), accelerator.gradient_accumulation_steps
        precision = _PRECISIONS.get(accelerator.mixed_precision, accelerator.mixed_precision)
        if told != self.loop.accumulate:
            problem = f"asks for {told} parts of a gradient and the recipe for {self.loop.accumulate}"
            _refuse(problem, f"set gradient_accumulation to {told} in the recipe, or take it out there")
        if self.loop.precision is not None and precision not in ("no", self.loop.precision):
            problem = f"asks for {precision} and the recipe for {self.loop.precision}"
            _refuse(problem, "set mixed_precision: no there, and precision in the recipe (float32 or bfloat16)")
        if kind == "FSDP":
            self._check_sharding(precision)
        elif self._processes.shards:
            _refuse("asks for shards (FSDP), which accelerate makes on GPUs alone", "use DDP there")
        if kind not in ("NO", "FSDP") and not kind.startswith("MULTI_"):
            problem = f"asks for {kind}, of which checkpoints cannot be exact here"
            _refuse(problem, "use DDP, or FSDP2 (fsdp_version: 2), which shares out the same things")

    def _check_sharding(self, precision: str) -> None:
        accelerator, optimizer = self._accelerator, self.loop.optimizer.name
        if not accelerator.is_fsdp2:
            _refuse("asks for the first version of FSDP", "set fsdp_version: 2 there")
        if optimizer != "adamw":
            why = "Muon needs whole matrices" if optimizer == "muon" else f"{optimizer} does not know shards"
            _refuse(f"shares weights out, and {why}", "use DDP, or optimizer: adamw in the recipe")
        if precision != "no":
            problem = f"asks for {precision} and shares weights out, which would train what is small in {precision} too"
            _refuse(problem, "set mixed_precision: no there, and precision: bfloat16 in the recipe")
        plugin = accelerator.state.fsdp_plugin
        if plugin.activation_checkpointing:
            cure = "set fsdp_activation_checkpointing: false there, and gradient_checkpointing: true in the recipe"
            _refuse("asks for activation checkpointing, which is the recipe's to say", cure)
        if type(plugin.cpu_offload).__name__ == "CPUOffloadPolicy":
            _refuse("asks for weights in the memory of the CPU", "set fsdp_offload_params: false there")
        if getattr(plugin.auto_wrap_policy, "__name__", "") == "size_based_auto_wrap_policy":
            problem = "shares weights out by size, and some of them are read outside of their layer's forward"
            _refuse(problem, "set fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP there")


def _refuse(problem: str, cure: str) -> NoReturn:
    raise InputError(problem, where="accelerate's configuration", cure=cure)


def mean_of(history: Iterable[Mapping[str, float]], key: str) -> float:
    """Mean of a logged value."""
    values = [row[key] for row in history]
    return sum(values) / len(values)


def _trained_of(module: nn.Module) -> dict[str, Tensor]:
    return {key: value for key, value in module.named_parameters() if value.requires_grad}


def _name_blocks(module: nn.Module) -> None:
    """Tell sharding by layers (FSDP2) which classes the layers are of: those of the models inside."""
    names = {name for one in module.modules() for name in getattr(one, "_no_split_modules", None) or ()}
    present = {type(one).__name__ for one in module.modules()}
    module._no_split_modules = sorted(names & present)  # type: ignore[assignment]


@torch.no_grad()
def _copy_into(parameters: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    for key, value in values.items():
        parameters[key].copy_(laid_out_like(value, parameters[key]))


@contextmanager
def _in_place_of(parameters: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> Iterator[None]:
    """Other values for a while; the very same bits afterwards."""
    before = {key: parameters[key].detach().clone() for key in values}
    _copy_into(parameters, values)
    try:
        yield
    finally:
        _copy_into(parameters, before)
