"""Reading an analysis: its verdict on the layers, and the scores that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interplay.core.artifacts import Artifact
from interplay.core.files import read_json
from interplay.methods.matrix.layers import CHOSEN_FROM
from interplay.report.absent import or_absent
from interplay.report.alignment import read_grids, read_heads, read_terms
from interplay.report.config import ReportConfig
from interplay.report.layers import (
    MEANINGS,
    TITLES,
    Choice,
    LayerRow,
    Layers,
    Measured,
    Need,
    Published,
    PublishedRow,
    Variant,
    title_of,
)
from interplay.report.reading import field, member


def read_layers(analysis: Artifact, config: ReportConfig) -> Layers:
    """The verdict of an analysis artifact, and the scores that it rests on."""
    path = member(analysis, "layers.json")
    content = read_json(path)
    variants = field(content, "variants", path)
    measure = str(field(content, "measure", path))
    read = [_variant(name, entry, analysis, measure, config) for name, entry in variants.items()]
    order = [*TITLES, *(variant.kind for variant in read if variant.kind not in TITLES)]
    made = tuple(sorted(read, key=lambda variant: order.index(variant.kind)))
    chosen = {str(name): _numbers(layers) for name, layers in field(content, "chosen", path).items()}
    return Layers(
        variants=made,
        choices=_choices(content, chosen, made, path),
        chosen=chosen,
        published=_published(field(content, "published", path), chosen, path),
        rule=str(field(content, "rule", path)),
        measure=measure,
        notes=tuple(map(str, field(content, "notes", path))),
        facts=tuple(_facts(content, path)),
    )


def _variant(name: str, entry: Any, analysis: Artifact, measure: str, config: ReportConfig) -> Variant:
    path = member(analysis, "layers.json")
    kind, expert = str(field(entry, "variant", path)), field(entry, "expert", path)
    rows = sorted((_row(row, entry, path) for row in field(entry, "table", path)), key=lambda row: row.layer)
    picks = [row.layer for row in rows if row.picked]
    need, beside = field(entry, "clips_needed", path), field(entry, "beside", path)
    curve = tuple((int(point["clips"]), float(point["agreement"])) for point in field(need, "curve", path))
    return Variant(
        name=name,
        kind=kind,
        expert=expert,
        title=title_of(kind, expert),
        meaning=MEANINGS.get(kind, ""),
        clips=int(field(entry, "clips", path)),
        rows=tuple(rows),
        picks_by_draw=tuple(map(_numbers, field(entry, "picks_by_draw", path))),
        beside=None if beside is None else (str(beside["measure"]), _numbers(beside["picks"])),
        need=Need(float(field(need, "share", path)), field(need, "clips", path), curve),
        steps=or_absent("layer by step", lambda: read_grids(member(analysis, "scores.parquet"), kind, measure, expert)),
        heads=or_absent("single heads", lambda: read_heads(member(analysis, "heads.parquet"), kind, expert)),
        terms=or_absent(
            "scores of words",
            lambda: read_terms(member(analysis, "scores.parquet"), kind, measure, picks[:1], config, expert),
        ),
    )


def _row(row: Any, entry: Any, path: Path) -> LayerRow:
    layer = int(field(row, "layer", path))
    return LayerRow(
        layer=layer,
        frequency=int(field(row, "frequency", path)),
        magnitude=_measured(row, "magnitude", path),
        success_gap=_measured(row, "success_gap", path),
        failure_gap=_measured(row, "failure_gap", path),
        separation=_measured(row, "separation", path),
        influential_share=float(field(row, "influential_share", path)),
        dominant_share=float(field(row, "dominant_share", path)),
        picked_share=float(field(row, "picked_share", path)),
        influential=layer in field(entry, "influential", path),
        dominant=layer in field(entry, "dominant", path),
        picked=layer in field(entry, "picks", path),
        dummy=bool(field(row, "dummy", path)),
    )


def _measured(row: Any, name: str, path: Path) -> Measured:
    interval = field(row, f"{name}_interval", path) or (None, None)
    return Measured(field(row, name, path), *interval)


def _choices(
    content: Any, chosen: Mapping[str, tuple[int, ...]], variants: tuple[Variant, ...], path: Path
) -> tuple[Choice, ...]:
    made = []
    for relation, layers in chosen.items():
        share = field(field(content, "picked_share", path), relation, path)
        stable = field(field(content, "stable", path), relation, path)
        for layer in layers:
            picked_by = [
                (variant, row)
                for variant in variants
                if variant.kind in CHOSEN_FROM.get(relation, ())
                for row in variant.picks
                if row.layer == layer
            ]
            told = float(field(share, str(layer), path)), bool(field(stable, str(layer), path))
            made.append(Choice(relation, layer, tuple(picked_by), *told))
    return tuple(made)


def _published(entry: Any, chosen: Mapping[str, tuple[int, ...]], path: Path) -> Published | None:
    if entry is None:
        return None
    shared = field(entry, "shared", path)
    rows = []
    for relation, layers in chosen.items():
        known = field(entry, relation, path)
        trained = None if known["trained"] is None else _numbers(known["trained"])
        rows.append(PublishedRow(relation, _numbers(known["dominant"]), trained, layers, _numbers(shared[relation])))
    return Published(str(field(entry, "name", path)), str(field(entry, "source", path)), tuple(rows))


def _facts(content: Any, path: Path) -> list[tuple[str, str]]:
    modes = {"replay": "replay of the base's sampling", "data": "noised clips of the dataset"}
    mode = str(field(content, "mode", path))
    steps, draws = int(field(content, "steps", path)), int(field(content, "draws", path))
    labels = f"{field(content, 'n_success', path)} and {field(content, 'n_failure', path)}"
    return [
        ("what was observed", modes.get(mode, mode)),
        ("clips", str(field(content, "clips", path))),
        ("successes and failures", labels),
        ("noise levels", str(steps) if draws == 1 else f"{steps}, with {draws} noises each"),
    ]


def _numbers(layers: Any) -> tuple[int, ...]:
    return tuple(map(int, layers))
