"""Pose videos: the joints of all persons as coloured lines and dots on black. Shapes: p pixel frames, y x pixels."""

from __future__ import annotations

from collections.abc import Iterator

from jaxtyping import UInt8
from numpy import ndarray

from interplay.world.canvas import Camera, Canvas, Paint
from interplay.world.motion.curves import Path
from interplay.world.motion.person import PersonPose
from interplay.world.palette import RGB
from interplay.world.scene import Scene
from interplay.world.staging import Motion

# One colour a bone, going around the colour circle from the neck over the arms to the legs, as skeletons usually do.
_HEAD: RGB = (170, 0, 255)
_NECK: RGB = (255, 0, 0)
_BONES: tuple[tuple[str, RGB, RGB], ...] = (
    ("far_arm", (120, 255, 0), (0, 255, 60)),
    ("far_leg", (0, 110, 255), (60, 0, 255)),
    ("near_leg", (0, 255, 160), (0, 220, 255)),
    ("near_arm", (255, 130, 0), (255, 225, 0)),
)
_LINE, _JOINT = 0.010, 0.013


def pose_frames(scene: Scene, motion: Motion, size_hw: tuple[int, int]) -> UInt8[ndarray, "p y x 3"]:
    """The skeletons of all persons; black where a scene has none."""
    canvas = Canvas(motion.num_frames, Camera(size_hw, scene.width), (0, 0, 0))
    for member in sorted(scene.members, key=lambda m: -m.lane):
        pose = motion.poses[member.id]
        if isinstance(pose, PersonPose):
            for start, end, colour in _lines(pose):
                canvas.limb(start, end, _LINE, Paint(colour))
                canvas.disc(end, _JOINT, Paint(colour))
    return canvas.pixels()


def _lines(pose: PersonPose) -> Iterator[tuple[Path, Path, RGB]]:
    """Bones as (from, to, colour), from the back to the front."""
    yield pose.hips, pose.chest, _NECK
    yield pose.chest, pose.head, _HEAD
    limbs = {"far_arm": pose.far_arm, "far_leg": pose.far_leg, "near_leg": pose.near_leg, "near_arm": pose.near_arm}
    for name, upper, lower in _BONES:
        limb = limbs[name]
        yield (pose.chest if name.endswith("arm") else pose.hips), limb.root, upper
        yield limb.root, limb.joint, upper
        yield limb.joint, limb.tip, lower
