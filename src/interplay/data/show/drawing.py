"""Pictures of a card: frames with masks and boxes drawn on, as one JPEG in the arrangement of a grid.

Labels are not drawn: the page sets them as text over the picture, where they stay sharp and can be read out.

Shapes: h and w pixels of the clip, sh and sw of a picture made smaller, ch and cw of a cell.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw

from interplay.core.files import full_disk_named
from interplay.data.show.layout import STRIP_HEIGHT, STRIP_WIDTH, Grid
from interplay.data.show.palette import RGB
from interplay.records.masks import Box

# Pixels of a picture per CSS pixel: sharp on dense screens, and still some 40 kB a card.
PIXEL_RATIO = 1.5
_QUALITY = 80
_FILL, _HALO = 0.34, 0.6
# Pixels of the picture, so a line of a good CSS pixel.
_OUTLINE = 2
# From this enlargement on, pixels are shown as the squares that they are.
_PIXEL_ART = 2.0
# Where there is no picture: a grey that stands out in the light and in the dark scheme.
_NOTHING: RGB = (128, 128, 128)


@dataclass(frozen=True)
class Layer:
    """One instance in one frame."""

    mask: Bool[ndarray, "h w"]
    rgb: RGB


@dataclass(frozen=True)
class Picture:
    """One cell: a frame (``None`` where it could not be read), the masks on it, and boxes in pixels of ``boxes_hw``."""

    frame: UInt8[ndarray, "h w 3"] | None
    layers: tuple[Layer, ...] = ()
    boxes: tuple[Box, ...] = ()
    boxes_hw: tuple[int, int] = (1, 1)


def reduced(frame: UInt8[ndarray, "h w 3"]) -> UInt8[ndarray, "sh sw 3"]:
    """The frame no larger than a whole strip: what a cell needs at most, so that many large frames fit into memory."""
    scale = max(frame.shape[1] / (STRIP_WIDTH * PIXEL_RATIO), frame.shape[0] / (STRIP_HEIGHT * PIXEL_RATIO))
    if scale <= 1:
        return frame
    size = max(1, round(frame.shape[1] / scale)), max(1, round(frame.shape[0] / scale))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS))


def draw(pictures: Sequence[Picture], grid: Grid) -> bytes:
    """All cells of ``grid`` as a JPEG of :data:`PIXEL_RATIO` pixels per CSS pixel; gaps are grey."""
    sheet = Image.new("RGB", _pixels(grid.width, grid.height), _NOTHING)
    size = _pixels(grid.cell_width, grid.cell_height)
    for index, picture in enumerate(pictures):
        x, y = grid.corner(index)
        sheet.paste(_cell(picture, size), (round(x * PIXEL_RATIO), round(y * PIXEL_RATIO)))
    stream = io.BytesIO()
    # Colours at full resolution: halved, as is usual, the thin coloured outlines would turn grey.
    sheet.save(stream, format="JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return stream.getvalue()


def keep(picture: bytes, path: Path) -> None:
    """Write a picture of a page. It need not be atomic or on disk: a page counts when its fragment is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with full_disk_named(path.parent):
        path.write_bytes(picture)


def _pixels(width: float, height: float) -> tuple[int, int]:
    return max(1, round(width * PIXEL_RATIO)), max(1, round(height * PIXEL_RATIO))


def _cell(picture: Picture, size: tuple[int, int]) -> Image.Image:
    if picture.frame is None:
        return Image.new("RGB", size, _NOTHING)
    cell = np.array(_resized(Image.fromarray(picture.frame), size), dtype=np.float32)
    for layer in picture.layers:
        _paint(cell, layer, size)
    drawn = Image.fromarray(cell.round().astype(np.uint8))
    for box in picture.boxes:
        _outline(drawn, box, picture.boxes_hw)
    return drawn


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if size[0] >= _PIXEL_ART * image.width:
        return image.resize(size, Image.Resampling.NEAREST)
    return image.resize(size, Image.Resampling.LANCZOS)


def _paint(cell: Float[ndarray, "ch cw 3"], layer: Layer, size: tuple[int, int]) -> None:
    """A translucent fill, an outline in full colour inside the mask's edge, and a dark rim outside of it."""
    mask = Image.fromarray(layer.mask.astype(np.uint8) * 255)
    enlarged = size[0] >= _PIXEL_ART * mask.width
    coverage = np.asarray(mask.resize(size, Image.Resampling.NEAREST if enlarged else Image.Resampling.BOX))
    inside = coverage > 127
    if not inside.any():
        inside = _grown(coverage > 0, 1)  # thinner than a pixel of the cell, and still there
    around = _surroundings(coverage > 0)
    seen, inside = cell[around], inside[around]
    colour = np.array(layer.rgb, dtype=np.float32)
    fill = (_FILL * coverage[around].astype(np.float32) / 255)[..., None]
    seen[:] = seen * (1 - fill) + colour * fill
    seen[_grown(inside, 1) & ~inside] *= 1 - _HALO
    seen[inside & _grown(~inside, _OUTLINE)] = colour


def _surroundings(mask: Bool[ndarray, "ch cw"]) -> tuple[slice, slice]:
    """The part of a cell that drawing this mask can touch."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    margin = _OUTLINE + 1
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + margin + 1),
    )


def _grown(mask: Bool[ndarray, "ch cw"], reach: int) -> Bool[ndarray, "ch cw"]:
    """Every pixel within a square of ``reach`` around a pixel of the mask."""
    grown = mask.copy()
    for step in range(1, reach + 1):
        grown[step:] |= mask[:-step]
        grown[:-step] |= mask[step:]
    across = grown.copy()
    for step in range(1, reach + 1):
        across[:, step:] |= grown[:, :-step]
        across[:, :-step] |= grown[:, step:]
    return across


def _outline(drawn: Image.Image, box: Box, size_hw: tuple[int, int]) -> None:
    across, down = drawn.width / size_hw[1], drawn.height / size_hw[0]
    x1, x2 = (min(max(0, round(x * across)), drawn.width - 1) for x in (box[0], box[2]))
    y1, y2 = (min(max(0, round(y * down)), drawn.height - 1) for y in (box[1], box[3]))
    pen = ImageDraw.Draw(drawn)
    pen.rectangle((x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=(0, 0, 0))
    pen.rectangle((x1, y1, x2, y2), outline=(255, 255, 255))
