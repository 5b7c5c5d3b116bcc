"""Pose videos in CoInteract's style: skeletons of all persons on black, with fingers and dots for the face.

Lines, colours and order are those of the drawing that DWPose made common (``draw_bodypose``, ``draw_handpose`` and
``draw_facepose``), which the released clips show: bones thin out to both ends and have 0.6 of their joints' brightness,
the neck leads to either hip, fingers go around the colour circle with blue joints, faces are white dots. A bone's
colour says whether it is of the right or the left; who turns around has the near arm, which is the right one of who
faces right, become the left one. Shapes: p pixel frames, y x pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from colorsys import hsv_to_rgb

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from interplay.world.canvas import Camera, Canvas, Paint
from interplay.world.companions.landmarks import body, bones, face, fingers
from interplay.world.motion.curves import Curve, Path
from interplay.world.motion.person import PersonPose
from interplay.world.palette import RGB, darker
from interplay.world.scene import Scene
from interplay.world.staging import Motion

# Around the colour circle in steps of 20 degrees, as 8-bit values of that drawing.
_COLOURS: tuple[RGB, ...] = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85),
    (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255),
    (255, 0, 170), (255, 0, 85),
)  # fmt: skip
# Bones as (from, to), and joints, each with the number of its colour on the right and on the left.
_BONES: tuple[tuple[str, str, int, int], ...] = (
    ("neck", "shoulder", 0, 1), ("shoulder", "elbow", 2, 4), ("elbow", "wrist", 3, 5),
    ("neck", "hip", 6, 9), ("hip", "knee", 7, 10), ("knee", "ankle", 8, 11),
    ("neck", "nose", 12, 12), ("nose", "eye", 13, 15), ("eye", "ear", 14, 16),
)  # fmt: skip
_JOINTS: tuple[tuple[str, int, int], ...] = (
    ("nose", 0, 0), ("neck", 1, 1), ("shoulder", 2, 5), ("elbow", 3, 6), ("wrist", 4, 7),
    ("hip", 8, 11), ("knee", 9, 12), ("ankle", 10, 13), ("eye", 14, 15), ("ear", 16, 17),
)  # fmt: skip
_SINGLE = ("nose", "neck")
_DIM, _FINGER_JOINT, _WHITE = 0.6, (0, 0, 255), (255, 255, 255)
_NUM_FINGER_BONES = 20
# Radii in stage units: a bone in its middle and at its ends, joints (3 to 4 pixels of 480 rows, as in that drawing),
# and what belongs to hands and faces, which is drawn as finely as our hands and faces are small.
_LINE, _END, _JOINT = 0.0075, 0.0035, 0.0075
_FINGER_LINE, _FINGER_DOT, _FACE_DOT = 0.0022, 0.0028, 0.003


def pose_frames(scene: Scene, motion: Motion, size_hw: tuple[int, int]) -> UInt8[ndarray, "p y x 3"]:
    """The skeletons of all persons; black where a scene has none."""
    canvas = Canvas(motion.num_frames, Camera(size_hw, scene.width), (0, 0, 0))
    for member in sorted(scene.members, key=lambda m: -m.lane):
        pose = motion.poses[member.id]
        if isinstance(pose, PersonPose):
            _draw_body(canvas, pose)
            _draw_hands(canvas, pose)
            for point in face(pose):
                canvas.disc(point, _FACE_DOT, Paint(_WHITE))
    return canvas.pixels()


def _draw_body(canvas: Canvas, pose: PersonPose) -> None:
    points = body(pose)
    for start, end, right, left in _BONES:
        for side, paint in _paints(pose, darker(_COLOURS[right], _DIM), darker(_COLOURS[left], _DIM)):
            if side == "near" or end not in _SINGLE:
                _bone(canvas, points[_named(start, side)], points[_named(end, side)], paint)
    for joint, right, left in _JOINTS:
        for side, paint in _paints(pose, _COLOURS[right], _COLOURS[left]):
            if side == "near" or joint not in _SINGLE:
                canvas.disc(points[_named(joint, side)], _JOINT, paint)


def _named(point: str, side: str) -> str:
    return point if point in _SINGLE else f"{side}_{point}"


def _paints(pose: PersonPose, right: RGB, left: RGB) -> Iterator[tuple[str, Paint]]:
    """The far and the near side with their paints: in every frame one is the right one, and the other the left one."""
    faces_right: Curve = (pose.facing >= 0.0).astype(np.float32)
    for side, share in (("far", 1.0 - faces_right), ("near", faces_right)):
        for colour, opacity in ((right, share), (left, 1.0 - share)):
            if opacity.any():
                yield side, Paint(colour, opacity=1.0 if opacity.all() else opacity)


def _bone(canvas: Canvas, start: Path, end: Path, paint: Paint) -> None:
    middle = start.toward(end, 0.5)
    canvas.limb(middle, start, _LINE, paint, _END)
    canvas.limb(middle, end, _LINE, paint, _END)


def _draw_hands(canvas: Canvas, pose: PersonPose) -> None:
    for side in ("far", "near"):
        hand = list(fingers(pose, side))
        lines = (bone for finger in hand for bone in bones(finger))
        for number, (start, end) in enumerate(lines):
            canvas.limb(start, end, _FINGER_LINE, Paint(_of_circle(number)))
        for point in (hand[0][0], *(point for finger in hand for point in finger[1:])):
            canvas.disc(point, _FINGER_DOT, Paint(_FINGER_JOINT))


def _of_circle(number: int) -> RGB:
    """The colour of a finger's bone: around the colour circle in so many steps."""
    r, g, b = (int(255 * channel) for channel in hsv_to_rgb(number / _NUM_FINGER_BONES, 1.0, 1.0))
    return r, g, b
