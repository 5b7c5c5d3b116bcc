"""A resolution-independent canvas: antialiased shapes painted on all frames of a clip at once.

Every shape is a signed distance function evaluated at pixel centres; coverage is 0.5 - distance in pixels, clipped to
[0, 1]. Painting works on the shape's bounding box over the whole clip, because most of a frame is background.
Shape legend: ``p`` frames, ``y x`` pixel rows and columns. Stage coordinates: heights, ``y`` upwards from the ground.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interplay.world.palette import RGB

Floats = NDArray[np.floating[Any]]
Distance = Callable[[Floats, Floats], Floats]

GROUND_Y = 0.12
_BACKGROUND_OWNER = -1


class Canvas:
    """Frames being painted, and for every pixel which instance owns it (the last one that covers more than half)."""

    def __init__(self, num_frames: int, size_hw: tuple[int, int], sky: RGB, ground: RGB) -> None:
        self.height, self.width = size_hw
        self.frames: NDArray[np.float32] = np.empty((num_frames, self.height, self.width, 3), np.float32)
        self.frames[:] = np.asarray(sky, np.float32)
        horizon = np.arange(self.height, dtype=np.float32)[:, None, None] - (1.0 - GROUND_Y) * self.height
        cover = np.clip(horizon + 1.0, 0.0, 1.0)
        self.frames += cover * (np.asarray(ground, np.float32) - self.frames)
        self.owner = np.full((num_frames, self.height, self.width), _BACKGROUND_OWNER, np.int8)

    def circle(self, x: Floats, y: Floats, radius: float, colour: RGB, owner: int) -> None:
        """A disc with centres ``x, y`` per frame."""
        self._paint(
            (x - radius, y - radius, x + radius, y + radius),
            lambda px, py: np.hypot(px - _frames(x), py - _frames(y)) - radius,
            colour,
            owner,
        )

    def capsule(self, x0: Floats, y0: Floats, x1: Floats, y1: Floats, radius: float, colour: RGB, owner: int) -> None:
        """A thick line from ``x0, y0`` to ``x1, y1`` with round ends."""

        def distance(px: Floats, py: Floats) -> Floats:
            dx, dy = _frames(x1 - x0), _frames(y1 - y0)
            rx, ry = px - _frames(x0), py - _frames(y0)
            along = np.clip((rx * dx + ry * dy) / np.maximum(dx * dx + dy * dy, 1e-9), 0.0, 1.0)
            return np.hypot(rx - along * dx, ry - along * dy) - radius

        low_x, high_x = np.minimum(x0, x1) - radius, np.maximum(x0, x1) + radius
        low_y, high_y = np.minimum(y0, y1) - radius, np.maximum(y0, y1) + radius
        self._paint((low_x, low_y, high_x, high_y), distance, colour, owner)

    def trapezoid(
        self, x: Floats, y: Floats, half_bottom: float, half_top: float, height: float, colour: RGB, owner: int
    ) -> None:
        """An upright trapezoid whose bottom centre is ``x, y``; a rectangle when both half widths are equal."""
        slope = (half_top - half_bottom) / height
        # Distance to a slanted side is measured across the side, so divide the horizontal distance by its length.
        across = float(np.hypot(1.0, slope))

        def distance(px: Floats, py: Floats) -> Floats:
            up = py - _frames(y)
            side = (np.abs(px - _frames(x)) - (half_bottom + slope * up)) / across
            return np.maximum(side, np.abs(up - height / 2) - height / 2)

        half = max(half_bottom, half_top)
        self._paint((x - half, y, x + half, y + height), distance, colour, owner)

    def _paint(
        self, bounds: tuple[Floats, Floats, Floats, Floats], distance: Distance, colour: RGB, owner: int
    ) -> None:
        window = self._window(bounds)
        if window is None:
            return
        rows, columns = window
        px = ((np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5) / self.height)[None, None, :]
        from_top = (np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5) / self.height
        py = (1.0 - from_top - GROUND_Y)[None, :, None]
        cover = np.clip(0.5 - distance(px, py) * self.height, 0.0, 1.0)
        patch = self.frames[:, rows, columns]
        patch += cover[..., None] * (np.asarray(colour, np.float32) - patch)
        self.owner[:, rows, columns][cover > 0.5] = owner

    def _window(self, bounds: tuple[Floats, Floats, Floats, Floats]) -> tuple[slice, slice] | None:
        """Rows and columns that the shape can touch in any frame; ``None`` when it is off stage throughout."""
        low_x, low_y, high_x, high_y = bounds
        left = max(int(np.floor(low_x.min() * self.height)) - 1, 0)
        right = min(int(np.ceil(high_x.max() * self.height)) + 2, self.width)
        top = max(int(np.floor((1.0 - GROUND_Y - high_y.max()) * self.height)) - 1, 0)
        bottom = min(int(np.ceil((1.0 - GROUND_Y - low_y.min()) * self.height)) + 2, self.height)
        return (slice(top, bottom), slice(left, right)) if left < right and top < bottom else None

    def pixels(self) -> NDArray[np.uint8]:
        """The frames as 8-bit RGB."""
        return np.clip(np.rint(self.frames), 0, 255).astype(np.uint8)


def _frames(values: Floats) -> Floats:
    """A value per frame, ready to broadcast over pixels."""
    return values[:, None, None]
