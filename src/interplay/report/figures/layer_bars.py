"""The layer chart of one variant: mean alignment score above, success and failure gaps below, with 95% intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from interplay.report.figures import svg
from interplay.report.layers import LayerRow, Measured, Variant
from interplay.report.numbers import count, number, signed

_WIDTH, _LEFT, _RIGHT = 520.0, 58.0, 512.0
_MEAN_TOP, _MEAN_FLOOR = 20.0, 128.0
_GAP_TOP, _GAP_FLOOR = 150.0, 228.0
# Without successes and failures there is one chart, and it gets all the room but the legend's.
_LONE_FLOOR = 180.0
# So many layer numbers fit under the bars without touching each other.
_MAX_LABELS = 30


def layer_figure(variant: Variant) -> Markup | None:
    """Bars per layer; ``None`` when the table is empty."""
    rows = variant.rows
    if not rows:
        return None
    slot = (_RIGHT - _LEFT) / len(rows)
    floor = _GAP_FLOOR if variant.has_gaps else _LONE_FLOOR
    parts = _mean_bars(variant, slot, _MEAN_FLOOR if variant.has_gaps else _LONE_FLOOR)
    parts += _gap_bars(variant, slot) if variant.has_gaps else []
    parts += layer_names(rows, _LEFT, slot, floor)
    parts.append(svg.text((_LEFT + _RIGHT) / 2, floor + 34, "layer", "axis-title"))
    best = max(rows, key=lambda row: row.magnitude.value or 0.0)
    named = {"chosen": [r.layer for r in rows if r.picked], "dominant": [r.layer for r in rows if r.dominant]}
    told = "; ".join(f"{what}: {', '.join(map(str, layers)) or 'none'}" for what, layers in named.items())
    label = f"{variant.title} by layer: greatest mean score in layer {best.layer}; {told}"
    return svg.drawing(_WIDTH, floor + 38, label, parts)


def layer_names(rows: Sequence[LayerRow], left: float, slot: float, floor: float) -> list[Markup]:
    """The numbers of the layers below a chart; every chosen one, in bold."""
    picked = [position for position, row in enumerate(rows) if row.picked]
    return [
        svg.text(left + slot * (i + 0.5), floor + 16, str(rows[i].layer), "label strong" if i in picked else "label")
        for i in svg.labelled(len(rows), _MAX_LABELS, picked)
    ]


def _mean_bars(variant: Variant, slot: float, floor: float) -> list[Markup]:
    ends = _ends(row.magnitude for row in variant.rows)
    if not ends:
        return [svg.text((_LEFT + _RIGHT) / 2, (_MEAN_TOP + floor) / 2, "no mean score was recorded")]
    scale = svg.value_scale(ends, floor, _MEAN_TOP)
    parts = [svg.y_axis(scale, _LEFT, _RIGHT), svg.upright(12, (_MEAN_TOP + floor) / 2, "mean score")]
    for position, row in enumerate(variant.rows):
        if row.magnitude.value is None:
            continue
        x = _LEFT + slot * (position + 0.14)
        title = f"layer {row.layer}: mean score {_told(row.magnitude, variant.digits)}, among the top layers of "
        style = f"bar {row.role}".strip()
        parts.append(svg.bar(x, slot * 0.72, scale, row.magnitude.value, style, title + count(row.frequency, "clip")))
        parts += _whisker(x + slot * 0.36, scale, row.magnitude)
        if row.picked:
            top = max(end for end in (row.magnitude.value, row.magnitude.high) if end is not None)
            parts.append(svg.text(x + slot * 0.36, scale(top) - 4, variant.star, "star"))
    return parts


def _gap_bars(variant: Variant, slot: float) -> list[Markup]:
    ends = _ends(gap for row in variant.rows for gap in (row.success_gap, row.failure_gap))
    scale = svg.value_scale(ends, _GAP_FLOOR, _GAP_TOP)
    parts = [svg.y_axis(scale, _LEFT, _RIGHT), svg.upright(12, (_GAP_TOP + _GAP_FLOOR) / 2, "gap")]
    for position, row in enumerate(variant.rows):
        for offset, gap, style in ((0.14, row.success_gap, "success"), (0.51, row.failure_gap, "failure")):
            if gap.value is not None:
                title = f"layer {row.layer}: {style} gap {_told(gap, variant.digits, sign=True)}"
                x = _LEFT + slot * (position + offset)
                parts.append(svg.bar(x, slot * 0.35, scale, gap.value, f"bar {style}", title))
                parts += _whisker(x + slot * 0.175, scale, gap)
    return parts


def _whisker(x: float, scale: svg.Scale, measured: Measured) -> list[Markup]:
    if measured.low is None or measured.high is None:
        return []
    return [svg.line(x, scale(measured.low), x, scale(measured.high), "error")]


def _ends(values: Iterable[Measured]) -> list[float]:
    return [end for m in values for end in (m.low, m.value, m.high) if end is not None]


def _told(measured: Measured, digits: int, *, sign: bool = False) -> str:
    value, low, high = (
        signed(end, digits) if sign else number(end, digits) for end in (measured.value, measured.low, measured.high)
    )
    return f"{value} ({low} to {high})"
