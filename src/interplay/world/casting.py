"""Who plays: from the compositions a scene must show to a whole scene with bystanders, distractors and places.

Everybody has a colour of their own. There is nearly always somebody else who could act, and often a second thing of
the object's kind, so that a caption is understood only by who is bound to what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from interplay.world.figures.scenery import BACKDROPS
from interplay.world.layout import CROWDED, Block, Place, event_block, slot_width, spread, stage_width
from interplay.world.palette import INSTANCE_COLOURS
from interplay.world.scene import Event, Member, Scene, ground_of
from interplay.world.splits import Composition
from interplay.world.verbs import VERBS
from interplay.world.verbs.base import Verb
from interplay.world.vocabulary import ANIMALS, NOUNS, PERSONS, ROBOTS, STAND_HEIGHT, THINGS

MAX_MEMBERS = 5
# A small square picture holds fewer figures than a wide one.
_NARROW, _MAX_NARROW = 1.3, 4
_PERSON_ACTS, _SPEAKS, _SAME_KIND, _SECOND_ACTOR = 0.75, 0.25, 0.5, 0.9
_BYSTANDERS = (*PERSONS, *PERSONS, *ANIMALS, *ROBOTS)
_SLOWEST, _FASTEST = 0.75, 1.3
# Share of distractors that stand on a stool, of those that may.
_RAISED = 0.3
_DISTRACTORS = tuple(noun for noun in THINGS if noun not in ("door", "lamp"))
# When one event follows the other, they overlap a little.
_FIRST_ENDS, _SECOND_STARTS = 0.62, 0.38


@dataclass(frozen=True)
class _Part:
    """One event before anybody has a name: nouns, heights and colour by role, where it goes, and in which lane.

    ``pace`` is how far the subject comes from, of what is usual.
    """

    verb: Verb
    nouns: Mapping[str, str]
    heights: Mapping[str, float]
    colour: str
    direction: int
    lane: int
    pace: float

    def block(self, crowded: bool) -> Block:
        cast = {role: NOUNS[noun] for role, noun in self.nouns.items()}
        return event_block(self.verb, cast, self.heights, self.direction, CROWDED if crowded else self.pace)


@dataclass(frozen=True)
class _Other:
    """A bystander or a distractor: its lane, and the height of the stool under it."""

    noun: str
    lane: int
    height: float

    @property
    def width(self) -> float:
        return slot_width(NOUNS[self.noun], self.height)


def sample_scene(
    wanted: Sequence[Composition], aspect: float, rng: np.random.Generator, *, alone: bool = False
) -> Scene:
    """A random scene that shows these compositions (none to two, of different colours).

    ``alone`` leaves out bystanders and distractors. ``aspect`` is the picture's width / height.
    """
    parts = [_cast(composition, rng) for composition in wanted]
    others = [] if alone else [_other(noun, rng) for noun in _others(parts, aspect, rng)]
    return _Assembly(parts, others, aspect, rng).scene()


def _cast(composition: Composition, rng: np.random.Generator) -> _Part:
    verb = VERBS[composition.verb]
    direction = 1 if rng.random() < 0.5 else -1
    lane, pace = int(rng.integers(2)), _SLOWEST + (_FASTEST - _SLOWEST) * float(rng.random())
    if not verb.objects:
        nouns = {"subject": composition.noun}
        return _Part(verb, nouns, {}, composition.subject_colour, direction, lane, pace)
    nouns = {"subject": _subject(verb, rng), "object": composition.noun}
    if verb.recipients:
        nouns["recipient"] = _pick(verb.recipients, rng)
    target = "recipient" if verb.recipients else "object"
    kind = NOUNS[nouns[target]]
    raised = kind.on_stand and rng.random() < verb.room.stand
    heights = {"object": 0.0, target: STAND_HEIGHT if raised else 0.0}
    return _Part(verb, nouns, heights, composition.subject_colour, direction, lane, pace)


def _subject(verb: Verb, rng: np.random.Generator) -> str:
    others = [noun for noun in verb.subjects if noun not in PERSONS]
    return _pick(PERSONS if not others or rng.random() < _PERSON_ACTS else others, rng)


def _others(parts: Sequence[_Part], aspect: float, rng: np.random.Generator) -> list[str]:
    """Nouns of bystanders and distractors."""
    cast = [noun for part in parts for noun in part.nouns.values()]
    actors = [noun for noun in cast if NOUNS[noun].family != "thing"]
    room = (_MAX_NARROW if aspect < _NARROW else MAX_MEMBERS) - len(cast)
    if len(parts) == 2:
        return []
    found: list[str] = []
    wanted = int(rng.integers(1, 3)) if len(actors) < 2 and rng.random() < _SECOND_ACTOR else int(rng.integers(2))
    if not parts:
        wanted = 2
    found += [_pick(_BYSTANDERS, rng) for _ in range(min(wanted, room))]
    things = [noun for noun in cast if noun in _DISTRACTORS]
    count = 1 if not parts else int(rng.integers(3)) - int(rng.integers(2))
    for _ in range(max(0, min(count, room - len(found)))):
        alike = bool(things) and rng.random() < _SAME_KIND
        found.append(_pick(things if alike else _DISTRACTORS, rng))
    return found


def _other(noun: str, rng: np.random.Generator) -> _Other:
    raised = NOUNS[noun].on_stand and rng.random() < _RAISED
    return _Other(noun, int(rng.integers(2)), STAND_HEIGHT if raised else 0.0)


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


class _Assembly:
    """Puts parts and others on a stage, in random order from left to right, and gives ids and colours.

    Ids are dealt out at random: were the subject always the first, whoever sees them (an instance map has a colour for
    each) would know who acts without reading the caption.
    """

    def __init__(
        self, parts: Sequence[_Part], others: Sequence[_Other], aspect: float, rng: np.random.Generator
    ) -> None:
        self.parts, self.others, self.aspect, self.rng = parts, others, aspect, rng
        self.colours = self._colours([part.colour for part in parts])
        self.ids = self._dealt(sum(len(part.nouns) for part in parts) + len(others))
        self.members: list[Member] = []

    def scene(self) -> Scene:
        crowded = len(self.parts) > 1 or self.aspect < _NARROW
        blocks = [part.block(crowded) for part in self.parts]
        slots = [block.width for block in blocks] + [other.width for other in self.others]
        order = self.rng.permutation(len(slots)).tolist()
        width = stage_width(slots, self.aspect)
        edges = dict(zip(order, spread([slots[i] for i in order], width, self.rng), strict=True))
        events = [self._event(part, blocks[i], edges[i]) for i, part in enumerate(self.parts)]
        for number, other in enumerate(self.others, start=len(blocks)):
            self._other(other, edges[number])
        people = [m.id for m in self.members if m.family == "person"]
        speaks = bool(people) and self.rng.random() < _SPEAKS
        return Scene(
            members=tuple(self.members),
            events=_timed(events, together=self.rng.random() < 0.5),
            width=width,
            aspect=round(self.aspect, 4),
            background=int(self.rng.integers(len(BACKDROPS))),
            wording=int(self.rng.integers(1 << 16)),
            speaker=_pick(people, self.rng) if speaks else None,
            speech=int(self.rng.integers(1 << 31)),
        )

    def _colours(self, taken: Sequence[str]) -> list[str]:
        free = [name for name in INSTANCE_COLOURS if name not in taken]
        return [free[i] for i in self.rng.permutation(len(free)).tolist()]

    def _dealt(self, count: int) -> list[str]:
        """Drawn apart, so that they change nothing of what is seen."""
        (apart,) = self.rng.spawn(1)
        return [f"id{number + 1}" for number in apart.permutation(count).tolist()]

    def _event(self, part: _Part, block: Block, left: float) -> Event:
        ids = {}
        for role, noun in part.nouns.items():
            colour = part.colour if role == "subject" else self.colours.pop()
            place = block.places[role]
            ids[role] = self._join(noun, colour, Place(left + place.x, place.y), self._facing(part, role), part.lane)
        return Event(part.verb.name, ids["subject"], ids.get("object"), ids.get("recipient"), part.direction)

    def _facing(self, part: _Part, role: str) -> int:
        """At random, but who holds something faces it, and who is going to turn and look faces away."""
        anyhow = 1 if self.rng.random() < 0.5 else -1
        if role != "subject":
            return anyhow
        if part.verb.name == "look":
            return -part.direction
        return part.direction if part.verb.room.held else anyhow

    def _other(self, other: _Other, left: float) -> None:
        facing = 1 if self.rng.random() < 0.5 else -1
        place = Place(left + other.width / 2, other.height)
        self._join(other.noun, self.colours.pop(), place, facing, other.lane)

    def _join(self, noun: str, colour: str, place: Place, facing: int, lane: int) -> str:
        """Add a member at a place over its lane's ground; its id."""
        name = self.ids[len(self.members)]
        bottom = round(ground_of(lane) + place.y, 4)
        self.members.append(Member(name, noun, colour, round(place.x, 4), bottom, facing, lane))
        return name


def _timed(events: Sequence[Event], *, together: bool) -> tuple[Event, ...]:
    """Two events at the same time, or one after the other."""
    if len(events) < 2 or together:
        return tuple(events)
    first, second = events
    return (
        Event(first.verb, *_ids(first), first.direction, 0.0, _FIRST_ENDS),
        Event(second.verb, *_ids(second), second.direction, _SECOND_STARTS, 1.0),
    )


def _ids(event: Event) -> tuple[str, str | None, str | None]:
    return event.subject, event.object, event.recipient
