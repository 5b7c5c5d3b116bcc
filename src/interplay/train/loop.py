"""One training loop for everything that is trained here; killed at any step, it goes on as if nothing had happened.

What is trained is a module whose ``forward(generator)`` returns named scalar losses; its trainable parameters are the
state. All randomness of step ``k`` comes from a generator seeded by ``k`` (and the process's rank), so a resumed run
needs no saved random state: it repeats no step and skips none. Weights, optimiser, moving average and losses are saved
together, atomically.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from interplay.core.config import Config
from interplay.core.errors import InterplayError
from interplay.core.files import atomic_write_text, full_disk_named
from interplay.core.progress import Progress
from interplay.core.seeds import derive_seed
from interplay.train.optimizers import OptimizerConfig, build_optimizers

History = list[dict[str, float]]


@dataclass(frozen=True)
class Schedule:
    """Learning rate: linear warm-up to ``peak``, then cosine decay to ``final`` at ``steps``."""

    steps: int
    peak: float
    final: float
    warmup: int

    def at(self, step: int) -> float:
        """Learning rate of ``step`` (0-based)."""
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        done = (step - self.warmup) / max(self.steps - self.warmup, 1)
        return self.final + 0.5 * (self.peak - self.final) * (1.0 + math.cos(math.pi * done))


class LoopConfig(Config):
    """How training runs. ``ema_decay`` 0 keeps no moving average."""

    optimizer: OptimizerConfig = OptimizerConfig()
    clip_grad_norm: float = 1.0
    ema_decay: float = 0.0
    save_every: int = 200


class Trainer:
    """Minimises ``losses["loss"]`` of ``module(generator)``; the other losses are logged beside it."""

    def __init__(
        self, module: nn.Module, schedule: Schedule, folder: Path, *, name: str, seed: int, loop: LoopConfig
    ) -> None:
        from accelerate import Accelerator

        self.schedule, self.name, self.seed, self.loop = schedule, name, seed, loop
        self._module = module
        self._trained = {key: value for key, value in module.named_parameters() if value.requires_grad}
        optimizers = build_optimizers(module, self._trained, loop.optimizer, schedule.peak)
        self._factors = [[group["lr"] / schedule.peak for group in o.param_groups] for o in optimizers]
        self._accelerator = Accelerator()
        self._prepared, *self._optimizers = self._accelerator.prepare(module, *optimizers)
        self._average = {key: value.detach().clone() for key, value in self._trained.items()} if loop.ema_decay else {}
        self.step = 0
        self.history: History = []
        self.checkpoint = folder / f"{name}.checkpoint.pt"
        self.log = folder / f"{name}.losses.jsonl"
        if self.checkpoint.is_file():
            self._load()

    @property
    def trainable_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(value.numel() for value in self._trained.values())

    def run(self) -> History:
        """Train from the last checkpoint to the schedule's end; the weights end as the moving average, if kept."""
        self._module.train()
        with Progress(self.name, self.schedule.steps, done=self.step) as progress:
            while self.step < self.schedule.steps:
                row = self._train_step()
                self.history.append(row)
                self.step += 1
                progress.advance(note=f"loss {row['loss']:.4f}")
                if self.step % self.loop.save_every == 0 or self.step == self.schedule.steps:
                    self._save()
        _copy_into(self._trained, self._average)
        self._module.eval()
        return self.history

    def _train_step(self) -> dict[str, float]:
        started = time.perf_counter()
        rank = self._accelerator.process_index
        generator = torch.Generator().manual_seed(derive_seed(self.seed, self.name, self.step, rank))
        rate = self.schedule.at(self.step)
        self._set_rates(rate)
        losses = self._prepared(generator)
        if not torch.isfinite(losses["loss"]):
            value = float(losses["loss"].detach())
            raise InterplayError(f"{self.name}: the loss is {value} at step {self.step}; lower the learning rate")
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)
        self._accelerator.backward(losses["loss"])
        self._accelerator.clip_grad_norm_(self._trained.values(), self.loop.clip_grad_norm)
        for optimizer in self._optimizers:
            optimizer.step()
        self._update_average()
        values = {key: float(value.detach()) for key, value in losses.items()}
        return {"step": self.step, **values, "learning_rate": rate, "seconds": time.perf_counter() - started}

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

    def _save(self) -> None:
        if not self._accelerator.is_main_process:
            return
        state = {
            "step": self.step,
            "weights": {key: value.detach() for key, value in self._trained.items()},
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "average": self._average,
            "history": self.history,
        }
        _save_atomically(state, self.checkpoint)
        atomic_write_text(self.log, "".join(json.dumps(row) + "\n" for row in self.history))

    def _load(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True, map_location=self._accelerator.device)
        _copy_into(self._trained, state["weights"])
        _copy_into(self._average, state["average"])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.history = state["step"], state["history"]


def mean_of(history: Iterable[Mapping[str, float]], key: str) -> float:
    """Mean of a logged value."""
    values = [row[key] for row in history]
    return sum(values) / len(values)


@torch.no_grad()
def _copy_into(parameters: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    for key, value in values.items():
        parameters[key].copy_(value)


def _save_atomically(state: Mapping[str, Any], path: Path) -> None:
    partial = path.with_suffix(".tmp")
    with full_disk_named(path.parent):
        torch.save(state, partial)
        os.replace(partial, path)
