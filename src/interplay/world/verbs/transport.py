"""Transport: lift, carry, hand over, throw. What is held follows the hands exactly."""

from __future__ import annotations

from interplay.world.motion.clock import DONE, TOUCH
from interplay.world.motion.curves import Path, arc
from interplay.world.motion.take import Take, grips, hold_point
from interplay.world.verbs.base import Room, Verb
from interplay.world.verbs.contact import act_at
from interplay.world.vocabulary import PERSONS, ROBOTS, things_that

CARRY = 0.32
_OVERHEAD = 0.585
_ROBOT_RAISES = 0.36
_RELEASE = 0.64
# Two who throw and catch stand this much farther apart than two who hand something over.
THROW = 0.34
_LEAVES, _ARRIVES, _THROW_ARC = 0.46, 0.74, 0.17


def _lift(take: Take) -> None:
    """Up before the chest first, then over the head: nothing passes through the face."""
    thing, subject, clock = take.thing, take.subject, take.clock
    take.approach(act_at(take, LIFT))
    up, over = clock.ease(TOUCH + 0.04, 0.74), clock.ease(0.58, DONE + 0.04)
    robot = subject.member.family == "robot"
    above = subject.at(0.20 * take.d, _ROBOT_RAISES) if robot else subject.at(0.015 * take.d, _OVERHEAD * subject.scale)
    base = Path(thing.base.x + (above.x - thing.base.x) * over, thing.base.y + (above.y - thing.base.y) * up)
    thing.base = base
    low = grips(subject, base, thing, take.d)
    under = (base.moved(-0.6 * take.d * thing.half, 0.02), base.moved(0.6 * take.d * thing.half, 0.02))
    goals = low if robot else (low[0].toward(under[0], over), low[1].toward(under[1], over))
    take.grasp(subject, goals, take.weight())
    take.watch(subject, thing.chest)
    take.touch(subject, thing.member.id, holding=True)


def _carry(take: Take) -> None:
    """Take it up, then walk on with it."""
    thing, subject, clock = take.thing, take.subject, take.clock
    take.approach(act_at(take, CARRY_VERB))
    subject.walk(CARRY * take.d, clock.ease(TOUCH + 0.16, 0.94))
    thing.base = thing.base.toward(hold_point(subject, take.d, thing), clock.ease(TOUCH, TOUCH + 0.2))
    take.grasp(subject, grips(subject, thing.base, thing, take.d), take.weight())
    take.watch(subject, thing.chest)
    take.touch(subject, thing.member.id, holding=True)


def _hand_over(take: Take) -> None:
    """Bring it, hold it out until the other has taken hold, let go, step back."""
    thing, giver, taker, clock = take.thing, take.subject, take.other, take.clock
    apart = HAND_OVER.distance(giver.member.kind, taker.member.kind)
    take.approach(taker.member.x - take.d * apart)
    taker.turn(-take.d, clock.ease(0.02, 0.2))
    take.step(giver, -0.12 * take.d, clock.ease(_RELEASE, DONE + 0.08))
    before, after = hold_point(giver, take.d, thing), hold_point(taker, -take.d, thing)
    thing.base = before.toward(after, clock.ease(TOUCH + 0.04, _RELEASE))
    take.grasp(giver, grips(giver, thing.base, thing, take.d), 1.0 - clock.ease(_RELEASE, _RELEASE + 0.14))
    take.grasp(taker, grips(taker, thing.base, thing, -take.d), take.weight(0.2))
    take.watch(giver, thing.chest)
    take.watch(taker, thing.chest)
    take.touch(giver, thing.member.id, 0.0, _RELEASE, holding=True)
    take.touch(taker, thing.member.id, holding=True)


def _throw(take: Take) -> None:
    """Swing it back and up, let it fly in an arc, and catch it."""
    thing, thrower, catcher, clock = take.thing, take.subject, take.other, take.clock
    thrower.turn(take.d, clock.ease(0.0, 0.14))
    catcher.turn(-take.d, clock.ease(0.02, 0.2))
    rest = hold_point(thrower, take.d, thing)
    swing = clock.ease(0.1, 0.28) - clock.ease(0.28, _LEAVES)
    raised = clock.ease(0.28, _LEAVES)
    leaving = rest.moved(-0.05 * take.d * swing + 0.03 * take.d * raised, 0.02 * swing + 0.09 * raised)
    caught = hold_point(catcher, -take.d, thing)
    flight = clock.linear(_LEAVES, _ARRIVES)
    thing.base = leaving.toward(caught, flight).moved(0.0, _THROW_ARC * arc(flight))
    if thing.member.kind.rolls:
        thing.turn = thing.turn - take.d * flight
    follow = grips(thrower, leaving, thing, take.d)
    take.grasp(thrower, follow, 1.0 - clock.ease(_LEAVES + 0.1, DONE))
    take.grasp(catcher, grips(catcher, caught, thing, -take.d), clock.ease(0.3, _ARRIVES - 0.06))
    take.watch(thrower, thing.chest)
    take.watch(catcher, thing.chest)
    take.touch(thrower, thing.member.id, 0.0, _LEAVES, holding=True)
    take.touch(catcher, thing.member.id, _ARRIVES, holding=True)


