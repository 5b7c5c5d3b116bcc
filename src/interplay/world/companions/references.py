"""Reference images: the person who acts and the product, each alone on a plain ground. Shapes: y x pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from interplay.world.canvas import Camera, Canvas
from interplay.world.figures.person import draw_body, draw_near_arm, look_of
from interplay.world.figures.things import draw_thing
from interplay.world.motion.person import standing
from interplay.world.motion.thing import Thing
from interplay.world.palette import INSTANCE_COLOURS, RGB
from interplay.world.scene import Member, Scene

_GROUND: RGB = (250, 250, 250)
# How much of the picture's height or width the figure fills.
_FILLS = 0.8


def person_image(scene: Scene, size_hw: tuple[int, int]) -> UInt8[ndarray, "y x 3"] | None:
    """The first person who takes part in an event; ``None`` when there is none."""
    person = _first(scene, "person")
    if person is None:
        return None
    canvas, member = _centred(person, size_hw)
    look, pose = look_of(member.noun, INSTANCE_COLOURS[member.colour]), standing(member)
    draw_body(canvas, look, pose, 0)
    draw_near_arm(canvas, look, pose, 0)
    return _picture(canvas)


def product_image(scene: Scene, size_hw: tuple[int, int]) -> UInt8[ndarray, "y x 3"] | None:
    """The first thing that takes part in an event; ``None`` when there is none."""
    thing = _first(scene, "thing")
    if thing is None:
        return None
    canvas, member = _centred(thing, size_hw)
    draw_thing(canvas, member.noun, INSTANCE_COLOURS[member.colour], Thing(member, 1).pose(), 0)
    return _picture(canvas)


def _picture(canvas: Canvas) -> UInt8[ndarray, "y x 3"]:
    picture: UInt8[ndarray, "y x 3"] = canvas.pixels()[0]
    return picture


def _first(scene: Scene, family: str) -> Member | None:
    members = (scene.member(member_id) for member_id in scene.participants)
    return next((member for member in members if member.family == family), None)


def _centred(member: Member, size_hw: tuple[int, int]) -> tuple[Canvas, Member]:
    """A plain picture into which the member fits, and the member in its middle."""
    aspect = size_hw[1] / size_hw[0]
    kind = member.kind
    width = max(2.3 * kind.half_width, kind.height * aspect) / _FILLS
    camera = Camera(size_hw, width)
    bottom = camera.height / 2 - camera.ground - kind.height / 2
    return Canvas(1, camera, _GROUND), replace(member, x=width / 2, y=float(np.float32(bottom)), facing=1, lane=0)
