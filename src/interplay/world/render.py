"""From a scene to pixels and exact masks. Shape legend: ``p`` pixel frames, ``y x`` rows and columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, Int16, UInt8
from numpy import ndarray

from interplay.world.canvas import Camera, Canvas
from interplay.world.figures.animal import draw_animal
from interplay.world.figures.owners import PARTS, Part, owner
from interplay.world.figures.person import Look, draw_body, draw_near_arm, look_of
from interplay.world.figures.robot import draw_robot
from interplay.world.figures.scenery import draw_shadow, draw_stand, paint_backdrop
from interplay.world.figures.things import draw_light, draw_thing
from interplay.world.motion.animal import AnimalPose
from interplay.world.motion.person import ANKLE_Y, PersonPose
from interplay.world.motion.robot import RobotPose
from interplay.world.motion.thing import ThingPose
from interplay.world.palette import INSTANCE_COLOURS
from interplay.world.scene import Member, Scene
from interplay.world.staging import Motion, Pose, stage

_SHADOW = {"person": 0.12, "animal": 0.15, "robot": 0.11}


@dataclass(frozen=True)
class Rendering:
    """Frames, the motion behind them, and the number of the owner of every pixel (see ``figures.owners``)."""

    frames: UInt8[ndarray, "p y x 3"]
    owners: Int16[ndarray, "p y x"]
    ids: tuple[str, ...]
    motion: Motion

    @property
    def masks(self) -> Mapping[str, Bool[ndarray, "p y x"]]:
        """Visible pixels by member id; no pixel belongs to two."""
        members = self.owners // len(PARTS)
        return {member_id: members == index for index, member_id in enumerate(self.ids)}

    def part(self, member_id: str, part: Part) -> Bool[ndarray, "p y x"]:
        """Visible pixels of one part of a member."""
        visible: Bool[ndarray, "p y x"] = self.owners == owner(self.ids.index(member_id), part)
        return visible


def render(scene: Scene, num_frames: int, size_hw: tuple[int, int]) -> Rendering:
    """Draw a scene."""
    motion = stage(scene, num_frames)
    camera = Camera(size_hw, scene.width)
    canvas = Canvas(num_frames, camera, _backdrop(scene.background, camera))
    draw_lights_and_shadows(canvas, scene, motion)
    draw_members(canvas, scene, motion.poses, own_looks(scene))
    return Rendering(canvas.pixels(), canvas.owner, scene.ids, motion)


@lru_cache(maxsize=64)
def _backdrop(index: int, camera: Camera) -> Float32[ndarray, "y x 3"]:
    picture: Float32[ndarray, "y x 3"] = paint_backdrop(index, camera)
    return picture


def draw_lights_and_shadows(canvas: Canvas, scene: Scene, motion: Motion) -> None:
    """What lies on the scenery and belongs to nobody: stools, the glow of lamps, shadows."""
    for member in scene.members:
        pose = motion.poses[member.id]
        if isinstance(pose, ThingPose):
            draw_light(canvas, member.noun, pose)
        x, y = _feet(pose)
        ground = np.full(1, motion.grounds[member.id], np.float32)
        draw_shadow(canvas, x, ground, y - ground, _SHADOW.get(member.family, 0.9 * member.kind.half_width))
    for stand in motion.stands:
        draw_stand(canvas, stand.x, stand.y, stand.half_width, stand.height)


def draw_members(canvas: Canvas, scene: Scene, poses: Mapping[str, Pose], looks: Mapping[str, Look]) -> None:
    """The members that have a pose (persons: also a look), from the back to the front.

    Within a lane bodies come first, then things, then near arms, so that hands are before what they hold.
    """
    for lane in (1, 0):
        members = [(i, m, poses[m.id]) for i, m in enumerate(scene.members) if m.lane == lane and m.id in poses]
        for index, member, pose in members:
            _draw_creature(canvas, member, pose, owner(index))
        for index, member, pose in members:
            if isinstance(pose, PersonPose) and member.id in looks:
                draw_body(canvas, looks[member.id], pose, index)
        for index, member, pose in members:
            if isinstance(pose, ThingPose):
                draw_thing(canvas, member.noun, INSTANCE_COLOURS[member.colour], pose, owner(index))
        for index, member, pose in members:
            if isinstance(pose, PersonPose) and member.id in looks:
                draw_near_arm(canvas, looks[member.id], pose, index)


def own_looks(scene: Scene) -> Mapping[str, Look]:
    """What the persons of a scene wear."""
    return {m.id: look_of(m.noun, INSTANCE_COLOURS[m.colour]) for m in scene.members if m.family == "person"}


def painting_order(scene: Scene) -> tuple[str, ...]:
    """Ids from the back to the front; near arms are in front of the things of their lane and not listed."""
    rank = {"animal": 0, "robot": 0, "person": 1, "thing": 2}
    return tuple(m.id for m in sorted(scene.members, key=lambda m: (-m.lane, rank[m.family])))


def _draw_creature(canvas: Canvas, member: Member, pose: Pose, number: int) -> None:
    if isinstance(pose, AnimalPose):
        draw_animal(canvas, member.noun, INSTANCE_COLOURS[member.colour], pose, number)
    elif isinstance(pose, RobotPose):
        draw_robot(canvas, INSTANCE_COLOURS[member.colour], pose, number)


def _feet(pose: Pose) -> tuple[Float32[ndarray, " _"], Float32[ndarray, " _"]]:
    """Where a member meets the ground, or hovers over it."""
    if isinstance(pose, PersonPose):
        lowest = np.minimum(pose.near_leg.tip.y, pose.far_leg.tip.y) - np.float32(ANKLE_Y * pose.scale)
        return 0.5 * (pose.near_leg.tip.x + pose.far_leg.tip.x), lowest
    return pose.base.x, pose.base.y
