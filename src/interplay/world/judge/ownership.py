"""From classes to members: which parts of which colour are whom, frame by frame.

A colour is an identity, so the parts of a member's colour are its candidates. Where there are several, the one nearest
to where the member was last seen is the member; parts that belong to it (an arm behind the object, a shirt that
something in front cuts in two) join it, and what is left over and thick enough is a stray: an object nobody expects.
Persons and robot arms then grow from their colour through the skin, hair, trousers and metal next to it; what is rigid
(lamps, doors, carts) has its pole, frame or wheels where the first frame shows them.
Shape legend: ``p`` pixel frames, ``y x`` rows and columns. Distances in pixels of the working size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int8
from numpy import ndarray

from interplay.world.judge.appearance import Appearance
from interplay.world.judge.components import Components, components
from interplay.world.judge.growth import NOBODY, grow
from interplay.world.judge.segment import BACKGROUND, DARK_CLASS, PALE_CLASS, SKIN_CLASS
from interplay.world.judge.states import Home
from interplay.world.vocabulary import NOUNS

FindHome = Callable[[Appearance, Bool[ndarray, "p y x"], Bool[ndarray, "p y x"]], Home | None]

# Parts smaller than this share of the member's first area are dirt; a main part has at least the second share.
_DIRT, _MAIN = 0.04, 0.2
# A part of which less than this is core is a sliver: the rest of something hidden, or mixed colours along an edge.
_SOLID = 0.12
# A sliver is taken for a thing from this share of its first area on; of a person who is hugged little is seen. It may
# be smaller when this share of what was seen of the thing is left, or so much of its place shows no stage.
_SLIVER, _LEFT, _BEHIND = 0.3, 0.5, 0.8
# Parts this near to the main part belong to it; parts within the second distance do if something stands between.
_ADJACENT, _ACROSS, _COVERED = 0.06, 0.22, 0.7
# A part that is farther off than this is not preferred to a sliver.
_STRIDE = 0.3
# The parts of a thing together are no larger than the thing (width, height), give or take its blurred rim; a lid and a
# cover swing out, and a jug is tilted.
_STRETCH: Mapping[str, tuple[float, float]] = {"box": (1.9, 2.4), "book": (2.2, 1.4), "jug": (1.7, 1.5)}
_RIGID_STRETCH = (1.5, 1.4)
# Parts that make more of it than this are not all its own: two of the same colour stand side by side.
_TOGETHER = 1.45
# Things that keep their shape and have parts in other colours than their own.
_RIGID = ("lamp", "door", "cart")
# A stray counts as an object, or as a head, from this share of a ball's core on.
_STRAY = 0.35
# Something this many times as large as in the first frame is two that touch; who reaches out shows more of itself.
_TWICE = 2.2


@dataclass(frozen=True)
class Stray:
    """A part that belongs to no member: its frame, and its class (an instance colour, or skin: a head)."""

    frame: int
    kind: int


@dataclass(frozen=True)
class Ownership:
    """Index of the member that owns each pixel (``NOBODY`` otherwise), where it shows its own colour, and strays.

    ``homes`` holds, by index, the things that have a state.
    """

    owner: Int8[ndarray, "p y x"]
    own_colour: Bool[ndarray, "p y x"]
    strays: tuple[Stray, ...]
    homes: Mapping[int, Home]


def assign(classes: Int8[ndarray, "p y x"], looks: Sequence[Appearance], unit: float, find_home: FindHome) -> Ownership:
    """Give every pixel to a member or to nobody. ``find_home`` looks for a thing with a state where it stood."""
    coloured = np.where(classes <= SKIN_CLASS, classes, np.int8(BACKGROUND))
    parts = components(coloured)
    member_of = np.full(len(parts.area) + 1, NOBODY, np.int8)  # the last entry is what index -1, background, finds
    homes: dict[int, Home] = {}
    for index, look in enumerate(looks):
        own = classes == look.colour_class
        home = find_home(look, own, (classes < SKIN_CLASS) & (classes >= 0) & ~own)
        if home is not None:
            homes[index] = home
        member_of[list(_follow(parts, classes, look, unit, home))] = index
    owner = member_of[parts.index]
    own_colour = owner != NOBODY
    for index, look in enumerate(looks):
        if index in homes:
            # What is nobody's there is the thing's; skin is a hand's, except where red on paper looks like it.
            fits = (classes != SKIN_CLASS) | (look.member.noun == "book")
            owner[homes[index].mask & fits & (owner == NOBODY)] = index
        if look.is_thing:
            _complete(owner, classes, index, look, unit)
    grow(owner, classes, looks, unit)
    return Ownership(owner, own_colour, tuple(_strays(parts, owner, looks, unit)), homes)


# --- following one colour -------------------------------------------------------------------------------------------


def _follow(
    parts: Components, classes: Int8[ndarray, "p y x"], look: Appearance, unit: float, home: Home | None
) -> Iterator[int]:
    """The components that are this member, over all frames."""
    rows, columns = np.nonzero(look.mask)
    last_seen = np.array([columns.mean(), rows.mean()]) + 0.5 if rows.size else np.array(classes.shape[:0:-1]) / 2.0
    before: Sequence[int] = ()
    for frame in range(classes.shape[0]):
        candidates = [n for n in parts.of(frame, look.colour_class) if parts.area[n] >= _DIRT * look.area]
        if home is not None and home.there[frame]:
            yield from set(parts.index[frame][home.mask[frame]].tolist()).intersection(candidates)
            before = ()
            continue
        near = [n for n in candidates if np.hypot(*(parts.centre[n] - last_seen)) <= _ACROSS * unit]
        if look.is_thing and not _goes_behind(parts, classes, before, near):
            near = [n for n in near if parts.area[n] >= _SLIVER * look.area]
        main, before = _main_part(parts, candidates, near, look, last_seen, unit), ()
        if main is None:
            continue
        chosen = [main, *_joined(parts, classes[frame], main, candidates, look, unit)]
        while len(chosen) > 1 and parts.area[chosen].sum() > _TOGETHER * look.whole:
            chosen.remove(max(chosen[1:], key=lambda n: int(parts.area[n])))
        yield from chosen
        weights = parts.area[chosen]
        last_seen, before = weights @ parts.centre[chosen] / weights.sum(), chosen


def _goes_behind(
    parts: Components, classes: Int8[ndarray, "p y x"], before: Sequence[int], slivers: Sequence[int]
) -> bool:
    """Whether slivers can be what is left to see of a thing that was these parts in the frame before.

    Most of what was seen of it then still is, or nothing of the stage is seen where it was: somebody is before it now.
    """
    if not before or not slivers:
        return False
    if parts.area[slivers].sum() >= _LEFT * parts.area[before].sum():
        return True
    frame = int(parts.frame[before[0]])
    now = classes[frame + 1][np.isin(parts.index[frame], before)]
    return bool((now != BACKGROUND).mean() >= _BEHIND)


def _main_part(
    parts: Components,
    candidates: Sequence[int],
    slivers: Sequence[int],
    look: Appearance,
    last_seen: Float[ndarray, 2],
    unit: float,
) -> int | None:
    """The nearest part of some size and thickness, or the largest sliver where the member was.

    A sliver there is what is left to see of it, and more likely than something larger far away.
    """
    away = {n: float(np.hypot(*(parts.centre[n] - last_seen))) for n in candidates}
    solid = [n for n in candidates if parts.area[n] >= _MAIN * look.area and parts.core[n] >= _SOLID * parts.area[n]]
    nearest = min(solid, key=lambda n: away[n], default=None)
    if nearest is not None and (away[nearest] <= _STRIDE * unit or not slivers):
        return nearest
    return max(slivers, key=lambda n: int(parts.area[n]), default=None)


def _joined(
    parts: Components,
    classes: Int8[ndarray, "y x"],
    main: int,
    candidates: Sequence[int],
    look: Appearance,
    unit: float,
) -> Iterator[int]:
    kind = look.member.kind
    stretch = _STRETCH.get(kind.name, _RIGID_STRETCH)
    largest = unit * np.array([2 * kind.half_width * stretch[0], kind.height * stretch[1]])
    for n in candidates:
        gap = _box_gap(parts.box[main], parts.box[n])
        if n == main or gap > _ACROSS * unit:
            continue
        together = np.maximum(parts.box[main][2:], parts.box[n][2:]) - np.minimum(parts.box[main][:2], parts.box[n][:2])
        fits = not look.is_thing or bool((together <= largest).all())  # who lives stretches its limbs
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


# --- what is not of the own colour ----------------------------------------------------------------------------------


def _complete(
    owner: Int8[ndarray, "p y x"], classes: Int8[ndarray, "p y x"], index: int, look: Appearance, unit: float
) -> None:
    """Give a thing what it shows in other colours: pages and water within its outline, poles, frames and wheels."""
    middle = np.array([look.member.x + look.x, 0.0]) * unit
    for frame in range(classes.shape[0]):
        rows, columns = np.nonzero(owner[frame] == index)
        if not rows.size:
            continue
        if look.member.noun in _RIGID:
            shift = 0 if look.member.noun == "door" else round(float(columns.mean() + 0.5 - middle[0]))
            there = np.roll(look.mask, shift, axis=1) & (owner[frame] == NOBODY)
            fits = (classes[frame] == BACKGROUND) | (classes[frame] >= DARK_CLASS)
            owner[frame][there & fits] = index
        else:
            window = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
            pale = (classes[frame][window] == PALE_CLASS) & (owner[frame][window] == NOBODY)
            owner[frame][window][pale] = index


# --- what is left over ----------------------------------------------------------------------------------------------


def _strays(
    parts: Components, owner: Int8[ndarray, "p y x"], looks: Sequence[Appearance], unit: float
) -> Iterator[Stray]:
    """Parts as thick as things and heads are that belong to nobody, and members that are two in one."""
    for n in map(int, np.flatnonzero(parts.core >= _STRAY * ball_core(unit))):
        mine = owner[parts.frame[n]][parts.index[parts.frame[n]] == n]
        whose = int(np.bincount(mine + 1).argmax()) - 1
        twice = whose != NOBODY and parts.kind[n] < SKIN_CLASS and parts.area[n] >= _TWICE * looks[whose].whole
        if whose == NOBODY or twice:
            yield Stray(int(parts.frame[n]), int(parts.kind[n]))


def ball_core(unit: float) -> float:
    """Pixels of a ball without its rim; the ball is among the smallest things."""
    return float(np.pi * max(NOUNS["ball"].half_width * unit - 1.0, 1.0) ** 2)
