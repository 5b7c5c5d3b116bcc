"""The ten questions of the protocol, for each verb: a sentence, and what must be seen for a yes.

A predicate returns the frame that shows it, or ``None`` for no. Q1 to Q6 are about the interaction between this subject
and this object; Q7 to Q10 are about the roles one by one, so that they tell *which* role is wrong: Q8 asks who acts,
whatever is acted on, Q9 and Q10 what is acted on, whoever acts. Distances are at least about half of what the world's
own motion shows, and far above what a blurred clip wavers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from interplay.world.judge.evidence import NUDGE, STEP, TOUCH, Evidence, Flags, first
from interplay.world.judge.first_world import HEAD_TOP, HOLD_Y, TRAVEL, Verb

Predicate = Callable[[Evidence], int | None]

PUSHED, KICKED = 0.5 * TRAVEL["push"], 0.5 * TRAVEL["kick"]
# Below the first height a thing stands on the ground; above the second it is on its way up; above the third overhead.
GROUNDED, RAISED, OVERHEAD = 0.06, 0.20, 0.75 * HEAD_TOP
# A held thing's bottom is above this.
HELD = 0.5 * HOLD_Y
# A thing is over a person's head when their middles are this near.
ABOVE = 0.15
# Hands off: more than a touch.
APART = TOUCH + 0.02


@dataclass(frozen=True)
class Asked:
    """One question: ``text`` names ``{s}`` the subject, ``{o}`` the object, ``{r}`` the recipient by appearance."""

    topic: str
    text: str
    shown_in: Predicate


def _last(seen: Evidence, holds: bool | np.bool_) -> int | None:
    """The last frame if the outcome holds there."""
    return seen.last if holds else None


def _from(frame: int | None, flags: Flags) -> int | None:
    """The first frame, not before ``frame``, in which something is so."""
    if frame is None:
        return None
    later = first(flags[frame:])
    return None if later is None else frame + later


# --- shared by push, lift and kick ----------------------------------------------------------------------------------


def _apart_on_ground(seen: Evidence) -> int | None:
    scene = seen.scene
    return 0 if seen.gap(scene.subject, scene.object)[0] > APART and _bottom(seen)[0] <= GROUNDED else None


def _bottom(seen: Evidence) -> np.ndarray:
    return seen.track(seen.scene.object).bottom


def _approaches(seen: Evidence) -> int | None:
    """The subject has come nearer, and the object still is where it was."""
    scene = seen.scene
    gap = seen.gap(scene.subject, scene.object)
    still = seen.travelled(scene.object) < NUDGE
    return first((seen.ahead(scene.subject) >= STEP) & (gap <= gap[0] - NUDGE) & still)


def _touches(seen: Evidence) -> int | None:
    """The first touch after a frame without one, as the object still is where it was or just starts to move."""
    scene = seen.scene
    touch = seen.touch(scene.subject, scene.object)
    start = first(seen.gap(scene.subject, scene.object) > TOUCH)
    return _from(start, touch)


def _sets_in_motion(seen: Evidence) -> int | None:
    """The object starts to move while the subject touches it or has just touched it; contact before effect."""
    scene = seen.scene
    onset = seen.onset(scene.object)
    if onset is None or not seen.recently(seen.touch(scene.subject, scene.object))[onset]:
        return None
    return onset


def _pushes_along(seen: Evidence) -> int | None:
    """The object is on its way, and the subject with it: behind it, in touch, and itself farther than at the touch."""
    scene = seen.scene
    touched = _touches(seen)
    if touched is None:
        return None
    ahead = seen.ahead(scene.subject)
    with_it = (ahead - ahead[touched] >= NUDGE) & seen.touch(scene.subject, scene.object)
    return _from(touched, with_it & (seen.ahead(scene.object) >= STEP))


def _flies_off(seen: Evidence) -> int | None:
    """The object is on its way and the subject no longer touches it."""
    scene = seen.scene
    free = seen.gap(scene.subject, scene.object) > APART
    return _from(_touches(seen), free & (seen.ahead(scene.object) >= STEP))


def _rises(seen: Evidence) -> int | None:
    """The object is off the ground in the subject's hands."""
    scene = seen.scene
    return _from(_touches(seen), (_bottom(seen) >= RAISED) & seen.touch(scene.subject, scene.object))


def _subject_acts(seen: Evidence) -> int | None:
    return first(seen.walked(seen.scene.subject))


