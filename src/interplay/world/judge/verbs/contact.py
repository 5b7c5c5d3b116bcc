"""What must be seen of touch and hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from interplay.world.judge.evidence import NUDGE, STEP, Flags, first, lasting, mostly
from interplay.world.judge.verbs.base import Case, Shown, acts, at_end, ends, is_apart, meets, nearer
from interplay.world.judge.verbs.effects import MOVED, agent, begins, recipient

# Between these heights, in parts of the holder's size, is the middle of what is held before the chest.
_CHEST_LOW, _CHEST_HIGH = 0.12, 0.42

# Who is touched may stir, and hands cover part of it, so that its middle seems to move.
_STIRS = 0.12


# --- touch ----------------------------------------------------------------------------------------------------------


def keeps_touching(case: Case) -> int | None:
    """From the first touch on the two are nearly always in touch."""
    met = meets(case)
    if met is None or met == case.last:
        return None
    return met + 1 if mostly(case.seen.touch(case.s, case.o)[met:]) else None


def touch_at_end(case: Case) -> int | None:
    """Subject and object touch at the end, after they had been apart."""
    return ends(case, case.seen.touch(case.s, case.o)) if meets(case) is not None else None


def _stays(case: Case) -> int | None:
    """The object does not move while it is touched."""
    met = meets(case)
    if met is None:
        return None
    far = case.seen.moved(case.o)[met:]
    most = STEP if case.who(case.o).family == "thing" else _STIRS
    return at_end(case, np.isfinite(far).any() and not lasting(far >= most).any())


def _contacts(case: Case) -> Mapping[str, Mapping[str, int]]:
    """Per actor who comes and touches in the end: for how many frames it touches whom."""
    found: dict[str, dict[str, int]] = {}
    for actor, other in case.pairs():
        touch, since = case.seen.touch(actor, other), case.seen.contact(actor, other)
        came = case.seen.acts(actor).any() and not _comes_more(case, other, actor)
        if since is not None and came and case.seen.ends(touch):
            found.setdefault(actor, {})[other] = int(touch[since:].sum())
    return found


def _comes_more(case: Case, one: str, other: str) -> bool:
    """Of two actors who touch, the one who moves more has come."""
    return one in case.seen.actors and case.seen.elsewhere(one) > case.seen.elsewhere(other)


def _toucher(case: Case) -> int | None:
    return at_end(case, set(_contacts(case)) == {case.s})


def _touched(case: Case) -> int | None:
    """What is touched the longest by whoever touches something is the object."""
    mains = {max(others, key=lambda other: others[other]) for others in _contacts(case).values()}
    return at_end(case, mains == {case.o})


def _is_touched(case: Case) -> int | None:
    """Somebody who came to do so touches the object in the end."""
    return at_end(case, any(case.o in others for others in _contacts(case).values()))


TOUCH_SHOWN = Shown(
    before=is_apart,
    comes=nearer,
    contact=meets,
    onset=keeps_touching,
    progress=_stays,
    outcome=touch_at_end,
    acts=acts,
    agent=_toucher,
    recipient=_touched,
    confirmed=_is_touched,
)


# --- hold -----------------------------------------------------------------------------------------------------------


def chest_high(case: Case, holder: str, thing: str) -> Flags:
    """In which frames the middle of a thing is at the height of somebody's chest."""
    member, y = case.who(holder), case.seen.track(thing).y
    scale = member.kind.scale
    # Over the ground on which both start; of two lanes over the front one, to which either may have come.
    ground = min(member.ground, case.who(thing).ground)
    high: Flags = (y >= ground + _CHEST_LOW * scale) & (y <= member.y + _CHEST_HIGH * scale)
    return high


def at_chest(case: Case, holder: str, thing: str) -> Flags:
    """In which frames a thing is in touch with somebody, at the height of the chest."""
    held: Flags = chest_high(case, holder, thing) & case.seen.touch(holder, thing)
    return held


def _comes_up(case: Case) -> int | None:
    """The object has left its place and is at the subject's chest."""
    away = case.seen.moved(case.o) >= NUDGE
    return first(lasting(away & at_chest(case, case.s, case.o)), meets(case))


def _held(case: Case) -> int | None:
    held = (case.seen.moved(case.o) >= NUDGE) & at_chest(case, case.s, case.o)
    return ends(case, held) if meets(case) is not None else None


def _is_held(case: Case) -> int | None:
    """The object has left its place and is as high as a chest: of whoever touches it in the end, or of the subject."""
    holders = [a for a in case.seen.actors if case.seen.ends(case.seen.touch(a, case.o))] or [case.s]
    high = np.any([chest_high(case, holder, case.o) for holder in holders], axis=0)
    return ends(case, (case.seen.moved(case.o) >= NUDGE) & high)


HOLD_SHOWN = Shown(
    before=is_apart,
    comes=nearer,
    contact=meets,
    onset=begins(MOVED),
    progress=_comes_up,
    outcome=_held,
    acts=acts,
    agent=agent(MOVED),
    recipient=recipient(MOVED),
    confirmed=_is_held,
)

SHOWN = {"touch": TOUCH_SHOWN, "hold": HOLD_SHOWN}
