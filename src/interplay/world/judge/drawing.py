"""What the judge can draw for itself: the empty stage, the first frame, and what a noun looks like.

All of it is knowledge of a brief's first frame or of words; nothing here knows how a scene moves.
Shape legend: ``y x`` pixel rows and columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from numpy import ndarray

from interplay.world.canvas import Camera, Canvas
from interplay.world.figures.owners import PARTS
from interplay.world.figures.scenery import draw_stand, paint_backdrop
from interplay.world.figures.things import draw_light, draw_thing
from interplay.world.judge.brief import Brief, Plot
from interplay.world.layout import stand_half_width
from interplay.world.motion.actor import HANDS, Actor
from interplay.world.motion.animal import Animal
from interplay.world.motion.curves import Path, constant
from interplay.world.motion.person import Person
from interplay.world.motion.robot import Robot
from interplay.world.motion.take import grips
from interplay.world.motion.thing import Thing, ThingPose
from interplay.world.palette import INSTANCE_COLOURS
from interplay.world.render import draw_lights_and_shadows, draw_members, own_looks
from interplay.world.scene import Member, Scene
from interplay.world.staging import Motion, Pose, Stand

# Verbs whose object starts open, or lit.
_STARTS_ON = ("close", "turn off")
_OPENING = ("open", "close")
# A stool is this much wider than what stands on it, and at least this wide (half widths).
_ACTORS: Mapping[str, type[Person] | type[Animal] | type[Robot]] = {"person": Person, "animal": Animal, "robot": Robot}


@dataclass(frozen=True)
class FirstFrame:
    """The first frame of a clip as the brief describes it, and the visible pixels of every member."""

    frame: UInt8[ndarray, "y x 3"]
    masks: Mapping[str, Bool[ndarray, "y x"]]


@lru_cache(maxsize=128)
def first_frame(brief: Brief, size_hw: tuple[int, int]) -> FirstFrame:
    """Draw the first frame."""
    scene = _still_scene(brief)
    poses = _first_poses(brief)
    grounds = {m.id: m.ground for m in brief.members}
    canvas = Canvas(1, Camera(size_hw, brief.width), _scenery(brief.background, Camera(size_hw, brief.width)))
    draw_lights_and_shadows(canvas, scene, Motion(1, poses, (), (), grounds, stands(brief)))
    draw_members(canvas, scene, poses, own_looks(scene))
    owners = canvas.owner[0] // len(PARTS)
    return FirstFrame(canvas.pixels()[0], {m.id: owners == index for index, m in enumerate(brief.members)})


@lru_cache(maxsize=128)
def empty_stage(brief: Brief, size_hw: tuple[int, int]) -> UInt8[ndarray, "y x 3"]:
    """The scenery and the stools without any member."""
    camera = Camera(size_hw, brief.width)
    canvas = Canvas(1, camera, _scenery(brief.background, camera))
    for stand in stands(brief):
        draw_stand(canvas, stand.x, stand.y, stand.half_width, stand.height)
    picture: UInt8[ndarray, "y x 3"] = canvas.pixels()[0]
    return picture


@lru_cache(maxsize=64)
def _scenery(background: int, camera: Camera) -> Float32[ndarray, "y x 3"]:
    picture: Float32[ndarray, "y x 3"] = paint_backdrop(background, camera)
    return picture


def stands(brief: Brief) -> tuple[Stand, ...]:
    """The stools: under every thing that starts above the ground and in nobody's hands."""
    held = {plot.object for plot in brief.plots if plot.kind.room.held}
    return tuple(
        Stand(m.x, m.ground, stand_half_width(m.kind), m.y - m.ground)
        for m in brief.members
        if m.family == "thing" and m.y > m.ground and m.id not in held
    )


def first_state(brief: Brief, member: Member) -> tuple[float, int]:
    """How far a thing is open (lit) in the first frame, and to which side it opens (or a jug pours)."""
    opened, side = 0.0, member.facing
    for plot in brief.plots:
        if plot.object == member.id:
            opened = float(plot.verb in _STARTS_ON)
            side = _side(brief, plot, member)
    return opened, side


def _side(brief: Brief, plot: Plot, member: Member) -> int:
    if plot.verb in _OPENING:
        return brief.heading(plot) * (1 if member.noun == "door" else -1)
    return brief.heading(plot) if plot.verb == "pour" else member.facing


def _grips(holder: Actor, thing: Thing, direction: int, verb: str) -> tuple[Path, Path]:
    """Where the hands are that hold a thing: at the middle of a jug one pours from, below it of all else."""
    if verb != "pour":
        return grips(holder, thing.base, thing, direction)
    return thing.chest.moved(-0.2 * direction * thing.half, 0.0), thing.chest.moved(0.35 * direction * thing.half, 0.0)


def _still_scene(brief: Brief) -> Scene:
    return Scene(brief.members, (), brief.width, brief.aspect, brief.background, wording=0)


def _first_poses(brief: Brief) -> dict[str, Pose]:
    return {member.id: _first_pose(brief, member) for member in brief.members}


def _first_pose(brief: Brief, member: Member) -> Pose:
    if member.family == "thing":
        opened, side = first_state(brief, member)
        return replace(Thing(member, 1).pose(), state=constant(opened), side=side)
    actor = _ACTORS[member.family](member, 1)
    for plot in brief.plots:
        if plot.subject == member.id and plot.object is not None and plot.kind.room.held:
            goals = _grips(actor, Thing(brief.member(plot.object), 1), brief.heading(plot), plot.verb)
            for hand, goal in zip(HANDS, goals, strict=True):
                actor.reach(goal, constant(1.0), hand)
    pose: Pose = actor.pose()
    return pose


@dataclass(frozen=True)
class Samples:
    """One thing at its place in several states, drawn on the empty stage; ``mask`` is what is its own."""

    frames: UInt8[ndarray, "n y x 3"]
    mask: Bool[ndarray, "n y x"]


@lru_cache(maxsize=256)
def samples_of(brief: Brief, size_hw: tuple[int, int], member_id: str, side: int, opened: tuple[float, ...]) -> Samples:
    """Draw a thing that opens to a side in each of these states (0 closed, dark, empty; 1 open, lit, full)."""
    member, stage = brief.member(member_id), empty_stage(brief, size_hw).astype(np.float32)
    canvas = Canvas(len(opened), Camera(size_hw, brief.width), stage)
    zero = np.zeros(len(opened), np.float32)
    pose = ThingPose(Path(zero + member.x, zero + member.y), zero, np.array(opened, np.float32), zero, zero, side)
    draw_light(canvas, member.noun, pose)
    draw_thing(canvas, member.noun, INSTANCE_COLOURS[member.colour], pose, 0)
    return Samples(canvas.pixels(), canvas.owner >= 0)
