"""Means of per-clip scores, and shares of clips, with their 95% intervals.

Means by the percentile bootstrap over clips; shares by Wilson's interval, since resampling 20 of 20 gives 20 of 20 and
says nothing about the twenty-first. Here, below all stages, because more than one of them states a mean and all shall
state it alike.
Shape legend: ``n`` clips, ``r`` resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt

import numpy as np
from jaxtyping import Float
from numpy import ndarray

# The outer 2.5% on both sides are left out.
_PERCENTILES = (2.5, 97.5)
# The standard normal deviate of the same interval.
_DEVIATE = 1.959964
# Index matrices of at most this many entries at a time, so that thousands of clips fit into little memory.
_MAX_DRAWN = 1_000_000


@dataclass(frozen=True)
class Estimate:
    """A mean over the ``n_scored`` of ``n`` clips that have a score.

    ``mean`` is ``None`` without a scored clip, ``low`` and ``high`` with fewer than two: one clip has no spread.
    """

    mean: float | None
    low: float | None
    high: float | None
    n_scored: int
    n: int

    def to_json(self) -> dict[str, float | int | None]:
        """As plain JSON values."""
        return asdict(self)


def estimate(scores: Sequence[float | None], *, seed: int, resamples: int) -> Estimate:
    """Mean and interval of the scores that are there."""
    present = np.array([score for score in scores if score is not None], dtype=np.float64)
    if present.size == 0:
        return Estimate(None, None, None, 0, len(scores))
    low, high = _interval(present, seed, resamples) if present.size > 1 else (None, None)
    return Estimate(float(present.mean()), low, high, int(present.size), len(scores))


def share_interval(part: int, whole: int) -> tuple[float, float]:
    """The 95% interval of a share ``part / whole`` of independent clips, between 0 and 1.

    With z = 1.96 and p = part / whole it is (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)
    (Wilson 1927, *Probable inference, the law of succession, and statistical inference*, without continuity
    correction). Of no clips at all nothing is known: 0 to 1.
    """
    if not 0 <= part <= whole:
        raise ValueError(f"{part} of {whole} is no share")
    if whole == 0:
        return 0.0, 1.0
    share, squared = part / whole, _DEVIATE**2 / whole
    middle, half = share + squared / 2, sqrt(share * (1 - share) * squared + squared**2 / 4)
    return max((middle - half) / (1 + squared), 0.0), min((middle + half) / (1 + squared), 1.0)


def paired_differences(
    base: Mapping[str, float | None], aligned: Mapping[str, float | None]
) -> dict[str, float | None]:
    """``aligned - base`` of every clip that either knows; ``None`` where one of the two has no score."""
    differences: dict[str, float | None] = {}
    for clip_id in dict.fromkeys((*base, *aligned)):
        before, after = base.get(clip_id), aligned.get(clip_id)
        differences[clip_id] = None if before is None or after is None else after - before
    return differences


def mean_over_repeats(repeats: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Every clip's mean over repeats of an experiment (seeds); ``None`` where one of them has no score of it.

    A clip is one number then, however often it was made: the interval over clips treats what its repeats have in
    common as one observation and not as several.
    """
    clips = dict.fromkeys(clip for repeat in repeats for clip in repeat)
    columns = {clip: [repeat.get(clip) for repeat in repeats] for clip in clips}
    return {clip: _mean(values) for clip, values in columns.items()}


def _mean(values: Sequence[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if len(present) == len(values) else None


def _interval(present: Float[ndarray, " n"], seed: int, resamples: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    at_once = max(1, _MAX_DRAWN // present.size)
    means: list[Float[ndarray, " r"]] = []
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        drawn = rng.integers(present.size, size=(rows, present.size))
        means.append(present[drawn].mean(axis=1))
    low, high = np.percentile(np.concatenate(means), _PERCENTILES)
    return float(low), float(high)
