"""The table of scores on disk: one part per clip while it grows, one ``scores.parquet`` in the end; and reading it.

Shape legend: ``c`` clips, ``d`` draws, ``l`` layers, ``f`` steps, ``h`` heads.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Int
from numpy import ndarray

from interplay.analyze.config import Measure
from interplay.analyze.scoring import MEAN_HEAD, SCHEMA
from interplay.core.errors import InputError
from interplay.core.files import full_disk_named

# A site is addressed ``blocks.<layer>.<kind>``; cross-attention has no keys but text.
_OF_TEXT_ALONE = ".cross"


def part_path(folder: Path, clip_id: str) -> Path:
    """Where the scores of one clip wait for the others."""
    return folder / f"{clip_id}.parquet"


def write_part(folder: Path, clip_id: str, table: pa.Table) -> None:
    """Write one clip's scores in one step: a part that exists is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    path = part_path(folder, clip_id)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with full_disk_named(folder):
        pq.write_table(table, temporary)
        os.replace(temporary, path)


def join_parts(folder: Path, clip_ids: Sequence[str], out: Path) -> None:
    """All parts in the order of the clips, one row group or more each."""
    with full_disk_named(out.parent), pq.ParquetWriter(out, SCHEMA) as writer:
        for clip_id in clip_ids:
            writer.write_table(as_scores(pq.read_table(part_path(folder, clip_id)), folder))


def as_scores(table: pa.Table, where: Path) -> pa.Table:
    """The table, in the types of :data:`.SCHEMA`; :class:`InputError` when an earlier version wrote other columns."""
    if table.schema.names != SCHEMA.names:
        other = ", ".join(sorted({*table.schema.names} ^ {*SCHEMA.names}))
        problem = f"holds scores of another version of Interplay (the columns differ: {other})"
        raise InputError(problem, where=where, cure="remove it and score the clips again")
    return table.cast(SCHEMA)


@dataclass(frozen=True)
class VariantScores:
    """One variant's scores, mean over heads and over a clip's terms: every clip that has the variant, layer and step.

    Where experts share the noise levels these are one expert's: ``steps`` numbers those that it runs.
    ``values`` is the mean over draws, ``by_draw`` the mean over steps. ``of_text_alone``: the layers' attention has no
    keys but text, so a filter of dummy layers applies.
    """

    clip_ids: tuple[str, ...]
    layers: Int[ndarray, " l"]
    steps: Int[ndarray, " f"]
    timesteps: Int[ndarray, " f"]
    values: Float[ndarray, "c l f"]
    by_draw: Float[ndarray, "d c l"]
    of_text_alone: bool

    @property
    def step_mean(self) -> Float[ndarray, "c l"]:
        """The average over the steps, which the layer rule works on."""
        mean: Float[ndarray, "c l"] = self.values.mean(axis=2)
        return mean


def read_variant(path: Path, variant: str, measure: Measure, expert: int = 0) -> VariantScores | None:
    """The scores of a variant in one expert; ``None`` when no clip has it, or the expert ran at no step."""
    columns = ["clip_id", "draw", "step", "timestep", "layer", "site", measure]
    chosen = [("variant", "=", variant), ("expert", "=", expert), ("head", "=", MEAN_HEAD)]
    rows = pq.read_table(path, columns=columns, filters=chosen)
    if rows.num_rows == 0:
        return None
    clip_ids, clip = _numbered(rows["clip_id"])
    layers, layer = np.unique(rows["layer"].to_numpy(), return_inverse=True)
    steps, step = np.unique(rows["step"].to_numpy(), return_inverse=True)
    draw, timestep = (rows[name].to_numpy() for name in ("draw", "timestep"))
    shape = (int(draw.max()) + 1, len(clip_ids), len(layers), len(steps))
    # Every term of a clip has the same forwards, so the mean of its rows is the mean over its terms.
    values = _cell_means((draw, clip, layer, step), rows[measure].to_numpy(), shape)
    timesteps = np.zeros(shape[-1], dtype=np.int64)
    timesteps[step] = timestep
    return VariantScores(
        clip_ids,
        layers.astype(np.int64),
        steps.astype(np.int64),
        timesteps,
        values=values.mean(axis=0),
        by_draw=values.mean(axis=3),
        of_text_alone=all(site.endswith(_OF_TEXT_ALONE) for site in rows["site"].unique().to_pylist()),
    )


def read_heads(path: Path, variant: str, measure: Measure, expert: int = 0) -> Float[ndarray, "c l h"] | None:
    """Scores of single heads, mean over a clip's terms and forwards; clips and layers as :func:`read_variant` has them.

    ``None`` when the table holds no heads, or :func:`read_variant` finds nothing.
    """
    columns = ["clip_id", "layer", "head", measure]
    chosen = [("variant", "=", variant), ("expert", "=", expert), ("head", ">", MEAN_HEAD)]
    rows = pq.read_table(path, columns=columns, filters=chosen)
    if rows.num_rows == 0:
        return None
    means = rows.group_by(["clip_id", "layer", "head"]).aggregate([(measure, "mean")])
    clip_ids, clip = _numbered(means["clip_id"])
    layers, layer = np.unique(means["layer"].to_numpy(), return_inverse=True)
    head = means["head"].to_numpy()
    values = np.full((len(clip_ids), len(layers), int(head.max()) + 1), np.nan)
    values[clip, layer, head] = means[f"{measure}_mean"].to_numpy()
    return values


def _numbered(names: pa.ChunkedArray) -> tuple[tuple[str, ...], Int[ndarray, " n"]]:
    """The distinct names in alphabetical order, and the number of each row's."""
    encoded = names.combine_chunks().dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    order = np.argsort(np.array(distinct))
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order))
    return tuple(distinct[place] for place in order), number[encoded.indices.to_numpy()]


def _cell_means(
    index: tuple[Int[ndarray, " n"], ...], values: Float[ndarray, " n"], shape: tuple[int, ...]
) -> Float[ndarray, ...]:
    """Mean of the values that share an index; a cell without any is NaN."""
    flat = np.ravel_multi_index(tuple(part.astype(np.int64) for part in index), shape)
    total, count = (np.bincount(flat, weights=w, minlength=int(np.prod(shape))) for w in (values, None))
    with np.errstate(invalid="ignore"):
        return (total / count).reshape(shape)
