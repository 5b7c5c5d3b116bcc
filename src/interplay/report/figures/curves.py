"""Loss curves: one small figure per term, the raw values behind their moving mean."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from interplay.report.figures import svg
from interplay.report.numbers import compact
from interplay.report.training import Curve

_WIDTH, _HEIGHT = 320.0, 190.0
_LEFT, _RIGHT, _TOP, _FLOOR = 52.0, 312.0, 10.0, 150.0
# More points than this no eye can part; the extremes of every stretch are kept.
_MAX_POINTS = 800


def curve_figure(curve: Curve) -> Markup:
    """One term over the steps; the value axis begins at zero unless values lie below it."""
    values = svg.value_scale(curve.raw, _FLOOR, _TOP)
    first, last = svg.span(curve.steps, zero=False)
    steps = svg.tight_scale(first, last, _LEFT, _RIGHT)
    parts = [
        svg.y_axis(values, _LEFT, _RIGHT),
        svg.x_axis(steps, _FLOOR),
        svg.text((_LEFT + _RIGHT) / 2, _HEIGHT - 6, "step", "axis-title"),
        *_line(curve.steps, curve.raw, steps, values, "raw"),
        *_line(curve.steps, curve.smooth, steps, values, "smooth"),
    ]
    label = (
        f"{curve.title} over {len(curve.raw)} steps: from {compact(curve.smooth[0])} to {compact(curve.smooth[-1])} "
        "(moving mean)"
    )
    return svg.drawing(_WIDTH, _HEIGHT, label, parts)


def _line(x: Sequence[float], y: Sequence[float], steps: svg.Scale, values: svg.Scale, style: str) -> list[Markup]:
    if len(x) == 1:
        return [svg.circle(steps(x[0]), values(y[0]), 3, f"{style} point")]
    return [svg.path([(steps(a), values(b)) for a, b in thinned(x, y, _MAX_POINTS)], style)]


def thinned(x: Sequence[float], y: Sequence[float], limit: int) -> list[tuple[float, float]]:
    """At most ``limit`` points, or all when there are fewer: the least and the greatest of every stretch, in order."""
    if len(x) <= limit:
        return list(zip(x, y, strict=True))
    stretches = limit // 2
    kept = []
    for k in range(stretches):
        inside = range(k * len(x) // stretches, (k + 1) * len(x) // stretches)
        kept += sorted({min(inside, key=y.__getitem__), max(inside, key=y.__getitem__)})
    return [(x[i], y[i]) for i in kept]
