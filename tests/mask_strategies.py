"""Mask tracks for property-based tests: noise and blobs, empty and full masks, gaps, odd sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from jaxtyping import Bool
from numpy import ndarray
from pycocotools import mask as coco

from interplay.records.masks import MaskTrack


@dataclass(frozen=True)
class Drawn:
    """A track and the masks that it encodes; in the frames ``gaps`` the masks are empty and the track is unknown."""

    masks: Bool[ndarray, "f h w"]
    gaps: tuple[int, ...]

    @property
    def track(self) -> MaskTrack:
        return MaskTrack.from_array(self.masks, self.gaps)


def sizes(largest: int = 40) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(1, largest), st.integers(1, largest))


@st.composite
def tracks(
    draw: st.DrawFn,
    size_hw: st.SearchStrategy[tuple[int, int]] | tuple[int, int] = sizes(),  # noqa: B008 - a description, no state
    num_frames: st.SearchStrategy[int] | int = st.integers(1, 5),  # noqa: B008
    gaps: bool = True,
) -> Drawn:
    height, width = size_hw if isinstance(size_hw, tuple) else draw(size_hw)
    frames = num_frames if isinstance(num_frames, int) else draw(num_frames)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    side = draw(st.sampled_from([1, 1, 3, 8]))  # noise, and blocks of it
    coarse = rng.random((frames, -(-height // side), -(-width // side))) < draw(
        st.sampled_from([0, 0.05, 0.5, 0.95, 1])
    )
    masks = coarse.repeat(side, axis=1).repeat(side, axis=2)[:, :height, :width].copy()
    unknown = tuple(int(frame) for frame in np.flatnonzero(rng.random(frames) < 0.25)) if gaps else ()
    masks[list(unknown)] = False
    return Drawn(masks, unknown)


def counts_by_coco(masks: Bool[ndarray, "f h w"]) -> list[bytes]:
    """The compressed counts of every mask, by pycocotools."""
    column_major = np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8))
    return [encoded["counts"] for encoded in coco.encode(column_major)]
