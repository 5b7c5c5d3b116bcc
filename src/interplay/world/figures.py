"""How members of a scene look: a person of a head, a torso, two arms and legs; a ball, a box, a cup."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from interplay.world.canvas import Canvas
from interplay.world.palette import EYE, HAIR, INSTANCE_COLOURS, RGB, SKIN, TROUSERS, darker, lighter
from interplay.world.scene import THING_SIZE, Member
from interplay.world.staging import SHOULDER_X, SHOULDER_Y, PersonPose, ThingPose

Floats = NDArray[np.floating[Any]]

HIP_Y, HEAD_Y, HEAD_RADIUS = 0.15, 0.455, 0.095
TORSO_HALF, HAND_RADIUS, ARM_RADIUS, LEG_RADIUS = 0.095, 0.034, 0.03, 0.034
MAX_ARM = 0.30


def draw_person(canvas: Canvas, member: Member, pose: PersonPose, owner: int) -> None:
    """Paint a person over the whole clip; a man wears trousers, a woman a skirt of the shirt's colour and long hair."""
    colour = INSTANCE_COLOURS[member.colour]
    _draw_legs(canvas, pose, owner)
    woman = member.noun == "woman"
    ones = np.ones_like(pose.x)
    if woman:
        canvas.capsule(
            pose.x - pose.facing * 0.03, ones * HEAD_Y, pose.x - pose.facing * 0.06, ones * 0.34, 0.07, HAIR, owner
        )
        canvas.trapezoid(pose.x, ones * 0.07, 0.15, 0.08, 0.14, colour, owner)
    canvas.trapezoid(pose.x, ones * HIP_Y, TORSO_HALF, TORSO_HALF + 0.012, 0.225, colour, owner)
    canvas.circle(pose.x, ones * HEAD_Y, HEAD_RADIUS, SKIN, owner)
    canvas.capsule(pose.x - 0.05, ones * (HEAD_Y + 0.075), pose.x + 0.05, ones * (HEAD_Y + 0.075), 0.032, HAIR, owner)
    canvas.circle(pose.x + pose.facing * 0.05, ones * (HEAD_Y + 0.005), 0.02, EYE, owner)
    for side in (0, 1):
        _draw_arm(canvas, pose, side, darker(colour), owner)


def _draw_legs(canvas: Canvas, pose: PersonPose, owner: int) -> None:
    ones = np.ones_like(pose.x)
    for sign in (-1.0, 1.0):
        foot_x = pose.x + sign * (0.05 + pose.swing)
        front = sign * pose.facing > 0
        foot_x = foot_x + np.where(front, pose.facing * 0.11 * pose.kick, 0.0)
        foot_y = 0.03 + np.where(front, 0.05 * pose.kick, 0.0)
        canvas.capsule(
            pose.x + sign * 0.045, ones * HIP_Y, foot_x.astype(np.float32), foot_y.astype(np.float32), LEG_RADIUS,
            TROUSERS, owner,
        )  # fmt: skip


def _draw_arm(canvas: Canvas, pose: PersonPose, side: int, colour: RGB, owner: int) -> None:
    """One arm, straight from the shoulder to the hand; a hand out of reach is drawn at the arm's full length."""
    shoulder_x = pose.x + (2 * side - 1) * SHOULDER_X
    shoulder_y = np.full_like(pose.x, SHOULDER_Y)
    dx, dy = pose.hands[:, side, 0] - shoulder_x, pose.hands[:, side, 1] - shoulder_y
    shrink = np.minimum(1.0, MAX_ARM / np.maximum(np.hypot(dx, dy), 1e-6))
    hand_x, hand_y = shoulder_x + dx * shrink, shoulder_y + dy * shrink
    canvas.capsule(shoulder_x, shoulder_y, hand_x, hand_y, ARM_RADIUS, colour, owner)
    canvas.circle(hand_x, hand_y, HAND_RADIUS, SKIN, owner)


def draw_thing(canvas: Canvas, member: Member, pose: ThingPose, owner: int) -> None:
    """Paint a thing over the whole clip."""
    colour = INSTANCE_COLOURS[member.colour]
    half = THING_SIZE / 2
    if member.kind == "ball":
        canvas.circle(pose.x, pose.y + half, half, colour, owner)
        canvas.circle(pose.x - 0.03, pose.y + half + 0.03, 0.02, lighter(colour), owner)
    elif member.kind == "box":
        canvas.trapezoid(pose.x, pose.y, half, half, THING_SIZE, colour, owner)
        canvas.trapezoid(pose.x, pose.y + THING_SIZE * 0.78, half, half, THING_SIZE * 0.22, darker(colour), owner)
    else:
        canvas.trapezoid(pose.x, pose.y, half * 0.6, half, THING_SIZE, colour, owner)
        canvas.trapezoid(
            pose.x, pose.y + THING_SIZE * 0.84, half, half * 1.05, THING_SIZE * 0.16, lighter(colour), owner
        )
