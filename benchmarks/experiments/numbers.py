"""From scores of clips to what a page says: means, paired differences and crossings, each with its interval.

A clip is the unit: its scores under several seeds are averaged first, and intervals are those of :mod:`.estimates`.

Shape legend: ``s`` steps, ``n`` clips.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from interplay.core.estimates import Estimate, estimate, mean_over_repeats, paired_differences

RESAMPLES = 2000
_PERCENTILES = (2.5, 97.5)
# Scores of one metric by clip.
Column = Mapping[str, float | None]


@dataclass(frozen=True)
class Contrast:
    """How much one arm scores above another on the same clips: over all seeds that both have, and in each seed."""

    whole: Estimate
    by_seed: Mapping[int, float]

    @property
    def verdict(self) -> str:
        """In words; a sign that some seed does not share is said to be so."""
        low, high = self.whole.low, self.whole.high
        if low is None or high is None:
            return "open"
        if low <= 0 <= high:
            return "cannot be told apart"
        found = "better" if low > 0 else "worse"
        agree = all((value > 0) == (low > 0) for value in self.by_seed.values())
        return found if agree else f"{found}, not in every seed"


def mean_of(by_seed: Mapping[int, Column]) -> Estimate:
    """The mean score of an arm."""
    return estimate(list(mean_over_repeats(list(by_seed.values())).values()), seed=0, resamples=RESAMPLES)


def contrast(arm: Mapping[int, Column], reference: Mapping[int, Column]) -> Contrast:
    """``arm - reference``, clip by clip and seed by seed."""
    differences = {seed: paired_differences(reference[seed], arm[seed]) for seed in arm if seed in reference}
    each = {seed: estimate(list(column.values()), seed=0, resamples=1).mean for seed, column in differences.items()}
    return Contrast(mean_of(differences), {seed: mean for seed, mean in each.items() if mean is not None})


def crossing(steps: Sequence[float], curve: Sequence[float], level: float) -> float:
    """The step at which a curve first reaches a level, between two points on a straight line; infinite if never."""
    before = (math.nan, -math.inf)
    for step, value in zip(steps, curve, strict=True):
        if value >= level:
            return step if math.isnan(before[0]) else _between(before, (step, value), level)
        before = (step, value)
    return math.inf


def _between(before: tuple[float, float], after: tuple[float, float], level: float) -> float:
    share = (level - before[1]) / (after[1] - before[1])
    return before[0] + share * (after[0] - before[0])


@dataclass(frozen=True)
class Speedup:
    """Steps at which two arms reach a level, and the ratio of the first to the second, each with its interval.

    In the ratio, the last step stands for a level that an arm does not reach.
    """

    level: float
    steps: tuple[Estimate, Estimate]
    ratio: Estimate


def speedup(steps: Sequence[float], slow: Float[ndarray, "s n"], fast: Float[ndarray, "s n"], level: float) -> Speedup:
    """From scores of the same clips at the same steps; both arms see the same resampled clips."""
    rng = np.random.default_rng(0)
    clips = slow.shape[1]
    whole = crossings(steps, (slow, fast), level)
    drawn: list[tuple[float, float]] = []
    for _ in range(RESAMPLES):
        rows = rng.integers(clips, size=clips)
        drawn.append(crossings(steps, (slow[:, rows], fast[:, rows]), level))
    both = [_spread(whole[arm], [pair[arm] for pair in drawn], clips) for arm in (0, 1)]
    ratios = _spread(_ratio(*whole, steps[-1]), [_ratio(*pair, steps[-1]) for pair in drawn], clips)
    return Speedup(level, (both[0], both[1]), ratios)


def crossings(
    steps: Sequence[float], arms: tuple[Float[ndarray, "s n"], Float[ndarray, "s n"]], level: float
) -> tuple[float, float]:
    """The crossings of the mean curves of two arms."""
    slow, fast = (crossing(steps, scores.mean(axis=1).tolist(), level) for scores in arms)
    return slow, fast


def _ratio(slow: float, fast: float, last: float) -> float:
    # Step 0 counts as 1: a level that both arms have from the start is reached equally soon.
    return max(min(slow, last), 1.0) / max(min(fast, last), 1.0)


def _spread(value: float, drawn: Sequence[float], clips: int) -> Estimate:
    # No interpolation: infinity minus infinity is no number.
    low, high = np.percentile(drawn, _PERCENTILES, method="nearest")
    return Estimate(value, float(low), float(high), clips, clips)


# --- as text ---------------------------------------------------------------------------------------------------------


def shown(found: Estimate, digits: int = 3) -> str:
    """``0.440 (0.400 to 0.480)``."""
    if found.mean is None:
        return "-"
    interval = "" if found.low is None else f" ({found.low:.{digits}f} to {found.high:.{digits}f})"
    return f"{found.mean:.{digits}f}{interval}"


def signed(found: Estimate) -> str:
    """``+0.040 (-0.010 to +0.080)``."""
    if found.mean is None:
        return "-"
    interval = "" if found.low is None else f" ({found.low:+.3f} to {found.high:+.3f})"
    return f"{found.mean:+.3f}{interval}"


def steps_shown(found: Estimate, last: float) -> str:
    """Steps, with "never" for a level that is not reached by the last one."""
    if found.mean is None or found.low is None or found.high is None:
        return "-"
    one, low, high = (
        f"{value:.0f}" if value <= last else f"over {last:.0f}" for value in (found.mean, found.low, found.high)
    )
    return f"{one} ({low} to {high})"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
