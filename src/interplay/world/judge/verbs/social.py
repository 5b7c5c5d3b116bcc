"""What must be seen of hug, shake hands, wave, point and look."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from interplay.world.judge.evidence import FREE, NUDGE, STEP, Flags, Floats, first, lasting, mean, mostly, steady
from interplay.world.judge.verbs.base import Case, Predicate, Shown, acts, at_end, ends, is_apart, reach

# Those who hug stand nearer than this, those who shake hands farther apart.
_CLOSE = 0.285
# Hands meet when so much lies between what is seen of two.
_HANDS = 0.115
# A thing before or behind them takes as much more from what is seen of them as a small hand is wide.
_HANDS_AT_A_THING = 0.15
# Who came has walked so much farther than who was visited.
_CLEARLY = 0.04
# An arm is around somebody whose middle it reaches within this.
_AROUND = 0.14
# Where arms are, in parts of a person's size: between hips and chin; where a raised hand is: beside the head; where a
# stretched arm is: below a girl's pigtails.
_ARMS, _BESIDE_HEAD, _AHEAD = (0.13, 0.42), (0.37, 0.60), (0.10, 0.39)
# A raised hand is farther out than hair, a stretched arm farther than one that hangs or swings, in a person's size.
_RAISED, _STRETCHED = {"girl": 0.188}, {"robot arm": 0.30}
_RAISED_ELSE, _STRETCHED_ELSE = 0.172, 0.155
# A hand is kept up when it is seen so in this share of the frames: it is small.
_KEPT = 0.6
# Who bends, after having turned, brings the head or the nose so much forward.
_BENT = 0.02


def _comes(case: Case) -> int | None:
    """The subject itself has walked toward the object, or reached out, and is nearer to it than at first."""
    seen = case.seen
    gap = seen.gap(case.s, case.o)
    return first(lasting(gap <= gap[0] - NUDGE) & (case.d * seen.shifted(case.s) >= STEP))


# --- hug and shake hands --------------------------------------------------------------------------------------------


def _close(case: Case, one: str, other: str) -> Flags:
    """In which frames two are in touch, nearer than who shakes hands."""
    near: Flags = case.seen.touch(one, other) & (case.seen.between(one, other) <= _CLOSE)
    return near


def _clasped(case: Case, one: str, other: str) -> Flags:
    """In which frames two are at arm's length, and their hands meet: as small as these are, one may not be seen."""
    gap = case.seen.gap(one, other)
    near = gap <= _HANDS
    for thing in case.seen.things:
        at_it = case.seen.touch(one, thing) & case.seen.touch(other, thing)
        near |= at_it & (gap <= _HANDS_AT_A_THING)
    clasped: Flags = near & (case.seen.between(one, other) > _CLOSE)
    return clasped


Together = Callable[[Case, str, str], Flags]


def _met(case: Case, together: Together, one: str, other: str) -> int | None:
    """The first frame in which two are together who were not at first."""
    return first(lasting(together(case, one, other)), first(case.seen.gap(one, other) > FREE))


def _meetings(case: Case, together: Together) -> set[frozenset[str]]:
    """Which two persons came to be together with in the end."""
    people = {one for one in case.seen.actors if case.who(one).family == "person"}
    return {
        frozenset((one, other))
        for one, other in case.pairs()
        if {one, other} <= people
        and (_nearer_than_at_first(case, one, other) or _turned_to_each_other(case, one, other))
        and (case.seen.acts(one) | case.seen.acts(other)).any()
        and case.seen.ends(together(case, one, other))
        and _met(case, together, one, other) is not None
    }


def _nearer_than_at_first(case: Case, one: str, other: str) -> bool:
    """Whether less lies between two at the end than at first: some stand next to each other from the start."""
    gap = case.seen.gap(one, other)
    return bool(_at_the_end(case, gap) <= gap[0] - FREE)


