"""Means of scores with their 95% intervals, by the percentile bootstrap over clips.

Shape legend: ``n`` clips, ``r`` resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# The outer 2.5% on both sides are left out.
_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Estimate:
    """A mean over the ``n_scored`` of ``n`` clips that have a score.

    ``mean`` is ``None`` without a scored clip; ``low`` and ``high`` are with fewer than two, as one clip has no spread.
    """

    mean: float | None
    low: float | None
    high: float | None
    n_scored: int
    n: int

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def estimate(scores: Sequence[float | None], *, seed: int, resamples: int) -> Estimate:
    """Mean and interval of the scores that are there."""
    present = np.array([score for score in scores if score is not None], dtype=np.float64)
    if present.size == 0:
        return Estimate(None, None, None, 0, len(scores))
    mean = float(present.mean())
    if present.size == 1:
        return Estimate(mean, None, None, 1, len(scores))
    rng = np.random.default_rng(seed)
    # One row at a time costs little and keeps the memory independent of the number of clips.
    means = [present[rng.integers(present.size, size=present.size)].mean() for _ in range(resamples)]
    low, high = np.percentile(means, _PERCENTILES)
    return Estimate(mean, float(low), float(high), int(present.size), len(scores))
