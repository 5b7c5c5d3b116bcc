"""Which layers carry interactions: the rule of MATRIX (section 4.5), on step-averaged alignment scores.

Shape legend: ``c`` clips, ``l`` layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray


@dataclass(frozen=True)
class LayerRanking:
    """What the rule finds, as positions along the layer axis.

    ``frequency``: clips that have the layer among their ``top_k``. ``magnitude``: mean score. ``success_gap`` and
    ``failure_gap``: mean over that set minus mean over all clips; ``None`` without labels. ``influential``: best
    rank-sum of frequency and magnitude first. ``dominant``: widest separation first.
    """

    frequency: Int[ndarray, " l"]
    magnitude: Float[ndarray, " l"]
    success_gap: Float[ndarray, " l"] | None
    failure_gap: Float[ndarray, " l"] | None
    influential: tuple[int, ...]
    dominant: tuple[int, ...]

    @property
    def separation(self) -> Float[ndarray, " l"] | None:
        """Success gap minus failure gap (ours: the paper ranks by separation and does not define it)."""
        if self.success_gap is None or self.failure_gap is None:
            return None
        separation: Float[ndarray, " l"] = self.success_gap - self.failure_gap
        return separation

    def picks(self, count: int) -> tuple[int, ...]:
        """The first ``count`` dominant layers; influential ones only where there is no dominant layer at all."""
        return (self.dominant or self.influential)[:count]


def rank_layers(
    scores: Float[ndarray, "c l"], success: Bool[ndarray, " c"], failure: Bool[ndarray, " c"], top_k: int
) -> LayerRanking:
    """Influential layers by rank-sum; dominant ones among them by their gaps between success and failure.

    A layer is dominant when its success gap is positive and its failure gap negative. Equal ranks are averaged; equal
    rank-sums go to the larger magnitude, then to the earlier layer.
    """
    top = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
    frequency = np.bincount(top.ravel(), minlength=scores.shape[1]).astype(np.int64)
    magnitude = scores.mean(axis=0)
    rank_sum = ranks(-frequency.astype(np.float64)) + ranks(-magnitude)
    influential = tuple(int(layer) for layer in np.lexsort((-magnitude, rank_sum))[:top_k])
    if not (success.any() and failure.any()):
        return LayerRanking(frequency, magnitude, None, None, influential, ())
    success_gap = scores[success].mean(axis=0) - magnitude
    failure_gap = scores[failure].mean(axis=0) - magnitude
    separating = [layer for layer in influential if success_gap[layer] > 0 > failure_gap[layer]]
    dominant = tuple(sorted(separating, key=lambda layer: failure_gap[layer] - success_gap[layer]))
    return LayerRanking(frequency, magnitude, success_gap, failure_gap, influential, dominant)


def ranks(values: Float[ndarray, " l"]) -> Float[ndarray, " l"]:
    """1 for the smallest value; equal values share the mean of their ranks."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts).astype(np.float64)
    return (last - (counts - 1) / 2)[group]
