"""Which clips count as successes and which as failures, by their interaction fidelity (IF).

The paper's sets are chosen by people and of equal size; here the scores choose, and the sets are of equal size too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from interplay.analyze.config import AnalyzeConfig

# One clip on a side says more about that clip than about success.
SMALLEST_SET = 2


@dataclass(frozen=True)
class Labels:
    """Two sets of equal size, or two empty ones; ``rule`` says how they were made, or why there are none."""

    success: tuple[str, ...]
    failure: tuple[str, ...]
    rule: str

    def __bool__(self) -> bool:
        return bool(self.success)


def label_clips(fidelity: Mapping[str, float | None], config: AnalyzeConfig) -> Labels:
    """Success and failure among the scored clips.

    Without thresholds: the upper and the lower third, where both ends give up clips until every success scores higher
    than every failure (many clips may share one score). With thresholds: as many of the best and of the worst as both
    sides have.
    """
    scored = {clip_id: value for clip_id, value in fidelity.items() if value is not None}
    if not scored:
        return Labels((), (), "no labels: no clip has an interaction fidelity")
    best_first = sorted(scored, key=lambda clip_id: (-scored[clip_id], clip_id))
    low, high = config.failure_at_most, config.success_at_least
    if low is None or high is None:
        size, rule = _separated_third(best_first, scored), "upper and lower third by IF, equally many"
    else:
        size = min(sum(v >= high for v in scored.values()), sum(v <= low for v in scored.values()))
        rule = f"IF >= {high:g} and IF <= {low:g}, equally many, the most extreme first"
    if size < SMALLEST_SET:
        problem = f"{len(scored)} scored clips do not give {SMALLEST_SET} successes and {SMALLEST_SET} failures"
        return Labels((), (), f"no labels: {problem} ({rule})")
    return Labels(tuple(best_first[:size]), tuple(best_first[-size:]), rule)


def _separated_third(best_first: list[str], scored: Mapping[str, float]) -> int:
    size = len(best_first) // 3
    while size > 0 and scored[best_first[size - 1]] <= scored[best_first[-size]]:
        size -= 1
    return size
