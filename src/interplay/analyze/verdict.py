"""The verdict of an analysis, ``layers.json``: the ranking of every variant and the layers that are chosen.

``variants`` maps each variant to its ``influential`` and ``dominant`` layers, its ``picks``, and a ``table`` with one
row per layer. ``chosen`` holds what a training aligns: ``v2t`` the picks of noun and verb, ``v2v`` those of the noun
(the paper trains v2v on nouns alone). ``notes`` says in sentences where the data did not support the full rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.labels import Labels
from interplay.analyze.selection import LayerRanking, rank_layers
from interplay.analyze.stability import Stability, bootstrap
from interplay.analyze.table import VariantScores
from interplay.core.seeds import derive_seed

CHOSEN_FROM: Mapping[str, tuple[str, ...]] = {"v2t": ("noun_v2t", "verb_v2t"), "v2v": ("noun_v2v",)}
# Resampling fewer clips than this says more about the draw than about the layers.
_FEW_CLIPS = 10
# Below this share of resamples a choice is called unstable.
_STABLE_SHARE = 0.5


@dataclass(frozen=True)
class VariantVerdict:
    """One variant, judged."""

    scores: VariantScores
    ranking: LayerRanking
    stability: Stability
    num_picks: int

    @property
    def picks(self) -> list[int]:
        """The variant's own choice, as layer numbers."""
        return self._numbers(self.ranking.picks(self.num_picks))

    def to_json(self) -> dict[str, Any]:
        """The variant's entry in ``layers.json``."""
        return {
            "clips": len(self.scores.clip_ids),
            "influential": self._numbers(self.ranking.influential),
            "dominant": self._numbers(self.ranking.dominant),
            "picks": self.picks,
            "table": [self._row(position) for position in range(len(self.scores.layers))],
        }

    def share_of(self, layer: int) -> float:
        """The share of resamples in which the variant picks this layer."""
        return float(self.stability.picked_share[int(np.searchsorted(self.scores.layers, layer))])

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
            "failure_gap": _at(ranking.failure_gap, position),
            "separation": _at(ranking.separation, position),
            "separation_interval": _at(stability.separation_interval, position),
            "picked_share": float(stability.picked_share[position]),
        }


def judge_variant(name: str, scores: VariantScores, labels: Labels, config: AnalyzeConfig) -> VariantVerdict:
    """Rank the layers of a variant, on all its clips and on resamples of them."""
    success, failure = _among(scores.clip_ids, labels.success), _among(scores.clip_ids, labels.failure)
    top_k = config.top_k_of(len(scores.layers))
    stability = bootstrap(
        scores.step_mean,
        success,
        failure,
        top_k=top_k,
        picks=config.layers_per_variant,
        resamples=config.bootstrap,
        seed=derive_seed(config.seed, "analyze", "bootstrap", name),
    )
    ranking = rank_layers(scores.step_mean, success, failure, top_k)
    return VariantVerdict(scores, ranking, stability, config.layers_per_variant)


def summarise(
    verdicts: Mapping[str, VariantVerdict], labels: Labels, config: AnalyzeConfig, notes: Sequence[str] = ()
) -> dict[str, Any]:
    """The content of ``layers.json``; at least one variant must be there."""
    chosen = choose(verdicts)
    return {
        "variants": {name: verdict.to_json() for name, verdict in verdicts.items()},
        "chosen": chosen,
        "picked_share": {
            relation: {str(layer): _share(verdicts, relation, layer) for layer in layers}
            for relation, layers in chosen.items()
        },
        "rule": _rule(verdicts, labels, config),
        "labels": labels.rule if labels else f"{labels.rule}: influential layers only",
        "n_success": len(labels.success),
        "n_failure": len(labels.failure),
        "success": list(labels.success),
        "failure": list(labels.failure),
        "notes": [*notes, *_notes(verdicts, chosen, labels)],
    }


def choose(verdicts: Mapping[str, VariantVerdict]) -> dict[str, list[int]]:
    """The union of the picks that count for each relation, noun before verb."""
    return {
        relation: list(dict.fromkeys(layer for name in names if name in verdicts for layer in verdicts[name].picks))
        for relation, names in CHOSEN_FROM.items()
    }


def _notes(verdicts: Mapping[str, VariantVerdict], chosen: Mapping[str, list[int]], labels: Labels) -> list[str]:
    notes = []
    fewest = min(len(verdict.scores.clip_ids) for verdict in verdicts.values())
    if fewest < _FEW_CLIPS:
        notes.append(
            f"Only {fewest} clips: shares of resamples and intervals mean little with fewer than {_FEW_CLIPS}."
        )
    for name in (name for names in CHOSEN_FROM.values() for name in names):
        if name not in verdicts:
            notes.append(f"{name}: no clip has this variant, so it chooses no layer.")
        elif labels and not verdicts[name].ranking.dominant:
            notes.append(
                f"{name}: no influential layer scores higher in successes and lower in failures than on average, "
                "so there is no dominant layer; the most influential one is chosen instead."
            )
    for relation, layers in chosen.items():
        for layer in layers:
            share = _share(verdicts, relation, layer)
            if share < _STABLE_SHARE:
                notes.append(
                    f"{relation}: layer {layer} is chosen again in only {share:.0%} of the resamples; "
                    "with these clips the choice is not stable."
                )
    return notes


def _share(verdicts: Mapping[str, VariantVerdict], relation: str, layer: int) -> float:
    names = [name for name in CHOSEN_FROM[relation] if name in verdicts and layer in verdicts[name].picks]
    return max(verdicts[name].share_of(layer) for name in names)


def _rule(verdicts: Mapping[str, VariantVerdict], labels: Labels, config: AnalyzeConfig) -> str:
    top_k = max((config.top_k_of(len(verdict.scores.layers)) for verdict in verdicts.values()), default=0)
    influential = (
        f"Influential: the {top_k} layers with the best rank-sum of frequency (clips that have the layer among their "
        f"{top_k} best by step-averaged {config.measure}) and magnitude (mean {config.measure})."
    )
    dominant = (
        "Dominant: influential, above the mean of all clips in successes and below it in failures, ranked by "
        f"separation (success gap - failure gap). Success and failure: {labels.rule}."
    )
    chosen = f"Chosen: the first {config.layers_per_variant} of each variant; v2t of noun and verb, v2v of the noun."
    return " ".join([influential, dominant if labels else f"Dominant: none; {labels.rule}.", chosen])


def _among(clip_ids: Sequence[str], chosen: Sequence[str]) -> Bool[ndarray, " c"]:
    return np.isin(np.array(clip_ids), np.array(chosen, dtype=np.str_))


def _at(values: ndarray | None, position: int) -> Any:
    return None if values is None else values[..., position].tolist()
