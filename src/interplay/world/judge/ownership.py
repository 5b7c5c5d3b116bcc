"""From classes to members: which parts of which colour are whom, frame by frame.

A colour is an identity, so the parts of a member's colour are its candidates. Where there are several, the one nearest
to where the member was last seen is the member; parts that belong to it (an arm behind the object, a shirt that
something in front cuts in two) join it, and what is left over and thick enough is a stray: an object nobody expects.
Persons then grow from their shirts through the skin, hair and trousers next to them.
Shape legend: ``p`` pixel frames, ``y x`` rows and columns. Distances in pixels; ``unit`` is the stage's height in rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int8
from numpy import ndarray

from interplay.world.judge.appearance import Appearance
from interplay.world.judge.components import Components, components
from interplay.world.judge.first_world import THING_SIZE
from interplay.world.judge.segment import BACKGROUND, SKIN_CLASS

NOBODY = -1

# Parts smaller than this share of the member's first area are dirt; a main part has at least the second share.
_DIRT, _MAIN = 0.06, 0.25
# A part of which less than this is core is a sliver: the rest of something hidden, or mixed colours along an edge.
_SOLID = 0.15
# Parts this near to the main part belong to it; parts within the second distance do if something stands between.
_ADJACENT, _ACROSS, _COVERED = 0.06, 0.22, 0.7
# The parts of a thing together are no larger than the thing in frame 0, give or take its blurred rim.
_STRETCH = 1.3
# A stray counts as an object, or as a head (whose eye and hair leave little), from this share of a ball's core on.
_STRAY, _STRAY_HEAD = 0.35, 0.2
# Something this many times as large as in frame 0 is two that touch. (A person who was partly hidden in frame 0 is at
# least the size of a man's shirt with sleeves, in square stage heights.)
_TWICE, _SHIRT = 1.7, 0.05
# From a shirt to the top of the hair, or from a sleeve to the tip of the hand, it is no farther than this.
_GROWTH = 0.26
# Pixels of a step: one more than the blurred line between a neck and a collar that may look like neither.
_BRIDGE = 2


@dataclass(frozen=True)
class Stray:
    """A part that belongs to no member: its frame, its class (an instance colour, or skin: a head), its centre."""

    frame: int
    kind: int
    centre_px: tuple[float, float]


@dataclass(frozen=True)
class Ownership:
    """Index of the member that owns each pixel (``NOBODY`` otherwise), where it shows its own colour, and strays."""

    owner: Int8[ndarray, "p y x"]
    own_colour: Bool[ndarray, "p y x"]
    strays: tuple[Stray, ...]


def assign(classes: Int8[ndarray, "p y x"], looks: Sequence[Appearance], unit: float) -> Ownership:
    """Give every pixel to a member or to nobody."""
    parts = components(classes)
    member_of = np.full(len(parts.area) + 1, NOBODY, np.int8)  # the last entry is what index -1, background, finds
    for index, look in enumerate(looks):
        member_of[list(_follow(parts, classes, look, unit))] = index
    owner = member_of[parts.index]
    own_colour = owner != NOBODY
    owner = _with_bodies(owner, classes, looks, round(_GROWTH * unit))
    return Ownership(owner, own_colour, tuple(_strays(parts, owner, looks, unit)))


# --- following one colour -------------------------------------------------------------------------------------------


def _follow(parts: Components, classes: Int8[ndarray, "p y x"], look: Appearance, unit: float) -> Iterator[int]:
    """The components that are this member, over all frames."""
    last_seen = np.asarray(look.colour_centre_px)
    for frame in range(classes.shape[0]):
        candidates = [n for n in parts.of(frame, look.colour_class) if parts.area[n] >= _DIRT * look.area]
        if not candidates:
            continue
        main = _main_part(parts, candidates, look, last_seen, unit)
        if main is None:
            continue
        chosen = [main, *_joined(parts, classes[frame], main, candidates, look, unit)]
        yield from chosen
        last_seen = np.average(parts.centre[chosen], axis=0, weights=parts.area[chosen])


def _main_part(
    parts: Components, candidates: Sequence[int], look: Appearance, last_seen: Float[ndarray, 2], unit: float
) -> int | None:
    """The nearest part of some size and thickness; else the largest sliver, if it is where the member was."""
    away = {n: float(np.hypot(*(parts.centre[n] - last_seen))) for n in candidates}
    solid = [n for n in candidates if parts.area[n] >= _MAIN * look.area and parts.core[n] >= _SOLID * parts.area[n]]
    if solid:
        return min(solid, key=lambda n: away[n])
    slivers = [n for n in candidates if away[n] <= _ACROSS * unit]
    return max(slivers, key=lambda n: int(parts.area[n])) if slivers else None


def _joined(
    parts: Components,
    classes: Int8[ndarray, "y x"],
    main: int,
    candidates: Sequence[int],
    look: Appearance,
    unit: float,
) -> Iterator[int]:
    largest = _STRETCH * unit * np.asarray(look.extent)
    for n in candidates:
        gap = _box_gap(parts.box[main], parts.box[n])
        if n == main or gap > _ACROSS * unit:
            continue
        together = np.maximum(parts.box[main][2:], parts.box[n][2:]) - np.minimum(parts.box[main][:2], parts.box[n][:2])
        fits = look.is_person or bool((together <= largest).all())  # a thing is rigid, a person stretches arms
        if fits and (gap <= _ADJACENT * unit or _covered(parts, classes, main, n)):
            yield n


def _box_gap(one: Int[ndarray, 4], other: Int[ndarray, 4]) -> float:
    """Empty pixels between two boxes; 0 when they touch or overlap."""
    apart = np.maximum(np.maximum(one[:2] - other[2:], other[:2] - one[2:]), 0)
    return float(apart.max())


def _covered(parts: Components, classes: Int8[ndarray, "y x"], one: int, other: int) -> bool:
    """Whether something stands between two parts: most of the way from one to the other is no background."""
    steps = np.linspace(0.0, 1.0, 2 * max(classes.shape))[:, None]
    way = (parts.centre[one] + steps * (parts.centre[other] - parts.centre[one])).astype(np.intp)
    seen = classes[way[:, 1], way[:, 0]]
    between = seen[seen != parts.kind[one]]
    return between.size == 0 or float((between != BACKGROUND).mean()) >= _COVERED


# --- bodies ---------------------------------------------------------------------------------------------------------


def _with_bodies(
    owner: Int8[ndarray, "p y x"], classes: Int8[ndarray, "p y x"], looks: Sequence[Appearance], steps: int
) -> Int8[ndarray, "p y x"]:
    """Persons' shirts grown, step by step, into skin, hair and trousers; where two meet, each keeps what it reached."""
    free = classes >= SKIN_CLASS
    grown = {i: owner == i for i, look in enumerate(looks) if look.is_person}
    for _ in range(0, steps, _BRIDGE):
        before = int(free.sum())
        for mask in grown.values():
            near = mask
            for _ in range(_BRIDGE):
                near = near | _neighbours(near)
            fresh = near & free
            mask |= fresh
            free &= ~fresh
        if int(free.sum()) == before:
            break
    owner = owner.copy()
    for index, mask in grown.items():
        owner[mask] = index
    return owner


