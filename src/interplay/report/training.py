"""How the training went: every loss term by step, what was measured on held-out clips, the recipe, what was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from interplay.core.artifacts import Artifact
from interplay.core.files import read_json
from interplay.methods.matrix.layers import in_words
from interplay.report.absent import Absent, or_absent
from interplay.report.numbers import compact
from interplay.report.reading import field, member, read_number_table, read_text

# In the order of the story; a column that is not listed here follows under its own name.
TERMS: Mapping[str, str] = {
    "loss": "total loss",
    "diffusion": "diffusion",
    "sga_subject": "grounding (SGA): subject",
    "sga_object": "grounding (SGA): object",
    "sga_verb": "grounding (SGA): verb",
    "sga_instance": "grounding (SGA): instances",
    "spa_subject": "propagation (SPA): subject",
    "spa_object": "propagation (SPA): object",
    "spa_instance": "propagation (SPA): instances",
    "learning_rate": "learning rate",
}
_NOT_DRAWN = ("step", "seconds")
_MEASURED = "validation.json"
# What is measured while training, as far as the recipe asked for it; the chart that training leaves has the rest.
MEASURES: Mapping[str, str] = {
    "held_out": "held-out loss",
    "held_out_alignment": "held-out alignment loss",
    "fidelity": "interaction fidelity of samples",
    "aas_noun_v2t": "alignment score: nouns, v2t",
    "aas_verb_v2t": "alignment score: verbs, v2t",
    "aas_noun_v2v": "alignment score: nouns, v2v",
    "aas_verb_v2v": "alignment score: verbs, v2v",
}
# A window of a twentieth of the run keeps the course and drops the noise of single batches.
_WINDOWS_PER_RUN = 20


@dataclass(frozen=True)
class Curve:
    """One column of the log: its values where there are any, and their centred moving mean."""

    name: str
    title: str
    steps: tuple[float, ...]
    raw: tuple[float, ...]
    smooth: tuple[float, ...]
    window: int


@dataclass(frozen=True)
class Training:
    """Everything the section on training says; ``facts`` are (what, how much).

    ``measured`` are curves over held-out clips; none where the recipe measured nothing.
    """

    curves: tuple[Curve, ...] | Absent
    measured: tuple[Curve, ...]
    recipe: str | Absent
    facts: tuple[tuple[str, str], ...]


def read_training(artifact: Artifact) -> Training:
    """The log, the measurements, the recipe and the facts of a training artifact."""
    curves = or_absent("loss curves", lambda: read_curves(artifact))
    recipe = or_absent("recipe", lambda: read_text(member(artifact, "recipe.yaml")))
    return Training(curves, read_measured(artifact), recipe, tuple(_facts(artifact.summary)))


def read_curves(artifact: Artifact) -> tuple[Curve, ...] | Absent:
    """One curve per column that holds a number."""
    path = member(artifact, "losses.csv")
    table = read_number_table(path)
    steps = table.get("step", range(len(next(iter(table.values())))))
    names = [n for n in TERMS if n in table] + [n for n in table if n not in TERMS and n not in _NOT_DRAWN]
    window = max(1, len(steps) // _WINDOWS_PER_RUN) | 1  # odd, so that it has a centre
    curves = [_curve(name, steps, table[name], window) for name in names]
    drawn = tuple(curve for curve in curves if curve.raw)
    return drawn or Absent("loss curves", f"{path.name} holds no number.")


def read_measured(artifact: Artifact) -> tuple[Curve, ...]:
    """One curve per measure of held-out clips, with every value as it is: there are few."""
    if _MEASURED not in artifact.manifest["files"]:
        return ()
    path = member(artifact, _MEASURED)
    rows = field(read_json(path), "rows", path)
    found = []
    for name, title in MEASURES.items():
        told = [(float(field(row, "step", path)), float(row[name])) for row in rows if name in row]
        if told:
            steps, values = zip(*told, strict=True)
            found.append(Curve(name, title, steps, values, values, window=1))
    return tuple(found)


def _curve(name: str, steps: Sequence[float | None], values: Sequence[float | None], window: int) -> Curve:
    pairs = [(s, v) for s, v in zip(steps, values, strict=True) if s is not None and v is not None and np.isfinite(v)]
    raw = np.array([value for _, value in pairs], dtype=np.float64)
    smooth = tuple(moving_mean(raw, window).tolist())
    return Curve(name, TERMS.get(name, name), tuple(s for s, _ in pairs), tuple(raw.tolist()), smooth, window)


def moving_mean(values: Float[ndarray, " n"], window: int) -> Float[ndarray, " n"]:
    """The mean of the ``window`` values around each; at the ends, of those that are there."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    centres = np.arange(len(values))
    starts = np.maximum(centres - window // 2, 0)
    ends = np.minimum(centres + window // 2 + 1, len(values))
    means: Float[ndarray, " n"] = (sums[ends] - sums[starts]) / (ends - starts)
    return means


def _facts(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = []
    if summary.get("steps") is not None:
        facts.append(("optimiser steps", f"{summary['steps']}"))
    for stream, layers in (summary.get("layers") or {}).items():
        facts.append((f"layers of {stream}", in_words(layers)))
    if summary.get("trainable_parameters") is not None:
        facts.append(("trainable parameters", f"{summary['trainable_parameters']:,}"))
    if summary.get("seconds_per_step") is not None:
        facts.append(("seconds per step", compact(float(summary["seconds_per_step"]))))
    return facts
