"""What must be seen of lift, carry, hand over and throw."""

from __future__ import annotations

import numpy as np

from interplay.world.judge.evidence import APART, FREE, NUDGE, STEP, TOUCH, Flags, Floats, first, lasting, mostly
from interplay.world.judge.verbs.base import Case, Shown, acts, at_end, at_start, ends, is_apart, meets, nearer
from interplay.world.judge.verbs.contact import at_chest
from interplay.world.judge.verbs.effects import MOVED, agent, begins, recipient
from interplay.world.verbs.transport import CARRY

# Up high is a bottom at this height, in parts of the lifter's size: above the chin. A robot arm lifts less.
_HIGH, _ROBOT_HIGH = 0.46, 0.28
# On its way up is what has risen by this much.
_RISEN = 0.07
# Off the ground is what is so high.
_OFF_GROUND = 0.035
# Carried is what has gone half as far as things are carried in the world.
_CARRIED = 0.5 * CARRY


def _bottom(case: Case) -> Floats:
    return case.seen.track(case.o).bottom


def _height(case: Case) -> Floats:
    """Of the object over the ground of its lane."""
    height: Floats = _bottom(case) - case.who(case.o).ground
    return height


def _risen(case: Case) -> Floats:
    bottom = _bottom(case)
    risen: Floats = bottom - bottom[0]
    return risen


# --- lift -----------------------------------------------------------------------------------------------------------


def _high(case: Case, lifter: str) -> float:
    member = case.who(lifter)
    return member.y + (_ROBOT_HIGH if member.family == "robot" else _HIGH * member.kind.scale)


def _rises(case: Case) -> int | None:
    up = (_risen(case) >= _RISEN) & case.seen.touch(case.s, case.o)
    return first(lasting(up), meets(case))


def _lifted(case: Case) -> int | None:
    high = (_bottom(case) >= _high(case, case.s)) & case.seen.touch(case.s, case.o)
    return ends(case, high) if meets(case) is not None else None


def _is_high(case: Case) -> int | None:
    """The object is up high for whoever touches it."""
    near = [a for a in case.seen.actors if case.seen.ends(case.seen.touch(a, case.o))] or [case.s]
    return ends(case, _bottom(case) >= min(_high(case, a) for a in near))


LIFT_SHOWN = Shown(
    before=is_apart,
    comes=nearer,
    contact=meets,
    onset=begins(MOVED),
    progress=_rises,
    outcome=_lifted,
    acts=acts,
    agent=agent(MOVED),
    recipient=recipient(MOVED),
    confirmed=_is_high,
)


# --- carry ----------------------------------------------------------------------------------------------------------


def _walks_with(case: Case) -> int | None:
    """Subject and object are on the way together, the object at the chest."""
    met = meets(case)
    if met is None:
        return None
    own = np.abs(case.seen.shifted(case.s) - case.seen.shifted(case.s)[met])
    along = (own >= STEP) & (np.abs(case.seen.shifted(case.o)) >= STEP)
    return first(lasting(along & at_chest(case, case.s, case.o)), met)


def _is_carried(case: Case) -> Flags:
    carried: Flags = np.abs(case.seen.shifted(case.o)) >= _CARRIED
    return carried


def _carried(case: Case) -> int | None:
    return ends(case, _is_carried(case) & at_chest(case, case.s, case.o)) if meets(case) is not None else None


def _is_elsewhere(case: Case) -> int | None:
    return ends(case, _is_carried(case) & (_height(case) >= _OFF_GROUND))


CARRY_SHOWN = Shown(
    before=is_apart,
    comes=nearer,
    contact=meets,
    onset=begins(MOVED),
    progress=_walks_with,
    outcome=_carried,
    acts=acts,
    agent=agent(MOVED),
    recipient=recipient(MOVED),
    confirmed=_is_elsewhere,
)


# --- hand over and throw --------------------------------------------------------------------------------------------


def holds_at_start(case: Case) -> int | None:
    """In the first frame the subject has the object, and the recipient has not."""
    seen = case.seen
    return at_start(seen.touch(case.s, case.o)[0] and seen.free(case.r, case.o)[0])


def brings(case: Case) -> int | None:
    """The object, in touch with the subject, is nearer to the recipient than at first."""
    ways = case.seen.gap(case.r, case.o), case.seen.between(case.r, case.o)
    near = np.logical_or(*(way <= way[0] - NUDGE for way in ways))
    return first(lasting(near) & case.seen.touch(case.s, case.o), first(case.seen.acts(case.s)))


