"""Experiment trackers, through accelerate: TensorBoard, Weights & Biases and whatever else it knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from interplay.core.errors import InputError


def checked(names: Sequence[str]) -> list[Any]:
    """The trackers that accelerate will open; :class:`InputError` about one that is unknown or not installed.

    Accelerate itself leaves out a tracker whose package is missing, and one notices after the run.
    """
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

    there = [str(name) for name in get_available_trackers()]
    for name in names:
        if name not in LOGGER_TYPE_TO_CLASS:
            known = ", ".join(sorted(map(str, LOGGER_TYPE_TO_CLASS)))
            raise InputError("is no tracker", where=f"--tracker {name}", cure=f"choose among {known}")
        if name not in there:
            cure = f"install it (pip install {name}), or leave the option out; losses.csv is written in any case"
            raise InputError("is not installed", where=f"--tracker {name}", cure=cure)
    return list(names)