def _turned_to_each_other(case: Case, one: str, other: str) -> bool:
    """Whether two face each other at the end who did not at first: of two who stood near, this is seen rather."""
    facing = case.seen.faces(one, other) & case.seen.faces(other, one)
    return not facing[0] and case.seen.ends(facing)


def _at_the_end(case: Case, values: Floats) -> float:
    """The median over the last frames in which it is known; NaN where it is known in none."""
    known = case.seen.tail(values)
    known = known[np.isfinite(known)]
    return float(np.median(known)) if known.size else float("nan")


def _comer(case: Case, pair: frozenset[str]) -> str | None:
    """Of two who met the one who clearly came, having walked farther than the other, who may be hidden in its arms."""
    walked = {key: abs(_at_the_end(case, case.seen.walked(key))) for key in pair}
    comer = max(pair, key=lambda key: walked[key])
    return comer if walked[comer] - min(walked.values()) >= _CLEARLY else None


def _mutual(together: Together, onset: Predicate, progress: Predicate) -> Shown:
    """A verb of two who come together and stay so."""

    def met(case: Case) -> int | None:
        return _met(case, together, case.s, case.o)

    def outcome(case: Case) -> int | None:
        return ends(case, together(case, case.s, case.o)) if met(case) is not None else None

    def comer(case: Case) -> int | None:
        """Whoever meets somebody meets the subject, and it is not the other one who came."""
        pairs = _meetings(case, together)
        came = {_comer(case, pair) or case.s for pair in pairs}
        return at_end(case, came == {case.s} and all(case.s in pair for pair in pairs))

    def visited(case: Case) -> int | None:
        """Whoever meets somebody meets the object, and it is not the object which came."""
        pairs = _meetings(case, together)
        came = {_comer(case, pair) for pair in pairs}
        return at_end(case, bool(pairs) and all(case.o in pair for pair in pairs) and case.o not in came)

    def with_somebody(case: Case) -> int | None:
        return at_end(case, any(case.o in pair for pair in _meetings(case, together)))

    return Shown(
        before=is_apart,
        comes=_comes,
        contact=met,
        onset=onset,
        progress=progress,
        outcome=outcome,
        acts=acts,
        agent=comer,
        recipient=visited,
        confirmed=with_somebody,
    )


def _stay_clasped(case: Case) -> int | None:
    """Once the hands have met they are nearly always together."""
    met = _met(case, _clasped, case.s, case.o)
    if met is None or not mostly(_clasped(case, case.s, case.o)[met:]):
        return None
    return min(met + 1, case.last)


def _arm_around(who: Callable[[Case], tuple[str, str]]) -> Predicate:
    """The first reaches with an arm as far as the middle of the second."""

    def shown_in(case: Case) -> int | None:
        one, other = who(case)
        way = case.d if one == case.s else -case.d
        near = reach(case, one, way, *_ARMS) >= case.seen.between(one, other) - _AROUND
        # Of one who is hidden in the other's arms no arm is seen.
        near |= case.seen.hidden(one) | case.seen.hidden(other)
        return first(lasting(near & _close(case, one, other)), _met(case, _close, one, other))

    return shown_in


def _face_each_other(case: Case) -> int | None:
    facing = case.seen.faces(case.s, case.o) & case.seen.faces(case.o, case.s)
    return first(lasting(facing & _clasped(case, case.s, case.o)))


# --- wave -----------------------------------------------------------------------------------------------------------


Extent = Callable[[Case, str, int], Floats]


def _raised(case: Case, actor: str, way: int) -> Floats:
    """How far a person's outline reaches beside the head on one side, as a share of how far a raised hand does."""
    member = case.who(actor)
    least = _RAISED.get(member.noun, _RAISED_ELSE) * member.kind.scale
    return steady(reach(case, actor, way, *_BESIDE_HEAD)) / least


def _stretched(case: Case, actor: str, way: int) -> Floats:
    """How far an actor's outline reaches ahead on one side, as a share of how far a stretched arm does."""
    member = case.who(actor)
    least = _STRETCHED.get(member.noun, _STRETCHED_ELSE) * member.kind.scale
    return steady(reach(case, actor, way, *_AHEAD)) / least


