"""Which layers carry interactions: the rule of MATRIX (section 4.5, appendix C), on step-averaged alignment scores.

Shape legend: ``c`` clips, ``l`` layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

# Layers whose attention never reaches the words have variances around 1e-29 in the paper (appendix C); the weakest real
# layer of a model is many orders above this.
_DUMMY_VARIANCE = 1e-20
# Variation that float32 makes of a number that is the same for every clip, relative to that number.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class LayerRanking:
    """What the rule finds, as positions along the layer axis.

    ``frequency``: clips that have the layer among their ``top_k``. ``magnitude``: mean score. ``success_gap`` and
    ``failure_gap``: mean over that set minus mean over all clips; ``None`` without labels. ``influential``: best
    rank-sum of frequency and magnitude first. ``dominant``: widest separation first. Layers that were filtered out
    have no frequency and are in neither list.
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


def dummy_layers(scores: Float[ndarray, "c l"]) -> Bool[ndarray, " l"]:
    """Layers whose score says the same of every clip: their variance over clips is practically zero.

    Cross-attention shares its whole weight among the text tokens, so it always has a score on the words; in some layers
    all of it lies on tokens that mean nothing, and the score is a constant (MATRIX, appendix C, for Wan). "Practically
    zero" is not published. Ours: at most 1e-20, or at most what rounding makes of a constant of that size. A single
    clip has no variance, so nothing is filtered.
    """
    if len(scores) < 2:
        return np.zeros(scores.shape[1], dtype=bool)
    limit = np.maximum(_DUMMY_VARIANCE, (_ROUNDING * scores.mean(axis=0)) ** 2)
    dummies: Bool[ndarray, " l"] = scores.var(axis=0) <= limit
    return dummies


def rank_layers(
    scores: Float[ndarray, "c l"],
    success: Bool[ndarray, " c"],
    failure: Bool[ndarray, " c"],
    top_k: int,
    dummies: Bool[ndarray, " l"] | None = None,
) -> LayerRanking:
    """Influential layers by rank-sum; dominant ones among them by their gaps between success and failure.

    A layer is dominant when its success gap is positive and its failure gap negative. Ours: the paper asks for "large"
    gaps, without a number, and does not say that a dominant layer is influential. Here it has to be: a layer that gives
    the words next to no attention may separate two small sets of clips by chance. Equal ranks are averaged; equal
    rank-sums go to the larger magnitude, then to the earlier layer. ``dummies`` take no part.
    """
    kept = np.arange(scores.shape[1]) if dummies is None else np.flatnonzero(~dummies)
    magnitude = scores.mean(axis=0)
    frequency = top_layers(scores, top_k, dummies).sum(axis=0)
    rank_sum = ranks(-frequency[kept].astype(np.float64)) + ranks(-magnitude[kept])
    influential = tuple(int(kept[place]) for place in np.lexsort((-magnitude[kept], rank_sum))[:top_k])
    if not (success.any() and failure.any()):
        return LayerRanking(frequency, magnitude, None, None, influential, ())
    success_gap = scores[success].mean(axis=0) - magnitude
    failure_gap = scores[failure].mean(axis=0) - magnitude
    separating = [layer for layer in influential if success_gap[layer] > 0 > failure_gap[layer]]
    dominant = tuple(sorted(separating, key=lambda layer: failure_gap[layer] - success_gap[layer]))
    return LayerRanking(frequency, magnitude, success_gap, failure_gap, influential, dominant)


def top_layers(
    scores: Float[ndarray, "c l"], top_k: int, dummies: Bool[ndarray, " l"] | None = None
) -> Bool[ndarray, "c l"]:
    """The ``top_k`` best layers of every clip; of equal scores the earlier layer."""
    ranked = scores if dummies is None else np.where(dummies, -np.inf, scores)
    best = np.argsort(-ranked, axis=1, kind="stable")[:, :top_k]
    top = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(top, best, values=True, axis=1)
    return top if dummies is None else top & ~dummies


def ranks(values: Float[ndarray, " l"]) -> Float[ndarray, " l"]:
    """1 for the smallest value; equal values share the mean of their ranks."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts).astype(np.float64)
    return (last - (counts - 1) / 2)[group]
