"""One transform for a clip's frames, masks and boxes, so that they cannot drift apart.

Shapes: f frames, h and w pixels of the source, th and tw pixels of the target. *Cover* scales until the target is full
and crops the centre; *contain* scales until everything fits and leaves black (empty mask) borders.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, UInt8
from numpy import ndarray
from PIL import Image

from interplay.core.errors import InputError
from interplay.records.masks import Box

# Two sizes are the same picture when one scale maps one onto the other within one pixel of rounding.
_ROUNDING_PX = 1.0


@dataclass(frozen=True)
class Fit:
    """Maps pictures of ``source_hw`` onto ``target_hw``."""

    source_hw: tuple[int, int]
    target_hw: tuple[int, int]
    mode: Literal["cover", "contain"] = "cover"

    @property
    def scale(self) -> float:
        """Target pixels per source pixel."""
        ratios = [target / source for source, target in zip(self.source_hw, self.target_hw, strict=True)]
        return max(ratios) if self.mode == "cover" else min(ratios)

    @cached_property
    def source_box(self) -> Box:
        """The part ``(x1, y1, x2, y2)`` of the source that is seen, in source pixels."""
        if self.mode == "contain":
            return (0.0, 0.0, float(self.source_hw[1]), float(self.source_hw[0]))
        (height, width), (seen_h, seen_w) = self.source_hw, (side / self.scale for side in self.target_hw)
        left, top = max(0.0, (width - seen_w) / 2), max(0.0, (height - seen_h) / 2)
        return (left, top, min(float(width), left + seen_w), min(float(height), top + seen_h))

    @cached_property
    def target_box(self) -> tuple[int, int, int, int]:
        """The part ``(x1, y1, x2, y2)`` of the target that holds the picture, in target pixels."""
        if self.mode == "cover":
            return (0, 0, self.target_hw[1], self.target_hw[0])
        height, width = (max(1, round(side * self.scale)) for side in self.source_hw)
        left, top = (self.target_hw[1] - width) // 2, (self.target_hw[0] - height) // 2
        return (left, top, left + width, top + height)

    def for_source(self, source_hw: tuple[int, int], *, where: str) -> Fit:
        """The same fit for another resolution of the same picture; another aspect ratio is an :class:`InputError`."""
        if not same_picture(self.source_hw, source_hw):
            size, own = _text(source_hw), _text(self.source_hw)
            problem = f"is {size} pixels (height x width), which cannot be the same picture as {own}"
            raise InputError(problem, where=where, cure="give it at the video's size or a scaled copy of it")
        return replace(self, source_hw=source_hw)

    def frames(self, frames: UInt8[ndarray, "f h w 3"]) -> UInt8[ndarray, "f th tw 3"]:
        """Resampled by pixel area when shrinking and by Lanczos when enlarging; borders are black."""
        self._check(frames)
        resampling = Image.Resampling.BOX if self.scale <= 1 else Image.Resampling.LANCZOS
        fitted = np.zeros((len(frames), *self.target_hw, 3), dtype=np.uint8)
        for picture, out in zip(frames, fitted, strict=True):
            self._paste(Image.fromarray(picture), out, resampling)
        return fitted

    def masks(self, masks: Bool[ndarray, "f h w"]) -> Bool[ndarray, "f th tw"]:
        """Nearest pixel: tracks that are disjoint before are disjoint after; borders are empty."""
        self._check(masks)
        fitted = np.zeros((len(masks), *self.target_hw), dtype=np.uint8)
        for mask, out in zip(masks, fitted, strict=True):
            self._paste(Image.fromarray(mask.astype(np.uint8)), out, Image.Resampling.NEAREST)
        return fitted.astype(bool)

    def box(self, box_px: Box) -> Box | None:
        """A box ``(x1, y1, x2, y2)`` in target pixels, clipped to what is seen; ``None`` when nothing of it is."""
        sx1, sy1, sx2, sy2 = self.source_box
        tx1, ty1, tx2, ty2 = self.target_box
        across, down = (tx2 - tx1) / (sx2 - sx1), (ty2 - ty1) / (sy2 - sy1)
        x1, x2 = (float(min(max(tx1 + (x - sx1) * across, tx1), tx2)) for x in (box_px[0], box_px[2]))
        y1, y2 = (float(min(max(ty1 + (y - sy1) * down, ty1), ty2)) for y in (box_px[1], box_px[3]))
        return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None

    def _paste(self, picture: Image.Image, out: UInt8[ndarray, "*shape"], resampling: Image.Resampling) -> None:
        x1, y1, x2, y2 = self.target_box
        out[y1:y2, x1:x2] = np.asarray(picture.resize((x2 - x1, y2 - y1), resampling, box=self.source_box))

    def _check(self, pictures: ndarray) -> None:
        if pictures.shape[1:3] != self.source_hw:
            raise ValueError(f"this fit is for pictures of {self.source_hw}, not {pictures.shape[1:3]}")


def same_picture(first_hw: tuple[int, int], second_hw: tuple[int, int]) -> bool:
    """Whether two sizes can be one picture at two resolutions: one scale maps one onto the other within a pixel."""
    down, across = (second / first for first, second in zip(first_hw, second_hw, strict=True))
    slack_px = _ROUNDING_PX * max(1.0, down, across)
    return abs(first_hw[1] * down - second_hw[1]) <= slack_px or abs(first_hw[0] * across - second_hw[0]) <= slack_px


def _text(size_hw: tuple[int, int]) -> str:
    return f"{size_hw[0]}x{size_hw[1]}"
