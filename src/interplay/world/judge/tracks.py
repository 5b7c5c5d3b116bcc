"""Where every member is in every frame, and whether it is there at all.

Shape legend: ``p`` pixel frames, ``y x`` rows and columns. Positions in stage heights, NaN where the member was not
seen, so that every comparison with a position nobody knows is false.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Int8, UInt8
from numpy import ndarray

from interplay.world.judge.appearance import Appearance, first_frame, stage_y, unit_of
from interplay.world.judge.first_world import GROUND_Y, HEAD_TOP, PERSON_WIDTH, SHOULDER_Y, FirstScene
from interplay.world.judge.ownership import NOBODY, Ownership, Stray, assign
from interplay.world.judge.segment import BACKGROUND, HAIR_CLASS, SKIN_CLASS, classify, shrink, shrink_factor

# Below this share of its first area a member is not seen; above the second share its middle is that of what is seen.
_SEEN, _WHOLE = 0.25, 0.7
# The lowest pixels of a mask may be dirt; this percentile of its rows is its bottom.
_LOWEST = 97
# A person whose head (skin and hair, or what covers the place) is smaller than this share of its first is none.
_HEAD = 0.3
# A member that is not seen is behind others if they fill this share of where it was last seen, in every frame until it
# is seen again; one that never comes back is gone unless its place is filled as good as wholly.
_BEHIND_FOR_A_WHILE, _BEHIND_FOR_GOOD = 0.4, 0.75


class State(Enum):
    """What can be said about a member in a frame."""

    SEEN = "seen"
    OCCLUDED = "occluded"
    MISSING = "missing"


class Place(NamedTuple):
    """Middle and lowest point of a member in one frame, in stage heights."""

    x: float
    y: float
    bottom: float


NOWHERE = Place(np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class Track:
    """One member over the clip: mask at the working size, middle ``x``, ``y`` and lowest point ``bottom``."""

    look: Appearance
    mask: Bool[ndarray, "p y x"]
    x: Float[ndarray, " p"]
    y: Float[ndarray, " p"]
    bottom: Float[ndarray, " p"]
    states: tuple[State, ...]


@dataclass(frozen=True)
class Recovery:
    """Everything that was found in a clip; ``unit`` is the stage's height in rows of the working size."""

    tracks: Mapping[str, Track]
    strays: tuple[Stray, ...]
    num_frames: int
    size_hw: tuple[int, int]
    unit: float


def recover(frames: UInt8[ndarray, "p y x 3"], scene: FirstScene) -> Recovery:
    """Find the members of ``scene`` (its first frame's truth) in the pixels of a clip."""
    size_hw = (frames.shape[1], frames.shape[2])
    unit = unit_of(size_hw[0])
    classes = classify(shrink(frames, shrink_factor(size_hw[0])), scene.background)
    looks = first_frame(scene, size_hw)
    ownership = assign(classes, looks, unit)
    tracks = {look.member.id: _track(index, look, classes, ownership, unit) for index, look in enumerate(looks)}
    return Recovery(tracks, ownership.strays, frames.shape[0], size_hw, unit)


def full_size_mask(track: Track, size_hw: tuple[int, int]) -> Bool[ndarray, "p h w"]:
    """The track's mask in the clip's own pixels."""
    factor = shrink_factor(size_hw[0])
    large = track.mask.repeat(factor, axis=1).repeat(factor, axis=2)
    full: Bool[ndarray, "p h w"] = large[:, : size_hw[0], : size_hw[1]]
    return full


def _track(index: int, look: Appearance, classes: Int8[ndarray, "p y x"], ownership: Ownership, unit: float) -> Track:
    mask = ownership.owner == index
    own = mask & ownership.own_colour
    states = _states(index, look, classes, ownership, unit)
    body = mask if look.is_person else own
    places = list(_places(body, own.sum(axis=(1, 2)), look, states, unit))
    x, y, bottom = np.array(places, np.float64).T
    return Track(look, mask, x, y, bottom, states)


def _places(
    body: Bool[ndarray, "p y x"],
    areas: Int[ndarray, " p"],
    look: Appearance,
    states: Sequence[State],
    unit: float,
) -> Iterator[Place]:
    before: Place | None = None
    for frame, state in enumerate(states):
        if state is not State.SEEN:
            yield NOWHERE
            continue
        before = _place(body[frame], look, before if areas[frame] < _WHOLE * look.area else None, unit)
        yield before