def _neighbours(mask: Bool[ndarray, "p y x"]) -> Bool[ndarray, "p y x"]:
    near = np.zeros_like(mask)
    near[:, 1:] |= mask[:, :-1]
    near[:, :-1] |= mask[:, 1:]
    near[:, :, 1:] |= mask[:, :, :-1]
    near[:, :, :-1] |= mask[:, :, 1:]
    return near


# --- what is left over ----------------------------------------------------------------------------------------------


def _strays(
    parts: Components, owner: Int8[ndarray, "p y x"], looks: Sequence[Appearance], unit: float
) -> Iterator[Stray]:
    """Parts as thick as things and heads are that belong to nobody, second heads, and things that are two in one."""
    least = np.where(parts.kind == SKIN_CLASS, _STRAY_HEAD, _STRAY) * _ball_core(unit)
    thick = np.flatnonzero((parts.core >= least) & (parts.kind <= SKIN_CLASS))
    heads: set[tuple[int, int]] = set()
    for n in map(int, thick):
        mine = owner[parts.frame[n]][parts.index[parts.frame[n]] == n]
        whose = int(np.bincount(mine + 1).argmax()) - 1
        if whose == NOBODY:
            yield _stray(parts, n)
        elif parts.kind[n] == SKIN_CLASS:
            if (int(parts.frame[n]), whose) in heads:
                yield _stray(parts, n)
            heads.add((int(parts.frame[n]), whose))
        elif parts.area[n] >= _TWICE * max(looks[whose].area, looks[whose].is_person * _SHIRT * unit**2):
            yield _stray(parts, n)


def _ball_core(unit: float) -> float:
    """Pixels of a ball without its rim; the ball is the smallest thing."""
    return float(np.pi * (THING_SIZE / 2 * unit - 1.0) ** 2)


def _stray(parts: Components, n: int) -> Stray:
    return Stray(int(parts.frame[n]), int(parts.kind[n]), (float(parts.centre[n, 0]), float(parts.centre[n, 1])))