def _both_hold(case: Case) -> int | None:
    """Subject and recipient both have the object, once the subject has come or held it out and the other has it."""
    came, met = first(case.seen.acts(case.s)), case.seen.contact(case.r, case.o, FREE)
    if came is None or met is None:
        return None
    return first(case.seen.touch(case.s, case.o) & case.seen.touch(case.r, case.o), max(came, met))


def _lets_go(case: Case) -> int | None:
    return first(lasting(case.seen.gap(case.s, case.o) > TOUCH), _both_hold(case))


def _alone(case: Case) -> np.ndarray:
    """In which frames the recipient has the object and the subject has not."""
    return case.seen.touch(case.r, case.o) & (case.seen.gap(case.s, case.o) > TOUCH)


def _keeps(case: Case) -> int | None:
    return first(lasting(_alone(case)), _both_hold(case))


def _handed(case: Case) -> int | None:
    alone = (case.seen.gap(case.s, case.o) > TOUCH) & at_chest(case, case.r, case.o)
    return ends(case, alone) if _both_hold(case) is not None else None


def _new_holders(case: Case) -> set[str]:
    """Who has the object in the end and did not at first; of several those who did something for it."""
    seen = case.seen
    others = [a for a in seen.actors if a != case.s and seen.contact(a, case.o, FREE) is not None]
    having = {a for a in others if seen.ends(seen.touch(a, case.o))}
    active = {a for a in having if seen.acts(a).any()}
    return active or having


def _gives(case: Case) -> int | None:
    """Somebody has the object in the end which the subject had at first, and the subject did something for that."""
    moves = _throws(case) if case.plot.verb == "throw" else acts(case)
    gave = case.seen.touch(case.s, case.o)[0] and _new_holders(case)
    return moves if gave else None


def _receives(case: Case) -> int | None:
    return at_end(case, _new_holders(case) == {case.r})


def _has(case: Case) -> int | None:
    """The recipient has the object in the end, which has left its place: a robot arm holds it out near who takes it."""
    has = at_chest(case, case.r, case.o) & (case.seen.moved(case.o) >= NUDGE)
    return ends(case, has) if case.seen.contact(case.r, case.o, FREE) is not None else None


HAND_OVER_SHOWN = Shown(
    before=holds_at_start,
    comes=brings,
    contact=_both_hold,
    onset=_lets_go,
    progress=_keeps,
    outcome=_handed,
    acts=acts,
    agent=_gives,
    recipient=_receives,
    confirmed=_has,
)


def _swings(case: Case) -> int | None:
    """The object leaves its place while the subject has it."""
    onset = case.seen.onset(case.o)
    touch = case.seen.recently(case.seen.touch(case.s, case.o))
    return onset if onset is not None and touch[onset] else None


def _throws(case: Case) -> int | None:
    """The subject is not as at first, or what it holds is not."""
    moves = acts(case)
    return _swings(case) if moves is None else moves


def _leaves(case: Case) -> int | None:
    return first(case.seen.gap(case.s, case.o) > FREE, _swings(case))


def _flies(case: Case) -> int | None:
    """Neither has the object, which is off the ground."""
    free = (case.seen.gap(case.s, case.o) > FREE) & (case.seen.gap(case.r, case.o) > FREE)
    return first(free & (_height(case) > NUDGE), _leaves(case))


def _catches(case: Case) -> int | None:
    """The recipient has the object, and keeps it: what flies past somebody to another is not caught."""
    touch = case.seen.touch(case.r, case.o)
    caught = first(touch, _flies(case))
    return caught if caught is not None and mostly(touch[caught:]) else None


def _caught(case: Case) -> int | None:
    caught = (case.seen.gap(case.s, case.o) > APART) & at_chest(case, case.r, case.o)
    return ends(case, caught) if _flies(case) is not None else None


THROW_SHOWN = Shown(
    before=holds_at_start,
    comes=_swings,
    contact=_leaves,
    onset=_flies,
    progress=_catches,
    outcome=_caught,
    acts=_throws,
    agent=_gives,
    recipient=_receives,
    confirmed=_has,
)

SHOWN = {"lift": LIFT_SHOWN, "carry": CARRY_SHOWN, "hand over": HAND_OVER_SHOWN, "throw": THROW_SHOWN}
