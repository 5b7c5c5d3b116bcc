"""How a scene moves: every event is directed by its verb, and everybody else stands by.

Shapes: p pixel frames, or 1 for who does not move.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from interplay.world.layout import stand_half_width
from interplay.world.motion.actor import Actor
from interplay.world.motion.animal import Animal, AnimalPose
from interplay.world.motion.clock import Clock
from interplay.world.motion.person import Person, PersonPose
from interplay.world.motion.robot import Robot, RobotPose
from interplay.world.motion.speech import mouth
from interplay.world.motion.take import Contact, Take
from interplay.world.motion.thing import Thing, ThingPose
from interplay.world.scene import Member, Scene
from interplay.world.verbs import verb_named

Pose = PersonPose | AnimalPose | RobotPose | ThingPose
_ACTORS: Mapping[str, type[Person] | type[Animal] | type[Robot]] = {
    "person": Person,
    "animal": Animal,
    "robot": Robot,
}


@dataclass(frozen=True)
class Stand:
    """A stool under a thing that starts on it: bottom centre, half its width, its height."""

    x: float
    y: float
    half_width: float
    height: float


@dataclass(frozen=True)
class Motion:
    """Everything that moves in a scene.

    ``poses`` by member id; ``contacts`` of all events in order; ``clocks`` one per event; ``grounds`` the height of the
    ground under each member; ``stands`` the stools.
    """

    num_frames: int
    poses: Mapping[str, Pose]
    contacts: tuple[Contact, ...]
    clocks: tuple[Clock, ...]
    grounds: Mapping[str, float]
    stands: tuple[Stand, ...]


def stage(scene: Scene, num_frames: int) -> Motion:
    """The motion of a scene over ``num_frames`` frames."""
    actors, things = _cast(scene, num_frames)
    takes = [
        Take(event, Clock(num_frames, event.start, event.end), actors, things) for event in scene.events
    ]  # fmt: skip
    for take in takes:
        verb_named(take.event.verb).direct(take)
    poses: dict[str, Pose] = {key: thing.pose() for key, thing in things.items()}
    for member in scene.members:
        if member.id in actors:
            poses[member.id] = _pose(scene, member, actors[member.id], num_frames)
    stands = _stands(scene)
    grounds = {m.id: m.ground for m in scene.members}
    contacts = tuple(contact for take in takes for contact in take.contacts)
    return Motion(num_frames, poses, contacts, tuple(take.clock for take in takes), grounds, stands)


def _cast(scene: Scene, num_frames: int) -> tuple[dict[str, Actor], dict[str, Thing]]:
    things = {m.id: Thing(m, num_frames) for m in scene.members if m.family == "thing"}
    busy = scene.participants
    actors: dict[str, Actor] = {
        m.id: _ACTORS[m.family](m, num_frames if m.id in busy else 1) for m in scene.members if m.family != "thing"
    }
    return actors, things


def _pose(scene: Scene, member: Member, actor: Actor, num_frames: int) -> Pose:
    pose: Pose = actor.pose()
    if isinstance(pose, PersonPose) and member.id == scene.speaker:
        return replace(pose, mouth=mouth(scene.speech, num_frames))
    return pose


def _stands(scene: Scene) -> tuple[Stand, ...]:
    held = {str(event.object) for event in scene.events if verb_named(event.verb).room.held}
    return tuple(
        Stand(m.x, m.ground, stand_half_width(m.kind), m.y - m.ground)
        for m in scene.members
        if m.family == "thing" and m.y > m.ground and m.id not in held
    )
