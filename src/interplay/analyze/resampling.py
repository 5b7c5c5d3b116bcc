"""The rule of :mod:`interplay.analyze.selection` on many resamples of the clips at once.

A resample is how often each clip was drawn, so means over a resample are one matrix product, and thousands of resamples
cost less than one forward of a model. :func:`.rank_layers` is the readable twin: the tests compare the two.

Shape legend: ``c`` clips, ``l`` layers, ``i`` resamples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from interplay.analyze.selection import top_layers


@dataclass(frozen=True)
class Clips:
    """What the rule works on: the scores, the two labelled sets (both empty or neither), and layers left out."""

    scores: Float[ndarray, "c l"]
    success: Bool[ndarray, " c"]
    failure: Bool[ndarray, " c"]
    dummies: Bool[ndarray, " l"]

    @property
    def labelled(self) -> bool:
        """Whether there are successes and failures to tell apart."""
        return bool(self.success.any() and self.failure.any())

    def groups(self) -> list[Int[ndarray, " g"]]:
        """Successes, failures and the others: the strata that are resampled each for itself."""
        members = (self.success, self.failure, ~(self.success | self.failure))
        return [np.flatnonzero(group) for group in members if group.any()]


@dataclass(frozen=True)
class Rankings:
    """Per resample: which layers are influential, dominant and picked, and the numbers behind it."""

    influential: Bool[ndarray, "i l"]
    dominant: Bool[ndarray, "i l"]
    picked: Bool[ndarray, "i l"]
    magnitude: Float[ndarray, "i l"]
    success_gap: Float[ndarray, "i l"] | None
    failure_gap: Float[ndarray, "i l"] | None


def draw(clips: Clips, size: int, resamples: int, generator: np.random.Generator) -> Int[ndarray, "i c"]:
    """How often each clip is drawn when ``size`` clips are, with replacement inside successes, failures and the rest.

    Every set keeps its share of the clips and at least one clip; with ``size`` the number of clips each keeps its size.
    """
    counts = np.zeros((resamples, len(clips.scores)), dtype=np.int64)
    for members in clips.groups():
        of_group = max(1, round(size * len(members) / len(clips.scores)))
        counts[:, members] = generator.multinomial(of_group, np.full(len(members), 1 / len(members)), size=resamples)
    return counts


def means(values: Float[ndarray, "c l"], counts: Int[ndarray, "i c"]) -> Float[ndarray, "i l"]:
    """Mean of the values over the clips of every resample."""
    mean: Float[ndarray, "i l"] = counts @ values / counts.sum(axis=1, keepdims=True)
    return mean


def rank_resamples(clips: Clips, counts: Int[ndarray, "i c"], *, top_k: int, picks: int) -> Rankings:
    """:func:`.rank_layers` of every resample, and the first ``picks`` layers of each."""
    magnitude = means(clips.scores, counts)
    frequency = counts @ top_layers(clips.scores, top_k, clips.dummies)
    rank_sum = _ranks(-frequency, clips.dummies) + _ranks(-magnitude, clips.dummies)
    rank_sum[:, clips.dummies] = np.inf
    place = _places(np.lexsort((-magnitude, rank_sum), axis=-1))
    influential = (place < top_k) & ~clips.dummies
    if not clips.labelled:
        nothing = np.zeros_like(influential)
        return Rankings(influential, nothing, influential & (place < picks), magnitude, None, None)
    success_gap = means(clips.scores, counts * clips.success) - magnitude
    failure_gap = means(clips.scores, counts * clips.failure) - magnitude
    dominant = influential & (success_gap > 0) & (failure_gap < 0)
    separation = np.where(dominant, success_gap - failure_gap, -np.inf)
    order = _places(np.lexsort((place, -separation), axis=-1))
    fallback = influential & (place < picks) & ~dominant.any(axis=1, keepdims=True)
    picked = (dominant & (order < picks)) | fallback
    return Rankings(influential, dominant, picked, magnitude, success_gap, failure_gap)


def _ranks(values: Float[ndarray, "i l"] | Int[ndarray, "i l"], dummies: Bool[ndarray, " l"]) -> Float[ndarray, "i l"]:
    """Rank of every layer among those that are no dummies, 1 for the smallest; equal values share their mean rank."""
    others, own = values[:, None, ~dummies], values[:, :, None]
    ranks: Float[ndarray, "i l"] = (others < own).sum(axis=-1) + ((others == own).sum(axis=-1) + 1) / 2
    return ranks


def _places(order: Int[ndarray, "i l"]) -> Int[ndarray, "i l"]:
    """At which place of the order each layer stands."""
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.broadcast_to(np.arange(order.shape[1]), order.shape), axis=1)
    return places
