"""How many frames a structure video runs ahead of its video, measured from where both change.

A structure video shows the same bodies as its video, so the pixels that change from one frame to the next are much the
same in both. The correlation of the two changes over all pixels, at every shift in time, peaks where they belong
together. Claim, on the real media at hand: the peak is at 0 for both co-generated clips and for structure against pose,
and at 6 frames (correlation 0.38, against 0.08 at 0) for the published training sample, whose video was evidently made
anew a quarter of a second off; by eye, the waving hand agrees with its mask at 6 and does not at 0.

Shapes: c and d changes (one less than frames) of the two videos, each of p pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

# Half a second at 25 fps: labels that are further off are another clip's.
LARGEST_LEAD = 12
# A hand is still a few pixels wide at this size, and codec noise is averaged away.
_WORKING_SIDE = 48
# Below this the two videos hardly move together; the real peaks are at 0.22 to 0.38.
_LEAST_CORRELATION = 0.15
# A shift must explain this much more than no shift does, else the labels are taken as they come.
_LEAST_GAIN = 1.25


@dataclass(frozen=True)
class Lead:
    """``frames``: label frame i belongs to video frame i + frames. The correlations say how sure that is."""

    frames: int
    correlation: float
    correlation_unshifted: float


def measure_lead(video: Iterable[UInt8[ndarray, "_ _ 3"]], structure: Iterable[UInt8[ndarray, "_ _ 3"]]) -> Lead:
    """The lead of ``structure``; 0 when nothing moves or no shift is clearly better than none.

    Both show the same picture, perhaps at two sizes; neither may be without frames.
    """
    frames = iter(video)
    first = next(frames)
    # One working size for both: two sizes of one picture can round to different ones.
    size_hw = _working_hw(first.shape[:2])
    here, there = changes(chain([first], frames), size_hw), changes(structure, size_hw)
    reach = min(LARGEST_LEAD, max(0, min(len(here), len(there)) // 2))
    correlations = {shift: _correlation(here, there, shift) for shift in range(-reach, reach + 1)}
    best = max(correlations, key=lambda shift: (correlations[shift], -abs(shift)))
    peak, unshifted = correlations[best], correlations[0]
    # A peak at the end of the range has its top outside of it.
    sure = peak >= _LEAST_CORRELATION and peak >= _LEAST_GAIN * unshifted and abs(best) < reach
    return Lead(best if sure else 0, peak if sure else unshifted, unshifted)


def changes(frames: Iterable[UInt8[ndarray, "_ _ 3"]], size_hw: tuple[int, int]) -> Float[ndarray, "c p"]:
    """Root of the absolute change of brightness, less each pixel's mean over time (a flicker is no movement).

    Frames are brought to ``size_hw`` before, so p is its number of pixels.
    """
    small = np.stack([_small(frame, size_hw) for frame in frames]).astype(np.float32)
    moved = np.sqrt(np.abs(np.diff(small.reshape(len(small), -1), axis=0)))
    centred: Float[ndarray, "c p"] = moved - moved.mean(axis=0) if len(moved) else moved
    return centred


def _working_hw(size_hw: tuple[int, ...]) -> tuple[int, int]:
    scale = _WORKING_SIDE / min(size_hw)
    return (max(1, round(size_hw[0] * scale)), max(1, round(size_hw[1] * scale)))


def _small(frame: UInt8[ndarray, "h w 3"], size_hw: tuple[int, int]) -> UInt8[ndarray, "_ _"]:
    return np.asarray(Image.fromarray(frame).convert("L").resize(size_hw[::-1], Image.Resampling.BOX))


def _correlation(here: Float[ndarray, "c p"], there: Float[ndarray, "d p"], shift: int) -> float:
    """Of ``there[i]`` with ``here[i + shift]``; 0 when one of them does not change."""
    first = max(0, -shift)
    last = min(len(there), len(here) - shift)
    x, y = there[first:last], here[first + shift : last + shift]
    scale = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / scale if scale > 0 else 0.0