LIFT = Verb(
    name="lift",
    category="transport",
    act="lifts something",
    active=("{s} [lifts] {o}", "{s} [raises] {o}"),
    passive=("{o} [is lifted] by {s}",),
    asks=(
        "Is the {o} in its place, with the {s} not yet touching it?",
        "Is the {s} nearer to the {o} than at the start?",
        "Does the {s} have a hand on the {o}?",
        "Does the {o} leave its place while the {s} touches it?",
        "Is the {o} on its way up in the hands of the {s}?",
        "Does the {s} hold the {o} up high?",
        "Is the {o} up high?",
    ),
    subjects=(*PERSONS, *ROBOTS),
    objects=things_that("lift"),
    direct=_lift,
    room=Room(stand=0.3),
)

CARRY_VERB = Verb(
    name="carry",
    category="transport",
    act="carries something",
    active=("{s} [carries] {o}", "{s} [is carrying] {o}"),
    passive=("{o} [is carried] by {s}",),
    asks=(
        "Is the {o} in its place, with the {s} not yet touching it?",
        "Is the {s} nearer to the {o} than at the start?",
        "Does the {s} have a hand on the {o}?",
        "Does the {o} leave its place while the {s} touches it?",
        "Does the {s} walk with the {o} in the hands?",
        "Does the {s} hold the {o} at a new place?",
        "Is the {o} at a new place, off the ground?",
    ),
    subjects=PERSONS,
    objects=things_that("carry"),
    direct=_carry,
    room=Room(beyond=CARRY + 0.02, stand=0.0),
)

HAND_OVER = Verb(
    name="hand over",
    category="transport",
    act="hands something over",
    active=("{s} [hands] {o} to {r}", "{s} [gives] {o} to {r}"),
    passive=("{r} [is handed] {o} by {s}", "{o} [is given] to {r} by {s}"),
    asks=(
        "Does the {s} hold the {o}, with the {r} not touching it?",
        "Is the {o}, still in touch with the {s}, nearer to the {r} than at the start?",
        "Do the {s} and the {r} both have a hand on the {o}?",
        "Has the {s} let go of the {o}?",
        "Does the {r} hold the {o} alone?",
        "Does the {r} hold the {o}, with the {s} away from it?",
        "Does the {r} hold the {o}?",
    ),
    subjects=(*PERSONS, *ROBOTS),
    objects=things_that("pass"),
    recipients=PERSONS,
    direct=_hand_over,
    room=Room(approach=0.2, held=True),
    moments=(0.0, 0.3, 0.5, 0.82, 0.86, 1.0),
)

THROW_VERB = Verb(
    name="throw",
    category="transport",
    act="throws something",
    active=("{s} [throws] {o} to {r}", "{s} [tosses] {o} to {r}"),
    passive=("{o} [is thrown] to {r} by {s}", "{r} [catches] {o} thrown by {s}"),
    asks=(
        "Does the {s} hold the {o}, apart from the {r}?",
        "Does the {o} start to move in the hands of the {s}?",
        "Does the {o} leave the hands of the {s}?",
        "Is the {o} in the air between the {s} and the {r}?",
        "Does the {r} have a hand on the {o}?",
        "Does the {r} hold the {o}, with the {s} apart from it?",
        "Does the {r} hold the {o}?",
    ),
    subjects=PERSONS,
    objects=things_that("throw"),
    recipients=PERSONS,
    direct=_throw,
    room=Room(approach=0.0, gap=THROW, held=True),
    dynamism=5,
    moments=(0.0, 0.25, 0.52, 0.6, _ARRIVES, 1.0),
)

VERBS = (LIFT, CARRY_VERB, HAND_OVER, THROW_VERB)
