"""The points of a person that a pose video shows: 18 of the body, 21 of each hand, 68 of the face.

Their number and order are those of the estimators behind such videos: the body of COCO with a neck (OpenPose), hands of
21 points, faces of 68 (iBUG). A figure of the world has joints, a round hand, two eyes and a mouth; knuckles, brows,
nose and jaw are put where they would be on it. Shapes: p pixel frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

import numpy as np

from interplay.world.figures.person import HAND
from interplay.world.motion.curves import Curve, Path, constant, cosine, length, sine
from interplay.world.motion.limbs import Limb
from interplay.world.motion.person import PersonPose

Side = Literal["near", "far"]
Point = tuple[float, float]

# In parts of a hand's radius, from its middle: along the forearm, and to the side of the thumb. One finger a row, from
# the knuckle to the tip, all within the round hand.
_WRIST: Point = (-0.9, 0.0)
_FINGERS: tuple[tuple[Point, ...], ...] = (
    ((-0.5, 0.38), (-0.15, 0.64), (0.15, 0.78), (0.42, 0.84)),
    ((0.15, 0.38), (0.45, 0.45), (0.70, 0.47), (0.90, 0.40)),
    ((0.20, 0.12), (0.52, 0.14), (0.80, 0.14), (0.99, 0.12)),
    ((0.17, -0.14), (0.48, -0.20), (0.74, -0.24), (0.93, -0.28)),
    ((0.08, -0.40), (0.32, -0.52), (0.54, -0.60), (0.72, -0.66)),
)
_INDEX = 1
# The joints of a finger that points, along the forearm: its tip is where the figure's finger ends.
_POINTING = (0.35, 0.85, 1.30, 1.76)

# In parts of the head's radius, from its middle: ahead (to where the face looks), and up.
_NEAR_EYE, _FAR_EYE, _NOSE = (0.10, 0.02), (0.64, 0.02), (0.39, -0.17)
_NEAR_EAR, _FAR_EAR = (-0.42, 0.0), (0.93, 0.0)
_EYE_RADII, _BROW = (0.17, 0.21), 0.30
_JAW, _JAW_RADII = (0.26, 0.0), (0.68, 0.93)
_MOUTH = (0.38, -0.46)
# Radii of the lips' outer and inner edge, how far a mouth that is open opens them, and of how many points they are.
_LIPS = ((0.26, 0.13, 0.20, 12), (0.16, 0.05, 0.18, 8))


def body(pose: PersonPose) -> dict[str, Path]:
    """The 18 points of a body by name; of what there is two of, ``near_...`` and ``far_...``."""
    points = {"nose": _of_face(pose, _NOSE), "neck": pose.chest}
    arms, legs = (pose.near_arm, pose.far_arm), (pose.near_leg, pose.far_leg)
    eyes, ears = (_NEAR_EYE, _FAR_EYE), (_NEAR_EAR, _FAR_EAR)
    for side, arm, leg, eye, ear in zip(("near", "far"), arms, legs, eyes, ears, strict=True):
        points |= {f"{side}_eye": _of_face(pose, eye), f"{side}_ear": _of_face(pose, ear)}
        points |= {f"{side}_shoulder": arm.root, f"{side}_elbow": arm.joint, f"{side}_wrist": _wrist(pose, arm)}
        points |= {f"{side}_hip": leg.root, f"{side}_knee": leg.joint, f"{side}_ankle": leg.tip}
    return points


def fingers(pose: PersonPose, side: Side) -> Iterator[tuple[Path, ...]]:
    """The 21 points of a hand, finger by finger from the thumb on: each from the wrist, which they share, on."""
    arm = pose.near_arm if side == "near" else pose.far_arm
    points = pose.pointing if side == "near" else np.zeros(1, np.float32)
    wrist = _wrist(pose, arm)
    for number, joints in enumerate(_FINGERS):
        if number != _INDEX:
            yield wrist, *(_of_hand(pose, arm, constant(along), aside) for along, aside in joints)
            continue
        reach = (constant(joint[0]) + points * (end - joint[0]) for joint, end in zip(joints, _POINTING, strict=True))
        curled = (joint[1] * (1.0 - points) for joint in joints)
        yield wrist, *(_of_hand(pose, arm, along, aside) for along, aside in zip(reach, curled, strict=True))


def face(pose: PersonPose) -> Iterator[Path]:
    """The 68 points of a face: jaw, brows, nose, eyes, mouth."""
    for ahead, up in _jaw():
        yield _of_face(pose, (ahead, up))
    for x, y in (_NEAR_EYE, _FAR_EYE):
        for step in range(-2, 3):
            yield _of_face(pose, (x + 0.11 * step, y + _BROW + 0.02 * (4 - step * step)))
    for step in range(4):
        yield _of_face(pose, (_NOSE[0], 0.02 + (_NOSE[1] - 0.02) * step / 3))
    for step in range(-2, 3):
        yield _of_face(pose, (_NOSE[0] + 0.06 * step, _NOSE[1] - 0.08 - 0.01 * (4 - step * step)))
    for x, y in (_NEAR_EYE, _FAR_EYE):
        for across, up in _circle(6):
            yield _of_face(pose, (x + _EYE_RADII[0] * across, y + _EYE_RADII[1] * up))
    for wide, shut, opens, number in _LIPS:
        for across, up in _circle(number):
            yield _of_face(pose, (_MOUTH[0] + wide * across, _MOUTH[1]), up * (shut + opens * pose.mouth))


def _of_face(pose: PersonPose, point: Point, above: Curve | float = 0.0) -> Path:
    r = pose.head_radius
    return pose.head.moved(point[0] * r * pose.facing, r * (point[1] + above))


def _wrist(pose: PersonPose, arm: Limb) -> Path:
    return _of_hand(pose, arm, constant(_WRIST[0]), _WRIST[1])


def _of_hand(pose: PersonPose, arm: Limb, along: Curve, aside: Curve | float) -> Path:
    """A point of a hand; the thumb is up where a forearm is stretched ahead."""
    dx, dy = arm.tip.x - arm.joint.x, arm.tip.y - arm.joint.y
    unit = HAND * pose.scale / np.maximum(length(dx, dy), np.float32(1e-4))
    across = aside * pose.facing
    return arm.tip.moved(unit * (dx * along - dy * across), unit * (dy * along + dx * across))


def _circle(number: int) -> list[Point]:
    """So many points of the unit circle."""
    turns = np.arange(number, dtype=np.float32) / np.float32(number)
    return list(zip(cosine(turns).tolist(), sine(turns).tolist(), strict=True))


def _jaw() -> list[Point]:
    """17 points from ear to ear, around the chin."""
    turns = np.float32(0.5) + np.arange(17, dtype=np.float32) / np.float32(32)
    across, up = cosine(turns).tolist(), sine(turns).tolist()
    return [(_JAW[0] + _JAW_RADII[0] * x, _JAW[1] + _JAW_RADII[1] * y) for x, y in zip(across, up, strict=True)]


def bones(finger: tuple[Path, ...]) -> Iterator[tuple[Path, Path]]:
    """A finger's four bones, from the wrist on."""
    yield from pairwise(finger)
