"""Which clips are shown. The rule is stated on the page: pictures that somebody chose by eye prove nothing."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from interplay.report.config import ReportConfig
from interplay.report.numbers import count

Group = Literal["best", "worst", "typical", "first"]
HEADINGS: Mapping[Group, str] = {
    "best": "Best gains",
    "worst": "Worst losses",
    "typical": "Typical clips",
    "first": "First clips",
}


@dataclass(frozen=True)
class Selection:
    """The clips of each group, and the rule in words."""

    groups: Mapping[Group, tuple[str, ...]]
    rule: str


def select(gains: Mapping[str, float | None], order: Sequence[str], config: ReportConfig) -> Selection:
    """Choose among the clips of ``order``: by their gain in IF where there are gains, else the first ones."""
    known = {clip_id: gain for clip_id in order if (gain := gains.get(clip_id)) is not None}
    if not known:
        first = tuple(order[: config.best + config.worst + config.typical])
        rule = f"No clip is scored for both models, so these are the first {len(first)} of {count(len(order), 'clip')}"
        return Selection({"first": first}, f"{rule} in the order of generation.")
    # `sorted` is stable, so equal gains keep the order of generation.
    best = [c for c in sorted(known, key=lambda c: -known[c]) if known[c] > 0][: config.best]
    worst = [c for c in sorted(known, key=lambda c: known[c]) if known[c] < 0][: config.worst]
    middle = statistics.median(known.values())
    rest = [c for c in known if c not in best and c not in worst]
    typical = sorted(rest, key=lambda c: abs(known[c] - middle))[: config.typical]
    rule = (
        f"Of the {count(len(known), 'clip')} scored for both models: the {config.best} that gained most in IF, the "
        f"{config.worst} that lost most, and of the others the {config.typical} nearest to the median gain. Equal "
        "gains are taken in the order of generation; nothing was chosen by eye."
    )
    return Selection({"best": tuple(best), "worst": tuple(worst), "typical": tuple(typical)}, rule)
