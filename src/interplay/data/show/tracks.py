"""Mask tracks for a card: what is seen, absent or unknown over time, and in each frame that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.records.masks import MaskTrack

State = Literal["seen", "absent", "unknown"]


@dataclass(frozen=True)
class Stretch:
    """Neighbouring frames of one state; ``share`` is their percentage of the clip."""

    state: State
    first: int
    last: int
    share: float


def states_of(track: MaskTrack) -> list[State]:
    """The state of every frame: a gap is *unknown*, an empty mask *absent*; a damaged track is unknown throughout."""
    try:
        known, seen = track.known(), track.areas() > 0
    except InputError:
        return ["unknown"] * len(track)
    return ["unknown" if not k else "seen" if s else "absent" for k, s in zip(known, seen, strict=True)]


def stretches(states: Sequence[State]) -> tuple[Stretch, ...]:
    """The states as a time line."""
    found, first = [], 0
    for state, group in groupby(states):
        length = len(list(group))
        found.append(Stretch(state, first, first + length - 1, 100 * length / len(states)))
        first += length
    return tuple(found)


def mask_at(track: MaskTrack, frame: int) -> Bool[ndarray, "h w"] | None:
    """The mask in ``frame``; ``None`` where there is nothing to draw."""
    if frame >= len(track) or states_of(track.select([frame])) != ["seen"]:
        return None
    mask: Bool[ndarray, "h w"] = track.select([frame]).to_array()[0]
    return mask


def top_of(mask: Bool[ndarray, "h w"]) -> tuple[float, float]:
    """Where a label belongs, as shares of width and height: the middle of the mask's columns, its topmost row."""
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    middle = (columns[0] + columns[-1] + 1) / 2
    return float(middle / mask.shape[1]), float(rows[0] / mask.shape[0])
