"""Manipulation: open, close, pour, turn on, turn off. The thing ends in another state."""

from __future__ import annotations

from interplay.world.motion.clock import DONE, TOUCH
from interplay.world.motion.curves import Curve, Path
from interplay.world.motion.take import Take, hold_point, zeros
from interplay.world.motion.thing import Thing, door_width, lid_end
from interplay.world.verbs.base import Room, Verb
from interplay.world.verbs.contact import act_at
from interplay.world.vocabulary import PERSONS, ROBOTS, things_that

_TILT = 0.2
_DOOR_STEP = 0.09
_SWITCH_UP = 0.5
# The jug's lip when it is tilted: so far ahead of its middle and below it.
_LIP_AHEAD, _LIP_BELOW = 0.10, 0.04


def _open(take: Take) -> None:
    take.thing.state = take.clock.ease(TOUCH, DONE)
    _work(take)


def _close(take: Take) -> None:
    take.thing.state = 1.0 - take.clock.ease(TOUCH, DONE)
    _work(take)


def _work(take: Take) -> None:
    """Walk up and move what opens, hand on it."""
    thing, subject = take.thing, take.subject
    thing.side = take.d if thing.member.noun == "door" else -take.d
    stands = act_at(take, OPEN) + (_DOOR_STEP * take.d * float(thing.state[0]) if thing.member.noun == "door" else 0.0)
    take.approach(stands)
    if thing.member.noun == "door":
        # One follows the door a step, or steps back from it.
        subject.walk(_DOOR_STEP * take.d * float(thing.state[-1] - thing.state[0]), take.clock.ease(TOUCH, DONE))
    handle = _handle(thing, take.d)
    subject.reach(handle, take.weight())
    take.watch(subject, handle)
    take.touch(subject, thing.member.id)


def _handle(thing: Thing, direction: int) -> Path:
    """What the hand moves: the knob of a door, the free edge of a lid, the free edge of a cover on its way over."""
    if thing.member.noun == "door":
        jamb = 0.82 * direction * thing.half
        return thing.base.moved(jamb - 1.78 * direction * door_width(thing.half, thing.state), 0.44 * thing.height)
    if thing.member.noun == "box":
        across, up = lid_end(thing.state, thing.half, thing.height, -direction)
        return thing.base.moved(across, up)
    swung: Curve = 1.3 * direction * thing.half * thing.state
    return thing.base.moved(swung - 0.95 * direction * thing.half, 0.5 * thing.height)


def _pour(take: Take) -> None:
    """Bring the jug over the vessel, tilt it, let it run until the vessel is full, and set it upright again."""
    jug, vessel, subject, clock = take.thing, take.vessel, take.subject, take.clock
    jug.side = take.d
    take.approach(vessel.member.x - take.d * POUR.distance(subject.member.kind, vessel.member.kind))
    rim = vessel.base.moved(-_LIP_AHEAD * take.d, vessel.height + _LIP_BELOW + 0.05 - jug.height / 2)
    jug.base = hold_point(subject, take.d, jug).toward(rim, clock.ease(0.2, TOUCH + 0.04))
    jug.turn = -_TILT * take.d * (clock.ease(TOUCH + 0.02, TOUCH + 0.12) - clock.ease(0.84, 0.94))
    jug.flow = clock.linear(TOUCH + 0.08, TOUCH + 0.14) - clock.linear(0.8, 0.86)
    vessel.state = clock.ease(TOUCH + 0.12, 0.8)
    jug.flow_y = vessel.base.y + (0.35 + 0.5 * vessel.state) * vessel.height
    middle = jug.chest
    handles = middle.moved(-0.2 * take.d * jug.half, 0.0), middle.moved(0.35 * take.d * jug.half, 0.0)
    take.grasp(subject, handles, 1.0 - zeros(take))
    take.watch(subject, vessel.chest)
    take.touch(subject, jug.member.id, 0.0, holding=True)


def _turn_on(take: Take) -> None:
    take.thing.state = take.clock.ease(TOUCH + 0.04, TOUCH + 0.16)
    _switch(take)


def _turn_off(take: Take) -> None:
    take.thing.state = 1.0 - take.clock.ease(TOUCH + 0.04, TOUCH + 0.16)
    _switch(take)


