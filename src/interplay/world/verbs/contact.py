"""Contact: touch, hold. The hand ends on the thing, or the thing in the hands."""

from __future__ import annotations

from interplay.world.motion.clock import DONE, TOUCH
from interplay.world.motion.curves import Path
from interplay.world.motion.take import Take, grips, hold_point
from interplay.world.verbs.base import Room, Verb
from interplay.world.vocabulary import ANIMALS, PERSONS, ROBOTS, THINGS, things_that

_HIGHEST_TOUCH = 0.27
_STEP_BACK = 0.13


def act_at(take: Take, verb: Verb) -> float:
    """Where the subject stands when it acts on the object."""
    target = take.target.member
    return target.x - take.d * verb.distance(take.subject.member.kind, target.kind)


def _surface(take: Take) -> Path:
    """The point of the object that is touched: the side that faces the subject, a person's arm, an animal's back."""
    target = take.target
    kind = target.member.kind
    if kind.family == "thing":
        height = min(0.6 * kind.height, _HIGHEST_TOUCH)
        # The lamp's shade is wide and its pole thin.
        inward = 0.2 if kind.name == "lamp" else 0.9
        return take.things[target.member.id].base.moved(-0.95 * inward * take.d * kind.half_width, height)
    heights = {"person": 0.27 * kind.scale, "animal": 0.15 * kind.scale, "robot": 0.15}
    return take.actors[target.member.id].at(-0.45 * take.d * kind.half_width, heights[kind.family])


def _touch(take: Take) -> None:
    take.approach(act_at(take, TOUCH_VERB))
    goal = _surface(take)
    take.subject.reach(goal, take.weight())
    take.watch(take.subject, goal)
    take.touch(take.subject, take.target.member.id)


def _hold(take: Take) -> None:
    thing, subject, clock = take.thing, take.subject, take.clock
    take.approach(act_at(take, HOLD))
    # A step back shows that the thing has left its place, even where that is as high as the chest.
    take.step(subject, -_STEP_BACK * take.d, clock.ease(0.7, 0.92))
    thing.base = thing.base.toward(hold_point(subject, take.d, thing), clock.ease(TOUCH + 0.04, DONE - 0.1))
    take.grasp(subject, grips(subject, thing.base, thing, take.d), take.weight())
    take.watch(subject, thing.chest)
    take.touch(subject, thing.member.id, holding=True)


TOUCH_VERB = Verb(
    name="touch",
    category="contact",
    act="touches something",
    active=("{s} [touches] {o}", "{s} [is touching] {o}"),
    passive=("{o} [is touched] by {s}",),
    asks=(
        "Is the {s} apart from the {o}?",
        "Is the {s} nearer to the {o} than at the start?",
        "Does the {s} have a hand on the {o}?",
        "Does the {s} keep the hand on the {o}?",
        "Does the {o} stay where it is while the {s} touches it?",
        "Does the {s} touch the {o} at the end?",
        "Is the {o} touched by somebody at the end?",
    ),
    subjects=(*PERSONS, *ANIMALS, *ROBOTS),
    objects=(*THINGS, *PERSONS, *ANIMALS),
    direct=_touch,
    room=Room(gap=0.02, stand=0.5),
    dynamism=2,
)

HOLD = Verb(
    name="hold",
    category="contact",
    act="takes hold of something",
    active=("{s} [picks up] {o}", "{s} [takes] {o}"),
    passive=("{o} [is picked up] by {s}",),
    asks=(
        "Is the {o} in its place, with the {s} not yet touching it?",
        "Is the {s} nearer to the {o} than at the start?",
        "Does the {s} have a hand on the {o}?",
        "Does the {o} leave its place while the {s} touches it?",
        "Does the {o} come up to the chest of the {s}?",
        "Does the {s} hold the {o} before the chest?",
        "Has the {o} left its place, up to the height of a chest?",
    ),
    subjects=(*PERSONS, *ROBOTS),
    objects=things_that("hold"),
    direct=_hold,
    room=Room(stand=0.5),
    dynamism=3,
)

VERBS = (TOUCH_VERB, HOLD)