def _out(case: Case, extent: Extent, actor: str, way: int) -> Flags:
    """In which frames an actor, not as at first, has an arm out on one side.

    It is farther than anything on the other side. Beside the head it may also have come out farther: a girl's pigtails
    are as far from the start.
    """
    here, there = extent(case, actor, way), extent(case, actor, -way)
    farther = here > there
    if extent is _raised:
        farther |= here - here[0] > there - there[0]
    out: Flags = lasting((here >= 1.0) & farther) & case.seen.acts(actor)
    return out


def _hand_up(case: Case) -> Flags:
    return _out(case, _raised, case.s, case.d)


def _raises(case: Case) -> int | None:
    up = _hand_up(case)
    return first(up, first(~up))


def _keeps_up(case: Case) -> int | None:
    since = _raises(case)
    if since is None or not mostly(_hand_up(case)[since:], _KEPT):
        return None
    return min(since + 2, case.last)


def _turned(case: Case) -> int | None:
    """The subject faces the object, and is not in touch with it."""
    return first(lasting(case.seen.faces(case.s, case.o)), 1)


def _is_faced(case: Case) -> int | None:
    """The object turns to the subject, or is so already, while the subject waves."""
    return first(lasting(case.seen.faces(case.o, case.s)), _raises(case))


def _waved(case: Case) -> int | None:
    up = _hand_up(case) & case.seen.faces(case.s, case.o)
    return ends(case, up) if _raises(case) is not None else None


def _wavers(case: Case) -> dict[str, int]:
    """Who raises a hand and keeps it up, and on which side."""
    people = [a for a in case.free(case.seen.actors) if case.who(a).family == "person"]
    return _doers(case, people, _raised)


def _doers(case: Case, actors: Iterable[str], extent: Extent) -> dict[str, int]:
    """Who brings an arm out to one side and keeps it so to the end, and to which side: the one with more of it."""
    found = {}
    for actor in actors:
        ways = [way for way in (-1, 1) if _keeps(case, _out(case, extent, actor, way))]
        if ways:
            found[actor] = max(ways, key=lambda way: mean(case.seen.tail(extent(case, actor, way))))
    return found


def _keeps(case: Case, flags: Flags) -> bool:
    """Whether something begins, stays so, and is so at the end."""
    since = first(flags, first(~flags))
    return since is not None and mostly(flags[since:], _KEPT) and case.seen.ends(flags)


def _waver(case: Case) -> int | None:
    return at_end(case, set(_wavers(case)) == {case.s})


def _waved_at(case: Case) -> int | None:
    return at_end(case, _sides_lead_to(case, _wavers(case)))


def _answers(case: Case) -> int | None:
    """In the end the object faces somebody who waves."""
    return at_end(case, any(case.seen.ends(case.seen.faces(case.o, actor)) for actor in _wavers(case)))


def _sides_lead_to(case: Case, doers: dict[str, int]) -> bool:
    """Whether everybody who does it does it toward the side on which the object is."""
    return bool(doers) and all(_leads_to(case, actor, way) for actor, way in doers.items())


def _leads_to(case: Case, actor: str, way: int) -> bool:
    """Whether the object is on this side of an actor."""
    beyond = way * (case.seen.track(case.o).x - case.seen.track(actor).x)
    return actor != case.o and bool(np.isfinite(beyond).any() and np.nanmedian(beyond) > 0)


# --- point ----------------------------------------------------------------------------------------------------------


def _arm_out(case: Case) -> Flags:
    return _out(case, _stretched, case.s, case.d)


def _raises_arm(case: Case) -> int | None:
    """The subject reaches farther ahead than at first, or as far as a stretched arm, which it did not at first."""
    ahead, out = reach(case, case.s, case.d, *_AHEAD), _arm_out(case)
    return first(lasting(ahead >= ahead[0] + NUDGE) | (out & ~out[0]))