def _switch(take: Take) -> None:
    """Put a hand to the switch and take it away again."""
    lamp, subject, clock = take.thing, take.subject, take.clock
    take.approach(act_at(take, TURN_ON))
    button = lamp.base.moved(-0.02 * take.d, _SWITCH_UP * lamp.height)
    subject.reach(button, take.weight() - clock.ease(0.7, 0.9))
    take.watch(subject, lamp.base.moved(0.0, 0.8 * lamp.height))
    take.touch(subject, lamp.member.id, TOUCH, 0.7)


_NEARER = "Is the {s} nearer to the {o} than at the start?"
_HAND_ON = "Does the {s} have a hand on the {o}?"

OPEN = Verb(
    name="open",
    category="manipulation",
    act="opens something",
    active=("{s} [opens] {o}", "{s} [is opening] {o}"),
    passive=("{o} [is opened] by {s}",),
    asks=(
        "Is the {o} closed, with the {s} not yet touching it?",
        _NEARER,
        _HAND_ON,
        "Does the {o} start to open while the {s} touches it?",
        "Does the {s} keep a hand on the {o} while it opens?",
        "Is the {o} open, with the {s} beside it?",
        "Is the {o} open at the end?",
    ),
    subjects=PERSONS,
    objects=things_that("open"),
    direct=_open,
    room=Room(beyond=0.13, stand=1.0),
    dynamism=3,
)

CLOSE = Verb(
    name="close",
    category="manipulation",
    act="closes something",
    active=("{s} [closes] {o}", "{s} [shuts] {o}"),
    passive=("{o} [is closed] by {s}",),
    asks=(
        "Is the {o} open, with the {s} not yet touching it?",
        _NEARER,
        _HAND_ON,
        "Does the {o} start to close while the {s} touches it?",
        "Does the {s} keep a hand on the {o} while it closes?",
        "Is the {o} closed, with the {s} beside it?",
        "Is the {o} closed at the end?",
    ),
    subjects=PERSONS,
    objects=things_that("open"),
    direct=_close,
    room=Room(beyond=0.13, stand=1.0),
    dynamism=3,
)

POUR = Verb(
    name="pour",
    category="manipulation",
    act="pours something",
    active=("{s} [pours] from {o} into {r}", "{s} [fills] {r} from {o}"),
    passive=("{r} [is filled] by {s} from {o}",),
    asks=(
        "Is the {r} empty, with the {s} holding the {o} elsewhere?",
        "Is the {s}, holding the {o}, nearer to the {r} than at the start?",
        "Does the {s} hold the {o} over the {r}?",
        "Does the {r} begin to fill while the {o} is over it?",
        "Does the {s} keep the {o} over the {r} until that is full?",
        "Is the {r} full, with the {s} holding the {o} beside it?",
        "Is the {r} full?",
    ),
    subjects=PERSONS,
    objects=things_that("pour"),
    recipients=things_that("fill"),
    direct=_pour,
    room=Room(gap=0.08, held=True, stand=1.0),
    dynamism=3,
    moments=(0.0, 0.3, 0.45, 0.65, 0.8, 1.0),
)

TURN_ON = Verb(
    name="turn on",
    category="manipulation",
    act="turns a lamp on",
    active=("{s} [turns on] {o}", "{s} [lights] {o}"),
    passive=("{o} [is turned on] by {s}",),
    asks=(
        "Is the {o} dark, with the {s} not yet touching it?",
        _NEARER,
        _HAND_ON,
        "Does the {o} light up while the {s} touches it?",
        "Does the {s} keep a hand on the {o} while it lights up?",
        "Is the {o} lit, with the {s} beside it?",
        "Is the {o} lit at the end?",
    ),
    subjects=(*PERSONS, *ROBOTS),
    objects=things_that("switch"),
    direct=_turn_on,
    room=Room(gap=-0.02),
    dynamism=2,
)

TURN_OFF = Verb(
    name="turn off",
    category="manipulation",
    act="turns a lamp off",
    active=("{s} [turns off] {o}", "{s} [switches off] {o}"),
    passive=("{o} [is turned off] by {s}",),
    asks=(
        "Is the {o} lit, with the {s} not yet touching it?",
        _NEARER,
        _HAND_ON,
        "Does the {o} go dark while the {s} touches it?",
        "Does the {s} keep a hand on the {o} while it goes dark?",
        "Is the {o} dark, with the {s} beside it?",
        "Is the {o} dark at the end?",
    ),
    subjects=(*PERSONS, *ROBOTS),
    objects=things_that("switch"),
    direct=_turn_off,
    room=Room(gap=-0.02),
    dynamism=2,
)

VERBS = (OPEN, CLOSE, POUR, TURN_ON, TURN_OFF)
