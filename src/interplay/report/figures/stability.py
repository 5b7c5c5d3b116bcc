"""How stable the choice of layers is: the shares of resamples by layer, and agreement by the number of clips."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from interplay.report.figures import svg
from interplay.report.figures.layer_bars import layer_names
from interplay.report.layers import Variant
from interplay.report.numbers import percent

_WIDTH, _LEFT, _RIGHT = 520.0, 58.0, 512.0
_TOP, _FLOOR, _HEIGHT = 12.0, 128.0, 166.0
# What is chosen is dominant or influential too, so the narrower bars stand inside the wider ones.
_SHARES = (
    ("influential_share", 0.8, "influential"),
    ("dominant_share", 0.56, "dominant"),
    ("picked_share", 0.3, "picked"),
)
_CURVE_FLOOR, _CURVE_HEIGHT = 190.0, 228.0
_QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)


def share_figure(variant: Variant) -> Markup | None:
    """Per layer, how often it is influential, dominant and chosen again; ``None`` when the table is empty."""
    rows = variant.rows
    if not rows:
        return None
    slot = (_RIGHT - _LEFT) / len(rows)
    scale = svg.Scale(0.0, 1.0, _FLOOR, _TOP, 0.25)
    parts = _percent_axis(scale)
    parts += [svg.line(_LEFT, scale(variant.need.share), _RIGHT, scale(variant.need.share), "threshold")]
    parts.append(svg.upright(12, (_TOP + _FLOOR) / 2, "of resamples"))
    for position, row in enumerate(rows):
        told = {name: getattr(row, f"{name}_share") for name in ("influential", "dominant", "picked")}
        title = f"layer {row.layer}: " + ", ".join(
            f"{'chosen' if name == 'picked' else name} in {percent(share)}" for name, share in told.items()
        )
        for name, width, style in _SHARES:
            x = _LEFT + slot * (position + (1 - width) / 2)
            parts.append(svg.bar(x, slot * width, scale, getattr(row, name), f"bar {style}", title))
    parts += layer_names(rows, _LEFT, slot, _FLOOR)
    parts.append(svg.text((_LEFT + _RIGHT) / 2, _HEIGHT - 4, "layer", "axis-title"))
    again = ", ".join(f"layer {row.layer} in {percent(row.picked_share)}" for row in variant.picks) or "no layer"
    return svg.drawing(_WIDTH, _HEIGHT, f"{variant.title}, chosen again in resamples: {again}", parts)


def agreement_figure(variants: Sequence[Variant]) -> Markup | None:
    """One line per variant: in what share of resamples so many clips repeat the choice; ``None`` without a curve."""
    drawn = [variant for variant in variants if variant.need.curve]
    if not drawn:
        return None
    sizes = sorted({size for variant in drawn for size, _ in variant.need.curve})
    across = svg.tight_scale(math.log2(sizes[0]), max(math.log2(sizes[-1]), math.log2(sizes[0]) + 1), _LEFT, _RIGHT)
    up = svg.Scale(0.0, 1.0, _CURVE_FLOOR, _TOP, 0.25)
    parts = _percent_axis(up)
    parts += [svg.line(_LEFT, up(share), _RIGHT, up(share), "threshold") for share in {v.need.share for v in drawn}]
    for have in sorted({variant.clips for variant in drawn}):
        parts.append(svg.line(across(math.log2(have)), _TOP, across(math.log2(have)), _CURVE_FLOOR, "at-hand"))
    parts += _clip_counts(sizes, across)
    for variant in drawn:
        points = [(across(math.log2(size)), up(share)) for size, share in variant.need.curve]
        parts.append(svg.path(points, f"agreement {variant.mark}"))
        parts += [svg.circle(x, y, 3, f"point {variant.mark}") for x, y in points]
    parts.append(svg.upright(12, (_TOP + _CURVE_FLOOR) / 2, "same choice"))
    parts.append(svg.text((_LEFT + _RIGHT) / 2, _CURVE_HEIGHT - 4, "clips (dotted: those at hand)", "axis-title"))
    told = "; ".join(f"{v.title}: {percent(v.need.curve[-1][1])} with {v.need.curve[-1][0]} clips" for v in drawn)
    return svg.drawing(_WIDTH, _CURVE_HEIGHT, f"Resamples that make the same choice, by number of clips. {told}", parts)


def _percent_axis(scale: svg.Scale) -> list[Markup]:
    parts = []
    for share in _QUARTERS:
        parts.append(svg.line(_LEFT, scale(share), _RIGHT, scale(share), "grid" if share else "zero"))
        parts.append(svg.text(_LEFT - 6, scale(share) + 3.5, percent(share), anchor="end"))
    return parts


def _clip_counts(sizes: Sequence[int], across: svg.Scale) -> list[Markup]:
    """Powers of two below the curve."""
    first, last = math.ceil(math.log2(sizes[0])), math.floor(math.log2(sizes[-1]))
    return [svg.text(across(power), _CURVE_FLOOR + 14, str(2**power)) for power in range(first, last + 1)]
