"""Checkpoints of a training run: whole or absent, the last few kept, the newest one that can be read goes on.

Each is one file, ``{name}.checkpoints/step-00000200.pt``: written beside its place, brought to the disk and renamed. An
older one goes only after a newer one is there. The weights of the best evaluation lie beside them as ``best.pt``.
"""

from __future__ import annotations

import os
import pickle
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from interplay.core.errors import InputError
from interplay.core.files import fsync_folder, full_disk_named

_STEP = re.compile(r"step-(\d{8})\.pt")
_BEST = "best.pt"
# What torch.load raises about a file that was cut short or overwritten.
_DAMAGED = (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError)

State = Mapping[str, Any]


class Checkpoints:
    """The checkpoints of the run ``name`` in ``folder``, of which the last ``keep`` stay."""

    def __init__(self, folder: Path, name: str, keep: int) -> None:
        self.folder = folder / f"{name}.checkpoints"
        self._keep = keep

    def save(self, step: int, state: State) -> None:
        """Add the checkpoint of ``step``, then drop those that are one too many."""
        self._write(self.folder / f"step-{step:08d}.pt", state)
        for old in self.steps()[: -self._keep]:
            self._file(old).unlink()

    def save_best(self, state: State) -> None:
        """Put ``state`` in the place of the best one so far."""
        self._write(self.folder / _BEST, state)

    def steps(self) -> list[int]:
        """Steps of the checkpoints that are there, in their order."""
        names = os.listdir(self.folder) if self.folder.is_dir() else []
        return sorted(int(match[1]) for match in map(_STEP.fullmatch, names) if match)

    def latest(self) -> State | None:
        """The newest checkpoint that can be read; ``None`` where there is none. One that cannot be read is told.

        :class:`InputError` when there are some and none of them can be read: nobody wants to start anew unasked.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                return _read(self._file(step))
            except _DAMAGED as error:
                told = " ".join(str(error).split())
                print(f"{self._file(step)}: cannot be read ({told}), left out", file=sys.stderr, flush=True)
        if steps:
            cure = "remove the folder to start the training anew"
            raise InputError("none of the checkpoints can be read", where=self.folder, cure=cure)
        return None

    def best(self) -> State | None:
        """The weights of the best evaluation, if there was any."""
        path = self.folder / _BEST
        return _read(path) if path.is_file() else None

    def _file(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}.pt"

    def _write(self, path: Path, state: State) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".tmp")
        with full_disk_named(self.folder):
            with partial.open("wb") as stream:
                torch.save(dict(state), stream)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(partial, path)
            fsync_folder(self.folder)


def _read(path: Path) -> State:
    # Onto the CPU: from there the values are copied to wherever the parameters are, in whole or in parts.
    state: State = torch.load(path, weights_only=True, map_location="cpu")
    return state
