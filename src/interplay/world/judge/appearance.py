"""What the first frame tells the judge: how large every member of the scene looks, and where it stands.

The truth of frame 0 is drawn and measured with the judge's own eyes, so that sizes are compared with sizes seen the
same way. Nothing about the motion enters: a scene of one frame does not move.
Shape legend: ``y x`` pixel rows and columns. Lengths in stage heights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Int8
from numpy import ndarray

from interplay.world.judge.first_world import GROUND_Y, FirstScene
from interplay.world.judge.segment import COLOURS, HAIR_CLASS, SKIN_CLASS, classify, shrink, shrink_factor
from interplay.world.render import render
from interplay.world.scene import Member


@dataclass(frozen=True)
class Appearance:
    """One member as it looks in frame 0.

    In pixels of the working size: ``area`` and ``colour_centre_px`` (column, row) of its own colour, ``head_area`` of
    its skin and hair (0 for things). In stage heights: ``extent`` (width, height) of its mask.
    """

    member: Member
    colour_class: int
    area: int
    head_area: int
    colour_centre_px: tuple[float, float]
    extent: tuple[float, float]

    @property
    def is_person(self) -> bool:
        """Whether it is a person and not a thing."""
        return self.member.family == "person"


def stage_y(row: float, unit: float) -> float:
    """The stage's y, upwards from the ground, of a height in rows; ``unit`` is the stage's height in rows."""
    return 1.0 - GROUND_Y - row / unit


def unit_of(height: int) -> float:
    """The stage's height in rows of the working size, for frames of ``height`` rows."""
    return height / shrink_factor(height)


@lru_cache(maxsize=256)
def first_frame(scene: FirstScene, size_hw: tuple[int, int]) -> tuple[Appearance, ...]:
    """Appearances of all members, in the scene's order, for frames of this size."""
    rendering = render(scene.whole, 1, size_hw)
    factor = shrink_factor(size_hw[0])
    classes = classify(shrink(rendering.frames, factor), scene.background)[0]
    masks = {key: _shrink_mask(mask[0], factor, classes.shape) for key, mask in rendering.masks.items()}
    return tuple(_appearance(member, masks[member.id], classes, unit_of(size_hw[0])) for member in scene.members)


def _shrink_mask(mask: Bool[ndarray, "y x"], factor: int, shape: tuple[int, ...]) -> Bool[ndarray, "v u"]:
    middle = factor // 2
    rows = np.minimum(np.arange(shape[0]) * factor + middle, mask.shape[0] - 1)
    columns = np.minimum(np.arange(shape[1]) * factor + middle, mask.shape[1] - 1)
    small: Bool[ndarray, "v u"] = mask[np.ix_(rows, columns)]
    return small


def _appearance(member: Member, mask: Bool[ndarray, "y x"], classes: Int8[ndarray, "y x"], unit: float) -> Appearance:
    colour_class = COLOURS.index(member.colour)
    is_person = member.family == "person"
    own = mask & (classes == colour_class)
    head = mask & ((classes == SKIN_CLASS) | (classes == HAIR_CLASS))
    columns, rows = _centre(own if own.any() else mask)
    return Appearance(
        member=member,
        colour_class=colour_class,
        area=int(own.sum()),
        head_area=int(head.sum()) if is_person else 0,
        colour_centre_px=(columns, rows),
        extent=_extent(mask if is_person else own, unit),
    )


def _centre(mask: Bool[ndarray, "y x"]) -> tuple[float, float]:
    """Mean column and row; the frame's middle for an empty mask."""
    rows, columns = np.nonzero(mask if mask.any() else ~mask)
    return float(columns.mean()) + 0.5, float(rows.mean()) + 0.5


def _extent(mask: Bool[ndarray, "y x"], unit: float) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return ((int(np.ptp(columns)) + 1) / unit, (int(np.ptp(rows)) + 1) / unit) if rows.size else (0.0, 0.0)
