"""How far the choice of layers can be trusted: the whole rule again on resampled clips.

Shape legend: ``c`` clips, ``l`` layers, ``i`` resamples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from interplay.analyze.selection import rank_layers

_INTERVAL_PERCENT = (2.5, 97.5)


@dataclass(frozen=True)
class Stability:
    """Per layer: the share of resamples that pick it, and 95 % percentile intervals of magnitude and separation."""

    picked_share: Float[ndarray, " l"]
    magnitude_interval: Float[ndarray, "2 l"]
    separation_interval: Float[ndarray, "2 l"] | None


def bootstrap(
    scores: Float[ndarray, "c l"],
    success: Bool[ndarray, " c"],
    failure: Bool[ndarray, " c"],
    *,
    top_k: int,
    picks: int,
    resamples: int,
    seed: int,
) -> Stability:
    """Resample clips with replacement inside successes, failures and the others, so that the sets keep their sizes."""
    generator = np.random.default_rng(seed)
    picked = np.zeros(scores.shape[1])
    magnitudes, separations = [], []
    for _ in range(resamples):
        drawn = _resample(success, failure, generator)
        ranking = rank_layers(scores[drawn], success[drawn], failure[drawn], top_k)
        picked[list(ranking.picks(picks))] += 1
        magnitudes.append(ranking.magnitude)
        separations.append(ranking.separation)
    known = [separation for separation in separations if separation is not None]
    return Stability(
        picked_share=picked / resamples,
        magnitude_interval=np.percentile(magnitudes, _INTERVAL_PERCENT, axis=0),
        separation_interval=np.percentile(known, _INTERVAL_PERCENT, axis=0) if known else None,
    )


def _resample(
    success: Bool[ndarray, " c"], failure: Bool[ndarray, " c"], generator: np.random.Generator
) -> Int[ndarray, " c"]:
    groups = [np.flatnonzero(group) for group in (success, failure, ~(success | failure))]
    return np.concatenate([generator.choice(group, size=len(group)) for group in groups if len(group)])
