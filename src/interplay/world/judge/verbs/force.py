"""What must be seen of push, pull, kick and hit."""

from __future__ import annotations

import numpy as np

from interplay.world.judge.evidence import APART, NUDGE, STEP, TOUCH, Flags, Floats, first, lasting
from interplay.world.judge.verbs.base import Case, Predicate, Shown, acts, ends, is_apart, meets, nearer
from interplay.world.judge.verbs.effects import MOVED, agent, begins, recipient
from interplay.world.verbs.force import HIT, KICK, PULL, PUSH

# What goes at least half as far as it does in the world has gone.
_SHARE = 0.5
# On the ground is what has come down to this height.
_GROUNDED = 0.08


def way(case: Case) -> Floats:
    """How far the object has come, counted away from where the subject came from."""
    return case.d * case.seen.shifted(case.o)


def _goes_along(sign: int) -> Predicate:
    """Object and subject are on the way together, in touch: ahead (1) or back (-1)."""

    def shown_in(case: Case) -> int | None:
        met = meets(case)
        if met is None:
            return None
        own = case.d * case.seen.shifted(case.s)
        together = (sign * way(case) >= NUDGE) & (sign * (own - own[met]) >= NUDGE)
        return first(lasting(together & case.seen.touch(case.s, case.o)), met)

    return shown_in


def _flies_off(case: Case) -> int | None:
    """The object is on its way ahead, and the subject no longer touches it."""
    free = case.seen.gap(case.s, case.o) > TOUCH
    return first(free & (way(case) >= STEP), meets(case))


def _away(case: Case, least: float) -> Flags:
    """In which frames the object lies so far ahead (or, if negative, back) on the ground."""
    far = way(case) >= least if least > 0 else way(case) <= least
    on_ground: Flags = far & _grounded(case)
    return on_ground


def _grounded(case: Case) -> Flags:
    down: Flags = case.seen.track(case.o).bottom <= case.who(case.o).ground + _GROUNDED
    return down


def _ends(least: float, beside: bool) -> Predicate:
    """In the end the object lies so far ahead, with the subject at it (or not)."""

    def shown_in(case: Case) -> int | None:
        gap = case.seen.gap(case.s, case.o)
        placed = gap <= 2 * TOUCH if beside else gap > APART
        return ends(case, placed & _away(case, least)) if meets(case) is not None else None

    return shown_in


def _lies(least: float) -> Predicate:
    """In the end the object lies so far from its place on the ground, whoever brought it there, and whichever way."""

    def shown_in(case: Case) -> int | None:
        far = np.abs(way(case)) >= abs(least)
        return ends(case, far & _grounded(case))

    return shown_in


def _shown(least: float, progress: Predicate, *, beside: bool) -> Shown:
    return Shown(
        before=is_apart,
        comes=nearer,
        contact=meets,
        onset=begins(MOVED),
        progress=progress,
        outcome=_ends(least, beside),
        acts=acts,
        agent=agent(MOVED),
        recipient=recipient(MOVED),
        confirmed=_lies(least),
    )


SHOWN = {
    "push": _shown(_SHARE * PUSH, _goes_along(1), beside=True),
    "pull": _shown(-_SHARE * PULL, _goes_along(-1), beside=True),
    "kick": _shown(_SHARE * KICK, _flies_off, beside=False),
    "hit": _shown(_SHARE * HIT, _flies_off, beside=False),
}
