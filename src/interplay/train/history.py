"""The rows that a training logs, and the table that is made of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

# One row a step: ``step``, ``loss``, whatever else the objective tells, ``learning_rate``, ``seconds``.
History = list[dict[str, float]]
LOSSES = "losses.csv"


def as_csv(rows: Iterable[Mapping[str, object]]) -> str:
    """The rows as CSV, with a column for every name in the order in which names come up; empty where a row has none."""
    rows = list(rows)
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def mean_of(history: Iterable[Mapping[str, float]], key: str) -> float:
    """Mean of a logged value."""
    values = [row[key] for row in history]
    return sum(values) / len(values)
