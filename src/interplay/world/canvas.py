"""A resolution-independent canvas: antialiased shapes painted on all frames of a clip at once.

Every shape is a signed distance function evaluated at pixel centres; coverage is 0.5 - distance in pixels, clipped to
[0, 1]. A shape is evaluated on a window just large enough for it, which travels with it from frame to frame: most of
a picture is background, and a walking hand is a few pixels. Arithmetic is float32 and elementwise, so that every
machine paints the same bytes.

Shape legend: ``p`` frames (a shape that does not change has curves of one element, painted once and on all frames),
``y x`` pixel rows and columns. Stage coordinates: units, ``y`` upwards from the line on which the actors stand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int16, Int32, UInt8
from numpy import ndarray

from interplay.world.motion.curves import Curve, Path
from interplay.world.palette import RGB

Field = Float32[ndarray, "p y x"]
Distance = Callable[[Any, Any], Any]

# Where nothing of a member is seen.
NOBODY = -1
# Share of a square picture's height that lies below the actors' feet; narrow pictures show more ground, not only sky.
_GROUND, _MORE_GROUND = 0.12, 0.30


@dataclass(frozen=True)
class Camera:
    """Fits ``width`` stage units into a picture of ``size_hw`` pixels."""

    size_hw: tuple[int, int]
    width: float

    @property
    def scale(self) -> float:
        """Pixels per stage unit."""
        return self.size_hw[1] / self.width

    @property
    def height(self) -> float:
        """Stage units from the picture's bottom to its top."""
        return self.size_hw[0] / self.scale

    @property
    def ground(self) -> float:
        """Stage units from the picture's bottom to the line on which the actors stand."""
        return _GROUND + _MORE_GROUND * max(0.0, self.height - 1.0)


@dataclass(frozen=True)
class Paint:
    """How a shape is filled: a colour, the number of its owner (``None`` leaves the owner), opacity and soft edge.

    ``softness`` is the width of the edge in stage units; 0 is one pixel.
    """

    colour: RGB
    owner: int | None = None
    opacity: Curve | float = 1.0
    softness: float = 0.0


class _Window(NamedTuple):
    """A window per frame: pixel centres in stage units, and where its pixels lie in the flat picture."""

    px: Float32[ndarray, "p 1 x"]
    py: Float32[ndarray, "p y 1"]
    index: Any


