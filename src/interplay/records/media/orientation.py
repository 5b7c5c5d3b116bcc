"""How a video's pictures are turned for display: the display matrix as a turn and a mirror.

Shapes: h and w pixels.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import cos, radians, sin
from os import PathLike
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.errors import InputError


@dataclass(frozen=True)
class Orientation:
    """What is done to a stored picture to display it: mirrored left to right if so, then turned clockwise.

    ``rotation`` is 0, 90, 180 or 270 degrees.
    """

    rotation: int = 0
    mirrored: bool = False

    def size_hw(self, stored_hw: tuple[int, int]) -> tuple[int, int]:
        """Height and width as displayed."""
        return stored_hw if self.rotation % 180 == 0 else (stored_hw[1], stored_hw[0])

    def apply(self, picture: UInt8[ndarray, "h w 3"]) -> UInt8[ndarray, "dh dw 3"]:
        """The picture as displayed."""
        straight = picture[:, ::-1] if self.mirrored else picture
        return np.ascontiguousarray(np.rot90(straight, -(self.rotation // 90)))


def orientation_of(frame: VideoFrame, *, where: str | PathLike[str]) -> Orientation:
    """What the frame's display matrix asks for; upright when it has none."""
    matrix = _display_matrix(frame)
    if matrix is None:
        return Orientation()
    # A point (x, y) goes to (a x + c y, b x + d y); y points down. Rows of three, of which the third is perspective.
    a, b, _, c, d = struct.unpack("=9i", matrix)[:5]
    greatest = max(map(abs, (a, b, c, d)))
    found = _ORIENTATIONS.get((_sign(a, greatest), _sign(b, greatest), _sign(c, greatest), _sign(d, greatest)))
    if found is None:
        problem = f"its display matrix ({a}, {b}, {c}, {d}) is no turn by 0, 90, 180 or 270 degrees"
        raise InputError(problem, where=where, cure="write the video again, turned upright")
    return found


def _display_matrix(frame: VideoFrame) -> bytes | None:
    try:
        every: Any = frame.side_data  # PyAV's stubs know one kind of it only
        return next((bytes(data) for data in every if data.type == Type.DISPLAYMATRIX), None)
    except ValueError:
        # PyAV gives no side data at all when it has no name for some of it, such as EXIF; the angle is there still.
        cosine, sine = round(cos(radians(frame.rotation))), round(sin(radians(frame.rotation)))
        return struct.pack("=9i", cosine, -sine, 0, sine, cosine, 0, 0, 0, 1)


def _sign(value: int, greatest: int) -> int:
    # Matrices are written with 16 bits after the point: what is below one in a hundred is rounding.
    return 0 if abs(value) * 100 < greatest else (1 if value > 0 else -1)


_ORIENTATIONS = {
    (1, 0, 0, 1): Orientation(0),
    (0, 1, -1, 0): Orientation(90),
    (-1, 0, 0, -1): Orientation(180),
    (0, -1, 1, 0): Orientation(270),
    (-1, 0, 0, 1): Orientation(0, mirrored=True),
    (0, -1, -1, 0): Orientation(90, mirrored=True),
    (1, 0, 0, -1): Orientation(180, mirrored=True),
    (0, 1, 1, 0): Orientation(270, mirrored=True),
}
