"""The robot arm: a metal foot, a column and two bones in its colour, a gripper with two fingers.

Shapes: p frames, or 1.
"""

from __future__ import annotations

from interplay.world.canvas import Canvas, Paint
from interplay.world.motion.curves import Path
from interplay.world.motion.robot import RobotPose
from interplay.world.palette import METAL, RGB, darker, lighter


def draw_robot(canvas: Canvas, colour: RGB, pose: RobotPose, owner: int) -> None:
    """Paint a robot arm over the whole clip."""
    metal, joint = Paint(darker(METAL, 0.7), owner), Paint(lighter(METAL, 0.2), owner)
    foot = pose.base.moved(0.0, 0.025)
    canvas.slab(foot, 0.09, 0.075, 0.025, metal, round_by=0.006)
    canvas.slab(pose.base.moved(0.0, 0.11), 0.058, 0.042, 0.07, Paint(darker(colour), owner), round_by=0.008)
    arm = pose.arm
    canvas.limb(arm.root, arm.joint, 0.042, Paint(colour, owner), 0.034)
    canvas.disc(arm.root, 0.03, joint)
    canvas.limb(arm.joint, arm.joint.toward(arm.tip, 0.84), 0.033, Paint(darker(colour, 0.88), owner), 0.024)
    canvas.disc(arm.joint, 0.025, joint)
    _gripper(canvas, arm.joint, arm.tip, metal)


def _gripper(canvas: Canvas, elbow: Path, tip: Path, metal: Paint) -> None:
    """Two fingers around the tip, in the direction of the forearm."""
    wrist = elbow.toward(tip, 0.86)
    ux, uy = (tip.x - wrist.x), (tip.y - wrist.y)
    canvas.disc(wrist, 0.028, metal)
    for side in (-1.0, 1.0):
        knuckle = wrist.moved(-0.85 * side * uy, 0.85 * side * ux)
        canvas.limb(wrist, knuckle, 0.012, metal)
        canvas.limb(knuckle, knuckle.moved(1.25 * ux, 1.25 * uy), 0.012, metal, 0.009)