class Canvas:
    """Frames being painted, and for every pixel the number of its owner (the last one that covers more than half)."""

    def __init__(self, num_frames: int, camera: Camera, backdrop: Float32[ndarray, "y x 3"] | RGB) -> None:
        self.camera = camera
        self.num_frames = num_frames
        height, width = camera.size_hw
        self.frames: Float32[ndarray, "p y x 3"] = np.empty((num_frames, height, width, 3), np.float32)
        self.frames[:] = np.asarray(backdrop, np.float32)
        # Pixel centres in stage units, and the number of the first pixel of every frame.
        self._floor = camera.height - camera.ground
        scale = np.float32(camera.scale)
        self._px = (np.arange(width, dtype=np.float32) + 0.5) / scale
        self._py = np.float32(self._floor) - (np.arange(height, dtype=np.float32) + 0.5) / scale
        self._first = np.arange(num_frames, dtype=np.int32) * np.int32(height * width)
        self.owner: Int16[ndarray, "p y x"] = np.full((num_frames, height, width), NOBODY, np.int16)

    # --- shapes ---

    def disc(self, centre: Path, radius: float, paint: Paint) -> None:
        """A disc."""
        cx, cy = _field(centre.x), _field(centre.y)

        def distance(px: Any, py: Any) -> Any:
            dx, dy = px - cx, py - cy
            return np.sqrt(dx * dx + dy * dy) - np.float32(radius)

        self._paint((centre.x - radius, centre.y - radius, centre.x + radius, centre.y + radius), distance, paint)

    def oval(self, centre: Path, radius_x: Curve | float, radius_y: Curve | float, paint: Paint) -> None:
        """An upright ellipse; its distance is exact at the border to first order."""
        cx, cy = _field(centre.x), _field(centre.y)
        rx, ry = _field(radius_x), _field(radius_y)
        least = np.minimum(rx, ry)

        def distance(px: Any, py: Any) -> Any:
            dx, dy = (px - cx) / rx, (py - cy) / ry
            return (np.sqrt(dx * dx + dy * dy) - 1.0) * least

        # The distance is exact along the shorter axis only, so a soft edge spreads farther along the longer one.
        spread = 1.0 + 0.5 * paint.softness / np.min(least)
        wide, tall = radius_x * spread, radius_y * spread
        self._paint((centre.x - wide, centre.y - tall, centre.x + wide, centre.y + tall), distance, paint)

    def limb(self, start: Path, end: Path, radius: float, paint: Paint, end_radius: float | None = None) -> None:
        """A thick line with round ends, which may taper from ``radius`` to ``end_radius``."""
        tip = radius if end_radius is None else end_radius
        sx, sy = _field(start.x), _field(start.y)
        dx, dy = _field(end.x) - sx, _field(end.y) - sy
        squared = np.maximum(dx * dx + dy * dy, np.float32(1e-9))

        def distance(px: Any, py: Any) -> Any:
            rx, ry = px - sx, py - sy
            along = _unit((rx * dx + ry * dy) / squared)
            rx, ry = rx - along * dx, ry - along * dy
            thick = np.float32(radius) if tip == radius else np.float32(radius) + along * np.float32(tip - radius)
            return np.sqrt(rx * rx + ry * ry) - thick

        wide = max(radius, tip)
        low = np.minimum(start.x, end.x) - wide, np.minimum(start.y, end.y) - wide
        self._paint((*low, np.maximum(start.x, end.x) + wide, np.maximum(start.y, end.y) + wide), distance, paint)

    def slab(
        self,
        centre: Path,
        half_bottom: Curve | float,
        half_top: Curve | float,
        half_height: Curve | float,
        paint: Paint,
        *,
        turn: tuple[Curve, Curve] | None = None,
        round_by: float = 0.0,
    ) -> None:
        """A trapezoid about its centre, turned by (cosine, sine) and with corners rounded by a radius."""
        cx, cy = _field(centre.x), _field(centre.y)
        bottom, top, high = (_field(v) - np.float32(round_by) for v in (half_bottom, half_top, half_height))
        middle, slope = (bottom + top) / 2, (top - bottom) / np.maximum(2 * high, np.float32(1e-6))
        across = np.sqrt(1.0 + slope * slope)

        def distance(px: Any, py: Any) -> Any:
            u, v = px - cx, py - cy
            if turn is not None:
                cos, sin = _field(turn[0]), _field(turn[1])
                u, v = u * cos + v * sin, v * cos - u * sin
            side = (np.abs(u) - (middle + slope * v)) / across
            cap = np.abs(v) - high
            if round_by == 0.0:
                return np.maximum(side, cap)
            out_u, out_v = np.maximum(side, np.float32(0.0)), np.maximum(cap, np.float32(0.0))
            inside = np.minimum(np.maximum(side, cap), np.float32(0.0))
            return np.sqrt(out_u * out_u + out_v * out_v) + inside - np.float32(round_by)

        # float32 first: the larger of two Python numbers would be a float64 and widen all that follows.
        wide = np.maximum(np.asarray(half_bottom, np.float32), np.asarray(half_top, np.float32))
        tall = np.asarray(half_height, np.float32)
        if turn is not None:
            cos, sin = np.abs(turn[0]), np.abs(turn[1])
            wide, tall = wide * cos + tall * sin, wide * sin + tall * cos
        self._paint((centre.x - wide, centre.y - tall, centre.x + wide, centre.y + tall), distance, paint)

    # --- painting ---

    def _paint(self, bounds: tuple[Any, Any, Any, Any], distance: Distance, paint: Paint) -> None:
        window = self._window(*bounds)
        if window is None:
            return
        scale = np.float32(self.camera.scale)
        sharp = scale if paint.softness == 0.0 else np.float32(min(1.0 / paint.softness, self.camera.scale))
        cover = _unit(np.float32(0.5) - distance(window.px, window.py) * sharp)
        if not (isinstance(paint.opacity, float) and paint.opacity == 1.0):
            cover = cover * _field(paint.opacity)
        colour = np.asarray(paint.colour, np.float32)
        if isinstance(window.index, tuple):
            self._blend_still(window.index, cover, colour, paint.owner)
        else:
            self._blend_moving(window.index, cover, colour, paint.owner)

    def _blend_still(self, index: Any, cover: Any, colour: Any, owner: int | None) -> None:
        patch = self.frames[:, index[0], index[1]]
        patch += cover[..., None] * (colour - patch)
        if owner is not None:
            owners = self.owner[:, index[0], index[1]]
            np.copyto(owners, np.int16(owner), where=cover > 0.5)

    def _blend_moving(self, index: Any, cover: Any, colour: Any, owner: int | None) -> None:
        flat = self.frames.reshape(-1, 3)
        touched = cover > 0.0
        if index.shape != cover.shape:
            index = np.broadcast_to(index, cover.shape)
        where, share = index[touched], cover[touched]
        old = flat[where]
        flat[where] = old + share[:, None] * (colour - old)
        if owner is not None:
            self.owner.reshape(-1)[where[share > 0.5]] = owner

    def _window(self, low_x: Any, low_y: Any, high_x: Any, high_y: Any) -> _Window | None:
        """The window of a shape with these bounds; ``None`` when it is off the picture throughout."""
        (height, width), scale, floor = self.camera.size_hw, self.camera.scale, self._floor
        left, right = low_x * scale, high_x * scale
        top, bottom = (floor - high_y) * scale, (floor - low_y) * scale
        if left.size == right.size == top.size == bottom.size == 1:
            columns = slice(max(int(left.item()) - 1, 0), min(int(right.item()) + 2, width))
            rows = slice(max(int(top.item()) - 1, 0), min(int(bottom.item()) + 2, height))
            seen = columns.start < columns.stop and rows.start < rows.stop
            return _Window(self._px[None, None, columns], self._py[None, rows, None], (rows, columns)) if seen else None
        if right.max() < 0 or bottom.max() < 0 or left.min() > width or top.min() > height:
            return None
        across, down = _travelling(left, right, width), _travelling(top, bottom, height)
        index = self._first[:, None, None] + (down[:, :, None] * np.int32(width) + across[:, None, :])
        return _Window(self._px[across][:, None, :], self._py[down][:, :, None], index)

    def pixels(self) -> UInt8[ndarray, "p y x 3"]:
        """The frames as 8-bit RGB."""
        frames: UInt8[ndarray, "p y x 3"] = np.rint(self.frames).clip(0, 255).astype(np.uint8)
        return frames


def _travelling(low: Curve, high: Curve, size: int) -> Int32[ndarray, "p n"]:
    """The pixels along one axis of a window that travels: as many in every frame, all inside the picture."""
    extent = min(int((high - low).max()) + 4, size)
    first = np.minimum(np.maximum(low.astype(np.int32) - 1, 0), size - extent)
    pixels: Int32[ndarray, "p n"] = first[:, None] + np.arange(extent, dtype=np.int32)
    return pixels


def _unit(values: Any) -> Any:
    """Clipped to 0 to 1, in place; twice as fast as ``np.clip`` on small arrays."""
    np.maximum(values, np.float32(0.0), out=values)
    return np.minimum(values, np.float32(1.0), out=values)


def _field(value: Curve | float) -> Any:
    """A value per frame, ready to broadcast over pixels; plain numbers stay what they are."""
    return value[:, None, None] if isinstance(value, np.ndarray) else np.float32(value)
