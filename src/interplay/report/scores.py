"""The scores of both models: one table per split, and one plain sentence about who is better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from interplay.core.artifacts import Artifact
from interplay.core.estimates import Estimate, estimate, paired_differences
from interplay.core.files import read_json
from interplay.core.seeds import derive_seed
from interplay.report.absent import Absent
from interplay.report.config import ReportConfig
from interplay.report.numbers import count, signed
from interplay.report.reading import field, member

METRICS: Mapping[str, str] = {
    "kisa": "Key interaction: did it happen, step by step? Answers 1 to 6, times SPI.",
    "sgi": "Grounding: did the right ones act and receive? Answers 7 to 10, times SPI.",
    "spi": "Presence: did nobody appear from nowhere, did nobody vanish? 1 is perfect, −4 the worst.",
    "if": "Interaction fidelity: the mean of KISA and SGI.",
}
SCORED = "scored"
OVERALL = "all clips"
UNKNOWN_SPLIT = "not in the clips"
_UNDECIDED = "The aligned model cannot be told apart from the base."
_NO_STATE = "not scored: no reason was recorded"


@dataclass(frozen=True)
class ClipScores:
    """One clip's scores (``None`` where it has none) and its state: "scored", or why not."""

    values: Mapping[str, float | None]
    state: str


@dataclass(frozen=True)
class ModelScores:
    """One model's scores by clip, and who judged."""

    clips: Mapping[str, ClipScores]
    judge: str

    def of(self, metric: str) -> dict[str, float | None]:
        """One metric's values by clip."""
        return {clip_id: scores.values[metric] for clip_id, scores in self.clips.items()}


@dataclass(frozen=True)
class ScoreRow:
    """One metric in one split; ``None`` for a model that was not evaluated."""

    metric: str
    base: Estimate | None
    aligned: Estimate | None
    difference: Estimate | None


@dataclass(frozen=True)
class SplitScores:
    """The rows of one split."""

    split: str
    rows: tuple[ScoreRow, ...]


@dataclass(frozen=True)
class Verdict:
    """One plain sentence, as a claim and its evidence, and its sort for the colour beside it."""

    outcome: Literal["better", "worse", "undecided", "open"]
    claim: str
    evidence: str

    @property
    def sentence(self) -> str:
        """Both parts."""
        return f"{self.claim} {self.evidence}"


@dataclass(frozen=True)
class Scores:
    """Everything that the section on scores says; ``unscored`` counts the videos without scores by their reason."""

    splits: tuple[SplitScores, ...]
    judges: tuple[str, ...]
    unscored: Mapping[str, int]

    @property
    def overall(self) -> SplitScores:
        """The rows over all clips."""
        return self.splits[-1]


def read_scores(evaluation: Artifact) -> ModelScores:
    """The scores of an evaluation artifact."""
    path = member(evaluation, "scores.json")
    content = read_json(path)
    clips = {
        str(clip_id): ClipScores(
            {metric: field(entry, metric, path) for metric in METRICS}, str(entry.get("state") or _NO_STATE)
        )
        for clip_id, entry in field(content, "clips", path).items()
    }
    return ModelScores(clips, str(content.get("judge") or "none"))


def tabulate(
    base: ModelScores | Absent, aligned: ModelScores | Absent, split_of: Mapping[str, str], config: ReportConfig
) -> Scores | Absent:
    """The table of both models, split by split and over all clips."""
    models = [model for model in (base, aligned) if isinstance(model, ModelScores)]
    if not models:
        return Absent("scores", " ".join(dict.fromkeys(m.why for m in (base, aligned) if isinstance(m, Absent))))
    ids = tuple(dict.fromkeys(clip_id for model in models for clip_id in model.clips))
    groups: dict[str, list[str]] = {}
    for clip_id in ids:
        groups.setdefault(split_of.get(clip_id, UNKNOWN_SPLIT), []).append(clip_id)
    named = list(groups.items()) if len(groups) > 1 else []
    splits = tuple(_split(name, members, base, aligned, config) for name, members in [*named, (OVERALL, list(ids))])
    judges = tuple(dict.fromkeys(model.judge for model in models))
    return Scores(splits, judges, _unscored(models))


def gains(base: ModelScores | Absent, aligned: ModelScores | Absent) -> dict[str, float | None]:
    """How much IF each clip gained; empty when a model was not evaluated."""
    if isinstance(base, Absent) or isinstance(aligned, Absent):
        return {}
    return paired_differences(base.of("if"), aligned.of("if"))


def judge_models(base: ModelScores | Absent, aligned: ModelScores | Absent, scores: Scores | Absent) -> Verdict:
    """The sentence at the head of the page, from the paired difference in IF over all clips."""
    for model in (base, aligned):
        if isinstance(model, Absent):
            return Verdict("open", f"No verdict: the {model.what} is missing.", model.why)
    assert isinstance(scores, Scores)
    difference = next(row.difference for row in scores.overall.rows if row.metric == "if")
    assert difference is not None
    if difference.n_scored == 0:
        reason = next(iter(scores.unscored), "no clip has scores of both models")
        reason = reason.removeprefix("not scored: ")
        return Verdict("open", f"Not scored: {reason}.", "Nothing here says which of the two models is better.")
    return _verdict(difference)


def _verdict(difference: Estimate) -> Verdict:
    change = f"Interaction fidelity (IF) changes by {signed(difference.mean)}"
    if difference.low is None or difference.high is None:
        return Verdict("undecided", _UNDECIDED, f"{change} on the only clip scored for both, which proves nothing.")
    evidence = (
        f"{change}, 95% interval {signed(difference.low)} to {signed(difference.high)}, over the "
        f"{count(difference.n_scored, 'clip')} scored for both."
    )
    if difference.low > 0:
        return Verdict("better", "The aligned model is better than the base.", evidence)
    if difference.high < 0:
        return Verdict("worse", "The aligned model is not better than the base yet.", evidence)
    return Verdict("undecided", _UNDECIDED, evidence)


def _unscored(models: Sequence[ModelScores]) -> Mapping[str, int]:
    """How many videos have no scores, by reason, the most frequent first."""
    states = Counter(scores.state for model in models for scores in model.clips.values() if scores.state != SCORED)
    return dict(states.most_common())


def _split(
    split: str,
    ids: Sequence[str],
    base: ModelScores | Absent,
    aligned: ModelScores | Absent,
    config: ReportConfig,
) -> SplitScores:
    rows = []
    for metric in METRICS:
        seed = derive_seed(config.seed, "report", split, metric)
        before = _column(base, metric, ids)
        after = _column(aligned, metric, ids)
        change = None if before is None or after is None else paired_differences(before, after)
        columns = (_estimate(column, seed, config.resamples) for column in (before, after, change))
        rows.append(ScoreRow(metric, *columns))
    return SplitScores(split, tuple(rows))


def _column(model: ModelScores | Absent, metric: str, ids: Sequence[str]) -> dict[str, float | None] | None:
    if isinstance(model, Absent):
        return None
    values = model.of(metric)
    return {clip_id: values[clip_id] for clip_id in ids if clip_id in values}


def _estimate(column: Mapping[str, float | None] | None, seed: int, resamples: int) -> Estimate | None:
    return None if column is None else estimate(list(column.values()), seed=seed, resamples=resamples)
