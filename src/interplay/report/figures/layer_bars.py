"""The layer chart of one variant: mean alignment score above, success and failure gaps below."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from interplay.report.figures import svg
from interplay.report.layers import LayerRow, Variant
from interplay.report.numbers import number, signed

_WIDTH, _LEFT, _RIGHT = 520.0, 58.0, 512.0
_MEAN_TOP, _MEAN_FLOOR = 16.0, 118.0
_GAP_TOP, _GAP_FLOOR = 136.0, 214.0
_HEIGHT = 252.0
# So many layer numbers fit under the bars without touching each other.
_MAX_LABELS = 30


def layer_figure(variant: Variant) -> Markup | None:
    """Bars per layer; ``None`` when the table is empty."""
    rows = variant.rows
    if not rows:
        return None
    slot = (_RIGHT - _LEFT) / len(rows)
    parts = [*_mean_bars(rows, slot), *_gap_bars(rows, slot), *_layer_names(rows, slot)]
    best = max(rows, key=lambda row: row.magnitude or 0.0)
    dominant = ", ".join(str(row.layer) for row in rows if row.dominant) or "none"
    label = f"{variant.name} by layer: greatest mean score in layer {best.layer}; dominant layers: {dominant}"
    return svg.drawing(_WIDTH, _HEIGHT, label, parts)


def _mean_bars(rows: Sequence[LayerRow], slot: float) -> list[Markup]:
    means = [row.magnitude for row in rows if row.magnitude is not None]
    if not means:
        return [svg.text((_LEFT + _RIGHT) / 2, (_MEAN_TOP + _MEAN_FLOOR) / 2, "no mean score was recorded")]
    scale = svg.value_scale(means, _MEAN_FLOOR, _MEAN_TOP)
    parts = [svg.y_axis(scale, _LEFT, _RIGHT), svg.upright(12, (_MEAN_TOP + _MEAN_FLOOR) / 2, "mean AAS")]
    for position, row in enumerate(rows):
        if row.magnitude is None:
            continue
        style = "bar dominant" if row.dominant else "bar influential" if row.influential else "bar"
        x = _LEFT + slot * (position + 0.14)
        title = f"layer {row.layer}: mean AAS {number(row.magnitude, 4)}, in the top layers of {_share(row)}"
        parts.append(svg.bar(x, slot * 0.72, scale, row.magnitude, style, title))
        if row.dominant:
            parts.append(svg.text(x + slot * 0.36, scale(row.magnitude) - 4, "★", "star"))
    return parts


def _share(row: LayerRow) -> str:
    return "an unknown number of clips" if row.frequency is None else f"{row.frequency:g} clips"


def _gap_bars(rows: Sequence[LayerRow], slot: float) -> list[Markup]:
    gaps = [gap for row in rows for gap in (row.success_gap, row.failure_gap) if gap is not None]
    middle = (_GAP_TOP + _GAP_FLOOR) / 2
    if not gaps:
        return [svg.text((_LEFT + _RIGHT) / 2, middle, "no gaps: they need both successes and failures")]
    scale = svg.value_scale(gaps, _GAP_FLOOR, _GAP_TOP)
    parts = [svg.y_axis(scale, _LEFT, _RIGHT), svg.upright(12, middle, "gap")]
    for position, row in enumerate(rows):
        for offset, gap, style in ((0.14, row.success_gap, "success"), (0.51, row.failure_gap, "failure")):
            if gap is not None:
                title = f"layer {row.layer}: {style} gap {signed(gap, 4)}"
                x = _LEFT + slot * (position + offset)
                parts.append(svg.bar(x, slot * 0.35, scale, gap, f"bar {style}", title))
    return parts


def _layer_names(rows: Sequence[LayerRow], slot: float) -> list[Markup]:
    every = -(-len(rows) // _MAX_LABELS)
    parts = []
    for position, row in enumerate(rows):
        if position % every == 0 or row.dominant:
            style = "label strong" if row.dominant else "label"
            parts.append(svg.text(_LEFT + slot * (position + 0.5), _GAP_FLOOR + 16, str(row.layer), style))
    return [*parts, svg.text((_LEFT + _RIGHT) / 2, _HEIGHT - 6, "layer", "axis-title")]
