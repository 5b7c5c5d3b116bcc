"""What the first frame tells the judge: how large every member of the scene looks, and where it stands.

The first frame is drawn from the brief and measured with the judge's own eyes, so that sizes are compared with sizes
seen the same way. Shape legend: ``y x`` pixel rows and columns of the working size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, Int8, UInt8
from numpy import ndarray

from interplay.world.canvas import Camera
from interplay.world.judge.brief import Brief
from interplay.world.judge.drawing import empty_stage, first_frame, first_state, samples_of
from interplay.world.judge.segment import (
    COLOURS,
    HAIR_CLASS,
    SKIN_CLASS,
    classify,
    shrink,
    shrink_factor,
    shrink_mask,
    soften,
)
from interplay.world.scene import Member

# Blurs that are tried, in pixels of the working size.
SOFTNESS = (0.0, 0.5, 0.8, 1.1)
# Shadows lie below this height; a lamp's glow reaches so far to its sides, and from the first to the second height.
_SHADOWS_BELOW = 0.12
_GLOW_ASIDE, _GLOW_LOW, _GLOW_HIGH = 0.36, 0.08, 0.66


@dataclass(frozen=True)
class View:
    """From pixels of the working size to stage units: ``unit`` pixels are one, ``top`` is the picture's upper edge."""

    size_hw: tuple[int, int]
    factor: int
    unit: float
    top: float

    @staticmethod
    def of(brief: Brief, size_hw: tuple[int, int]) -> View:
        """The view of clips of this size."""
        camera, factor = Camera(size_hw, brief.width), shrink_factor(size_hw[0])
        return View(size_hw, factor, camera.scale / factor, camera.height - camera.ground)

    def y(self, row: float) -> float:
        """The height of a pixel's upper edge."""
        return self.top - row / self.unit

    def row(self, y: float) -> int:
        """The row in which a height lies, or the nearest there is."""
        rows = -(-self.size_hw[0] // self.factor)
        return min(max(int((self.top - y) * self.unit), 0), rows)

    def column(self, x: float) -> int:
        """The column in which a place lies, or the nearest there is."""
        columns = -(-self.size_hw[1] // self.factor)
        return min(max(int(x * self.unit), 0), columns)


@dataclass(frozen=True)
class Appearance:
    """One member as it looks in the first frame; a thing as it looks there when it is shut, dark, empty and upright.

    In pixels of the working size: ``area`` of its own colour, ``whole`` of it if nobody hides it, ``head_area`` of its
    skin and hair (0 for all but persons), ``mask`` all of it that is seen. In stage units: the middle ``x``, ``y`` of
    its own colour relative to its place.
    """

    member: Member
    colour_class: int
    area: int
    whole: int
    head_area: int
    mask: Bool[ndarray, "y x"]
    x: float
    y: float

    @property
    def is_person(self) -> bool:
        """Whether it is a person."""
        return self.member.family == "person"

    @property
    def is_thing(self) -> bool:
        """Whether it is a thing."""
        return self.member.family == "thing"


@dataclass(frozen=True)
class Sharpness:
    """How blurred a clip is (pixels of the working size), and how noisy (mean squared difference, three channels)."""

    softness: float
    noise: float


@dataclass(frozen=True)
class Setting:
    """What is known before a clip is looked at: the view, the empty stage, and how members look at first."""

    view: View
    stage: UInt8[ndarray, "y x 3"]
    first: UInt8[ndarray, "y x 3"]
    looks: tuple[Appearance, ...]
    glow: tuple[tuple[slice, slice], ...]

    def classes(self, frames: UInt8[ndarray, "p y x 3"]) -> Int8[ndarray, "p y x"]:
        """The class of every pixel of frames at the working size."""
        return classify(frames, self.stage, self.glow, self.view.row(_SHADOWS_BELOW))

    def sharpness(self, frame: UInt8[ndarray, "y x 3"]) -> Sharpness:
        """How sharp a clip is: the blur that makes the drawn first frame most like the given one, and what is left."""
        seen = frame.astype(np.float32)
        away = [
            float(((soft - seen) ** 2).sum(-1).mean()) for soft in _softened(self.first.tobytes(), self.first.shape)
        ]
        best = int(np.argmin(away))
        return Sharpness(SOFTNESS[best], away[best])


@lru_cache(maxsize=32)
def _softened(picture: bytes, shape: tuple[int, int, int]) -> tuple[Float32[ndarray, "y x 3"], ...]:
    first = np.frombuffer(picture, np.uint8).reshape(1, *shape).astype(np.float32)
    return tuple(soften(first, sigma)[0] for sigma in SOFTNESS)


@lru_cache(maxsize=128)
def setting_of(brief: Brief, size_hw: tuple[int, int]) -> Setting:
    """The setting of clips of this brief at this size."""
    view = View.of(brief, size_hw)
    stage = shrink(empty_stage(brief, size_hw)[None], view.factor)[0]
    drawn = first_frame(brief, size_hw)
    first = shrink(drawn.frame[None], view.factor)
    setting = Setting(view, stage, first[0], (), tuple(_glow(view, m) for m in brief.members if m.noun == "lamp"))
    classes = setting.classes(first)[0]
    looks = []
    for member in brief.members:
        mask = shrink_mask(drawn.masks[member.id][None], view.factor)[0]
        if member.family == "thing":
            shut = samples_of(brief, size_hw, member.id, first_state(brief, member)[1], (0.0,))
            own = shrink_mask(shut.mask, view.factor)[0]
            own &= setting.classes(shrink(shut.frames, view.factor))[0] == COLOURS.index(member.colour)
            whole = int(own.sum())
        else:
            own = mask & (classes == COLOURS.index(member.colour))
            alone = first_frame(replace(brief, members=(member,), plots=()), size_hw).frame
            seen = setting.classes(shrink(alone[None], view.factor))[0] == COLOURS.index(member.colour)
            whole = max(int(seen.sum()), int(own.sum()))
        looks.append(_appearance(member, mask, own, classes, view, whole))
    return Setting(view, stage, first[0], tuple(looks), setting.glow)


def _glow(view: View, lamp: Member) -> tuple[slice, slice]:
    rows = slice(view.row(lamp.y + _GLOW_HIGH), view.row(lamp.y + _GLOW_LOW))
    return rows, slice(view.column(lamp.x - _GLOW_ASIDE), view.column(lamp.x + _GLOW_ASIDE))


def _appearance(
    member: Member,
    mask: Bool[ndarray, "y x"],
    own: Bool[ndarray, "y x"],
    classes: Int8[ndarray, "y x"],
    view: View,
    whole: int,
) -> Appearance:
    head = mask & ((classes == SKIN_CLASS) | (classes == HAIR_CLASS))
    rows, columns = np.nonzero(own)
    x, y = (columns.mean() + 0.5) / view.unit if rows.size else member.x, view.y(rows.mean() + 0.5) if rows.size else 0
    return Appearance(
        member=member,
        colour_class=COLOURS.index(member.colour),
        area=int(own.sum()),
        whole=whole,
        head_area=int(head.sum()) if member.family == "person" else 0,
        mask=mask,
        x=float(x - member.x),
        y=float(y - member.y),
    )
