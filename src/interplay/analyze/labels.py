"""Which clips count as successes and which as failures: by their interaction fidelity (IF), or by a file of labels.

The paper's sets are chosen by people and of equal size. Where scores choose, the sets are of equal size too; a file is
taken as it is, and its sizes are told.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from interplay.analyze.config import AnalyzeConfig
from interplay.core.errors import InputError

# One clip on a side says more about that clip than about success.
SMALLEST_SET = 2
_SUCCESS, _FAILURE = "success", "failure"
_COLUMNS = ("clip_id", "label")
_HOW = 'write a CSV with the columns clip_id and label, or a JSON object {"CLIP": "success" or "failure"}'


@dataclass(frozen=True)
class Labels:
    """Two sets of clips, or two empty ones; ``rule`` says how they were made, or why there are none."""

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


def read_labels(path: Path, analysed: Sequence[str], known: Sequence[str]) -> Labels:
    """The labels in a file, of the clips that are analysed; clips that the file does not name are in neither set.

    Space around names and labels and the case of labels do not matter, in both formats. A clip that is not ``known`` to
    the dataset, another word than success or failure, a clip that is named twice, or too few of either are
    :class:`InputError`.
    """
    labels = _each_once(_json_pairs(path) if path.suffix.lower() == ".json" else _csv_rows(path), path)
    everybody = set(known)
    for clip_id, label in labels.items():
        if clip_id not in everybody:
            raise InputError(f"names the clip {clip_id!r}, which the dataset does not have", where=path, cure=_HOW)
        if label not in (_SUCCESS, _FAILURE):
            raise InputError(f"calls the clip {clip_id} {label!r}", where=path, cure=_HOW)
    success, failure = (tuple(c for c in analysed if labels.get(c) == wanted) for wanted in (_SUCCESS, _FAILURE))
    if min(len(success), len(failure)) < SMALLEST_SET:
        problem = f"labels {len(success)} of the analysed clips as successes and {len(failure)} as failures"
        raise InputError(problem, where=path, cure=f"label at least {SMALLEST_SET} of each, or leave the file out")
    return Labels(success, failure, f"by the file {path.name}: {len(success)} successes, {len(failure)} failures")


def _each_once(pairs: Iterable[tuple[str, str]], path: Path) -> dict[str, str]:
    labels: dict[str, str] = {}
    for clip_id, label in ((clip_id.strip(), label.strip().lower()) for clip_id, label in pairs):
        if clip_id in labels:
            raise InputError(f"names the clip {clip_id} twice", where=path, cure="keep one of its labels")
        labels[clip_id] = label
    return labels


def _json_pairs(path: Path) -> list[tuple[str, str]]:
    """The object's members as they stand in the file: a repeated key is there twice."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=tuple)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"cannot be read ({error})", where=path, cure=_HOW) from error
    if not isinstance(content, tuple):
        raise InputError("holds no object of clips", where=path, cure=_HOW)
    for clip_id, label in content:
        if not isinstance(label, str):
            raise InputError(f"has no word as the label of the clip {clip_id}", where=path, cure=_HOW)
    return list(content)


def _csv_rows(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.DictReader(stream)
            if not set(_COLUMNS) <= set(rows.fieldnames or ()):
                raise InputError("lacks the column clip_id or label", where=path, cure=_HOW)
            for row in rows:
                yield row["clip_id"] or "", row["label"] or ""
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read ({error})", where=path, cure=_HOW) from error


def _separated_third(best_first: list[str], scored: Mapping[str, float]) -> int:
    size = len(best_first) // 3
    while size > 0 and scored[best_first[size - 1]] <= scored[best_first[-size]]:
        size -= 1
    return size