def _stretches(case: Case) -> int | None:
    return first(_arm_out(case))


def _keeps_out(case: Case) -> int | None:
    since = _stretches(case)
    if since is None or not mostly(_arm_out(case)[since:], _KEPT):
        return None
    return min(since + 2, case.last)


def _pointed(case: Case) -> int | None:
    return ends(case, _arm_out(case)) if _stretches(case) is not None else None


def _pointers(case: Case) -> dict[str, int]:
    """Who stretches an arm and keeps it so, and to which side."""
    handed = [a for a in case.free(case.seen.actors) if case.who(a).family != "animal"]
    return _doers(case, handed, _stretched)


def _pointer(case: Case) -> int | None:
    return at_end(case, set(_pointers(case)) == {case.s})


def _pointed_at(case: Case) -> int | None:
    return at_end(case, _sides_lead_to(case, _pointers(case)))


def _is_pointed_at(case: Case) -> int | None:
    return at_end(case, any(_leads_to(case, actor, way) for actor, way in _pointers(case).items()))


# --- look -----------------------------------------------------------------------------------------------------------


def _turns(case: Case) -> int | None:
    """The subject, who faced away in the first frame, faces the object."""
    faces = case.seen.faces(case.s, case.o)
    return first(lasting(faces)) if not faces[0] else None


def _keeps_looking(case: Case) -> int | None:
    since = _turns(case)
    if since is None or not mostly(case.seen.faces(case.s, case.o)[since:]):
        return None
    return min(since + 1, case.last)


def _bends(case: Case) -> int | None:
    """The subject, having turned, comes nearer to the object, or its head does."""
    since = _turns(case)
    if since is None:
        return None
    gap = steady(case.seen.gap(case.s, case.o))[since:]
    head = case.d * steady(case.seen.head(case.s))[since:]
    bent = (gap <= np.fmax.accumulate(gap) - _BENT) | (head >= np.fmin.accumulate(head) + _BENT)
    return first(np.concatenate([np.zeros(since, bool), lasting(bent)]))


def _looked(case: Case) -> int | None:
    return ends(case, case.seen.faces(case.s, case.o)) if _turns(case) is not None else None


def _lookers(case: Case) -> dict[str, int]:
    """Who turned around, for good, and to which side."""
    found = {}
    for actor in case.free(case.seen.actors):
        facing = case.seen.facing(actor)
        for way in (-1, 1):
            if facing[0] == -way and case.seen.ends(facing == way):
                found[actor] = way
    return found


def _looker(case: Case) -> int | None:
    return at_end(case, set(_lookers(case)) == {case.s})


def _looked_at(case: Case) -> int | None:
    return at_end(case, _sides_lead_to(case, _lookers(case)))


def _is_looked_at(case: Case) -> int | None:
    return at_end(case, any(_leads_to(case, actor, way) for actor, way in _lookers(case).items()))


SHOWN = {
    "hug": _mutual(_close, _arm_around(lambda case: (case.s, case.o)), _arm_around(lambda case: (case.o, case.s))),
    "shake hands": _mutual(_clasped, _stay_clasped, _face_each_other),
    "wave": Shown(
        before=is_apart,
        comes=_turned,
        contact=_raises,
        onset=_keeps_up,
        progress=_is_faced,
        outcome=_waved,
        acts=acts,
        agent=_waver,
        recipient=_waved_at,
        confirmed=_answers,
    ),
    "point": Shown(
        before=is_apart,
        comes=_turned,
        contact=_raises_arm,
        onset=_stretches,
        progress=_keeps_out,
        outcome=_pointed,
        acts=acts,
        agent=_pointer,
        recipient=_pointed_at,
        confirmed=_is_pointed_at,
    ),
    "look": Shown(
        before=is_apart,
        comes=_turns,
        contact=_turns,
        onset=_keeps_looking,
        progress=_bends,
        outcome=_looked,
        acts=acts,
        agent=_looker,
        recipient=_looked_at,
        confirmed=_is_looked_at,
    ),
}
