"""Scenery: muted backdrops that nobody acts in, drawn once per clip, and the shadows on the ground.

Every backdrop is a sky or wall that fades upwards, a ground, and a few large soft shapes. Colours are muted: none is
near an instance's. Sizes follow the camera, so that every picture shape shows a whole place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from interplay.world.canvas import Camera, Canvas, Paint
from interplay.world.motion.curves import Curve, Path, still
from interplay.world.palette import RGB, SHADOW, WOOD, darker, lighter

# How far behind the actors' feet the ground ends.
HORIZON_Y = 0.11


@dataclass(frozen=True)
class Backdrop:
    """A place: colours of sky (or wall) at the top and at the horizon, of the ground, and what stands about."""

    name: str
    top: RGB
    low: RGB
    ground: RGB
    furnish: Callable[[Canvas], None]


def paint_backdrop(index: int, camera: Camera) -> Float32[ndarray, "y x 3"]:
    """The picture of a place without anybody in it, values 0 to 255."""
    place = BACKDROPS[index]
    canvas = Canvas(1, camera, _wall(place, camera))
    place.furnish(canvas)
    _ground(canvas, place)
    picture: Float32[ndarray, "y x 3"] = canvas.frames[0]
    return picture


def _wall(place: Backdrop, camera: Camera) -> Float32[ndarray, "y 1 3"]:
    """Fading from the colour at the top to that at the horizon."""
    share = (np.arange(camera.size_hw[0], dtype=np.float32) + 0.5) / np.float32(camera.size_hw[0])
    top, low = np.asarray(place.top, np.float32), np.asarray(place.low, np.float32)
    fade = np.minimum(share / np.float32(0.8), np.float32(1.0))[:, None]
    column: Float32[ndarray, "y 1 3"] = (top + (low - top) * fade)[:, None, :]
    return column


def _ground(canvas: Canvas, place: Backdrop) -> None:
    camera = canvas.camera
    depth = (HORIZON_Y + camera.ground) / 2
    middle = still(camera.width / 2, HORIZON_Y - depth)
    canvas.slab(middle, camera.width, camera.width, depth, Paint(place.ground))
    near = still(camera.width / 2, -camera.ground)
    canvas.oval(near, 0.9 * camera.width, 0.75 * camera.ground, Paint(lighter(place.ground, 0.18), softness=0.16))


def draw_shadow(canvas: Canvas, x: Curve, ground_y: Curve, lift: Curve, half_width: float) -> None:
    """The soft shadow of something at ``x`` over the ground; it fades and widens as that is lifted."""
    fading = 0.34 / (1.0 + 7.0 * np.maximum(lift, np.float32(0.0)))
    wide = half_width * (1.0 + 0.8 * np.maximum(lift, np.float32(0.0)))
    paint = Paint(SHADOW, None, opacity=fading.astype(np.float32), softness=0.03)
    canvas.oval(Path(x, ground_y), wide.astype(np.float32), 0.026, paint)


def draw_stand(canvas: Canvas, x: float, y: float, half: float, height: float) -> None:
    """The wooden stool that a small thing starts on; it belongs to nobody."""
    wood, shade = Paint(WOOD), Paint(darker(WOOD))
    for side in (-1.0, 1.0):
        foot = still(x + side * 0.85 * half, y + 0.01)
        canvas.limb(still(x + side * 0.6 * half, y + height - 0.02), foot, 0.012, shade)
    canvas.slab(still(x, y + height - 0.014), half, half, 0.014, wood, round_by=0.004)


# --- places ---------------------------------------------------------------------------------------------------------


def _window_and_picture(canvas: Canvas) -> None:
    width = canvas.camera.width
    frame, pane = Paint((222, 214, 202)), Paint((214, 228, 236))
    left = still(0.24 * width, 0.62)
    canvas.slab(left, 0.17, 0.17, 0.17, frame, round_by=0.01)
    canvas.slab(left, 0.15, 0.15, 0.15, pane)
    canvas.slab(left, 0.008, 0.008, 0.15, frame)
    canvas.slab(left, 0.15, 0.15, 0.008, frame)
    picture = still(0.74 * width, 0.66)
    canvas.slab(picture, 0.12, 0.12, 0.09, Paint((206, 194, 178)), round_by=0.006)
    canvas.slab(picture, 0.1, 0.1, 0.07, Paint((230, 226, 214)))
    canvas.oval(picture.moved(0.0, -0.07), 0.09, 0.05, Paint((196, 202, 188)))
    canvas.slab(still(width / 2, HORIZON_Y + 0.014), width, width, 0.016, Paint((206, 196, 182)))


def _hills(canvas: Canvas) -> None:
    width = canvas.camera.width
    canvas.disc(still(0.82 * width, 0.76), 0.08, Paint((246, 238, 218), softness=0.05))
    for x, y, wide in ((0.2, 0.78, 0.12), (0.29, 0.8, 0.09), (0.56, 0.7, 0.1)):
        canvas.oval(still(x * width, y), wide, 0.035, Paint((240, 243, 244), softness=0.05))
    canvas.oval(still(0.25 * width, HORIZON_Y - 0.02), 0.5 * width, 0.17, Paint((190, 203, 196)))
    canvas.oval(still(0.82 * width, HORIZON_Y - 0.02), 0.46 * width, 0.12, Paint((178, 194, 184)))


def _city(canvas: Canvas) -> None:
    width = canvas.camera.width
    towers = (
        (0.04, 0.40),
        (0.15, 0.28),
        (0.27, 0.48),
        (0.41, 0.33),
        (0.55, 0.42),
        (0.68, 0.26),
        (0.8, 0.46),
        (0.95, 0.34),
    )
    for number, (x, high) in enumerate(towers):
        colour = (208, 204, 210) if number % 2 else (198, 196, 204)
        half, middle = 0.062 * width, HORIZON_Y + high / 2
        canvas.slab(still(x * width, middle), half, half, high / 2, Paint(colour))
        for row in range(int(high / 0.1)):
            for column in (-0.5, 0.4):
                spot = still(x * width + column * half, HORIZON_Y + 0.06 + 0.1 * row)
                canvas.slab(spot, 0.2 * half, 0.2 * half, 0.02, Paint((226, 222, 220)))


def _shore(canvas: Canvas) -> None:
    width = canvas.camera.width
    sea = 0.09
    canvas.slab(still(width / 2, HORIZON_Y + sea / 2), width, width, sea / 2 + 0.01, Paint((178, 198, 208)))
    for x, y, half in ((0.2, 0.05, 0.1), (0.6, 0.065, 0.07), (0.86, 0.035, 0.09)):
        canvas.slab(still(x * width, HORIZON_Y + y), half, half, 0.004, Paint((206, 220, 226)))
    canvas.disc(still(0.3 * width, 0.62), 0.09, Paint((248, 230, 210), softness=0.06))
    canvas.oval(still(0.7 * width, 0.74), 0.16, 0.03, Paint((244, 238, 232), softness=0.05))


def _park(canvas: Canvas) -> None:
    width = canvas.camera.width
    for x, size in ((0.1, 0.2), (0.36, 0.15), (0.66, 0.18), (0.93, 0.22)):
        crown = still(x * width, HORIZON_Y + 0.16 + size)
        canvas.limb(still(x * width, HORIZON_Y), crown, 0.018, Paint((176, 160, 148)))
        for dx, dy, share in ((-0.55, -0.15, 0.62), (0.55, -0.1, 0.66), (0.0, 0.3, 0.8)):
            canvas.disc(crown.moved(dx * size, dy * size), share * size, Paint((188, 202, 184), softness=0.02))
    canvas.slab(still(width / 2, HORIZON_Y), width, width, 0.03, Paint((180, 192, 172)))


def _kitchen(canvas: Canvas) -> None:
    width = canvas.camera.width
    tile = Paint((228, 222, 216))
    for column in range(1, 9):
        canvas.slab(still(width * column / 9, 0.6), 0.004, 0.004, 0.24, tile)
    for row in range(4):
        canvas.slab(still(width / 2, 0.4 + 0.13 * row), width, width, 0.004, tile)
    canvas.slab(still(width / 2, HORIZON_Y + 0.13), width, width, 0.13, Paint((204, 198, 194)))
    canvas.slab(still(width / 2, HORIZON_Y + 0.27), width, width, 0.016, Paint((184, 174, 166)))
    for column in range(1, 6):
        canvas.slab(
            still(width * column / 6, HORIZON_Y + 0.13), 0.004, 0.004, 0.12, Paint(darker((204, 198, 194), 0.9))
        )


BACKDROPS: tuple[Backdrop, ...] = (
    Backdrop("room", (236, 228, 216), (228, 218, 206), (186, 170, 152), _window_and_picture),
    Backdrop("hills", (206, 220, 232), (236, 236, 230), (166, 178, 156), _hills),
    Backdrop("city", (222, 220, 230), (238, 230, 224), (168, 164, 166), _city),
    Backdrop("shore", (224, 226, 234), (246, 232, 218), (214, 200, 174), _shore),
    Backdrop("park", (222, 232, 232), (238, 240, 230), (172, 184, 158), _park),
    Backdrop("kitchen", (238, 234, 228), (238, 232, 226), (190, 182, 178), _kitchen),
)
