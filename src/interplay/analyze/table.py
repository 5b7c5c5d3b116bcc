"""The table of scores on disk: one part per clip while it grows, one ``scores.parquet`` in the end.

Shape legend: ``c`` clips, ``l`` layers, ``f`` forwards (steps).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Int
from numpy import ndarray

from interplay.analyze.scoring import MEAN_HEAD, SCHEMA
from interplay.core.files import full_disk_named

Measure = Literal["aas", "aas_per_area"]


def part_path(folder: Path, clip_id: str) -> Path:
    """Where the scores of one clip wait for the others."""
    return folder / f"{clip_id}.parquet"


def write_part(folder: Path, clip_id: str, table: pa.Table) -> None:
    """Write one clip's scores in one step: a part that exists is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    path = part_path(folder, clip_id)
    temporary = path.with_name(f".{path.name}.tmp")
    with full_disk_named(folder):
        pq.write_table(table, temporary)
        os.replace(temporary, path)


def join_parts(folder: Path, clip_ids: Sequence[str], out: Path) -> None:
    """All parts in the order of the clips, one row group each."""
    with full_disk_named(out.parent), pq.ParquetWriter(out, SCHEMA) as writer:
        for clip_id in clip_ids:
            writer.write_table(pq.read_table(part_path(folder, clip_id)))


@dataclass(frozen=True)
class VariantScores:
    """One variant's scores, mean over heads: every clip that has the variant, every layer, every step."""

    clip_ids: tuple[str, ...]
    layers: Int[ndarray, " l"]
    timesteps: Int[ndarray, " f"]
    values: Float[ndarray, "c l f"]

    @property
    def step_mean(self) -> Float[ndarray, "c l"]:
        """The average over the steps, which the layer rule works on."""
        mean: Float[ndarray, "c l"] = self.values.mean(axis=2)
        return mean


def read_variant(path: Path, variant: str, measure: Measure) -> VariantScores | None:
    """The scores of a variant; ``None`` when no clip has it."""
    rows = pq.read_table(
        path,
        columns=["clip_id", "step", "timestep", "layer", measure],
        filters=[("variant", "=", variant), ("head", "=", MEAN_HEAD)],
    )
    if rows.num_rows == 0:
        return None
    clip_ids = tuple(dict.fromkeys(rows["clip_id"].to_pylist()))
    clip = np.searchsorted(sorted(clip_ids), rows["clip_id"].to_pylist())
    step, layer, timestep = (rows[name].to_numpy() for name in ("step", "layer", "timestep"))
    layers, layer_index = np.unique(layer, return_inverse=True)
    values = np.full((len(clip_ids), len(layers), int(step.max()) + 1), np.nan)
    values[clip, layer_index, step] = rows[measure].to_numpy()
    timesteps = np.zeros(values.shape[2], dtype=np.int64)
    timesteps[step] = timestep
    return VariantScores(tuple(sorted(clip_ids)), layers.astype(np.int64), timesteps, values)
