"""DeepSpeed's ZeRO in two processes on a CPU: what ``test_deepspeed`` starts.

Nothing is patched: the processes are given the variables that ``accelerate launch`` sets.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from torch import Tensor

from interplay.core.artifacts import open_artifact
from interplay.core.cache import Cache
from interplay.core.errors import InterplayError
from interplay.train.config import TrainConfig
from interplay.train.loop import LoopConfig, Schedule, Trainer
from interplay.train.run import run
from interplay.train.zero import Zero
from train.sharded_runs import Forked, result, small


class Told(Forked):
    """Notes in what type a layer computes."""

    computed: set[torch.dtype]

    def predicted(self, x: Tensor) -> Tensor:
        self.computed.add(self.blocks[0](x).dtype)
        return super().predicted(x)


def small_runs(folder: Path) -> None:
    """Unbroken, gone on with, handed to one process, begun by one; in stage 1; in bfloat16; with what goes wrong."""
    unbroken = small(folder / "unbroken", accumulate=1)
    assert isinstance(unbroken._layout, Zero)
    assert unbroken._layout._engine.zero_optimization_stage() == 2
    unbroken.run()
    small(folder / "broken", accumulate=1).advance(14)
    gone_on = small(folder / "broken", accumulate=1)
    assert gone_on.step == 14
    gone_on.run()
    small(folder / "handed", accumulate=1).advance(14)
    taken = small(folder / "taken", accumulate=1)
    assert taken.step == 7
    taken.run()
    AcceleratorState().deepspeed_plugin.deepspeed_config["zero_optimization"]["stage"] = 1
    first_stage = small(folder / "first stage", accumulate=1)
    assert first_stage._layout._engine.zero_optimization_stage() == 1
    first_stage.run()
    if unbroken._processes.is_main:
        found = {"unbroken": unbroken, "gone on": gone_on, "taken": taken, "stage 1": first_stage}
        torch.save({name: result(trainer) for name, trainer in found.items()}, folder / "results.pt")
    in_bfloat16(folder / "bfloat16")
    wrong_runs(folder / "wrong")


def in_bfloat16(folder: Path) -> None:
    """A forward is computed in it, and what is trained stays float32."""
    module = Told()
    module.computed = set()
    schedule, config = Schedule(2, peak=0.1, final=0.0, warmup=0), LoopConfig(accumulate=2, precision="bfloat16")
    Trainer(module, schedule, folder, name="fit", seed=3, loop=config).run()
    assert module.computed == {torch.bfloat16}
    assert all(value.dtype == torch.float32 for value in module.parameters())


class Wrong(Forked):
    """A gradient that is no number, or an error before there is any."""

    def __init__(self, fails: bool) -> None:
        super().__init__()
        self.fails = fails

    def forward(self, generator: torch.Generator) -> dict[str, Tensor]:
        if self.fails:
            raise ZeroDivisionError
        return {"loss": (0 * self.out).square().sum().sqrt()}


def wrong_runs(folder: Path) -> None:
    """Each ends with what is wrong, and neither waits for processes that are elsewhere."""
    for fails, error, told in (
        (False, InterplayError, "gradient is no number at step 0"),
        (True, ZeroDivisionError, "^$"),
    ):
        module, schedule = Wrong(fails), Schedule(2, peak=0.1, final=0.0, warmup=0)
        before = module.out.detach().clone()
        with pytest.raises(error, match=told):
            Trainer(module, schedule, folder / str(fails), name="fit", seed=3, loop=LoopConfig()).run()
        assert torch.equal(module.out, before)


def whole_runs(folder: Path, recipe: str, clips: str) -> None:
    """A recipe, and once more, killed right after a checkpoint."""
    train(folder, "unbroken", recipe, clips)
    save = Trainer._save

    def saved_and_killed(trainer: Trainer) -> None:
        save(trainer)
        os.kill(os.getpid(), signal.SIGKILL)

    Trainer._save = saved_and_killed  # type: ignore[method-assign]
    train(folder, "killed", recipe, clips)


def gone_on(folder: Path, recipe: str, clips: str) -> None:
    """What was killed goes on."""
    train(folder, "killed", recipe, clips)


def train(folder: Path, name: str, recipe: str, clips: str) -> None:
    config = TrainConfig.model_validate_json(recipe)
    run(config, open_artifact(Path(clips)), folder / name, cache=Cache(folder / "cache"))


def all_runs(folder: Path, *arguments: Any) -> None:
    """Importing torch twice takes longer than all of it."""
    small_runs(folder / "small")
    whole_runs(folder, *arguments)


if __name__ == "__main__":
    torch.set_num_threads(1)
    what, where, *rest = sys.argv[1:]
    {"all": all_runs, "small": small_runs, "gone on": gone_on}[what](Path(where), *rest)
