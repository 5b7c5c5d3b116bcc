"""Experiment trackers, through accelerate: TensorBoard, Weights & Biases and whatever else it knows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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


def started_at(step: int) -> dict[str, dict[str, int]]:
    """Options by tracker for a run that starts, or goes on, at this step.

    TensorBoard reads all files of a folder as one run: it is told to hide what a run that was killed after its last
    checkpoint had said of this step and later ones, which will be said again. The others that accelerate knows begin a
    run of their own with every start.
    """
    return {"tensorboard": {"purge_step": step}}


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, bool | int | float | str]:
    """Settings as all trackers take them: ``matrix.lambda_sga``, and lists and ``null`` in words."""
    found: dict[str, bool | int | float | str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value if isinstance(value, bool | int | float | str) else json.dumps(value)
    return found
