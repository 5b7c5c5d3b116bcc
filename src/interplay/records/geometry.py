"""One transform for a clip's frames, masks, tracks and boxes, so that they cannot drift apart.

:class:`Fit` resizes (stretching, covering the target, or letterboxed into it), :class:`Crop` cuts, :class:`Flip`
mirrors, and ``first.then(second)`` does one after the other. Frames are resampled well; masks take the nearest pixel,
so that tracks that are disjoint before are disjoint after.

Shapes: f frames, h and w pixels of the source, th and tw pixels of the target. Positions in boxes are those of borders
between pixels: pixel i reaches from i to i + 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import isfinite
from typing import Literal, final

import numpy as np
from jaxtyping import Bool, Int, UInt8
from numpy import ndarray
from PIL import Image

from interplay.core.errors import InputError
from interplay.records.masks import Box, MaskTrack
from interplay.records.runs import resample, runs_of, track_of
from interplay.records.sizes import size_text

# Two sizes are the same picture when one scale maps one onto the other within one pixel of rounding.
_ROUNDING_PX = 1.0


class Transform(ABC):
    """Maps pictures of ``source_hw`` onto pictures of ``target_hw``, each axis on its own."""

    source_hw: tuple[int, int]

    @property
    @abstractmethod
    def target_hw(self) -> tuple[int, int]:
        """Height and width of what comes out."""

    @abstractmethod
    def sampled(self) -> tuple[Int[ndarray, " th"], Int[ndarray, " tw"]]:
        """For each row of the target the source's row that masks take, and so for columns; -1 where nothing is."""

    @abstractmethod
    def frames(self, frames: UInt8[ndarray, "f h w 3"]) -> UInt8[ndarray, "f th tw 3"]:
        """Pictures in RGB; what the source does not reach is black."""

    @abstractmethod
    def _moved(self, box_px: Box) -> Box | None:
        """:meth:`box` of a box that is one."""

    def masks(self, masks: Bool[ndarray, "f h w"]) -> Bool[ndarray, "f th tw"]:
        """Masks by their nearest pixel; what the source does not reach is empty."""
        self.check(masks.shape[1:])
        rows, columns = self.sampled()
        taken: Bool[ndarray, "f th tw"] = masks.take(rows, axis=1).take(columns, axis=2)
        return taken & (rows >= 0)[:, None] & (columns >= 0)

    def track(self, track: MaskTrack) -> MaskTrack:
        """Exactly what :meth:`masks` makes of the track's masks, without painting them; gaps stay gaps."""
        self.check(track.size_hw)
        return track_of(resample(runs_of(track), *self.sampled()))

    def box(self, box_px: Box) -> Box | None:
        """A box ``(x1, y1, x2, y2)`` in target pixels, clipped to what is seen; ``None`` when nothing of it is.

        Raises:
            InputError: a side is no finite number, or the box ends before it begins.
        """
        if not all(isfinite(side) for side in box_px) or box_px[2] < box_px[0] or box_px[3] < box_px[1]:
            cure = "give (x1, y1, x2, y2) in pixels, x1 < x2 and y1 < y2"
            raise InputError(f"{box_px} is no box", where="box", cure=cure)
        return self._moved(box_px)

    def boxes(self, boxes: Mapping[int, Box | None]) -> dict[int, Box | None]:
        """Boxes by frame; ``None`` (not in that frame) stays, and a box that is cropped away becomes it."""
        return {frame: None if box is None else self.box(box) for frame, box in boxes.items()}

    def then(self, *others: Transform) -> Chain:
        """This transform, and the others after it."""
        return Chain(self.source_hw, (self, *others))

    def check(self, size_hw: tuple[int, ...]) -> None:
        """Raise ``ValueError`` unless pictures of this size are what the transform is for."""
        if tuple(size_hw) != tuple(self.source_hw):
            raise ValueError(f"this {type(self).__name__.lower()} is for pictures of {self.source_hw}, not {size_hw}")


