"""How far the choice of layers can be trusted: the rule again on resampled clips.

Two questions. *How often is each layer chosen again?* The clips are resampled, as many as there are. *How many clips
does it take?* The same with other numbers of clips: the number from which on the choice of all clips is repeated often
enough. More clips than there are can be drawn too; that answer holds if clips to come are like those that are there.

Shape legend: ``c`` clips, ``l`` layers, ``i`` resamples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from interplay.analyze.resampling import Clips, Rankings, draw, rank_resamples

_INTERVAL_PERCENT = (2.5, 97.5)
_SMALLEST_SIZE = 2
# Beyond four times the clips at hand the few clips there are would be asked to speak for too many others.
_FURTHEST = 4
_SIZES_PER_DOUBLING = 2
# Resamples at one time: with 60 layers the ranks of so many take some 60 MB.
_AT_ONCE = 2000


@dataclass(frozen=True)
class Stability:
    """Per layer: the shares of resamples in which it is influential, dominant, picked; 95 % percentile intervals."""

    influential_share: Float[ndarray, " l"]
    dominant_share: Float[ndarray, " l"]
    picked_share: Float[ndarray, " l"]
    magnitude_interval: Float[ndarray, "2 l"]
    success_gap_interval: Float[ndarray, "2 l"] | None
    failure_gap_interval: Float[ndarray, "2 l"] | None
    separation_interval: Float[ndarray, "2 l"] | None


@dataclass(frozen=True)
class ClipsNeeded:
    """How often so many clips repeat the choice of all clips, and the number from which on a ``share`` of them do.

    ``clips`` is ``None`` where even the largest number that was tried does not suffice.
    """

    share: float
    clips: int | None
    curve: tuple[tuple[int, float], ...]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        curve = [{"clips": size, "agreement": agreement} for size, agreement in self.curve]
        return {"share": self.share, "clips": self.clips, "curve": curve}


def bootstrap(clips: Clips, *, top_k: int, picks: int, resamples: int, seed: int) -> Stability:
    """Resample clips with replacement inside successes, failures and the others, so that the sets keep their sizes."""
    generator = np.random.default_rng(seed)
    counts = draw(clips, len(clips.scores), resamples, generator)
    rankings = [
        rank_resamples(clips, counts[first : first + _AT_ONCE], top_k=top_k, picks=picks)
        for first in range(0, resamples, _AT_ONCE)
    ]
    success, failure = _joined(rankings, "success_gap"), _joined(rankings, "failure_gap")
    separation = None if success is None or failure is None else success - failure
    return Stability(
        influential_share=np.concatenate([r.influential for r in rankings]).mean(axis=0),
        dominant_share=np.concatenate([r.dominant for r in rankings]).mean(axis=0),
        picked_share=np.concatenate([r.picked for r in rankings]).mean(axis=0),
        magnitude_interval=interval(np.concatenate([r.magnitude for r in rankings])),
        success_gap_interval=None if success is None else interval(success),
        failure_gap_interval=None if failure is None else interval(failure),
        separation_interval=None if separation is None else interval(separation),
    )


def clips_needed(
    clips: Clips, chosen: tuple[int, ...], *, top_k: int, picks: int, share: float, resamples: int, seed: int
) -> ClipsNeeded:
    """How many clips it takes to choose the layers ``chosen`` (positions, the choice of all clips) again, and no other.

    ``picks`` is how many layers the rule may choose: all clips may have fewer that are dominant.
    """
    generator = np.random.default_rng(seed)
    wanted = np.isin(np.arange(clips.scores.shape[1]), chosen)
    curve = []
    for size in _sizes(len(clips.scores)):
        counts = draw(clips, size, min(resamples, _AT_ONCE), generator)
        rankings = rank_resamples(clips, counts, top_k=top_k, picks=picks)
        curve.append((size, float((rankings.picked == wanted).all(axis=1).mean())))
    enough = None
    for size, agreement in reversed(curve):
        if agreement < share:
            break
        enough = size
    return ClipsNeeded(share, enough, tuple(curve))


def interval(resampled: Float[ndarray, "i l"]) -> Float[ndarray, "2 l"]:
    """The 95 % percentile interval over resamples."""
    found: Float[ndarray, "2 l"] = np.percentile(resampled, _INTERVAL_PERCENT, axis=0)
    return found


def _joined(rankings: list[Rankings], name: str) -> Float[ndarray, "i l"] | None:
    parts = [getattr(ranking, name) for ranking in rankings]
    return None if parts[0] is None else np.concatenate(parts)


def _sizes(clips: int) -> list[int]:
    """Numbers of clips to try: two per doubling, up to a few times what there is; the number itself among them."""
    steps = int(np.ceil(np.log2(_FURTHEST * clips / _SMALLEST_SIZE) * _SIZES_PER_DOUBLING))
    spread = {round(_SMALLEST_SIZE * 2 ** (k / _SIZES_PER_DOUBLING)) for k in range(max(0, steps) + 1)}
    return sorted({size for size in spread if size <= _FURTHEST * clips} | {clips})
