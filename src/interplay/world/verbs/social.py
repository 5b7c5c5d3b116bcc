"""Social: hug, shake hands, wave, point; and looking at something, which touches nothing."""

from __future__ import annotations

from interplay.world.motion.clock import DONE, TOUCH
from interplay.world.motion.curves import Path, length, sine
from interplay.world.motion.person import SHOULDER_Y, Person
from interplay.world.motion.robot import SHOULDER_Y as ROBOT_SHOULDER_Y
from interplay.world.motion.take import Take
from interplay.world.verbs.base import Room, Verb
from interplay.world.verbs.contact import act_at
from interplay.world.vocabulary import ANIMALS, PERSONS, ROBOTS, THINGS

# A stretched arm, a little short of straight.
_ARM, _ROBOT_ARM = 0.262, 0.42


def _hug(take: Take) -> None:
    """Meet, and lay the arms around each other."""
    one, other = take.subject, take.other
    take.approach(act_at(take, HUG))
    other.turn(-take.d, take.clock.ease(0.02, 0.2))
    for actor, partner, direction in ((one, other, take.d), (other, one, -take.d)):
        high = 0.27 * min(actor.scale, partner.scale)
        goals = partner.at(0.02 * direction, high), partner.at(-0.02 * direction, high - 0.04)
        take.grasp(actor, goals, take.weight(0.2))
        take.watch(actor, partner.at(0.0, 0.45 * partner.scale))
        take.touch(actor, partner.member.id)


def _shake_hands(take: Take) -> None:
    """Meet, clasp hands, shake them up and down, and keep them clasped."""
    one, other, clock = take.subject, take.other, take.clock
    take.approach(act_at(take, SHAKE_HANDS))
    other.turn(-take.d, clock.ease(0.02, 0.2))
    up = 0.03 * sine(2.5 * clock.linear(TOUCH + 0.04, DONE))
    middle = one.at(0.0, 0.0).toward(other.at(0.0, 0.0), 0.5).moved(0.0, 0.235 * min(one.scale, other.scale) + up)
    one.reach(middle.moved(-0.014 * take.d, 0.0), take.weight(0.2))
    other.reach(middle.moved(0.014 * take.d, 0.0), take.weight(0.2))
    for actor, partner in ((one, other), (other, one)):
        take.watch(actor, partner.at(0.0, 0.45 * partner.scale))
        take.touch(actor, partner.member.id)


def _wave(take: Take) -> None:
    """Turn to the other, raise a hand and wave it to and fro."""
    one, other, clock = take.subject, take.other, take.clock
    one.turn(take.d, clock.ease(0.0, 0.14))
    other.turn(-take.d, clock.ease(TOUCH, TOUCH + 0.14))
    swing = 0.04 * sine(3.0 * clock.linear(TOUCH, DONE))
    one.reach(one.at(0.21 * take.d * one.scale + swing, 0.49 * one.scale), take.weight(0.1), "far")
    take.watch(one, other.at(0.0, 0.45 * other.scale))
    take.watch(other, one.at(0.0, 0.45 * one.scale))


def _point(take: Take) -> None:
    """Turn to it and stretch an arm and a finger toward it."""
    subject, clock = take.subject, take.clock
    subject.turn(take.d, clock.ease(0.0, 0.14))
    target = take.target.chest
    person = isinstance(subject, Person)
    shoulder = subject.at(0.0, SHOULDER_Y * subject.scale if person else ROBOT_SHOULDER_Y)
    dx, dy = target.x - shoulder.x, target.y - shoulder.y
    share = (_ARM if person else _ROBOT_ARM) * subject.scale / length(dx, dy)
    subject.reach(Path(shoulder.x + dx * share, shoulder.y + dy * share), take.weight(0.1))
    if isinstance(subject, Person):
        subject.pointing = subject.pointing + clock.ease(TOUCH - 0.15, TOUCH)
    take.watch(subject, target)


def _look(take: Take) -> None:
    """Turn around to it and bend toward it."""
    subject, clock = take.subject, take.clock
    subject.turn(take.d, clock.ease(0.12, 0.28))
    if isinstance(subject, Person):
        bent = clock.ease(0.3, 0.6)
        subject.lean(0.06 * take.d * bent)
        subject.crouch(0.02 * bent)
    else:
        subject.reach(subject.at(0.3 * take.d, 0.08), take.weight(0.3, 0.6))
    take.watch(subject, take.target.chest)


