"""What must be seen of open, close, pour, turn on and turn off."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from interplay.world.judge.evidence import NUDGE, Flags, first, lasting, mean, mostly
from interplay.world.judge.verbs.base import (
    Case,
    Predicate,
    Shown,
    acts,
    at_end,
    at_start,
    ends,
    free_at_start,
    meets,
    nearer,
)
from interplay.world.judge.verbs.effects import CHANGED, agent, begins, changed, recipient

# Below the first a state is closed, dark, empty; above the second it is open, lit, full.
_LOW, _HIGH = 0.4, 0.6
# So near is who has just worked a thing.
_BESIDE = 0.2
_BESIDE_VESSEL = 0.35
# The jug's middle may be so far from that of what it is over.
_OVER = 0.2


def _at_rest(sign: int) -> Predicate:
    """The object is in the state before, and the subject apart from it."""

    def shown_in(case: Case) -> int | None:
        opened = case.seen.opened(case.o)[0]
        ready = opened <= _LOW if sign > 0 else opened >= _HIGH
        return at_start(ready and free_at_start(case))

    return shown_in


def _comes(sign: int) -> Predicate:
    """The subject has come nearer while nothing has happened to the object yet."""

    def shown_in(case: Case) -> int | None:
        near, onset = nearer(case), changed(sign).onset(case.seen, case.o)
        return None if near is None or (onset is not None and near > onset) else near

    return shown_in


def _works(sign: int) -> Predicate:
    """The subject keeps in touch while the state changes."""

    def shown_in(case: Case) -> int | None:
        onset = begins(changed(sign))(case)
        if onset is None:
            return None
        opened = case.seen.opened(case.o)
        done = first(sign * (opened - opened[0]) >= CHANGED, onset)
        if done is None or not mostly(case.seen.touch(case.s, case.o)[onset : done + 1]):
            return None
        return done

    return shown_in


def _is_done(case: Case, thing: str, sign: int) -> bool:
    """Whether a thing is seen in the other state at the end."""
    known = [value for value in case.seen.tail(case.seen.track(thing).opened) if np.isfinite(value)]
    return bool(known) and bool(np.median(known) >= _HIGH if sign > 0 else np.median(known) <= _LOW)


def _done(sign: int) -> Predicate:
    """In the end the object is in the other state, and the subject, who has touched it, is at it."""

    def shown_in(case: Case) -> int | None:
        beside = case.seen.ends(case.seen.gap(case.s, case.o) <= _BESIDE)
        return at_end(case, beside and meets(case) is not None and _is_done(case, case.o, sign))

    return shown_in


def _shown(sign: int) -> Shown:
    effect = changed(sign)

    def ends(case: Case) -> int | None:
        return at_end(case, _is_done(case, case.o, sign) and effect.onset(case.seen, case.o) is not None)

    return Shown(
        before=_at_rest(sign),
        comes=_comes(sign),
        contact=meets,
        onset=begins(effect),
        progress=_works(sign),
        outcome=_done(sign),
        acts=acts,
        agent=agent(effect),
        recipient=recipient(effect),
        confirmed=ends,
    )


# --- pour -----------------------------------------------------------------------------------------------------------


# A jug just over a vessel looks a little like water in it.
FILLED = changed(1, CHANGED)


def _over(case: Case, jug: str, vessel: str) -> Flags:
    """In which frames a jug is above a vessel."""
    above, below = case.seen.track(jug), case.seen.track(vessel)
    near = np.abs(above.x - below.x) <= _OVER
    over: Flags = near & (above.y >= below.y + 0.5 * case.who(vessel).kind.height)
    return over


def _held_over(case: Case) -> Flags:
    """In which frames the subject holds the jug over the vessel."""
    held: Flags = lasting(_over(case, case.o, case.r)) & case.seen.touch(case.s, case.o)
    return held


def _ready(case: Case) -> int | None:
    """The vessel is empty, and the subject has the jug elsewhere."""
    empty = case.seen.opened(case.r)[0] <= _LOW and not _over(case, case.o, case.r)[0]
    return at_start(empty and case.seen.touch(case.s, case.o)[0])


def _brings(case: Case) -> int | None:
    """The jug, in the subject's hands, is nearer to the vessel than at first."""
    way = case.seen.between(case.o, case.r)
    return first(lasting(way <= way[0] - NUDGE) & case.seen.touch(case.s, case.o))


def _is_over(case: Case) -> int | None:
    return first(_held_over(case), _brings(case))


def _fills(case: Case) -> int | None:
    """The vessel begins to fill while the subject holds the jug over it."""
    onset = FILLED.onset(case.seen, case.r)
    return onset if onset is not None and case.seen.recently(_held_over(case))[onset] else None


def _keeps_over(case: Case) -> int | None:
    """From when the jug came over the vessel the subject keeps it there, until the vessel is full."""
    over, opened = _is_over(case), case.seen.opened(case.r)
    full = first(lasting(opened >= _HIGH), over)
    if over is None or full is None or not mostly(_held_over(case)[over : full + 1]):
        return None
    return full


def _poured(case: Case) -> int | None:
    """The vessel is full at the end, and the subject, who has poured, holds the jug beside it."""
    beside = (case.seen.between(case.o, case.r) <= _BESIDE_VESSEL) & case.seen.touch(case.s, case.o)
    return ends(case, beside) if _fills(case) is not None and _is_done(case, case.r, 1) else None


def _pourings(case: Case) -> Mapping[tuple[str, str], Flags]:
    """Which jug is poured into which vessel, and the frames in which it is over it: the vessel fills below it."""
    things = case.free(case.seen.things)
    jugs = [thing for thing in things if case.who(thing).noun == "jug"]
    vessels = [thing for thing in things if case.who(thing).noun == "cup"]
    found = {}
    for jug, vessel in ((jug, vessel) for jug in jugs for vessel in vessels):
        over, onset = lasting(_over(case, jug, vessel)), FILLED.onset(case.seen, vessel)
        if onset is not None and case.seen.recently(over)[onset]:
            found[jug, vessel] = over
    return found


def _pours(case: Case) -> int | None:
    """Whoever has a jug in the hands that is poured is the subject."""
    pourings = _pourings(case)
    pourers = {_holder(case, jug, flags) for (jug, _), flags in pourings.items()}
    return min(first(flags) or 0 for flags in pourings.values()) if pourers == {case.s} else None


def _holder(case: Case, jug: str, during: Flags) -> str | None:
    """Who touches a jug for most of the time, of several the nearest."""
    touching = [actor for actor in case.seen.actors if mostly(case.seen.touch(actor, jug)[during], 0.5)]
    return min(touching, key=lambda actor: mean(case.seen.between(actor, jug)[during]), default=None)


def _poured_into(case: Case) -> int | None:
    """It is the vessel, and nothing else, that is poured into."""
    pourings = _pourings(case)
    vessels = {vessel for _, vessel in pourings}
    return min(first(flags) or 0 for flags in pourings.values()) if vessels == {case.r} else None


def _is_full(case: Case) -> int | None:
    return at_end(case, _is_done(case, case.r, 1))


POUR_SHOWN = Shown(
    before=_ready,
    comes=_brings,
    contact=_is_over,
    onset=_fills,
    progress=_keeps_over,
    outcome=_poured,
    acts=acts,
    agent=_pours,
    recipient=_poured_into,
    confirmed=_is_full,
)

SHOWN = {"open": _shown(1), "close": _shown(-1), "turn on": _shown(1), "turn off": _shown(-1), "pour": POUR_SHOWN}
