"""The scores an analysis wrote: by layer and step, by layer and head, and by the words they belong to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from interplay.core.errors import InputError
from interplay.core.estimates import Estimate, estimate
from interplay.core.seeds import derive_seed
from interplay.report.absent import Absent
from interplay.report.config import ReportConfig

# head == -1 is the plain mean over heads (MATRIX, appendix D.1).
_HEAD_MEAN = -1


@dataclass(frozen=True)
class Grid:
    """Mean scores over clips, layers by ``across``: ``values[layer][column]``, ``None`` where nothing was observed.

    ``span`` says which noise timesteps the first and the last step have.
    """

    across: Literal["step", "head"]
    layers: tuple[int, ...]
    columns: tuple[int, ...]
    values: tuple[tuple[float | None, ...], ...]
    span: tuple[float, float] | None = None


@dataclass(frozen=True)
class Term:
    """A word or phrase: its mean score over the clips that name it, and the mean area of its masks in tokens."""

    words: str
    score: Estimate
    area_tokens: float


@dataclass(frozen=True)
class Terms:
    """The terms that most clips name, the highest score first, in one layer; ``others`` are not shown."""

    layer: int
    shown: tuple[Term, ...]
    others: int


def read_grids(path: Path, variant: str, measure: str, expert: int | None = None) -> Grid | Absent:
    """Mean score by layer and step over all clips and noises, of the head means (of one ``expert`` if it is named)."""
    columns = ["clip_id", "layer", "step", "timestep", measure]
    table = _read(path, columns, [*_rows_of(variant, expert), ("head", "=", _HEAD_MEAN)])
    if table.num_rows == 0:
        return Absent("layer by step", f"no score of {variant} is there.")
    # A clip's terms first: a clip with three nouns counts as much as one with two.
    of_clips = table.group_by(["clip_id", "layer", "step"]).aggregate([(measure, "mean"), ("timestep", "mean")])
    means = of_clips.group_by(["layer", "step"]).aggregate([(f"{measure}_mean", "mean"), ("timestep_mean", "mean")])
    rows = means.to_pylist()
    timestep_of = {int(row["step"]): float(row["timestep_mean_mean"]) for row in rows}
    scores = {(int(row["layer"]), int(row["step"])): row[f"{measure}_mean_mean"] for row in rows}
    return _grid("step", scores, (timestep_of[min(timestep_of)], timestep_of[max(timestep_of)]))


def read_heads(path: Path, variant: str, expert: int | None = None) -> Grid | Absent:
    """Mean score by layer and head over all clips."""
    rows = _read(path, ["layer", "head", "magnitude"], _rows_of(variant, expert)).to_pylist()
    if not rows:
        return Absent("single heads", f"The analysis did not score the heads of {variant}.")
    return _grid("head", {(int(row["layer"]), int(row["head"])): row["magnitude"] for row in rows})


def read_terms(
    path: Path, variant: str, measure: str, layers: Sequence[int], config: ReportConfig, expert: int | None = None
) -> Terms | Absent:
    """The words of a variant in the first of the ``layers``; clips that name a word several times count once."""
    if not layers:
        return Absent("scores of words", f"{variant} chooses no layer.")
    columns = ["clip_id", "term", "words", "area", measure]
    chosen = [*_rows_of(variant, expert), ("head", "=", _HEAD_MEAN), ("layer", "=", layers[0])]
    table = _read(path, columns, chosen)
    words = pc.if_else(pc.equal(table["words"], ""), table["term"], table["words"])
    table = table.set_column(2, "words", words)
    of_clips = table.group_by(["words", "clip_id"]).aggregate([(measure, "mean"), ("area", "mean")])
    by_words: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(of_clips.to_pylist(), key=lambda row: (row["words"], row["clip_id"])):
        by_words.setdefault(row["words"], []).append(row)
    most = sorted(by_words, key=lambda name: (-len(by_words[name]), name))[: config.words]
    shown = [_term(name, by_words[name], f"{measure}_mean", _seed(config, variant, name), config) for name in most]
    shown.sort(key=lambda term: -(term.score.mean or 0.0))
    return Terms(layers[0], tuple(shown), len(by_words) - len(shown))


def _rows_of(variant: str, expert: int | None) -> list[tuple[str, str, Any]]:
    return [("variant", "=", variant), *([] if expert is None else [("expert", "=", expert)])]


def _seed(config: ReportConfig, variant: str, words: str) -> int:
    return derive_seed(config.seed, "report", "words", variant, words)


def _term(words: str, rows: Sequence[Mapping[str, Any]], column: str, seed: int, config: ReportConfig) -> Term:
    score = estimate([_finite(row[column]) for row in rows], seed=seed, resamples=config.resamples)
    return Term(words, score, sum(float(row["area_mean"]) for row in rows) / len(rows))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _read(path: Path, columns: list[str], filters: list[tuple[str, str, Any]]) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns, filters=filters, partitioning=None)
    except (pa.ArrowException, OSError, KeyError) as error:
        cure = "make the analysis again with this version of Interplay"
        raise InputError(f"is no table of alignment scores ({error})", where=path, cure=cure) from error


def _grid(
    across: Literal["step", "head"],
    scores: Mapping[tuple[int, int], float | None],
    span: tuple[float, float] | None = None,
) -> Grid:
    layers, columns = (tuple(sorted({key[place] for key in scores})) for place in (0, 1))
    values = tuple(tuple(_finite(scores.get((layer, column))) for column in columns) for layer in layers)
    return Grid(across, layers, columns, values, span)
