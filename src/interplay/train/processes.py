"""The processes that train together, as ``accelerate launch`` starts them; most often there is one.

Only the first one, the *main* process, holds the artifact's lock and writes; :func:`together` lets the others take part
in the work that happens inside it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from interplay.core.errors import InputError

T = TypeVar("T")

# One process may encode a large dataset while the others wait; the ten minutes of NCCL are meant for a single step.
_PATIENCE = timedelta(hours=12)


class Processes:
    """Who else is there. Cheap to make: all of a process share one state, which accelerate sets up once."""

    def __init__(self) -> None:
        from accelerate import PartialState
        from accelerate.utils import parse_flag_from_env

        # Every process reads the weights of its models. With "efficient loading", which accelerate's launcher asks for
        # unless a configuration says otherwise, transformers reads them in the main process alone, for FSDP to hand on;
        # but the text encoder is not sharded, and the others would embed captions with weights that nobody set.
        os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"
        on_cpu = parse_flag_from_env("ACCELERATE_USE_CPU")
        talk = _how_to_talk(on_cpu) if parse_flag_from_env("ACCELERATE_USE_DEEPSPEED") else None
        # Not an Accelerator: a second one would change the settings of the one that trains.
        self._state = PartialState(cpu=on_cpu, timeout=_PATIENCE, backend=talk)

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self._state.num_processes)

    @property
    def number(self) -> int:
        """Which one this is, from 0."""
        return int(self._state.process_index)

    @property
    def is_main(self) -> bool:
        """Whether this is the one that writes."""
        return bool(self._state.is_main_process)

    @property
    def device(self) -> torch.device:
        """What this process computes on."""
        device: torch.device = self._state.device
        return device

    @property
    def shards(self) -> bool:
        """Whether accelerate's configuration asks for shards of the weights."""
        from accelerate.utils import parse_flag_from_env

        return bool(parse_flag_from_env("ACCELERATE_USE_FSDP"))

    @property
    def deepspeed(self) -> bool:
        """Whether it asks for DeepSpeed."""
        from accelerate.utils import parse_flag_from_env

        return bool(parse_flag_from_env("ACCELERATE_USE_DEEPSPEED"))

    def share(self, items: Sequence[T]) -> list[T]:
        """This process's part of ``items``; together the parts are all of them, each once."""
        return list(items[self.number :: self.count])

    def wait(self) -> None:
        """Go on when all have come here."""
        self._state.wait_for_everyone()

    def told_by_main(self, value: T | None) -> T | None:
        """What the main process says, on all of them."""
        if self.count == 1:
            return value
        from accelerate.utils import broadcast_object_list

        said = [value]
        broadcast_object_list(said)
        return said[0]

    def gathered(self, value: T) -> list[T]:
        """What each process says, in their order, on all of them."""
        if self.count == 1:
            return [value]
        from accelerate.utils import gather_object

        found: list[T] = gather_object([value])
        return found

    def added(self, value: Tensor) -> Tensor:
        """The sum of what the processes say, on all of them."""
        from accelerate.utils import reduce

        found: Tensor = reduce(value.to(self.device), "sum")
        return found


def _how_to_talk(on_cpu: bool) -> str | None:
    """What processes that DeepSpeed trains talk by, where accelerate does not know: it has GPUs in mind.

    :class:`InputError` where there is no DeepSpeed to be had.
    """
    where = "accelerate's configuration"
    if find_spec("deepspeed") is None:
        cure = "pip install 'interplay[deepspeed]', or use DDP or FSDP2"
        raise InputError("asks for DeepSpeed, which is not installed", where=where, cure=cure)
    if on_cpu:
        problem = "asks for DeepSpeed and for the CPU, and accelerate would then leave DeepSpeed out"
        raise InputError(problem, where=where, cure="set use_cpu: false there; where there is no GPU a CPU is taken")
    if torch.accelerator.is_available() or "LOCAL_RANK" not in os.environ:
        return None
    # On CPUs DeepSpeed would first compile an operation that only inference has a use for.
    import_module("deepspeed.ops").__compatible_ops__["deepspeed_shm_comm"] = False
    return "gloo"


def make_accelerator(**settings: Any) -> Any:
    """An accelerate ``Accelerator`` that follows the configuration of ``accelerate launch`` in all that is left open.

    Where a step has nothing to align, or where experts share the noise levels, some parameters have no gradient:
    ``find_unused_parameters`` lets the processes agree on that.
    """
    from accelerate import Accelerator
    from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs

    handlers = [DistributedDataParallelKwargs(find_unused_parameters=True), InitProcessGroupKwargs(timeout=_PATIENCE)]
    return Accelerator(kwargs_handlers=handlers, **settings)


def together(
    processes: Processes, build: Callable[[Callable[[Path], Any]], T], make: Callable[[Path], Any]
) -> T | None:
    """``build(make)`` in the main process, with ``make(folder)`` running in all of them at the same time.

    ``build`` may find that there is nothing to make; the others then return at once. What ``build`` returns is given
    back in the main process, ``None`` in the others.
    """
    if processes.count == 1:
        return build(make)
    if not processes.is_main:
        folder = processes.told_by_main(None)
        if folder is not None:
            make(Path(str(folder)))
        processes.wait()
        return None
    begun = False

    def announced(folder: Path) -> Any:
        nonlocal begun
        begun = True
        processes.told_by_main(str(folder))
        return make(folder)

    try:
        built = build(announced)
    except BaseException:
        # The others wait for a word; where the work had begun they are in the middle of it, and the launcher ends them.
        if not begun:
            processes.told_by_main(None)
            processes.wait()
        raise
    if not begun:
        processes.told_by_main(None)
    processes.wait()
    return built