def _subject_is_mover(seen: Evidence) -> int | None:
    thing = seen.moved_most
    if thing is None or seen.mover(thing) != seen.scene.subject:
        return None
    return seen.onset(thing)


def _object_is_moved(seen: Evidence) -> int | None:
    """Of all things it is the object that was moved the farthest, and no other nearly as far."""
    if seen.moved_most != seen.scene.object:
        return None
    reach = {key: float(np.nanmax(seen.travelled(key), initial=0.0)) for key in seen.things}
    others = [value for key, value in reach.items() if key != seen.scene.object]
    return seen.onset(seen.scene.object) if max(others, default=0.0) < 0.5 * reach[seen.scene.object] else None


# --- outcomes -------------------------------------------------------------------------------------------------------


def _pushed(seen: Evidence) -> int | None:
    scene = seen.scene
    near = seen.gap(scene.subject, scene.object)[-1] <= 2 * TOUCH
    return _last(seen, near and _lies_ahead(seen, PUSHED))


def _kicked(seen: Evidence) -> int | None:
    scene = seen.scene
    return _last(seen, seen.gap(scene.subject, scene.object)[-1] > APART and _lies_ahead(seen, KICKED))


def _lies_ahead(seen: Evidence, distance: float) -> bool:
    return bool(seen.ahead(seen.scene.object)[-1] >= distance and _bottom(seen)[-1] <= 2 * GROUNDED)


def _lifted(seen: Evidence) -> int | None:
    scene = seen.scene
    above = abs(seen.track(scene.object).x[-1] - seen.track(scene.subject).x[-1]) <= ABOVE
    return _last(seen, above and _bottom(seen)[-1] >= OVERHEAD)


def _is_away(distance: float) -> Predicate:
    def shown_in(seen: Evidence) -> int | None:
        moved = abs(seen.ahead(seen.scene.object)[-1]) >= distance
        return _last(seen, moved and _bottom(seen)[-1] <= 2 * GROUNDED)

    return shown_in


def _is_overhead(seen: Evidence) -> int | None:
    return _last(seen, _bottom(seen)[-1] >= OVERHEAD)


# --- give -----------------------------------------------------------------------------------------------------------


def _recipient(seen: Evidence) -> str:
    if seen.scene.recipient is None:
        raise ValueError(f"a scene of {seen.scene.verb} has no recipient")
    return seen.scene.recipient


def _subject_holds(seen: Evidence) -> int | None:
    held = seen.holders(0) == {seen.scene.subject} and _bottom(seen)[0] >= HELD
    return 0 if held else None


def _brings(seen: Evidence) -> int | None:
    """The subject, with the object, is nearer to the recipient than at first."""
    scene = seen.scene
    carried = (seen.ahead(scene.subject) >= STEP) & (seen.ahead(scene.object) >= STEP)
    return first(carried & seen.touch(scene.subject, scene.object))


def _recipient_reaches(seen: Evidence) -> int | None:
    scene = seen.scene
    both = seen.touch(_recipient(seen), scene.object) & seen.touch(scene.subject, scene.object)
    return _from(_brings(seen), both)


def _subject_lets_go(seen: Evidence) -> int | None:
    scene = seen.scene
    return _from(_recipient_reaches(seen), seen.gap(scene.subject, scene.object) > TOUCH)


def _recipient_keeps(seen: Evidence) -> int | None:
    scene = seen.scene
    alone = seen.touch(_recipient(seen), scene.object) & (seen.gap(scene.subject, scene.object) > APART)
    return _from(_recipient_reaches(seen), alone & (_bottom(seen) >= HELD))


def _given(seen: Evidence) -> int | None:
    away = seen.gap(seen.scene.subject, seen.scene.object)[-1] > APART
    return _last(seen, away and seen.holders(seen.last) == {_recipient(seen)} and _bottom(seen)[-1] >= HELD)


def _subject_is_giver(seen: Evidence) -> int | None:
    """The object changed hands, the subject had it first, and it was the subject who came."""
    scene = seen.scene
    changed = first(np.array([bool(seen.holders(f)) and scene.subject not in seen.holders(f) for f in _frames(seen)]))
    if changed is None or seen.holders(0) != {scene.subject}:
        return None
    return changed if bool(seen.walked(scene.subject)[:changed].any()) else None


def _recipient_is_receiver(seen: Evidence) -> int | None:
    """Whoever has the object once its first holder has let go is the recipient and nobody else."""
    return seen.last if seen.holders(seen.last) == {_recipient(seen)} else None


