"""Whole training runs as processes of their own: what the tests start, kill and start again.

They are forked from a process that has imported what a run imports, which takes several times as long as the runs of
the tests do. Processes that work together find each other by the variables that torchrun would set.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

_PREPARED = multiprocessing.get_context("forkserver")
# Of installed packages alone: the process that others are forked from does not look where tests lie.
_PREPARED.set_forkserver_preload(
    [
        "torch.distributed.checkpoint",
        "torch.distributed.fsdp",
        "accelerate",
        "peft",
        "interplay.train.run",
        "interplay.backbones.cogvideox.adapter",
        "interplay.backbones.wan.adapter",
    ]
)
ON_CPU = {"ACCELERATE_USE_CPU": "true"}
LONGEST_S = 600


class Launched:
    """A function that runs in so many processes at once, which may end well, badly or by SIGKILL."""

    def __init__(
        self,
        target: Callable[..., object],
        *arguments: object,
        processes: int = 1,
        environment: Mapping[str, str] = ON_CPU,
    ) -> None:
        handle, told = tempfile.mkstemp(prefix="launched-")
        os.close(handle)
        self._told = Path(told)
        self._processes = [
            _PREPARED.Process(target=_run, args=(target, arguments, {**environment, **place}, told), daemon=True)
            for place in _places(processes)
        ]
        for process in self._processes:
            process.start()

    @property
    def is_running(self) -> bool:
        """Whether none of them has ended."""
        return all(process.is_alive() for process in self._processes)

    def kill(self) -> str:
        """SIGKILL to all that still run; what they said."""
        for process in self._processes:
            process.kill()
            process.join()
        told = self._told.read_text(encoding="utf-8") if self._told.exists() else ""
        self._told.unlink(missing_ok=True)
        return told

    def finish(self) -> str:
        """Wait for the end, which must be a good one; what was said. Who is left alone by one that failed is killed."""
        deadline = time.monotonic() + LONGEST_S
        while any(process.is_alive() for process in self._processes):
            failed = any(process.exitcode for process in self._processes)
            if failed or time.monotonic() > deadline:
                break
            time.sleep(0.01)
        codes = [process.exitcode for process in self._processes]
        told = self.kill()
        assert not any(codes), told
        assert None not in codes, f"took longer than {LONGEST_S} s: {told}"
        return told


def _places(processes: int) -> list[dict[str, str]]:
    """What each process is told of the others."""
    if processes == 1:
        return [{}]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    sizes = {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
    return [{**meeting, **sizes, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]


def _run(
    target: Callable[..., object], arguments: tuple[object, ...], environment: Mapping[str, str], told: str
) -> None:
    os.environ.update(environment)
    stream = os.open(told, os.O_WRONLY | os.O_APPEND)
    for own in (1, 2):
        os.dup2(stream, own)
    target(*arguments)


def start(recipe: str, clips: Path, out: Path, cache: Path, *, processes: int = 1) -> Launched:
    """Begin ``interplay train``."""
    return Launched(_train, recipe, clips, out, cache, processes=processes)


def _train(recipe: str, clips: Path, out: Path, cache: Path) -> None:
    from interplay.core.artifacts import open_artifact
    from interplay.core.cache import Cache
    from interplay.train.config import TrainConfig
    from interplay.train.run import run

    run(TrainConfig.model_validate_json(recipe), open_artifact(clips), out, cache=Cache(cache))
