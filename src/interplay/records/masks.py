"""Mask tracks: where one instance is, frame by frame, as COCO compressed run-length encodings.

Shapes: f frames, h and w pixels. A frame whose mask is ``None`` is a *gap*: nobody knows where the instance is. An
empty mask is something else: the frame was looked at and the instance is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray
from pycocotools import mask as coco

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class MaskTrack:
    """One mask per frame; ``frames`` holds the COCO ``counts`` of each frame, or ``None`` for a gap."""

    size_hw: tuple[int, int]
    frames: tuple[bytes | None, ...]

    def __len__(self) -> int:
        return len(self.frames)

    @staticmethod
    def from_array(masks: Bool[ndarray, "f h w"], gaps: Sequence[int] = ()) -> MaskTrack:
        """Encode masks; frames in ``gaps`` are unknown whatever their mask says."""
        column_major = np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8, copy=False))
        encoded: list[bytes | None] = [rle["counts"] for rle in coco.encode(column_major)]
        for gap in gaps:
            encoded[gap] = None
        return MaskTrack((masks.shape[1], masks.shape[2]), tuple(encoded))

    def to_array(self) -> Bool[ndarray, "f h w"]:
        """The masks; a gap reads as an empty mask, so ask :meth:`known` before an absence is believed."""
        masks = np.zeros((len(self.frames), *self.size_hw), dtype=bool)
        known = [index for index, counts in enumerate(self.frames) if counts is not None]
        if known:
            masks[known] = coco.decode(self._encodings()).transpose(2, 0, 1).astype(bool)
        return masks

    def known(self) -> Bool[ndarray, " f"]:
        """Which frames have a mask, be it an empty one."""
        return np.array([counts is not None for counts in self.frames], dtype=bool)

    def areas(self) -> Int[ndarray, " f"]:
        """Pixels per frame; 0 in gaps."""
        areas = np.zeros(len(self.frames), dtype=np.int64)
        areas[self.known()] = coco.area(self._encodings()) if self.known().any() else 0
        return areas

    def boxes(self) -> Mapping[int, Box | None]:
        """Bounding box ``(x1, y1, x2, y2)`` per known frame, right and bottom exclusive; ``None`` for an empty mask."""
        return {index: self._box(index) for index, counts in enumerate(self.frames) if counts is not None}

    def union(self, other: MaskTrack) -> MaskTrack:
        """Pixels of either track. A frame is known only where both are: half a union would be a made-up mask."""
        if (self.size_hw, len(self)) != (other.size_hw, len(other)):
            raise ValueError(f"tracks of {self.size_hw} x {len(self)} and {other.size_hw} x {len(other)} frames")
        gaps = np.flatnonzero(~(self.known() & other.known()))
        return MaskTrack.from_array(self.to_array() | other.to_array(), gaps=[int(gap) for gap in gaps])

    def select(self, indices: Sequence[int]) -> MaskTrack:
        """The track of the chosen frames, in the order given."""
        return MaskTrack(self.size_hw, tuple(self.frames[index] for index in indices))

    def _encodings(self) -> list[dict[str, Any]]:
        return [{"size": list(self.size_hw), "counts": counts} for counts in self.frames if counts is not None]

    def _box(self, index: int) -> Box | None:
        x, y, width, height = coco.toBbox({"size": list(self.size_hw), "counts": self.frames[index]}).tolist()
        return (x, y, x + width, y + height) if width > 0 and height > 0 else None