_APART, _TURNED = "Is the {s} apart from the {o}?", "Is the {s} turned to the {o}?"

HUG = Verb(
    name="hug",
    category="social",
    act="comes and hugs somebody",
    active=("{s} [hugs] {o}", "{s} [is hugging] {o}"),
    passive=("{o} [is hugged] by {s}",),
    asks=(
        _APART,
        "Is the {s} nearer to the {o} than at the start?",
        "Do the {s} and the {o} touch?",
        "Does the {s} have an arm around the {o}?",
        "Does the {o} have an arm around the {s}?",
        "Do the {s} and the {o} hold each other?",
        "Is the {o} in somebody's arms?",
    ),
    subjects=PERSONS,
    objects=PERSONS,
    direct=_hug,
    room=Room(approach=0.26, gap=-0.045),
    dynamism=3,
    mutual=True,
)

SHAKE_HANDS = Verb(
    name="shake hands",
    category="social",
    act="comes and shakes hands",
    active=("{s} [shakes] hands with {o}", "{s} [greets] {o}"),
    passive=("{o} [is greeted] by {s}",),
    asks=(
        _APART,
        "Is the {s} nearer to the {o} than at the start?",
        "Do the hands of the {s} and the {o} meet?",
        "Do the hands stay clasped?",
        "Do the {s} and the {o} face each other, hands clasped?",
        "Do the {s} and the {o} stand an arm's length apart, hands clasped?",
        "Does the {o} shake hands with somebody?",
    ),
    subjects=PERSONS,
    objects=PERSONS,
    direct=_shake_hands,
    room=Room(gap=0.12),
    dynamism=3,
    mutual=True,
)

WAVE = Verb(
    name="wave",
    category="social",
    act="waves at somebody",
    active=("{s} [waves] at {o}", "{s} [is waving] at {o}"),
    passive=("{o} [is waved] at by {s}",),
    asks=(
        _APART,
        _TURNED,
        "Does the {s} raise a hand?",
        "Does the {s} keep a hand up?",
        "Does the {o} face the {s}?",
        "Does the {s} hold a hand up, facing the {o}?",
        "Does the {o} face somebody who waves?",
    ),
    subjects=PERSONS,
    objects=(*PERSONS, *ANIMALS),
    direct=_wave,
    room=Room(approach=0.0, gap=0.3),
    contact=1,
    dynamism=3,
)

POINT = Verb(
    name="point",
    category="social",
    act="points at something",
    active=("{s} [points] at {o}", "{s} [is pointing] at {o}"),
    passive=("{o} [is pointed] at by {s}",),
    asks=(
        _APART,
        _TURNED,
        "Does the {s} raise an arm?",
        "Is the arm of the {s} stretched toward the {o}?",
        "Does the {s} keep the arm stretched?",
        "Does the {s} point at the {o}?",
        "Is there somebody who points at the {o}?",
    ),
    subjects=(*PERSONS, *ROBOTS),
    objects=(*THINGS, *PERSONS, *ANIMALS),
    direct=_point,
    room=Room(approach=0.0, gap=0.26, stand=0.3),
    contact=1,
    dynamism=2,
)

LOOK = Verb(
    name="look",
    category="regard",
    act="turns and looks at something",
    active=("{s} [looks] at {o}", "{s} [is looking] at {o}"),
    passive=("{o} [is looked] at by {s}",),
    asks=(
        _APART,
        "Does the {s} turn around to the {o}?",
        _TURNED,
        "Does the {s} keep facing the {o}?",
        "Does the {s} bend toward the {o}?",
        "Does the {s} look at the {o} at the end?",
        "Has somebody turned to look at the {o}?",
    ),
    subjects=(*PERSONS, *ANIMALS),
    objects=(*THINGS, *PERSONS, *ANIMALS),
    direct=_look,
    room=Room(approach=0.0, gap=0.14, stand=0.5),
    contact=1,
    dynamism=2,
    moments=(0.0, 0.25, 0.3, 0.45, 0.65, 1.0),
)

VERBS = (HUG, SHAKE_HANDS, WAVE, POINT, LOOK)
