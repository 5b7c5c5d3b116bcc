"""Who is in a scene and who does what to whom: the part of a clip that is decided before anything moves.

Lengths are in stage heights: ``y`` runs from 0 (ground) upwards, ``x`` from 0 (left) to the stage's aspect ratio.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, Literal

import numpy as np

from interplay.world.palette import BACKGROUNDS, INSTANCE_COLOURS

Verb = Literal["push", "lift", "kick", "give"]
Kind = Literal["person", "ball", "box", "cup"]

VERBS: tuple[Verb, ...] = ("push", "lift", "kick", "give")
THING_KINDS: tuple[Kind, ...] = ("ball", "box", "cup")
PERSON_NOUNS = ("man", "woman")

PERSON_WIDTH = 0.24
THING_SIZE = 0.19
# Room a verb needs between subject and object (approach) and behind the object (where the object goes).
APPROACH = 0.20
TRAVEL: Mapping[Verb, float] = {"push": 0.30, "lift": 0.06, "kick": 0.42, "give": 0.06}
MARGIN = 0.04


@dataclass(frozen=True)
class Composition:
    """What a caption binds: who (by colour) does what to which kind of thing. Splits hold out whole compositions."""

    verb: Verb
    subject_colour: str
    object_kind: Kind


@dataclass(frozen=True)
class Member:
    """One instance of a scene at its start: ``x`` is its centre, ``facing`` is -1 (left) or 1 (right)."""

    id: str
    kind: Kind
    noun: str
    colour: str
    x: float
    facing: int


@dataclass(frozen=True)
class Scene:
    """A scene before it moves. ``id1`` is the subject, ``id2`` the object, ``recipient`` is set for ``give`` alone.

    ``direction`` is where the subject goes: 1 to the right, -1 to the left. ``wording`` picks the caption's paraphrase.
    """

    verb: Verb
    members: tuple[Member, ...]
    subject: str
    object: str
    recipient: str | None
    direction: int
    aspect: float
    background: int
    wording: int

    def member(self, instance_id: str) -> Member:
        """The member with this id; ``KeyError`` when there is none."""
        for member in self.members:
            if member.id == instance_id:
                return member
        raise KeyError(f"the scene has no member {instance_id}")

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all members, subject first."""
        return tuple(m.id for m in self.members)

    @property
    def composition(self) -> Composition:
        """The composition that this scene shows."""
        return Composition(self.verb, self.member(self.subject).colour, self.member(self.object).kind)

    def to_json(self) -> dict[str, Any]:
        """The scene as plain JSON values."""
        return {**asdict(self), "members": [asdict(member) for member in self.members]}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Scene:
        """The scene that :meth:`to_json` wrote."""
        members = tuple(Member(**m) for m in data["members"])
        return Scene(**{**data, "members": members})


def all_compositions() -> Iterator[Composition]:
    """Every composition that the world can show."""
    for verb, colour, kind in product(VERBS, INSTANCE_COLOURS, THING_KINDS):
        yield Composition(verb, colour, kind)


def sample_scene(composition: Composition, aspect: float, rng: np.random.Generator) -> Scene:
    """A random scene of this composition: a second person always, a second thing half of the time.

    The second person is the recipient of ``give`` and a bystander otherwise, so every scene holds two who could act.
    """
    colours = [composition.subject_colour, *_other_colours(composition.subject_colour, rng)]
    kinds: list[Kind] = ["person", composition.object_kind, "person"]
    if rng.random() < 0.5:
        kinds.append(THING_KINDS[rng.integers(len(THING_KINDS))])
    direction = int(rng.choice((-1, 1)))
    centres = _place(composition.verb, len(kinds), direction, aspect, rng)
    members = tuple(
        Member(
            id=f"id{i + 1}",
            kind=kind,
            noun=PERSON_NOUNS[rng.integers(2)] if kind == "person" else kind,
            colour=colours[i],
            x=round(centres[i], 4),
            facing=int(rng.choice((-1, 1))) if kind == "person" else 1,
        )
        for i, kind in enumerate(kinds)
    )
    recipient = "id3" if composition.verb == "give" else None
    background = int(rng.integers(len(BACKGROUNDS)))
    wording = int(rng.integers(1 << 16))
    return Scene(composition.verb, members, "id1", "id2", recipient, direction, aspect, background, wording)


def _other_colours(taken: str, rng: np.random.Generator) -> list[str]:
    free = [name for name in INSTANCE_COLOURS if name != taken]
    return [free[i] for i in rng.permutation(len(free))]


def _place(verb: Verb, count: int, direction: int, aspect: float, rng: np.random.Generator) -> list[float]:
    """Centres for subject, object, second person and (if ``count`` is 4) second thing, so that nothing overlaps.

    The stage is laid out from left to right as if the subject went right, then mirrored when it goes left. Whoever is
    not part of the interaction stands before or behind it at random.
    """
    chain = _interaction_chain(verb)
    others = [(2, PERSON_WIDTH)] if verb != "give" else []
    if count == 4:
        others.append((3, THING_SIZE))
    before = [item for item in others if rng.random() < 0.5]
    after = [item for item in others if item not in before]
    order = [*before, *chain, *after]
    slack = aspect - 2 * MARGIN - sum(width for _, width in order)
    gaps = rng.dirichlet(np.ones(len(order) + 1)) * max(slack, 0.0)
    centres = [0.0] * count
    left = MARGIN
    for (index, width), gap in zip(order, gaps, strict=False):
        left += gap
        if index >= 0:
            centres[index] = left + width / 2
        left += width
    if verb == "give":  # the object starts in the subject's hands
        centres[1] = centres[0]
    return centres if direction == 1 else [aspect - x for x in centres]


def _interaction_chain(verb: Verb) -> list[tuple[int, float]]:
    """Items of the interaction from left to right as (member index, width); index -1 is free room."""
    if verb == "give":
        return [(0, PERSON_WIDTH), (-1, THING_SIZE + APPROACH), (2, PERSON_WIDTH), (-1, TRAVEL[verb])]
    return [(0, PERSON_WIDTH), (-1, APPROACH), (1, THING_SIZE), (-1, TRAVEL[verb])]
