"""The verdict of an analysis, ``layers.json``: the ranking of every variant and the layers that are chosen.

``variants`` maps each variant (where experts share the noise levels: each variant in each expert, see :mod:`.experts`)
to its ``influential`` and ``dominant`` layers, its ``picks``, and a ``table`` with one row per layer. ``chosen`` holds
what a training aligns: ``v2t`` the picks of noun and verb, ``v2v`` those of the noun (the paper trains v2v on nouns
alone). Of several experts it is what any of them picks; what each does stands under ``experts``, and that is aligned.
``stable`` says of each chosen layer whether resampled clips (ten at least) and every noise choose it again. ``notes``
says in sentences where the data did not support the full rule, or the choice is not stable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.experts import expert_of, names_of, variant_of
from interplay.analyze.judging import VariantVerdict
from interplay.analyze.labels import Labels
from interplay.methods.matrix.layers import CHOSEN_FROM

# Resampling fewer clips than this says more about the draw than about the layers.
_FEW_CLIPS = 10


def summarise(
    verdicts: Mapping[str, VariantVerdict], labels: Labels, config: AnalyzeConfig, notes: Sequence[str] = ()
) -> dict[str, Any]:
    """The content of ``layers.json``; at least one variant must be there."""
    chosen = choose(verdicts)
    return {
        "variants": {
            name: {"variant": variant_of(name), "expert": expert_of(name), **verdict.to_json()}
            for name, verdict in verdicts.items()
        },
        "chosen": chosen,
        "picked_share": _of_layers(chosen, lambda relation, layer: _share(verdicts, relation, layer)),
        "stable": _of_layers(chosen, lambda relation, layer: _is_stable(verdicts, relation, layer, config)),
        "measure": config.measure,
        "rule": _rule(verdicts, labels, config),
        "labels": labels.rule if labels else f"{labels.rule}: influential layers only",
        "n_success": len(labels.success),
        "n_failure": len(labels.failure),
        "success": list(labels.success),
        "failure": list(labels.failure),
        "notes": [*notes, *_notes(verdicts, chosen, labels, config)],
    }


def choose(verdicts: Mapping[str, VariantVerdict]) -> dict[str, list[int]]:
    """The union of the picks that count for each relation: noun before verb, and of each the noisiest expert first.

    Of the verdicts on several experts a layer that one of them chooses is among them.
    """
    return {
        relation: list(dict.fromkeys(layer for verdict in _that_count(verdicts, relation) for layer in verdict.picks))
        for relation in CHOSEN_FROM
    }


def _that_count(verdicts: Mapping[str, VariantVerdict], relation: str) -> list[VariantVerdict]:
    """The verdicts whose picks a training aligns for a relation."""
    return [verdicts[name] for variant in CHOSEN_FROM[relation] for name in names_of(variant, verdicts)]


def _notes(
    verdicts: Mapping[str, VariantVerdict], chosen: Mapping[str, list[int]], labels: Labels, config: AnalyzeConfig
) -> list[str]:
    notes = []
    fewest = min(len(verdict.scores.clip_ids) for verdict in verdicts.values())
    if fewest < _FEW_CLIPS:
        notes.append(
            f"Only {fewest} clips: shares of resamples and intervals mean little with fewer than {_FEW_CLIPS}."
        )
    if len(labels.success) != len(labels.failure):
        notes.append("Successes and failures are not equally many, as they are in the paper.")
    for variant in (variant for variants in CHOSEN_FROM.values() for variant in variants):
        names = names_of(variant, verdicts)
        if not names:
            notes.append(f"{variant}: no clip has this variant, so it chooses no layer.")
        for name in names:
            notes += _notes_of_variant(name, verdicts[name], labels)
    for relation, layers in chosen.items():
        for layer in layers:
            notes += _doubts(verdicts, relation, layer, config)
    return notes


def _notes_of_variant(name: str, verdict: VariantVerdict, labels: Labels) -> list[str]:
    notes, dummies = [], int(verdict.dummies.sum())
    if dummies:
        notes.append(
            f"{name}: {dummies} of {len(verdict.dummies)} layers say the same of every clip (dummy layers) and are "
            "left out."
        )
    if not verdict.picks:
        notes.append(f"{name}: every layer is a dummy, so it chooses none.")
    elif labels and verdict.ranking.separation is None:
        notes.append(f"{name}: no success or no failure has this variant, so its most influential layer is chosen.")
    elif labels and not verdict.ranking.dominant:
        notes.append(
            f"{name}: no influential layer scores higher in successes and lower in failures than on average, "
            "so there is no dominant layer; the most influential one is chosen instead."
        )
    if verdict.beside is not None and verdict.beside.ranking.picks(verdict.num_picks) != verdict.ranking.picks(
        verdict.num_picks
    ):
        other = verdict.to_json()["beside"]
        notes.append(f"{name}: by {other['measure']} it would choose {_listed(other['picks'])}.")
    return notes


def _is_stable(verdicts: Mapping[str, VariantVerdict], relation: str, layer: int, config: AnalyzeConfig) -> bool:
    """Nothing speaks against it, and there are clips enough to say so."""
    clips = max(len(verdict.scores.clip_ids) for verdict in _choosing(verdicts, relation, layer))
    return clips >= _FEW_CLIPS and not _doubts(verdicts, relation, layer, config)


def _doubts(verdicts: Mapping[str, VariantVerdict], relation: str, layer: int, config: AnalyzeConfig) -> list[str]:
    """Why a chosen layer is not to be relied on; empty when it is stable."""
    doubts = []
    share = _share(verdicts, relation, layer)
    if share < config.stable_share:
        doubts.append(
            f"{relation}: layer {layer} is chosen again in only {share:.0%} of the resamples; "
            f"with these clips the choice is not stable.{_remedy(verdicts, relation, layer)}"
        )
    if not any(verdict.draws_agree(layer) for verdict in _choosing(verdicts, relation, layer)):
        doubts.append(f"{relation}: layer {layer} is not chosen by every noise alone; another seed may choose others.")
    return doubts


def _remedy(verdicts: Mapping[str, VariantVerdict], relation: str, layer: int) -> str:
    best = max(_choosing(verdicts, relation, layer), key=lambda verdict: verdict.share_of(layer))
    have, needed = len(best.scores.clip_ids), best.needed
    if needed.clips is None:
        return f" Even {needed.curve[-1][0]} clips like these would not make it so."
    return f" About {needed.clips} clips would make it so." if needed.clips > have else ""


def _share(verdicts: Mapping[str, VariantVerdict], relation: str, layer: int) -> float:
    return max(verdict.share_of(layer) for verdict in _choosing(verdicts, relation, layer))


def _choosing(verdicts: Mapping[str, VariantVerdict], relation: str, layer: int) -> list[VariantVerdict]:
    """The variants that chose this layer."""
    return [verdict for verdict in _that_count(verdicts, relation) if layer in verdict.picks]


def _of_layers(chosen: Mapping[str, list[int]], value: Callable[[str, int], Any]) -> dict[str, dict[str, Any]]:
    return {relation: {str(layer): value(relation, layer) for layer in layers} for relation, layers in chosen.items()}


def _listed(layers: Sequence[int]) -> str:
    return "layer " + ", ".join(map(str, layers)) if layers else "none"


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
