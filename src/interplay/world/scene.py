"""Who is in a scene and who does what to whom: all that is decided before anything moves, as plain JSON values.

Lengths are in stage units (a grown-up is about 0.58 high): ``x`` runs from 0 at the left to the stage's ``width``,
``y`` upwards from the line on which the actors stand. The camera fits the width into the picture, so that a
narrow picture or a crowded scene shows smaller figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from interplay.world.vocabulary import NOUNS, Family, Noun

# The back lane lies this much farther up the ground than the front one, whose figures are painted over it.
BACK_LANE_Y = 0.06


def ground_of(lane: int) -> float:
    """Height of the ground in a lane."""
    return BACK_LANE_Y if lane else 0.0


@dataclass(frozen=True)
class Member:
    """One instance at its start: centre ``x``, bottom ``y``, ``facing`` -1 (left) or 1 (right), a colour of its own.

    ``lane`` is 1 at the back and 0 in front. All who take part in an event stand in one lane, and which one says
    nothing about who they are: a picture must not give away who is going to act.
    """

    id: str
    noun: str
    colour: str
    x: float
    y: float
    facing: int
    lane: int = 0

    @property
    def ground(self) -> float:
        """Height of the ground in its lane."""
        return ground_of(self.lane)

    @property
    def kind(self) -> Noun:
        """What the vocabulary says about it."""
        return NOUNS[self.noun]

    @property
    def family(self) -> Family:
        """``person``, ``animal``, ``robot`` or ``thing``."""
        return self.kind.family


@dataclass(frozen=True)
class Event:
    """One interaction: ids of those who take part, and the part ``start`` to ``end`` of the clip (0 to 1) it takes.

    ``direction`` is where the subject is headed: 1 to the right, -1 to the left. ``object`` is ``None`` for motion of
    one actor alone.
    """

    verb: str
    subject: str
    object: str | None
    recipient: str | None
    direction: int
    start: float = 0.0
    end: float = 1.0

    @property
    def roles(self) -> tuple[str, ...]:
        """Ids of all who take part: subject, object, recipient."""
        return tuple(role for role in (self.subject, self.object, self.recipient) if role is not None)


@dataclass(frozen=True)
class Scene:
    """A scene before it moves. Members come in the order of their ids; events in the order of their start.

    ``background`` picks the scenery, ``wording`` the caption's paraphrase, ``speaker`` is who talks throughout (or
    ``None``) and ``speech`` the seed of the syllables.
    """

    members: tuple[Member, ...]
    events: tuple[Event, ...]
    width: float
    aspect: float
    background: int
    wording: int
    speaker: str | None = None
    speech: int = 0

    def member(self, instance_id: str) -> Member:
        """The member with this id; ``KeyError`` when there is none."""
        for member in self.members:
            if member.id == instance_id:
                return member
        raise KeyError(f"the scene has no member {instance_id}")

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all members."""
        return tuple(m.id for m in self.members)

    @property
    def participants(self) -> tuple[str, ...]:
        """Ids of those who take part in an event, each once."""
        return tuple(dict.fromkeys(role for event in self.events for role in event.roles))

    def to_json(self) -> dict[str, Any]:
        """The scene as plain JSON values."""
        return {
            **asdict(self),
            "members": [asdict(member) for member in self.members],
            "events": [asdict(event) for event in self.events],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Scene:
        """The scene that :meth:`to_json` wrote."""
        members = tuple(Member(**m) for m in data["members"])
        events = tuple(Event(**e) for e in data["events"])
        return Scene(**{**data, "members": members, "events": events})
