"""Where interactions live in the network: alignment scores per layer and step, and the pictures of attention."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from interplay.core.artifacts import Artifact
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.report.absent import Absent, or_absent
from interplay.report.reading import field, member
from interplay.report.videos import data_uri

# head == -1 is the plain mean over heads (paper D.1).
_HEAD_MEAN = -1
_COLUMNS = ("clip_id", "variant", "layer", "step", "timestep", "head", "aas")
VARIANTS: Mapping[str, str] = {
    "noun_v2t": "video to the words of a noun, inside the instance's mask",
    "verb_v2t": "video to the words of the verb, inside the masks of subject and object",
    "noun_v2v": "an instance's first-frame region to the video, inside its mask",
    "verb_v2v": "the first-frame regions of subject and object to the video, inside their masks",
}


@dataclass(frozen=True)
class LayerRow:
    """One layer in one variant: in how many clips it is among the top layers, its mean score, and the two gaps."""

    layer: int
    frequency: float | None
    magnitude: float | None
    success_gap: float | None
    failure_gap: float | None
    influential: bool
    dominant: bool


@dataclass(frozen=True)
class Grid:
    """Mean AAS over clips: ``values[layer position][step position]``, ``None`` where nothing was observed."""

    layers: tuple[int, ...]
    steps: tuple[int, ...]
    timesteps: tuple[float, ...]
    values: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True)
class Variant:
    """One of the four ways to look at alignment."""

    name: str
    meaning: str
    rows: tuple[LayerRow, ...]
    grid: Grid | Absent


@dataclass(frozen=True)
class Overlay:
    """A picture of attention on the frames of a clip."""

    uri: str
    clip_id: str
    variant: str
    layer: str
    label: str
    words: str


@dataclass(frozen=True)
class Layers:
    """Everything the section on layers says; ``notes`` are the analysis's own reservations."""

    variants: tuple[Variant, ...]
    chosen: Mapping[str, tuple[int, ...]]
    rule: str
    notes: tuple[str, ...]
    n_success: int
    n_failure: int


def read_layers(analysis: Artifact) -> Layers:
    """The layer table and the heat maps of an analysis artifact."""
    path = member(analysis, "layers.json")
    content = read_json(path)
    grids = or_absent("the layer by step scores", lambda: read_grids(member(analysis, "scores.parquet")))
    variants = field(content, "variants", path)
    order = [name for name in VARIANTS if name in variants] + [name for name in variants if name not in VARIANTS]
    return Layers(
        variants=tuple(_variant(name, variants[name], grids, path) for name in order),
        chosen={str(k): tuple(map(int, v)) for k, v in field(content, "chosen", path).items()},
        rule=str(content.get("rule") or ""),
        notes=tuple(map(str, content.get("notes") or ())),
        n_success=int(content.get("n_success") or 0),
        n_failure=int(content.get("n_failure") or 0),
    )


def _variant(name: str, entry: Any, grids: Mapping[str, Grid] | Absent, path: Path) -> Variant:
    influential = set(field(entry, "influential", path))
    dominant = set(field(entry, "dominant", path))
    rows = tuple(
        LayerRow(
            layer=int(field(row, "layer", path)),
            frequency=row.get("frequency"),
            magnitude=row.get("magnitude"),
            success_gap=row.get("success_gap"),
            failure_gap=row.get("failure_gap"),
            influential=row["layer"] in influential,
            dominant=row["layer"] in dominant,
        )
        for row in sorted(field(entry, "table", path), key=lambda row: int(field(row, "layer", path)))
    )
    grid = grids if isinstance(grids, Absent) else grids.get(name, Absent("heat map", f"no score of {name} is there."))
    return Variant(name, VARIANTS.get(name, ""), rows, grid)


def read_grids(path: Path) -> Mapping[str, Grid]:
    """Mean AAS by variant, layer and step over all clips and sites, of the head means."""
    try:
        table = pq.read_table(path, columns=list(_COLUMNS), filters=[("head", "=", _HEAD_MEAN)], partitioning=None)
    except (pa.ArrowException, OSError, KeyError) as error:
        cure = "make the analysis again with this version of Interplay"
        raise InputError(f"is no table of alignment scores ({error})", where=path, cure=cure) from error
    # A clip's terms first: a clip with three nouns counts as much as one with two.
    cell = ["variant", "layer", "step"]
    of_clips = table.group_by(["clip_id", *cell]).aggregate([("aas", "mean"), ("timestep", "mean")])
    of_clips = of_clips.rename_columns(["clip_id", *cell, "aas", "timestep"])
    means = of_clips.group_by(cell).aggregate([("aas", "mean"), ("timestep", "mean")]).to_pylist()
    by_variant: dict[str, list[Mapping[str, Any]]] = {}
    for row in means:
        by_variant.setdefault(row["variant"], []).append(row)
    return {variant: _grid(rows) for variant, rows in by_variant.items()}


def _grid(rows: Sequence[Mapping[str, Any]]) -> Grid:
    layers = tuple(sorted({int(row["layer"]) for row in rows}))
    timestep_of = {int(row["step"]): float(row["timestep_mean"]) for row in rows}
    steps = tuple(sorted(timestep_of))
    score = {(int(row["layer"]), int(row["step"])): row["aas_mean"] for row in rows if math.isfinite(row["aas_mean"])}
    values = tuple(tuple(score.get((layer, step)) for step in steps) for layer in layers)
    return Grid(layers, steps, tuple(timestep_of[step] for step in steps), values)


@dataclass(frozen=True)
class Overlays:
    """Pictures of attention: the first one of each variant, and the others."""

    first: tuple[Overlay, ...]
    others: tuple[Overlay, ...]


def read_overlays(analysis: Artifact, preferred: Sequence[str], limit: int) -> Overlays | Absent:
    """The pictures of attention, those of the ``preferred`` clips first; at most ``limit``."""
    path = member(analysis, "overlays.json")
    entries = read_json(path)
    rank = {clip_id: position for position, clip_id in enumerate(preferred)}
    chosen = sorted(entries, key=lambda entry: rank.get(str(field(entry, "clip_id", path)), len(rank)))[:limit]
    if not chosen:
        return Absent("attention pictures", "The analysis drew none.")
    overlays = [_overlay(analysis, entry, path) for entry in chosen]
    first = {overlay.variant: overlay for overlay in reversed(overlays)}
    return Overlays(
        tuple(o for o in overlays if first[o.variant] is o), tuple(o for o in overlays if first[o.variant] is not o)
    )


def _overlay(analysis: Artifact, entry: Mapping[str, Any], path: Path) -> Overlay:
    name = str(field(entry, "file", path))
    inside = name if name in analysis.manifest["files"] else f"overlays/{name}"
    words = entry.get("words") or ""
    return Overlay(
        uri=data_uri("image/png", member(analysis, inside).read_bytes()),
        clip_id=str(entry["clip_id"]),
        variant=str(field(entry, "variant", path)),
        layer=str(field(entry, "layer", path)),
        label=str(entry.get("label") or ""),
        words=words if isinstance(words, str) else " ".join(map(str, words)),
    )
