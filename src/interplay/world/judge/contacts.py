"""Who touches whom, in which frames, and bears what: what ``truth["contacts"]`` says of a true clip, seen by the judge.

In a picture all that stands before something else is in touch with it, so that pixels alone are not enough:

- two touch who were apart before, once one of them who can act has done something; or the first bears the other, from
  the first frame on if the prompt begins so;
- of members of two lanes an actor touches only a thing that moves or changes then: all else is passed by;
- hands that bear a thing are full: over a cup they pour and do not touch it, and giver and taker touch what they pass
  on and not each other.

A touch lasts from the first to the last frame in which outlines meet. Which part touches is not said: a hand is two
pixels wide. Shape legend: ``p`` pixel frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from interplay.world.judge.evidence import NUDGE, Evidence, Flags, lasting

# Outlines meet when less than this lies between them: half a pixel of 48 rows.
_MEET = 0.012
# Borne is what is so high over the ground, for this share of a clip: a hand follows a blow through for less.
_RAISED, _BORNE = 0.035, 3 / 16
# A state has changed by this share of the way from closed to open: a blurred one wavers by a third of it.
_OTHERWISE = 0.3


@dataclass(frozen=True)
class Contact:
    """A touch of member ``what`` by ``who``, an actor, from frame ``first`` to ``last``, both included.

    ``holding`` says whether the actor bears what it touches. Two who touch each other are two contacts.
    """

    who: str
    what: str
    first: int
    last: int
    holding: bool


def contacts(seen: Evidence) -> tuple[Contact, ...]:
    """All touches in a clip, by their first frames."""
    found = [*_of_things(seen), *_of_actors(seen)]
    return tuple(sorted(found, key=lambda contact: (contact.first, contact.who, contact.what)))


def _of_things(seen: Evidence) -> Iterator[Contact]:
    for actor in seen.actors:
        borne = {thing: bears(seen, actor, thing) for thing in seen.things}
        for thing in seen.things:
            full = np.any([flags for other, flags in borne.items() if other != thing], axis=0)
            for first, last in _runs(_touches(seen, actor, thing) & ~full):
                yield Contact(actor, thing, first, last, bool(borne[thing][first : last + 1].any()))


def _of_actors(seen: Evidence) -> Iterator[Contact]:
    """Whoever has done something touches the other; so both, if both have."""
    full = {actor: np.any([bears(seen, actor, t) for t in seen.things], axis=0) for actor in seen.actors}
    for pair in combinations(seen.actors, 2):
        for first, last in _runs(_touches(seen, *pair) & ~(full[pair[0]] | full[pair[1]])):
            for who, what in (pair, pair[::-1]):
                if seen.acts(who).any():
                    yield Contact(who, what, first, last, holding=False)


def bears(seen: Evidence, actor: str, thing: str) -> Flags:
    """In which frames an actor bears a thing: they meet, and the thing is up and not where it was."""
    raised = seen.track(thing).bottom - seen.brief.member(thing).ground >= _RAISED
    away = seen.moved(thing) >= NUDGE
    if seen.held(actor, thing):
        away = np.ones_like(away)
    flags = _meets(seen, actor, thing) & raised & away
    least = max(2, round(_BORNE * seen.last))
    result = np.zeros_like(flags)
    for first, last in _runs(flags):
        result[first : last + 1] = last - first + 1 >= least
    return result


def _touches(seen: Evidence, one: str, other: str) -> Flags:
    """In which frames the first, an actor, and another member touch, by what they do and where they stand."""
    met = _meets(seen, one, other)
    thing = other in seen.things
    active = seen.acts(one).any() or (bears(seen, one, other) if thing else seen.acts(other)).any()
    lanes = {seen.brief.member(member).lane for member in (one, other)}
    beside = len(lanes) == 1 or (thing and bool((met & _changes(seen, other)).any()))
    return met if active and beside else np.zeros_like(met)


def _changes(seen: Evidence, thing: str) -> Flags:
    """In which frames a thing is not where it was at first, or not as open, lit or full."""
    opened = seen.opened(thing)
    return lasting((seen.moved(thing) >= NUDGE) | (np.abs(opened - opened[0]) >= _OTHERWISE))


def _meets(seen: Evidence, one: str, other: str) -> Flags:
    """In which frames the outlines of two meet, or nearly so between two such frames, since they came together."""
    near = seen.touch(one, other)
    if not seen.held(one, other):
        since = seen.contact(one, other)
        near = near & (np.arange(len(near)) >= (len(near) if since is None else since))
    # A gripper is thin and dark, and its outline is not seen to the last pixel.
    robot = "robot" in (seen.brief.member(one).family, seen.brief.member(other).family)
    close = near & (robot | (seen.gap(one, other) <= _MEET))
    result = np.zeros_like(near)
    for first, last in _runs(near):
        frames = np.flatnonzero(close[first : last + 1])
        # Worn outlines may stay a pixel apart; a single such frame is noise.
        if frames.size or last > first:
            begin, end = (frames[0], frames[-1]) if frames.size else (0, last - first)
            result[first + begin : first + end + 1] = True
    return result


def _runs(flags: Flags) -> Iterator[tuple[int, int]]:
    """First and last frame of every row of frames in which something is so."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    yield from ((int(first), int(end) - 1) for first, end in zip(edges[::2], edges[1::2], strict=True))