def _recipient_has_it(seen: Evidence) -> int | None:
    held = seen.touch(_recipient(seen), seen.scene.object)[-1] and _bottom(seen)[-1] >= HELD
    return _last(seen, held)


def _frames(seen: Evidence) -> range:
    return range(seen.num_frames)


# --- the questions --------------------------------------------------------------------------------------------------

STATE, PROGRESS, OUTCOME = "state before the action", "progression", "outcome"
ACTS, AGENT, RECIPIENT, CONFIRMED = "the subject acts", "correct agent", "correct recipient", "recipient confirmed"

_BEFORE = Asked(STATE, "Is the {o} on the ground, with the {s} not yet touching it?", _apart_on_ground)
_WALKS = Asked(PROGRESS, "Is the {s} nearer to the {o} than at the start?", _approaches)
_ACTS = Asked(ACTS, "Does the {s} move from where the {s} stood?", _subject_acts)

_PUSH = (
    _BEFORE,
    _WALKS,
    Asked(PROGRESS, "Does the {s} have a hand on the {o}?", _touches),
    Asked(PROGRESS, "Does the {o} start to slide while the {s} touches it?", _sets_in_motion),
    Asked(PROGRESS, "Does the {s} walk on behind the sliding {o}, still touching it?", _pushes_along),
    Asked(OUTCOME, "Is the {o} at a new place on the ground, with the {s} right behind it?", _pushed),
    _ACTS,
    Asked(AGENT, "Is it the {s}, and nobody else, who does the pushing?", _subject_is_mover),
    Asked(RECIPIENT, "Is it the {o}, and no other thing, that is pushed?", _object_is_moved),
    Asked(CONFIRMED, "Is the {o} on the ground away from where it was?", _is_away(PUSHED)),
)

_LIFT = (
    _BEFORE,
    _WALKS,
    Asked(PROGRESS, "Does the {s} have a hand on the {o}?", _touches),
    Asked(PROGRESS, "Does the {o} leave its place while the {s} touches it?", _sets_in_motion),
    Asked(PROGRESS, "Is the {o} off the ground in the hands of the {s}?", _rises),
    Asked(OUTCOME, "Is the {o} above the head of the {s}?", _lifted),
    _ACTS,
    Asked(AGENT, "Is it the {s}, and nobody else, who does the lifting?", _subject_is_mover),
    Asked(RECIPIENT, "Is it the {o}, and no other thing, that is lifted?", _object_is_moved),
    Asked(CONFIRMED, "Is the {o} at the height of a raised arm?", _is_overhead),
)

_KICK = (
    _BEFORE,
    _WALKS,
    Asked(PROGRESS, "Is the {s} right at the {o}?", _touches),
    Asked(PROGRESS, "Does the {o} start to move as the {s} touches it?", _sets_in_motion),
    Asked(PROGRESS, "Is the {o} on its way, away from the {s}?", _flies_off),
    Asked(OUTCOME, "Is the {o} at a new place on the ground, far from the {s}?", _kicked),
    _ACTS,
    Asked(AGENT, "Is it the {s}, and nobody else, who does the kicking?", _subject_is_mover),
    Asked(RECIPIENT, "Is it the {o}, and no other thing, that is kicked?", _object_is_moved),
    Asked(CONFIRMED, "Is the {o} on the ground away from where it was?", _is_away(KICKED)),
)

_GIVE = (
    Asked(STATE, "Does the {s} hold the {o}, with the {r} not touching it?", _subject_holds),
    Asked(PROGRESS, "Is the {s}, holding the {o}, nearer to the {r} than at the start?", _brings),
    Asked(PROGRESS, "Do the {s} and the {r} both have a hand on the {o}?", _recipient_reaches),
    Asked(PROGRESS, "Has the {s} let go of the {o}?", _subject_lets_go),
    Asked(PROGRESS, "Does the {r} hold the {o} alone?", _recipient_keeps),
    Asked(OUTCOME, "Does the {r} hold the {o}, with the {s} away from it?", _given),
    _ACTS,
    Asked(AGENT, "Is it the {s}, and nobody else, who comes and hands something over?", _subject_is_giver),
    Asked(RECIPIENT, "Is it the {r}, and nobody else, who receives the {o}?", _recipient_is_receiver),
    Asked(CONFIRMED, "Does the {r} hold the {o}?", _recipient_has_it),
)

QUESTIONS: Mapping[Verb, tuple[Asked, ...]] = {"push": _PUSH, "lift": _LIFT, "kick": _KICK, "give": _GIVE}
