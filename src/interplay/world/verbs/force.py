"""Force: push, pull, kick, hit. The thing ends somewhere else on the ground."""

from __future__ import annotations

import numpy as np

from interplay.world.motion.clock import DONE, TOUCH
from interplay.world.motion.curves import Curve, arc
from interplay.world.motion.person import ANKLE_Y, Person
from interplay.world.motion.take import Take, back
from interplay.world.verbs.base import Room, Verb
from interplay.world.verbs.contact import act_at
from interplay.world.vocabulary import ANIMALS, PERSONS, ROBOTS, things_that

PUSH, PULL, KICK, HIT = 0.30, 0.26, 0.42, 0.34
_KICK_HOP, _HIT_HOP = 0.10, 0.06
# A kick or a blow is over within this share of the event: from then on the thing flies.
_STRIKE = 0.02
_BEFORE = "Is the {o} in its place, with the {s} not yet touching it?"
_NEARER = "Is the {s} nearer to the {o} than at the start?"
_HAND_ON = "Does the {s} have a hand on the {o}?"


def _push(take: Take) -> None:
    take.approach(act_at(take, PUSH_VERB))
    _move_with(take, take.d * PUSH)


def _pull(take: Take) -> None:
    take.approach(act_at(take, PULL_VERB))
    _move_with(take, -take.d * PULL)


def _move_with(take: Take, way: float) -> None:
    """Subject and thing go the same way, hands on the thing."""
    thing, subject = take.thing, take.subject
    moving = take.clock.ease(TOUCH, DONE)
    subject.walk(way, moving)
    thing.base = thing.base.moved(way * moving, 0.0)
    thing.roll()
    take.grasp(subject, back(thing.base, thing, take.d), take.weight())
    take.watch(subject, thing.chest)
    take.touch(subject, thing.member.id)


def _kick(take: Take) -> None:
    """Swing the leg back, meet the thing with the foot, and let it fly and roll on."""
    thing, subject, clock = take.thing, take.subject, take.clock
    assert isinstance(subject, Person)  # the verb's subjects are persons
    take.approach(act_at(take, KICK_VERB), until=TOUCH - 0.06)
    start = thing.base.moved(-0.95 * take.d * thing.half, 0.0)
    low = max(0.3 * thing.height, ANKLE_Y)
    behind = subject.at(-0.10 * take.d * subject.scale, 0.08 * subject.scale)
    subject.kick(behind, clock.ease(TOUCH - 0.2, TOUCH - 0.08) - clock.ease(TOUCH - 0.08, TOUCH))
    subject.kick(start.moved(0.0, low), clock.ease(TOUCH - 0.08, TOUCH) - clock.ease(TOUCH + 0.06, TOUCH + 0.3))
    subject.lean(-0.03 * take.d * (clock.ease(TOUCH - 0.1, TOUCH) - clock.ease(TOUCH + 0.1, TOUCH + 0.3)))
    take.watch(subject, thing.chest)
    _fly(take, KICK, _KICK_HOP)
    take.touch(subject, thing.member.id, TOUCH, TOUCH + _STRIKE, part="foot")


def _hit(take: Take) -> None:
    """Draw the hand back, strike, follow through."""
    thing, subject, clock = take.thing, take.subject, take.clock
    take.approach(act_at(take, HIT_VERB), until=TOUCH - 0.08)
    drawn = subject.at(-0.10 * take.d * subject.scale, 0.44 * subject.scale)
    subject.reach(drawn, clock.ease(0.1, TOUCH - 0.1) - clock.ease(TOUCH - 0.1, TOUCH))
    point = thing.base.moved(-0.95 * take.d * thing.half, 0.6 * thing.height)
    through = point.moved(0.07 * take.d * clock.ease(TOUCH + _STRIKE, TOUCH + 0.12), 0.0)
    subject.reach(through, clock.ease(TOUCH - 0.1, TOUCH) - clock.ease(TOUCH + 0.2, TOUCH + 0.45))
    take.watch(subject, thing.chest)
    _fly(take, HIT, _HIT_HOP)
    take.touch(subject, thing.member.id, TOUCH, TOUCH + _STRIKE)


def _fly(take: Take, far: float, hop: float) -> None:
    """Send the thing off: fast at first, down to the ground, rolling or tumbling once around."""
    thing = take.thing
    spent = np.float32(1.0) - take.clock.linear(TOUCH + _STRIKE, DONE)
    gone: Curve = np.float32(1.0) - spent * spent
    drop = (thing.member.y - thing.member.ground) * gone * gone
    thing.base = thing.base.moved(take.d * far * gone, hop * arc(gone) - drop)
    if thing.member.kind.rolls:
        thing.roll()
    else:
        thing.turn = thing.turn - take.d * gone


PUSH_VERB = Verb(
    name="push",
    category="force",
    act="pushes something",
    active=("{s} [pushes] {o}", "{s} [is pushing] {o}"),
    passive=("{o} [is pushed] by {s}",),
    asks=(
        _BEFORE,
        _NEARER,
        _HAND_ON,
        "Does the {o} start to move while the {s} touches it?",
        "Does the {s} follow the moving {o}, still touching it?",
        "Is the {o} at a new place, with the {s} right behind it?",
        "Is the {o} on the ground at a new place?",
    ),
    subjects=(*PERSONS, *ANIMALS),
    objects=things_that("push"),
    direct=_push,
    room=Room(beyond=PUSH + 0.03),
)

PULL_VERB = Verb(
    name="pull",
    category="force",
    act="pulls something",
    active=("{s} [pulls] {o}", "{s} [is pulling] {o}"),
    passive=("{o} [is pulled] by {s}",),
    asks=(
        _BEFORE,
        _NEARER,
        _HAND_ON,
        "Does the {o} start to move while the {s} touches it?",
        "Does the {o} follow the {s}, who steps back and keeps hold of it?",
        "Is the {o} at a new place, with the {s} right at it?",
        "Is the {o} on the ground at a new place?",
    ),
    subjects=PERSONS,
    objects=things_that("pull"),
    direct=_pull,
    room=Room(behind=0.12),
)

KICK_VERB = Verb(
    name="kick",
    category="force",
    act="kicks something",
    active=("{s} [kicks] {o}",),
    passive=("{o} [is kicked] by {s}",),
    asks=(
        _BEFORE,
        _NEARER,
        "Does the {s} have a foot on the {o}?",
        "Does the {o} start to move as the {s} touches it?",
        "Is the {o} on its way, away from the {s}?",
        "Is the {o} at a new place, away from the {s}?",
        "Is the {o} on the ground at a new place?",
    ),
    subjects=PERSONS,
    objects=things_that("kick"),
    direct=_kick,
    room=Room(beyond=KICK + 0.03, gap=-0.05),
    dynamism=5,
)

HIT_VERB = Verb(
    name="hit",
    category="force",
    act="hits something",
    active=("{s} [hits] {o}",),
    passive=("{o} [is hit] by {s}",),
    asks=(
        _BEFORE,
        _NEARER,
        _HAND_ON,
        "Does the {o} start to move as the {s} touches it?",
        "Is the {o} on its way, away from the {s}?",
        "Is the {o} at a new place, away from the {s}?",
        "Is the {o} on the ground at a new place?",
    ),
    subjects=(*PERSONS, *ROBOTS),
    objects=things_that("hit"),
    direct=_hit,
    room=Room(beyond=HIT + 0.03, gap=0.02, stand=0.7),
    dynamism=5,
)

VERBS = (PUSH_VERB, PULL_VERB, KICK_VERB, HIT_VERB)
