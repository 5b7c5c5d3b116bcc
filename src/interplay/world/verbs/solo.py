"""Motion of one actor alone, for pretraining: walk, jump, crouch, turn around, cheer."""

from __future__ import annotations

from collections.abc import Callable

from interplay.world.motion.clock import DONE, START, TOUCH
from interplay.world.motion.curves import arc
from interplay.world.motion.person import Person
from interplay.world.motion.take import Take
from interplay.world.verbs.base import Room, Verb
from interplay.world.vocabulary import ANIMALS, PERSONS

WALK = 0.42
_JUMP, _CROUCH = 0.13, 0.085


def _person(take: Take) -> Person:
    """The subject, of verbs whose subjects are persons."""
    assert isinstance(take.subject, Person)
    return take.subject


def _walk(take: Take) -> None:
    take.subject.turn(take.d, take.clock.ease(0.0, 0.1))
    take.subject.walk(WALK * take.d, take.clock.ease(START, 0.94))


def _jump(take: Take) -> None:
    """Two jumps, the second one to a new place."""
    person, clock = _person(take), take.clock
    person.turn(take.d, clock.ease(0.0, 0.1))
    dips = sum((arc(clock.linear(a, b)) for a, b in ((0.08, 0.26), (0.46, 0.58), (0.76, 0.92))), start=0.0 * person.x)
    leaps = arc(clock.linear(0.22, 0.48)) + arc(clock.linear(0.54, 0.8))
    person.crouch(0.05 * dips)
    person.rise(_JUMP * leaps)
    person.x = person.x + 0.16 * take.d * clock.linear(0.54, 0.8)
    for hand, ahead in (("near", -0.13), ("far", 0.15)):
        goal = person.at(ahead * take.d * person.scale, 0.42 * person.scale + _JUMP * leaps)
        person.reach(goal, leaps, "near" if hand == "near" else "far")


def _crouch(take: Take) -> None:
    person = _person(take)
    person.turn(take.d, take.clock.ease(0.0, 0.1))
    down = take.clock.ease(0.2, 0.7)
    person.crouch(_CROUCH * person.scale * down)
    person.lean(0.05 * take.d * down)
    person.reach(person.at(0.13 * take.d * person.scale, 0.12 * person.scale), down)


def _turn_around(take: Take) -> None:
    person, clock = _person(take), take.clock
    person.turn(take.d, clock.ease(0.0, 0.1))
    person.turn(-take.d, clock.ease(0.3, 0.5))
    person.walk(-0.13 * take.d, clock.ease(0.5, DONE))


def _cheer(take: Take) -> None:
    person, clock = _person(take), take.clock
    person.turn(take.d, clock.ease(0.0, 0.1))
    up = clock.ease(0.16, TOUCH)
    bounce = arc(clock.linear(TOUCH, 0.58)) + arc(clock.linear(0.62, 0.8))
    person.rise(0.035 * bounce)
    lift = 0.56 * person.scale + 0.035 * bounce
    person.reach(person.at(-0.16 * take.d * person.scale, lift), up, "near")
    person.reach(person.at(0.18 * take.d * person.scale, lift), up, "far")


def _solo(
    name: str, words: tuple[str, ...], direct: Callable[[Take], None], asks: tuple[str, str, str], room: Room,
    subjects: tuple[str, ...] = PERSONS,
) -> Verb:  # fmt: skip
    """A verb without an object; its questions are about the actor alone."""
    before, during, after = asks
    return Verb(
        name=name,
        category="solo",
        act=f"{words[0]}",
        active=tuple(f"{{s}} [{word}]" for word in words),
        passive=(),
        asks=(before, during, during, during, during, after, after),
        subjects=subjects,
        objects=(),
        direct=direct,
        room=room,
        contact=1,
    )


VERBS = (
    _solo(
        "walk", ("walks", "is walking"), _walk,
        ("Does the {s} stand still?", "Is the {s} on the way?", "Does the {s} stand at a new place?"),
        Room(approach=WALK), (*PERSONS, *ANIMALS),
    ),
    _solo(
        "jump", ("jumps", "is jumping"), _jump,
        ("Does the {s} stand on the ground?", "Is the {s} in the air?", "Does the {s} stand at a new place?"),
        Room(approach=0.2),
    ),
    _solo(
        "crouch", ("crouches", "crouches down"), _crouch,
        ("Does the {s} stand upright?", "Do the knees of the {s} bend?", "Does the {s} crouch?"), Room(approach=0.05),
    ),
    _solo(
        "turn around", ("turns around",), _turn_around,
        ("Does the {s} face one way?", "Does the {s} turn?", "Does the {s} face the other way?"),
        Room(approach=0.05, behind=0.15),
    ),
    _solo(
        "cheer", ("cheers", "is cheering"), _cheer,
        ("Does the {s} stand with hanging arms?", "Do the arms of the {s} go up?", "Are both arms of the {s} up?"),
        Room(approach=0.05),
    ),
)  # fmt: skip
