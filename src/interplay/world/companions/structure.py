"""Structure videos: the bodies of those who act, untextured and beige, and the product's own pixels, on black.

``records.structure`` reads them back: chromaticity tells body from product, and shading changes brightness alone.
Shapes: p pixel frames, y x rows and columns.
"""

from __future__ import annotations

from jaxtyping import UInt8
from numpy import ndarray

from interplay.world.canvas import Camera, Canvas
from interplay.world.figures.person import Look, look_of
from interplay.world.palette import RGB, darker
from interplay.world.render import draw_members
from interplay.world.scene import Scene
from interplay.world.staging import Motion

# Chromaticity (r, b) = (0.366, 0.295): in the middle of the tones of body meshes (see ``records.structure.tracks``).
BODY: RGB = (208, 193, 168)
_BLACK: RGB = (0, 0, 0)


def structure_frames(scene: Scene, motion: Motion, size_hw: tuple[int, int]) -> UInt8[ndarray, "p y x 3"]:
    """The persons and things that take part in the scene's events; nobody else, no scenery and no shadows."""
    canvas = Canvas(motion.num_frames, Camera(size_hw, scene.width), _BLACK)
    busy = [scene.member(member_id) for member_id in scene.participants]
    looks = {m.id: _body(m.noun) for m in busy if m.family == "person"}
    poses = {m.id: motion.poses[m.id] for m in busy if m.family in ("person", "thing")}
    draw_members(canvas, scene, poses, looks)
    return canvas.pixels()


def _body(noun: str) -> Look:
    """A body of one tone, whose parts differ in brightness alone."""
    own = look_of(noun, BODY)
    return Look(
        clothes=BODY, skin=darker(BODY, 0.94), hair=darker(BODY, 0.94), trousers=darker(BODY, 0.84),
        shoes=darker(BODY, 0.74), dress=own.dress, child=own.child, face=False,
    )  # fmt: skip
