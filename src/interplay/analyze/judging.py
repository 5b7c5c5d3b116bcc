"""One variant judged: the ranking of its layers, how stable it is, what the other measure says, and its heads.

Shape legend: ``c`` clips, ``l`` layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from interplay.analyze.config import AnalyzeConfig, Measure
from interplay.analyze.experts import expert_of, variant_of
from interplay.analyze.heads import HeadScores, score_heads
from interplay.analyze.labels import Labels
from interplay.analyze.resampling import Clips
from interplay.analyze.selection import LayerRanking, dummy_layers, rank_layers
from interplay.analyze.stability import ClipsNeeded, Stability, bootstrap, clips_needed
from interplay.analyze.table import VariantScores, read_heads, read_variant
from interplay.core.seeds import derive_seed

_OTHER: dict[Measure, Measure] = {"aas": "aas_per_area", "aas_per_area": "aas"}


@dataclass(frozen=True)
class Beside:
    """The same variant by the other measure: its magnitudes and its ranking."""

    measure: Measure
    ranking: LayerRanking


@dataclass(frozen=True)
class VariantVerdict:
    """One variant, judged by ``measure``. ``by_draw`` are the picks (layer numbers) of every noise alone."""

    measure: Measure
    scores: VariantScores
    dummies: Bool[ndarray, " l"]
    ranking: LayerRanking
    stability: Stability
    needed: ClipsNeeded
    by_draw: tuple[tuple[int, ...], ...]
    num_picks: int
    beside: Beside | None = None
    heads: HeadScores | None = None

    @property
    def picks(self) -> list[int]:
        """The variant's own choice, as layer numbers."""
        return self._numbers(self.ranking.picks(self.num_picks))

    def share_of(self, layer: int) -> float:
        """The share of resamples in which the variant picks this layer."""
        return float(self.stability.picked_share[self._position(layer)])

    def draws_agree(self, layer: int) -> bool:
        """Whether every noise alone picks this layer."""
        return all(layer in picks for picks in self.by_draw)

    def to_json(self) -> dict[str, Any]:
        """The variant's entry in ``layers.json``."""
        return {
            "clips": len(self.scores.clip_ids),
            "influential": self._numbers(self.ranking.influential),
            "dominant": self._numbers(self.ranking.dominant),
            "picks": self.picks,
            "picks_by_draw": [list(picks) for picks in self.by_draw],
            "dummies": self._numbers(np.flatnonzero(self.dummies).tolist()),
            "clips_needed": self.needed.to_json(),
            "beside": None if self.beside is None else self._beside(self.beside),
            "heads": self._heads(),
            "table": [self._row(position) for position in range(len(self.scores.layers))],
        }

    def _heads(self) -> dict[str, Any] | None:
        if self.heads is None:
            return None
        return {str(layer): self.heads.strongest(self._position(layer)) for layer in self.picks}

    def _beside(self, other: Beside) -> dict[str, Any]:
        return {
            "measure": other.measure,
            "influential": self._numbers(other.ranking.influential),
            "dominant": self._numbers(other.ranking.dominant),
            "picks": self._numbers(other.ranking.picks(self.num_picks)),
            "magnitude": other.ranking.magnitude.tolist(),
        }

    def _position(self, layer: int) -> int:
        return int(np.searchsorted(self.scores.layers, layer))

    def _numbers(self, positions: Sequence[int]) -> list[int]:
        return [int(self.scores.layers[position]) for position in positions]

    def _row(self, position: int) -> dict[str, Any]:
        ranking, stability = self.ranking, self.stability
        return {
            "layer": int(self.scores.layers[position]),
            "frequency": int(ranking.frequency[position]),
            "magnitude": float(ranking.magnitude[position]),
            "magnitude_interval": _at(stability.magnitude_interval, position),
            "success_gap": _at(ranking.success_gap, position),
            "success_gap_interval": _at(stability.success_gap_interval, position),
            "failure_gap": _at(ranking.failure_gap, position),
            "failure_gap_interval": _at(stability.failure_gap_interval, position),
            "separation": _at(ranking.separation, position),
            "separation_interval": _at(stability.separation_interval, position),
            "influential_share": float(stability.influential_share[position]),
            "dominant_share": float(stability.dominant_share[position]),
            "picked_share": float(stability.picked_share[position]),
            "dummy": bool(self.dummies[position]),
        }


