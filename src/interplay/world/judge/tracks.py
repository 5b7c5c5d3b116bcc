"""Where every member is in every frame, and whether it is there at all.

Shape legend: ``p`` pixel frames, ``y x`` rows and columns of the working size, ``h w`` of the clip. Positions in stage
units (``x`` from the stage's left edge, ``y`` upwards from the line on which the actors stand), NaN where the member
was not seen, so that every comparison with a position nobody knows is false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int8, UInt8
from numpy import ndarray

from interplay.world.judge.appearance import Appearance, Setting, View, setting_of
from interplay.world.judge.brief import Brief
from interplay.world.judge.growth import NOBODY
from interplay.world.judge.heads import facing_of, head_of
from interplay.world.judge.ownership import Ownership, Stray, assign
from interplay.world.judge.places import places_of
from interplay.world.judge.segment import BACKGROUND, shrink
from interplay.world.judge.sight import State, beside, states_of
from interplay.world.judge.states import Home, at_home

Floats = Float[ndarray, " p"]

# From this share of its first area on a member, or a head, is seen whole.
_WHOLE = 0.6


@dataclass(frozen=True)
class Track:
    """One member over the clip.

    ``mask`` at the working size, ``head`` the part of it that is a person's head; middle ``x``, ``y``, extremes
    ``bottom``, ``top``. ``facing`` (persons, animals, robot arms) runs from -1 (left) to 1,
    ``opened`` (things that have a state) from 0 (closed, dark, empty) to 1 (open, lit, full); NaN where it is unknown
    or senseless. ``partial`` says whether somebody before it hides much of it.
    """

    look: Appearance
    view: View
    mask: Bool[ndarray, "p y x"]
    head: Bool[ndarray, "p y x"]
    states: tuple[State, ...]
    x: Floats
    y: Floats
    bottom: Floats
    top: Floats
    facing: Floats
    partial: Bool[ndarray, " p"]
    opened: Floats

    @property
    def seen(self) -> Bool[ndarray, " p"]:
        """In which frames it is seen."""
        return np.array([state is State.SEEN for state in self.states])

    def reach(self, direction: float, low: float, high: float) -> Floats:
        """How far it reaches beyond its middle to one side (1: right) between two heights of the stage.

        NaN where it is not seen, 0 where nothing of it is between the heights.
        """
        rows = slice(self.view.row(high), max(self.view.row(low), self.view.row(high) + 1))
        filled = self.mask[:, rows].any(axis=1)
        edges = np.arange(filled.shape[1]) + (1.0 if direction > 0 else 0.0)
        ahead = np.where(filled, np.sign(direction) * (edges / self.view.unit - self.x[:, None]), -np.inf)
        farthest: Floats = np.where(self.seen, np.maximum(ahead.max(axis=1), 0.0), np.nan)
        return farthest


@dataclass(frozen=True)
class Recovery:
    """Everything that was found in a clip; ``classes`` names the colour of every pixel (see ``segment``)."""

    tracks: Mapping[str, Track]
    strays: tuple[Stray, ...]
    classes: Int8[ndarray, "p y x"]
    num_frames: int
    size_hw: tuple[int, int]
    view: View
    _gaps: dict[tuple[str, str], Floats] = field(default_factory=dict)

    @property
    def unit(self) -> float:
        """Pixels of the working size per stage unit."""
        return self.view.unit

    def gap(self, one: str, other: str) -> Floats:
        """Shortest way between two members' pixels; 0 when they touch, NaN when one is unseen."""
        key = (min(one, other), max(one, other))
        if key not in self._gaps:
            first, second = (self.tracks[member] for member in key)
            self._gaps[key] = _gaps(first.mask, second.mask, first.seen & second.seen, self.unit)
        return self._gaps[key]