@final
@dataclass(frozen=True)
class Fit(Transform):
    """Resizes pictures to ``into_hw``.

    ``cover`` scales until the target is full and crops the centre; ``contain`` scales until everything fits and leaves
    black (empty mask) borders; ``stretch`` scales each side on its own.
    """

    source_hw: tuple[int, int]
    into_hw: tuple[int, int]
    mode: Literal["cover", "contain", "stretch"] = "cover"

    @property
    def target_hw(self) -> tuple[int, int]:
        """Height and width of what comes out."""
        return self.into_hw

    @cached_property
    def source_box(self) -> Box:
        """The part ``(x1, y1, x2, y2)`` of the source that is seen, in source pixels."""
        (y1, y2), (x1, x2) = self._seen(0), self._seen(1)
        return (float(x1), float(y1), float(x2), float(y2))

    @cached_property
    def target_box(self) -> tuple[int, int, int, int]:
        """The part ``(x1, y1, x2, y2)`` of the target that holds the picture, in target pixels."""
        (y1, y2), (x1, x2) = self._held(0), self._held(1)
        return (x1, y1, x2, y2)

    def for_source(self, source_hw: tuple[int, int], *, where: str) -> Fit:
        """The same fit for another resolution of the same picture; another aspect ratio is an :class:`InputError`."""
        if not same_picture(self.source_hw, source_hw):
            size, own = size_text(source_hw), size_text(self.source_hw)
            problem = f"is {size} pixels, which cannot be the same picture as {own}"
            raise InputError(problem, where=where, cure="give it at the video's size or a scaled copy of it")
        return replace(self, source_hw=source_hw)

    def sampled(self) -> tuple[Int[ndarray, " th"], Int[ndarray, " tw"]]:
        """The pixel that each target pixel's centre falls into; on a border between two, the right or lower one."""
        return self._sampled(0), self._sampled(1)

    def frames(self, frames: UInt8[ndarray, "f h w 3"]) -> UInt8[ndarray, "f th tw 3"]:
        """Resampled by pixel area when shrinking and by Lanczos when enlarging; borders are black."""
        self.check(frames.shape[1:3])
        resampling = Image.Resampling.BOX if max(self._scales()) <= 1 else Image.Resampling.LANCZOS
        fitted = np.zeros((len(frames), *self.into_hw, 3), dtype=np.uint8)
        x1, y1, x2, y2 = self.target_box
        for picture, out in zip(frames, fitted, strict=True):
            resized = Image.fromarray(picture).resize((x2 - x1, y2 - y1), resampling, box=self.source_box)
            out[y1:y2, x1:x2] = np.asarray(resized)
        return fitted

    def _moved(self, box_px: Box) -> Box | None:
        sx1, sy1, sx2, sy2 = self.source_box
        tx1, ty1, tx2, ty2 = self.target_box
        across, down = (tx2 - tx1) / (sx2 - sx1), (ty2 - ty1) / (sy2 - sy1)
        x1, x2 = (tx1 + (x - sx1) * across for x in (box_px[0], box_px[2]))
        y1, y2 = (ty1 + (y - sy1) * down for y in (box_px[1], box_px[3]))
        return _clipped((x1, y1, x2, y2), self.target_box)

    def _scales(self) -> tuple[Fraction, Fraction]:
        """Target pixels per source pixel, down and across."""
        down, across = (Fraction(into, side) for side, into in zip(self.source_hw, self.into_hw, strict=True))
        if self.mode == "stretch":
            return down, across
        scale = max(down, across) if self.mode == "cover" else min(down, across)
        return scale, scale

    def _seen(self, axis: int) -> tuple[Fraction, Fraction]:
        side = Fraction(self.source_hw[axis])
        cropped = max(Fraction(0), side - self.into_hw[axis] / self._scales()[axis])
        return cropped / 2, side - cropped / 2

    def _held(self, axis: int) -> tuple[int, int]:
        held = min(self.into_hw[axis], max(1, round(self.source_hw[axis] * self._scales()[axis])))
        first = (self.into_hw[axis] - held) // 2
        return first, first + held

    def _sampled(self, axis: int) -> Int[ndarray, " t"]:
        (seen, seen_end), (held, held_end) = self._seen(axis), self._held(axis)
        # Centres lie at odd half steps. Whole numbers of a common unit: no rounding decides what falls on a border.
        half_step = (seen_end - seen) / (2 * (held_end - held))
        units = seen.denominator * half_step.denominator
        centres = int(seen * units) + (2 * np.arange(held_end - held) + 1) * int(half_step * units)
        taken = np.full(self.into_hw[axis], -1, dtype=np.int64)
        taken[held:held_end] = centres // units
        return taken


