"""From colours to whole persons and robot arms: skin, hair, trousers and metal are whose colour they belong to.

All have the same skin and the same hair. Members grow from their own colour into what is next to it, step by step; and
a head is whose collar it is above, so that nobody takes the head of who bends before him.
Shape legend: ``p`` pixel frames, ``y x`` rows and columns. Distances in pixels of the working size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int8, UInt8
from numpy import ndarray

from interplay.world.judge.appearance import Appearance
from interplay.world.judge.segment import DARK_CLASS, HAIR_CLASS, PALE_CLASS, SKIN_CLASS
from interplay.world.motion.person import head_radius

NOBODY = -1

# From a shirt to the top of the hair, or from a sleeve to the tip of the hand, it is no farther than this; and from a
# robot's forearm to the tip of its gripper.
_REACH: Mapping[str, float] = {"person": 0.26, "robot": 0.12}
# Pixels of a step: one more than the blurred lines between a chin and a collar that may look like neither.
_BRIDGE = 3
# A collar is so much of a body's usual width; a head is above it, and not so many of its radii to its sides.
_COLLAR, _HEAD_ASIDE = 0.5, 2.2
# A hand is less than this share of a head; with less than that of it somebody is headless.
_ONE_HAND, _HEADLESS = 0.18, 0.3


def grow(
    owner: Int8[ndarray, "p y x"], classes: Int8[ndarray, "p y x"], looks: Sequence[Appearance], unit: float
) -> None:
    """Let persons and robot arms grow, step by step, into what is next to their colour.

    Every member is a bit, so that all grow at once; where two meet, each keeps what it reached. A head is whose collar
    it is above, also where it is beside somebody else's body, so heads are given away first.
    """
    allowed = np.zeros(PALE_CLASS + 2, np.uint8)  # by class; the last entry is what -1, background, finds
    seeds = np.zeros(classes.shape, np.uint8)
    growing = [(i, look.member.family) for i, look in enumerate(looks) if look.member.family in ("person", "robot")]
    for index, family in growing:
        bit = np.uint8(1 << index)
        seeds[owner == index] = bit
        allowed[[SKIN_CLASS, HAIR_CLASS, DARK_CLASS] if family == "person" else [DARK_CLASS, HAIR_CLASS]] |= bit
    free = allowed[classes]
    free[owner != NOBODY] = 0
    persons = np.uint8(sum(1 << index for index, family in growing if family == "person"))
    free[_rims(owner, classes, looks)] &= ~persons
    reaches = tuple((np.uint8(1 << i), round(_REACH[family] * unit)) for i, family in growing)
    places = [_head_place(seeds, index, look, unit) for index, look in enumerate(looks) if look.is_person]
    heads = _heads(seeds, free, places, reaches)
    grown = _reached(seeds, np.where(heads != 0, heads, free), reaches)
    for place in places:
        # Somebody's arm may hide the neck, so that nothing leads to the head.
        found = (grown == place.bit) & (seeds == 0) & place.within
        headless = found.sum(axis=(1, 2)) < _HEADLESS * place.area
        left = (grown[headless] == 0) & (free[headless] != 0) & place.within[headless]
        grown[headless] |= np.where(left, place.bit, np.uint8(0))
    for index, _ in growing:
        owner[grown == 1 << index] = index


def _reached(
    seeds: UInt8[ndarray, "p y x"],
    free: UInt8[ndarray, "p y x"],
    reaches: Sequence[tuple[np.uint8, int]],
    allotted: UInt8[ndarray, "p y x"] | None = None,
) -> UInt8[ndarray, "p y x"]:
    """What members reach of what is ``free`` to them, each (a bit) in so many steps; who is nearer to a pixel has it.

    What is no hand's length off is reached at once, what is farther only if it is ``allotted`` too.
    """
    grown, free = seeds, free.copy()
    for start in range(0, max((steps for _, steps in reaches), default=0), _BRIDGE):
        near, fresh = grown, np.zeros_like(grown)
        tired = sum(int(bit) for bit, steps in reaches if start >= steps)
        if tired:
            free &= np.uint8(0xFF - tired)
        for _ in range(_BRIDGE):
            near = _spread(near)
            first = near & free
            first &= -first  # of several who reach a pixel at once the first one has it
            fresh |= first
            free *= first == 0
        if not fresh.any():
            break
        grown = grown | fresh
        if start == 0 and allotted is not None:
            free &= allotted
    return grown


# --- heads ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _HeadPlace:
    """Where a person's head can be: above the collar.

    ``bit`` is the person, ``area`` how much of the head is seen at first, ``within`` where it can be, ``way`` the
    squared distance from where its middle should be, infinite elsewhere; ``hidden`` says in which frames the collar is
    not seen: there the place is a guess, and no distance is known.
    """

    bit: np.uint8
    area: int
    within: Bool[ndarray, "p y x"]
    way: Float32[ndarray, "p y x"]
    hidden: Bool[ndarray, " p"]


def _head_place(seeds: UInt8[ndarray, "p y x"], index: int, look: Appearance, unit: float) -> _HeadPlace:
    """Where a person's head is by what is seen of the person's colour.

    The collar is the first row in which half as much of it is seen as in most rows at first; of a raised sleeve there
    is less. If it is hidden, the head is above whatever is seen.
    """
    body = seeds == 1 << index
    radius = head_radius(look.member.kind.scale) * unit
    widths = body.sum(axis=2)
    usual = np.median(widths[0][widths[0] > 0]) if widths[0].any() else np.inf
    wide = widths >= _COLLAR * usual
    hidden = ~wide.any(axis=1)
    row = np.where(hidden, (widths > 0).argmax(axis=1), wide.argmax(axis=1))
    line = body[np.arange(len(body)), row]
    middle = (line @ (np.arange(body.shape[2]) + 0.5)) / np.where(line.any(axis=1), line.sum(axis=1), np.nan)
    down = (np.arange(body.shape[1]) - row[:, None])[:, :, None]
    aside = (np.arange(body.shape[2]) + 0.5 - middle[:, None])[:, None]
    within = (down <= 1) & (np.abs(aside) <= _HEAD_ASIDE * radius)
    way = ((down + radius) ** 2).astype(np.float32) + (aside**2).astype(np.float32)
    way[~within] = np.inf
    way[hidden] = np.inf
    return _HeadPlace(np.uint8(1 << index), look.head_area, within, way, hidden)


def _heads(
    seeds: UInt8[ndarray, "p y x"],
    free: UInt8[ndarray, "p y x"],
    places: Sequence[_HeadPlace],
    reaches: Sequence[tuple[np.uint8, int]],
) -> UInt8[ndarray, "p y x"]:
    """Whose the pixels are that may be a head's.

    They are of the one above whose collar they are, of several of the nearest, but for a hand of somebody else: what is
    next to another colour, and no more than a hand. Whose collar is hidden may be anywhere.
    """
    nearest = np.full(seeds.shape, np.inf, np.float32)
    for place in places:
        np.minimum(nearest, place.way, out=nearest)
    allotted = np.full(seeds.shape, 0xFF, np.uint8)
    for place in places:
        elsewhere = place.way > nearest
        elsewhere[place.hidden] = False
        allotted[elsewhere] &= ~place.bit
    found = _reached(seeds, free, reaches, allotted)
    foreign = found & ~allotted & free
    large = np.zeros(len(seeds), bool)
    for place in places:
        large |= (foreign == place.bit).sum(axis=(1, 2)) > _ONE_HAND * place.area
    if large.any():
        found[large] = _reached(seeds[large], free[large] & allotted[large], reaches)
    heads: UInt8[ndarray, "p y x"] = np.where(np.isfinite(nearest), found & free, np.uint8(0))
    return heads


def _rims(
    owner: Int8[ndarray, "p y x"], classes: Int8[ndarray, "p y x"], looks: Sequence[Appearance]
) -> Bool[ndarray, "p y x"]:
    """The blurred edges of things where they look like hair or trousers: one pixel thick, along the thing's colour.

    Hair, legs and shoes are thicker than that.
    """
    things = _spread(np.isin(owner, [i for i, look in enumerate(looks) if look.is_thing]).astype(np.uint8)) != 0
    dark = (classes == HAIR_CLASS) | (classes == DARK_CLASS)
    block = dark[:, 1:, 1:] & dark[:, 1:, :-1] & dark[:, :-1, 1:] & dark[:, :-1, :-1]
    thick = np.zeros_like(dark)
    for rows, columns in ((1, 1), (1, 0), (0, 1), (0, 0)):
        thick[:, rows : rows + block.shape[1], columns : columns + block.shape[2]] |= block
    rims: Bool[ndarray, "p y x"] = things & dark & ~thick
    return rims


def _spread(bits: UInt8[ndarray, "p y x"]) -> UInt8[ndarray, "p y x"]:
    near = bits.copy()
    near[:, 1:] |= bits[:, :-1]
    near[:, :-1] |= bits[:, 1:]
    near[:, :, 1:] |= bits[:, :, :-1]
    near[:, :, :-1] |= bits[:, :, 1:]
    return near
