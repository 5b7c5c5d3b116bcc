"""One event being directed: its clock, its participants, and the moves that many verbs share.

Shapes: p pixel frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from interplay.world.motion.actor import HANDS, Actor
from interplay.world.motion.animal import MOUTH_Y
from interplay.world.motion.clock import START, TOUCH, Clock
from interplay.world.motion.curves import Curve, Path
from interplay.world.motion.thing import Thing
from interplay.world.scene import Event
from interplay.world.vocabulary import Noun

# How high a grown-up carries things: the thing's middle.
HOLD_Y = 0.235
_TURNING = 0.14
# When hands leave for what they will touch.
_HANDS_OFF = 0.14


@dataclass(frozen=True)
class Contact:
    """A touch between two members from frame ``first`` to frame ``last``, both included; ``part`` is the actor's.

    ``holding`` says whether the actor bears what it touches.
    """

    who: str
    what: str
    part: str
    first: int
    last: int
    holding: bool = False


@dataclass
class Take:
    """What a verb directs. ``d`` is 1 when the subject acts to the right, -1 to the left."""

    event: Event
    clock: Clock
    actors: Mapping[str, Actor]
    things: Mapping[str, Thing]
    contacts: list[Contact] = field(default_factory=list)

    @property
    def d(self) -> int:
        """Direction of the event."""
        return self.event.direction

    @property
    def subject(self) -> Actor:
        """Who acts."""
        return self.actors[self.event.subject]

    @property
    def thing(self) -> Thing:
        """The object, for verbs whose objects are things."""
        return self.things[str(self.event.object)]

    @property
    def other(self) -> Actor:
        """The actor to whom something is done: the recipient, or else the object."""
        return self.actors[self.event.recipient or str(self.event.object)]

    @property
    def vessel(self) -> Thing:
        """The recipient, for verbs whose recipients are things."""
        return self.things[str(self.event.recipient)]

    @property
    def target(self) -> Actor | Thing:
        """The object, actor or thing."""
        key = str(self.event.object)
        return self.actors[key] if key in self.actors else self.things[key]

    # --- moves ---

    def approach(self, goal_x: float, *, until: float = TOUCH, by: Actor | None = None, toward: int = 0) -> None:
        """Let an actor (the subject) face the event's direction and walk to ``goal_x``; a robot arm only turns."""
        actor, direction = by or self.subject, toward or self.d
        actor.turn(direction, self.clock.ease(0.0, _TURNING))
        distance = goal_x - float(actor.x[-1])
        if actor.walks and abs(distance) > 0.01:
            actor.walk(distance, self.clock.ease(START, until))

    def step(self, actor: Actor, distance: float, progress: Curve) -> None:
        """Walk on from where the actor stands; what cannot walk stays."""
        if actor.walks:
            actor.walk(distance, progress)

    def watch(self, actor: Actor, target: Path) -> None:
        """Let an actor follow something with the eyes from the event's start on."""
        actor.look_at(target, self.clock.ease(0.0, _TURNING))

    def weight(self, since: float = _HANDS_OFF, until: float = TOUCH) -> Curve:
        """How far hands are on their way to what they will touch at ``until``."""
        return self.clock.ease(since, until)

    def grasp(self, actor: Actor, goals: tuple[Path, Path], weight: Curve) -> None:
        """Bring both hands to two goals, (near, far)."""
        for hand, goal in zip(HANDS, goals, strict=True):
            actor.reach(goal, weight, hand)

    # --- truth ---

    def touch(
        self, who: Actor, what: str, since: float = TOUCH, until: float = 1.0, *, part: str = "", holding: bool = False
    ) -> None:
        """Note a contact between two moments of the event; with the clip's end when the event ends in contact."""
        last = self.clock.last if until >= 1.0 else self.clock.frame(until)
        first = 0 if since <= 0.0 else self.clock.frame(since)
        self.contacts.append(Contact(who.member.id, what, part or _PARTS[who.member.family], first, last, holding))


_PARTS = {"person": "hand", "animal": "mouth", "robot": "gripper"}


def hold_offset(kind: Noun, thing: Noun) -> tuple[float, float]:
    """Where the bottom of a held thing is: so far before its holder's centre, so far above its holder's feet."""
    middle = {"person": HOLD_Y * kind.scale, "animal": MOUTH_Y * kind.scale + 0.03, "robot": 0.30}[kind.family]
    return kind.arm + 0.5 * thing.half_width, middle - thing.height / 2


def hold_point(actor: Actor, direction: int, thing: Thing) -> Path:
    """Where the bottom of a thing is that an actor holds before its chest."""
    ahead, up = hold_offset(actor.member.kind, thing.member.kind)
    return actor.at(direction * ahead, up)


def grips(actor: Actor, base: Path, thing: Thing, direction: int) -> tuple[Path, Path]:
    """Goals for (near, far) hand of who bears a thing whose bottom is at ``base``.

    A person has one hand before it and one at its far side, a robot arm grips it from above, an animal at its side.
    """
    if actor.member.family == "robot":
        top = base.moved(0.0, 0.96 * thing.height)
        return top, top
    if actor.member.family == "animal":
        edge = base.moved(-0.9 * direction * thing.half, 0.5 * thing.height)
        return edge, edge
    low = 0.32 * thing.height
    return base.moved(-0.45 * direction * thing.half, low), base.moved(0.75 * direction * thing.half, low)


def back(base: Path, thing: Thing, direction: int) -> tuple[Path, Path]:
    """Goals for (near, far) hand on the side of a thing that faces an actor; on the handle of what has one."""
    if thing.member.noun == "cart":
        handle = base.moved(-1.0 * direction * thing.half, 0.94 * thing.height)
        return handle, handle.moved(0.02 * direction, 0.012)
    edge = -0.95 * direction * thing.half
    return base.moved(edge, 0.55 * thing.height), base.moved(edge, 0.78 * thing.height)


def zeros(take: Take) -> Curve:
    """A curve of zeros over the clip."""
    return np.zeros(take.clock.num_frames, np.float32)
