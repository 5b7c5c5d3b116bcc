"""What must be seen of motion of one actor alone: walk, jump, crouch, turn around, cheer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from interplay.world.judge.evidence import STEP, Evidence, Flags, Floats, lasting
from interplay.world.judge.verbs.base import Case, Predicate, Shown, at_end, at_start
from interplay.world.verbs.solo import WALK

_WALKED = 0.5 * WALK
_JUMPED, _JUMPED_AWAY = 0.06, 0.08
_CROUCHED = 0.04
# Two raised arms reach so far to both sides of the head (in a person's size), and farther than the head did.
_BOTH_UP, _WIDER = 0.11, 0.03

Doing = Callable[[Evidence, str], Flags]


def _change(values: Floats) -> Floats:
    change: Floats = values - values[0]
    return change


def _walking(seen: Evidence, actor: str) -> Flags:
    flags: Flags = np.abs(seen.shifted(actor)) >= STEP
    return flags


def _walked(seen: Evidence, actor: str) -> Flags:
    flags: Flags = np.abs(seen.shifted(actor)) >= _WALKED
    return flags


def _airborne(seen: Evidence, actor: str) -> Flags:
    flags: Flags = _change(seen.track(actor).bottom) >= _JUMPED
    return flags


def _landed_elsewhere(seen: Evidence, actor: str) -> Flags:
    flags: Flags = (np.abs(seen.shifted(actor)) >= _JUMPED_AWAY) & ~_airborne(seen, actor)
    return flags


def _crouching(seen: Evidence, actor: str) -> Flags:
    flags: Flags = _change(seen.track(actor).top) <= -_CROUCHED
    return flags


def _turned(seen: Evidence, actor: str) -> Flags:
    """The actor faces away from where it has faced for a while."""
    facing = seen.facing(actor)
    left, right = (np.maximum.accumulate(lasting(facing == side)) for side in (-1.0, 1.0))
    turned: Flags = ((facing > 0) & left) | ((facing < 0) & right)
    return turned


def _arms_up(seen: Evidence, actor: str) -> Flags:
    """Both arms: the outline is higher or wider beside the head than at first."""
    track, member = seen.track(actor), seen.brief.member(actor)
    band = member.y + 0.44 * member.kind.scale, member.y + 0.75
    out = [track.reach(way, *band) for way in (-1.0, 1.0)]
    flags: Flags = (np.minimum(*out) >= _BOTH_UP * member.kind.scale) & (_change(out[0] + out[1]) >= _WIDER)
    return flags


def _solo(doing: Doing, done: Doing) -> Shown:
    """A motion that is under way in ``doing`` and over, or at its height, in ``done``."""

    def before(case: Case) -> int | None:
        return at_start(bool(np.isfinite(case.seen.track(case.s).x[0])))

    def under_way(number: int) -> Predicate:
        def shown_in(case: Case) -> int | None:
            frames = np.flatnonzero(lasting(doing(case.seen, case.s)))
            return int(frames[min(number, len(frames) - 1)]) if frames.size else None

        return shown_in

    def ends(case: Case) -> int | None:
        return at_end(case, case.seen.ends(done(case.seen, case.s)))

    def agent(case: Case) -> int | None:
        others = [a for a in case.seen.actors if a != case.s and lasting(doing(case.seen, a)).any()]
        return under_way(0)(case) if not others else None

    return Shown(
        before=before,
        comes=under_way(0),
        contact=under_way(1),
        onset=under_way(2),
        progress=under_way(3),
        outcome=ends,
        acts=under_way(0),
        agent=agent,
        recipient=agent,
        confirmed=ends,
    )


SHOWN = {
    "walk": _solo(_walking, _walked),
    "jump": _solo(_airborne, _landed_elsewhere),
    "crouch": _solo(_crouching, _crouching),
    "turn around": _solo(_turned, _turned),
    "cheer": _solo(_arms_up, _arms_up),
}