def _place(mask: Bool[ndarray, "y x"], look: Appearance, before: Place | None, unit: float) -> Place:
    """Middle x, middle y and bottom of a member.

    Of a member that is seen in part, what is seen only bounds where its middle is: it stays where it was ``before`` as
    far as that agrees (``None``: it is seen whole).
    """
    rows, columns = np.nonzero(mask)
    x = float(np.median(columns) if look.is_person else columns.mean()) + 0.5
    y, bottom = stage_y(float(rows.mean()) + 0.5, unit), stage_y(float(np.percentile(rows, _LOWEST)) + 1.0, unit)
    if before is None:
        return Place(x / unit, y, bottom)
    x = _bounded(before.x, float(columns.min()) / unit, float(columns.max() + 1) / unit, look.extent[0])
    if look.is_person:
        return Place(x, y, bottom)
    y = _bounded(before.y, stage_y(float(rows.max()) + 1.0, unit), stage_y(float(rows.min()), unit), look.extent[1])
    return Place(x, y, y - look.extent[1] / 2)


def _bounded(before: float, low: float, high: float, extent: float) -> float:
    """The middle nearest to ``before`` of something this large that is seen from ``low`` to ``high``."""
    bounds = sorted((high - extent / 2, low + extent / 2))
    return min(max(before, bounds[0]), bounds[1])


def _states(
    index: int, look: Appearance, classes: Int8[ndarray, "p y x"], ownership: Ownership, unit: float
) -> tuple[State, ...]:
    mine = ownership.owner == index
    areas = (mine & ownership.own_colour).sum(axis=(1, 2))
    visible = [
        bool(area >= max(_SEEN * look.area, 1.0)) and (not look.is_person or _has_head(look, classes[f], mine[f], unit))
        for f, area in enumerate(areas)
    ]
    states = [State.SEEN if v else State.MISSING for v in visible]
    others = (ownership.owner != NOBODY) & ~mine
    for start, stop in _unseen_runs(visible):
        needed = _BEHIND_FOR_A_WHILE if stop < len(visible) else _BEHIND_FOR_GOOD
        if start > 0 and _hidden(mine[start - 1], (others | mine)[start:stop], needed):
            states[start:stop] = [State.OCCLUDED] * (stop - start)
    return tuple(states)


def _unseen_runs(visible: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """First frame, and frame after the last, of every stretch without a sight."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], np.asarray(visible), [True]]).astype(np.int8)))
    yield from ((int(start), int(stop)) for start, stop in edges.reshape(-1, 2))


def _hidden(last_seen: Bool[ndarray, "y x"], members: Bool[ndarray, "p y x"], needed: float) -> bool:
    """Whether others, or what is left of it, fill that share of the place where it was last seen, in every frame."""
    return bool(((members & last_seen).sum(axis=(1, 2)) >= needed * last_seen.sum()).all())


def _has_head(look: Appearance, classes: Int8[ndarray, "y x"], mine: Bool[ndarray, "y x"], unit: float) -> bool:
    """Whether skin and hair grew from the shirt, or where a head has to be something covers it: others, or an arm."""
    head = mine & ((classes == SKIN_CLASS) | (classes == HAIR_CLASS))
    middle, half = float(np.median(np.nonzero(mine)[1])), PERSON_WIDTH / 2 * unit
    place = np.zeros_like(mine)
    top, neck = (max(round((1.0 - GROUND_Y - y) * unit), 0) for y in (HEAD_TOP, SHOULDER_Y))
    place[top:neck, max(round(middle - half), 0) : max(round(middle + half), 0)] = True
    covered = place & (classes != BACKGROUND) & ~head
    return int(head.sum()) + int(covered.sum()) >= _HEAD * look.head_area


def gaps(one: Track, other: Track, unit: float) -> Float[ndarray, " p"]:
    """Shortest way between two members in every frame, in stage heights; 0 when they touch, NaN when one is unseen."""
    result = np.full(len(one.states), np.nan)
    rims = (_rim(one.mask), _rim(other.mask))
    for frame, (state, other_state) in enumerate(zip(one.states, other.states, strict=True)):
        if state is State.SEEN and other_state is State.SEEN:
            first, second = (np.argwhere(rim[frame]).astype(np.float32) for rim in rims)
            squared = ((first[:, None] - second[None]) ** 2).sum(-1)
            result[frame] = max(float(np.sqrt(squared.min())) - 1.0, 0.0) / unit
    return result


def _rim(mask: Bool[ndarray, "p y x"]) -> Bool[ndarray, "p y x"]:
    """Pixels of the mask with a neighbour outside it; beyond the frame's border is outside too."""
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    inner = padded[:, :-2, 1:-1] & padded[:, 2:, 1:-1] & padded[:, 1:-1, :-2] & padded[:, 1:-1, 2:]
    rim: Bool[ndarray, "p y x"] = mask & ~inner
    return rim
