"""Single heads: how much each one aligns, with intervals, and how well it tells success from failure.

A layer's score is the plain mean over its heads (MATRIX, appendix D.1), in which a few heads that bind may hide among
many that do not. ``heads.parquet`` has one row per variant, expert, layer and head; the verdict names the strongest.

Shape legend: ``c`` clips, ``l`` layers, ``h`` heads, ``k`` = l h columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float
from numpy import ndarray

from interplay.analyze.experts import expert_of, variant_of
from interplay.analyze.resampling import Clips, draw, means
from interplay.analyze.stability import interval
from interplay.core.files import full_disk_named

_NAMED = 5

SCHEMA = pa.schema(
    [
        ("variant", pa.string()),
        ("expert", pa.int32()),
        ("layer", pa.int32()),
        ("head", pa.int32()),
        ("magnitude", pa.float64()),
        ("magnitude_low", pa.float64()),
        ("magnitude_high", pa.float64()),
        ("separation", pa.float64()),
        ("separation_low", pa.float64()),
        ("separation_high", pa.float64()),
    ]
)


@dataclass(frozen=True)
class HeadScores:
    """Mean score of every head over clips, and success minus failure (``None`` without labels), with 95 % intervals."""

    magnitude: Float[ndarray, "l h"]
    magnitude_interval: Float[ndarray, "2 l h"]
    separation: Float[ndarray, "l h"] | None
    separation_interval: Float[ndarray, "2 l h"] | None

    def strongest(self, layer: int) -> list[dict[str, Any]]:
        """The few heads of a layer (a position) with the highest means, best first."""
        order = np.argsort(-self.magnitude[layer], kind="stable")[:_NAMED]
        return [
            {
                "head": int(head),
                "magnitude": float(self.magnitude[layer, head]),
                "magnitude_interval": self.magnitude_interval[:, layer, head].tolist(),
                "separation": None if self.separation is None else float(self.separation[layer, head]),
            }
            for head in order
        ]

    def table(self, name: str, layers: Sequence[int]) -> pa.Table:
        """The rows in ``heads.parquet`` of the variant, or of the variant in one expert, of this name."""
        layer, head = (index.ravel() for index in np.indices(self.magnitude.shape))
        nothing = pa.nulls(layer.size)
        columns = {
            "variant": pa.repeat(variant_of(name), layer.size),
            "expert": pa.repeat(expert_of(name) or 0, layer.size),
            "layer": np.array(layers)[layer],
            "head": head,
            "magnitude": self.magnitude.ravel(),
            "magnitude_low": self.magnitude_interval[0].ravel(),
            "magnitude_high": self.magnitude_interval[1].ravel(),
            "separation": nothing if self.separation is None else self.separation.ravel(),
            "separation_low": nothing if self.separation_interval is None else self.separation_interval[0].ravel(),
            "separation_high": nothing if self.separation_interval is None else self.separation_interval[1].ravel(),
        }
        return pa.table(columns).cast(SCHEMA)


def score_heads(scores: Float[ndarray, "c l h"], labelled: Clips, *, resamples: int, seed: int) -> HeadScores:
    """Means and percentile intervals over resampled clips; ``labelled`` says which clips are successes and failures."""
    flat: Float[ndarray, "c k"] = scores.reshape(len(scores), -1)
    counts = draw(labelled, len(scores), resamples, np.random.default_rng(seed))
    shape = scores.shape[1:]
    magnitude_interval = interval(means(flat, counts)).reshape(2, *shape)
    if not labelled.labelled:
        return HeadScores(scores.mean(axis=0), magnitude_interval, None, None)
    difference = scores[labelled.success].mean(axis=0) - scores[labelled.failure].mean(axis=0)
    resampled = means(flat, counts * labelled.success) - means(flat, counts * labelled.failure)
    return HeadScores(scores.mean(axis=0), magnitude_interval, difference, interval(resampled).reshape(2, *shape))


def write_heads(tables: Sequence[pa.Table], path: Path) -> None:
    """``heads.parquet``: the variants one after the other."""
    with full_disk_named(path.parent):
        pq.write_table(pa.concat_tables([SCHEMA.empty_table(), *tables]), path)