def judge_table(path: Path, name: str, labels: Labels, config: AnalyzeConfig) -> VariantVerdict | None:
    """The verdict on a variant of ``scores.parquet``, with the other measure and the heads; ``None`` if no clip has it.

    The name may be that of a variant in one expert, see :mod:`.experts`.
    Whether a layer is a dummy is asked of the raw score, as in the paper, whatever the measure.
    """
    variant, expert = variant_of(name), expert_of(name) or 0
    scores = read_variant(path, variant, config.measure, expert)
    other = read_variant(path, variant, _OTHER[config.measure], expert)
    if scores is None or other is None:
        return None
    raw = scores if config.measure == "aas" else other
    dummies = _dummies(raw)
    heads = read_heads(path, variant, config.measure, expert)
    return judge_variant(name, scores, labels, config, dummies=dummies, beside=other, heads=heads)


def judge_variant(
    name: str,
    scores: VariantScores,
    labels: Labels,
    config: AnalyzeConfig,
    *,
    dummies: Bool[ndarray, " l"] | None = None,
    beside: VariantScores | None = None,
    heads: Float[ndarray, "c l h"] | None = None,
) -> VariantVerdict:
    """Rank the layers of a variant, on all its clips and on resamples of them."""
    dummies = _dummies(scores) if dummies is None else dummies
    success, failure = _among(scores.clip_ids, labels.success), _among(scores.clip_ids, labels.failure)
    if not (success.any() and failure.any()):  # a variant that no clip of one side has cannot be separated
        success, failure = np.zeros_like(success), np.zeros_like(failure)
    clips = Clips(scores.step_mean, success, failure, dummies)
    top_k, picks = config.top_k_of(len(scores.layers)), config.layers_per_variant

    def ranked(values: Float[ndarray, "c l"]) -> LayerRanking:
        return rank_layers(values, success, failure, top_k, dummies)

    def seed(what: str) -> int:
        return derive_seed(config.seed, "analyze", what, name)

    ranking = ranked(clips.scores)
    return VariantVerdict(
        measure=config.measure,
        scores=scores,
        dummies=dummies,
        ranking=ranking,
        stability=bootstrap(clips, top_k=top_k, picks=picks, resamples=config.bootstrap, seed=seed("bootstrap")),
        needed=clips_needed(
            clips,
            ranking.picks(picks),
            top_k=top_k,
            picks=picks,
            share=config.stable_share,
            resamples=config.bootstrap,
            seed=seed("clips needed"),
        ),
        by_draw=tuple(
            tuple(int(scores.layers[place]) for place in ranked(of_draw).picks(picks)) for of_draw in scores.by_draw
        ),
        num_picks=picks,
        beside=None if beside is None else Beside(_OTHER[config.measure], ranked(beside.step_mean)),
        heads=None if heads is None else score_heads(heads, clips, resamples=config.bootstrap, seed=seed("heads")),
    )


def _dummies(scores: VariantScores) -> Bool[ndarray, " l"]:
    """Only attention to text alone has dummy layers (MATRIX, appendix C): elsewhere words compete with the video."""
    return dummy_layers(scores.step_mean) if scores.of_text_alone else np.zeros(len(scores.layers), dtype=bool)


def _among(clip_ids: Sequence[str], chosen: Sequence[str]) -> Bool[ndarray, " c"]:
    return np.isin(np.array(clip_ids), np.array(chosen, dtype=np.str_))


def _at(values: ndarray | None, position: int) -> Any:
    return None if values is None else values[..., position].tolist()