def recover(frames: UInt8[ndarray, "p y x 3"], brief: Brief) -> Recovery:
    """Find the members of a brief in the pixels of a clip."""
    size_hw = (frames.shape[1], frames.shape[2])
    setting = setting_of(brief, size_hw)
    small = shrink(frames, setting.view.factor)
    classes, sharpness = setting.classes(small), setting.sharpness(small[0])

    def find_home(look: Appearance, own: Bool[ndarray, "p y x"], others: Bool[ndarray, "p y x"]) -> Home | None:
        return at_home(look, small, brief, setting, sharpness, own, others)

    ownership = assign(classes, setting.looks, setting.view.unit, find_home)
    found = _Found(brief, setting, small, sharpness.softness, classes, ownership)
    tracks = {look.member.id: found.track(index) for index, look in enumerate(setting.looks)}
    return Recovery(tracks, ownership.strays, classes, frames.shape[0], size_hw, setting.view)


@dataclass(frozen=True)
class _Found:
    """All that tracks are read from."""

    brief: Brief
    setting: Setting
    frames: UInt8[ndarray, "p y x 3"]
    softness: float
    classes: Int8[ndarray, "p y x"]
    ownership: Ownership

    def track(self, index: int) -> Track:
        """The track of one member."""
        look, view, owner = self.setting.looks[index], self.setting.view, self.ownership.owner
        mask = owner == index
        own, others = mask & self.ownership.own_colour, (owner != NOBODY) & ~mask
        home = self.ownership.homes.get(index)
        head = head_of(look, self.classes, mask, view)
        shown, filled = self.classes == look.colour_class, self.classes != BACKGROUND
        states = states_of(look, mask, own, head, others, shown, filled, home)
        x, y, bottom, top = places_of(look, mask, own, states, view, home)
        facing = facing_of(look, head, self.frames, mask, others, x, view, self.softness)
        return Track(
            look=look,
            view=view,
            mask=mask,
            head=head,
            states=states,
            x=x,
            y=y,
            bottom=bottom,
            top=top,
            facing=np.where(np.isfinite(x) & ~_covered(look, head, others), facing, np.nan),
            partial=(own.sum(axis=(1, 2)) < _WHOLE * look.area) & beside(own, others),
            opened=np.full(len(x), np.nan) if home is None else home.opened,
        )


def _covered(look: Appearance, head: Bool[ndarray, "p y x"], others: Bool[ndarray, "p y x"]) -> Bool[ndarray, " p"]:
    """In which frames somebody else's hand or body hides so much of a head that nobody could tell where it faces."""
    covered: Bool[ndarray, " p"] = (head.sum(axis=(1, 2)) < _WHOLE * look.head_area) & beside(head, others)
    return covered


def full_size_mask(track: Track, size_hw: tuple[int, int]) -> Bool[ndarray, "p h w"]:
    """The track's mask in the clip's own pixels."""
    large = track.mask.repeat(track.view.factor, axis=1).repeat(track.view.factor, axis=2)
    full: Bool[ndarray, "p h w"] = large[:, : size_hw[0], : size_hw[1]]
    return full


def _gaps(one: Bool[ndarray, "p y x"], other: Bool[ndarray, "p y x"], seen: Bool[ndarray, " p"], unit: float) -> Floats:
    """The shortest way between two masks in every frame."""
    gaps = np.full(len(seen), np.nan)
    rims = _rim(one), _rim(other)
    for frame in np.flatnonzero(seen):
        first, second = (np.argwhere(rim[frame]).astype(np.float32) for rim in rims)
        if len(first) and len(second):
            squared = ((first[:, None] - second[None]) ** 2).sum(-1)
            gaps[frame] = max(float(np.sqrt(squared.min())) - 1.0, 0.0) / unit
    return gaps


def _rim(mask: Bool[ndarray, "p y x"]) -> Bool[ndarray, "p y x"]:
    """Pixels of the mask with a neighbour outside it; beyond the frame's border is outside too."""
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    inner = padded[:, :-2, 1:-1] & padded[:, 2:, 1:-1] & padded[:, 1:-1, :-2] & padded[:, 1:-1, 2:]
    rim: Bool[ndarray, "p y x"] = mask & ~inner
    return rim
