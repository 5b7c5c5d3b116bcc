"""An attention map as a video: the clip with the mask's outline at the left, the map of each step beside it.

Every pixel frame shows the map of its token frame, so motion and attention can be watched side by side. The colour
scale of a step is the same in all its frames: black is no attention, the brightest colour its highest value.

Shape legend: ``y x`` height and width of a panel, ``py px`` of the page, ``th tw`` of a token frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont

from interplay.analyze.strips import OUTLINE_RGB, Strip
from interplay.records.media.writing import write_video

# Small clips are enlarged by a whole number until they are this high; large ones stay as they are.
_READABLE_PX = 160
_TITLE_PX, _LABEL_PX, _GAP_PX = 18, 16, 6
_FONT_PX = 11
_BACKGROUND = 255
_MAP_SHARE = 0.75


def draw_film(strip: Strip, fps: float, path: Path) -> None:
    """Write the strip as an mp4 for browsers, at the clip's own rate."""
    write_video(path, _pictures(strip), fps, lossless=False)


def _pictures(strip: Strip) -> Iterator[UInt8[ndarray, "py px 3"]]:
    scale = max(1, -(-_READABLE_PX // strip.frames.shape[1]))
    labels = ["video and mask", *(label.replace("\n", ", ") for label in strip.row_labels)]
    peaks = [float(step.max()) or 1.0 for step in strip.maps]
    for number, frame in enumerate(strip.frames):
        large, outline = _enlarged(frame, scale), _outline(_enlarged(strip.masks[number], scale))
        panels = [large]
        for step, peak in zip(strip.maps, peaks, strict=True):
            panels.append(_heated(large, step[strip.token_frames[number]] / peak))
        for panel in panels:
            panel[outline] = OUTLINE_RGB
        yield _page(panels, labels, f"{strip.title}    frame {number}")


def _heated(picture: UInt8[ndarray, "y x 3"], heat: Float[ndarray, "th tw"]) -> UInt8[ndarray, "y x 3"]:
    """The map's colours over the greyed picture."""
    height, width = picture.shape[:2]
    rows, columns = (np.arange(n) * m // n for n, m in zip((height, width), heat.shape, strict=True))
    levels = (heat.clip(0, 1) * 255).round().astype(np.uint8)[rows][:, columns]
    grey = picture.mean(axis=-1, keepdims=True)
    heated: UInt8[ndarray, "y x 3"] = (
        (_MAP_SHARE * _colours()[levels] + (1 - _MAP_SHARE) * grey).round().astype(np.uint8)
    )
    return heated


@lru_cache(maxsize=1)
def _colours() -> UInt8[ndarray, "256 3"]:
    import matplotlib

    return (matplotlib.colormaps["inferno"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


def _outline(mask: Bool[ndarray, "y x"]) -> Bool[ndarray, "y x"]:
    """Pixels of the mask that have a neighbour outside it."""
    padded = np.pad(mask, 1, mode="edge")
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    border: Bool[ndarray, "y x"] = mask & ~inside
    return border


def _enlarged(picture: ndarray, scale: int) -> ndarray:
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def _page(panels: list[UInt8[ndarray, "y x 3"]], labels: list[str], title: str) -> UInt8[ndarray, "py px 3"]:
    """The panels side by side under their labels and the title; sides are even, as browsers' videos must be."""
    height, width = panels[0].shape[:2]
    top = _TITLE_PX + _LABEL_PX
    full = (top + height + _GAP_PX, _GAP_PX + len(panels) * (width + _GAP_PX))
    page = Image.new("RGB", (full[1] + full[1] % 2, full[0] + full[0] % 2), (_BACKGROUND,) * 3)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(_FONT_PX)
    pen.text((_GAP_PX, 2), title, fill=0, font=font)
    for number, (panel, label) in enumerate(zip(panels, labels, strict=True)):
        left = _GAP_PX + number * (width + _GAP_PX)
        pen.text((left, _TITLE_PX), label, fill=0, font=font)
        page.paste(Image.fromarray(panel), (left, top))
    return np.asarray(page)