@final
@dataclass(frozen=True)
class Crop(Transform):
    """Cuts out the part ``box_px`` = ``(x1, y1, x2, y2)``: whole pixels inside the source."""

    source_hw: tuple[int, int]
    box_px: tuple[int, int, int, int]

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.box_px
        if not (0 <= x1 < x2 <= self.source_hw[1] and 0 <= y1 < y2 <= self.source_hw[0]):
            problem = f"{self.box_px} is no part (x1, y1, x2, y2) of a picture of {size_text(self.source_hw)} pixels"
            cure = f"choose 0 <= x1 < x2 <= {self.source_hw[1]} and 0 <= y1 < y2 <= {self.source_hw[0]}"
            raise InputError(problem, where="crop", cure=cure)

    @property
    def target_hw(self) -> tuple[int, int]:
        """Height and width of the part."""
        x1, y1, x2, y2 = self.box_px
        return y2 - y1, x2 - x1

    def sampled(self) -> tuple[Int[ndarray, " th"], Int[ndarray, " tw"]]:
        """The rows and columns of the part."""
        x1, y1, x2, y2 = self.box_px
        return np.arange(y1, y2), np.arange(x1, x2)

    def frames(self, frames: UInt8[ndarray, "f h w 3"]) -> UInt8[ndarray, "f th tw 3"]:
        """The same pixels."""
        self.check(frames.shape[1:3])
        x1, y1, x2, y2 = self.box_px
        return frames[:, y1:y2, x1:x2].copy()

    def _moved(self, box_px: Box) -> Box | None:
        (left, top), (height, width), (x1, y1, x2, y2) = self.box_px[:2], self.target_hw, box_px
        return _clipped((x1 - left, y1 - top, x2 - left, y2 - top), (0, 0, width, height))


@final
@dataclass(frozen=True)
class Flip(Transform):
    """Mirrors: ``horizontal`` exchanges left and right, ``vertical`` top and bottom."""

    source_hw: tuple[int, int]
    direction: Literal["horizontal", "vertical"] = "horizontal"

    @property
    def target_hw(self) -> tuple[int, int]:
        """Height and width of the source."""
        return self.source_hw

    def sampled(self) -> tuple[Int[ndarray, " th"], Int[ndarray, " tw"]]:
        """All rows and columns, one of the two backwards."""
        rows, columns = (np.arange(side) for side in self.source_hw)
        return (rows, columns[::-1]) if self.direction == "horizontal" else (rows[::-1], columns)

    def frames(self, frames: UInt8[ndarray, "f h w 3"]) -> UInt8[ndarray, "f th tw 3"]:
        """The same pixels in mirrored order."""
        self.check(frames.shape[1:3])
        return np.flip(frames, axis=2 if self.direction == "horizontal" else 1).copy()

    def _moved(self, box_px: Box) -> Box | None:
        (height, width), (x1, y1, x2, y2) = self.source_hw, box_px
        if self.direction == "horizontal":
            x1, x2 = width - x2, width - x1
        else:
            y1, y2 = height - y2, height - y1
        return _clipped((x1, y1, x2, y2), (0, 0, width, height))


@final
@dataclass(frozen=True)
class Chain(Transform):
    """One transform after the other, each for the size that the one before it gives; none at all changes nothing."""

    source_hw: tuple[int, int]
    steps: tuple[Transform, ...]

    def __post_init__(self) -> None:
        size_hw = self.source_hw
        for step in self.steps:
            step.check(size_hw)
            size_hw = step.target_hw

    @property
    def target_hw(self) -> tuple[int, int]:
        """Height and width of what the last step gives."""
        return self.steps[-1].target_hw if self.steps else self.source_hw

    def sampled(self) -> tuple[Int[ndarray, " th"], Int[ndarray, " tw"]]:
        """The rows and columns of the source that arrive at the end."""
        rows, columns = (np.arange(side) for side in self.source_hw)
        for step in self.steps:
            next_rows, next_columns = step.sampled()
            rows = np.where(next_rows >= 0, rows[next_rows], -1)
            columns = np.where(next_columns >= 0, columns[next_columns], -1)
        return rows, columns

    def frames(self, frames: UInt8[ndarray, "f h w 3"]) -> UInt8[ndarray, "f th tw 3"]:
        """The pictures after all steps."""
        self.check(frames.shape[1:3])
        for step in self.steps:
            frames = step.frames(frames)
        return frames

    def _moved(self, box_px: Box) -> Box | None:
        found = _clipped(box_px, (0, 0, self.source_hw[1], self.source_hw[0]))
        for step in self.steps:
            found = None if found is None else step.box(found)
        return found


def same_picture(first_hw: tuple[int, int], second_hw: tuple[int, int]) -> bool:
    """Whether two sizes can be one picture at two resolutions: one scale maps one onto the other within a pixel."""
    down, across = (second / first for first, second in zip(first_hw, second_hw, strict=True))
    slack_px = _ROUNDING_PX * max(1.0, down, across)
    return abs(first_hw[1] * down - second_hw[1]) <= slack_px or abs(first_hw[0] * across - second_hw[0]) <= slack_px


def _clipped(box: Box, limits: tuple[int, int, int, int]) -> Box | None:
    left, top, right, bottom = limits
    x1, x2 = (float(min(max(x, left), right)) for x in (box[0], box[2]))
    y1, y2 = (float(min(max(y, top), bottom)) for y in (box[1], box[3]))
    return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None
