"""Weights shared out among processes on a CPU: what ``test_sharded`` starts, twice at the same time, and looks at.

Accelerate's configuration shards on GPUs alone. What it calls then works on a CPU too, so :func:`share_out` lets it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from torch import Tensor, nn

from interplay.core.artifacts import open_artifact
from interplay.core.cache import Cache
from interplay.train import loop, losses
from interplay.train.config import TrainConfig
from interplay.train.loop import Examination, LoopConfig, Schedule, Trainer
from interplay.train.run import run
from interplay.train.sharding import Shards

make_accelerator = loop.make_accelerator
STEPS = 24


def share_out() -> None:
    """Have accelerate do what it does on GPUs, with the plugin that its configuration makes."""

    os.environ["ACCELERATE_USE_FSDP"] = "true"

    def sharding(**settings: Any) -> Any:
        accelerator = make_accelerator(**settings)
        PartialState().distributed_type = accelerator.state.distributed_type = DistributedType.FSDP
        accelerator.state.fsdp_plugin = FullyShardedDataParallelPlugin()
        return accelerator

    loop.make_accelerator = sharding  # type: ignore[attr-defined]


class Forked(nn.Module):
    """y = 3x - 1 by layers that are sharded one by one and an output that is not; the second way is rarely taken.

    ``seldom`` has a gradient in a few draws: in one process, in both, in none.
    """

    _no_split_modules = ("Linear",)

    def __init__(self, pause_s: float = 0.0) -> None:
        super().__init__()
        self.pause_s = pause_s
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.blocks = nn.ModuleList([nn.Linear(1, 4), nn.Linear(4, 4)])
            self.out = nn.Parameter(torch.randn(4))
            self.seldom = nn.Parameter(torch.randn(3))

    def forward(self, generator: torch.Generator) -> dict[str, Tensor]:
        time.sleep(self.pause_s)
        x = torch.randn(16, 1, generator=generator)
        loss = (self.predicted(x) - (3 * x[:, 0] - 1)).square().mean()
        if torch.rand((), generator=generator) < 0.3:
            loss = loss + (self.seldom - x[:3, 0]).square().mean()
        return {"loss": loss}

    def predicted(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x).tanh()
        return x @ self.out

    def held_out(self, step: int) -> dict[str, float]:
        """Reads weights of every layer and weights that no layer has."""
        with torch.no_grad():
            return {"held_out": float(self.predicted(torch.ones(1, 1))), "seldom": float(self.seldom.detach().sum())}


def small(folder: Path, accumulate: int, pause_s: float = 0.0) -> Trainer:
    """A moving average, a best one, and examinations that put other weights in place."""
    module, schedule = Forked(pause_s), Schedule(STEPS, peak=0.1, final=0.0, warmup=5)
    config = LoopConfig.model_validate({"accumulate": accumulate, "ema_decay": 0.9, "save_every": 7})
    examination = Examination(5, module.held_out, "held_out")
    return Trainer(module, schedule, folder, name="fit", seed=3, loop=config, examination=examination)


def result(trainer: Trainer) -> dict[str, Any]:
    """Everything that a run of :func:`small` ends with."""
    weights = torch.cat([value.detach().flatten() for value in trainer._module.parameters()])
    losses = [row["loss"] for row in trainer.history]
    return {"weights": weights, "losses": losses, "examined": trainer.examined}


def small_runs(folder: Path) -> None:
    """In shards: unbroken, gone on with, broken off for one process to go on with, and begun by one."""
    share_out()
    unbroken = small(folder / "unbroken", accumulate=1)
    assert isinstance(unbroken._layout, Shards)
    unbroken.run()
    small(folder / "broken", accumulate=1).advance(14)
    gone_on = small(folder / "broken", accumulate=1)
    assert gone_on.step == 14
    gone_on.run()
    small(folder / "handed", accumulate=1).advance(14)
    taken = small(folder / "taken", accumulate=1)
    assert taken.step == 7
    taken.run()
    if gone_on._processes.is_main:
        found = {"unbroken": unbroken, "gone on": gone_on, "taken": taken}
        torch.save({name: result(trainer) for name, trainer in found.items()}, folder / "results.pt")


def slow_run(folder: Path) -> None:
    """In shards, for somebody to kill."""
    share_out()
    small(folder / "killed", accumulate=1, pause_s=0.1).run()


def runs_after_a_kill(folder: Path) -> None:
    """In shards: the killed run gone on with, and an unbroken one."""
    share_out()
    found = {"gone on": small(folder / "killed", accumulate=1), "unbroken": small(folder / "unbroken", accumulate=1)}
    went_on = found["gone on"].step
    for trainer in found.values():
        assert isinstance(trainer._layout, Shards)
        trainer.run()
    if found["gone on"]._processes.is_main:
        told = {name: result(trainer) for name, trainer in found.items()}
        torch.save({"went on": went_on, **told}, folder / "results.pt")


class BrokenOffError(Exception):
    """What ends a run early."""


def whole_runs(folder: Path, recipe: str, clips: str) -> None:
    """A recipe with copies of the weights (DDP), and in shards: broken off after a checkpoint, and gone on with."""

    def train(name: str) -> None:
        config = TrainConfig.model_validate_json(recipe)
        run(config, open_artifact(Path(clips)), folder / name, cache=Cache(folder / "cache"))

    def saved_and_broken_off(trainer: Trainer) -> None:
        assert isinstance(trainer._layout, Shards)
        save(trainer)
        raise BrokenOffError

    train("copies")
    share_out()
    save = Trainer._save
    Trainer._save = saved_and_broken_off  # type: ignore[method-assign]
    try:
        train("shards")
    except BrokenOffError:
        Trainer._save = save  # type: ignore[method-assign]
    train("shards")


def expert_runs(folder: Path, recipe: str, clips: str) -> None:
    """Two experts in shards; which one every forward was for is written down, process by process."""
    share_out()
    noised, drawn = losses.FineTuneLosses.noised, []

    def noted(self: Any, *arguments: Any) -> Any:
        found = noised(self, *arguments)
        drawn.extend((self.backbone.expert_at(found.noised.timesteps) == 0, *arguments[-1].tolist()))
        return found

    losses.FineTuneLosses.noised = noted  # type: ignore[method-assign]
    config = TrainConfig.model_validate_json(recipe)
    run(config, open_artifact(Path(clips)), folder / "experts", cache=Cache(folder / "cache"))
    torch.save(drawn, folder / f"drawn-{PartialState().process_index}.pt")
