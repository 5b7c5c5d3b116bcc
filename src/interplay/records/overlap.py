"""How two mask tracks lie to each other, frame by frame, and which share of the picture a track covers.

This is what checks of a dataset ask for: tiny masks, instances that are one and the same, and instances that exchange
places. For the last, compare one frame with the next: ``ious(first.select(range(n - 1)), second.select(range(1, n)))``
is high where the second instance goes on where the first one was.

Shapes: f frames.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from interplay.records.masks import MaskTrack


def area_shares(track: MaskTrack) -> Float[ndarray, " f"]:
    """Which share of the picture the mask covers, 0..1; NaN in gaps."""
    height, width = track.size_hw
    return np.where(track.known(), track.areas() / (height * width), np.nan)


def common_areas(first: MaskTrack, second: MaskTrack) -> Int[ndarray, " f"]:
    """Pixels in both masks; 0 where one of the tracks has a gap."""
    return first.intersection(second).areas()


def ious(first: MaskTrack, second: MaskTrack) -> Float[ndarray, " f"]:
    """Intersection over union, 0..1; NaN where one of the tracks has a gap and where both masks are empty."""
    common = first.intersection(second)
    either = first.areas() + second.areas() - common.areas()
    iou = np.full(len(first), np.nan)
    np.divide(common.areas(), either, out=iou, where=common.known() & (either > 0))
    return iou
