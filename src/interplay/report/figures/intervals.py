"""The differences between both models with their intervals, one line per metric."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from interplay.report.figures import svg
from interplay.report.numbers import signed
from interplay.report.scores import ScoreRow

_WIDTH, _ROW, _TOP, _BOTTOM = 520.0, 34.0, 8.0, 42.0
_LEFT, _RIGHT = 52.0, 420.0


def difference_figure(rows: Sequence[ScoreRow]) -> Markup | None:
    """Dots with whiskers around zero; ``None`` when no difference is known."""
    known = [(row.metric.upper(), row.difference) for row in rows if row.difference and row.difference.mean is not None]
    if not known:
        return None
    ends = [end for _, d in known for end in (d.low, d.mean, d.high) if end is not None]
    low, high = svg.span(ends, zero=True)
    room = 0.06 * (high - low)
    scale = svg.tight_scale(low - room, high + room, _LEFT, _RIGHT, parts=7)
    height = _TOP + _ROW * len(known) + _BOTTOM
    floor = height - _BOTTOM
    ticks = scale.ticks()
    parts = [svg.line(scale(t), _TOP, scale(t), floor, "zero" if t == 0 else "grid") for t in ticks]
    parts += [svg.text(scale(t), floor + 14, signed(t, 2) if t else "0") for t in ticks]
    parts.append(svg.text((_LEFT + _RIGHT) / 2, height - 4, "aligned − base", "axis-title"))
    for position, (name, difference) in enumerate(known):
        y = _TOP + _ROW * (position + 0.5)
        parts.append(svg.text(_LEFT - 10, y + 4, name, "row-name", "end"))
        if difference.low is not None and difference.high is not None:
            parts.append(svg.line(scale(difference.low), y, scale(difference.high), y, "whisker"))
        assert difference.mean is not None
        parts.append(svg.circle(scale(difference.mean), y, 5, "dot"))
        parts.append(svg.text(_RIGHT + 14, y + 4, signed(difference.mean), "row-value", "start"))
    words = ", ".join(f"{name} {signed(d.mean)} ({signed(d.low)} to {signed(d.high)})" for name, d in known)
    return svg.drawing(_WIDTH, height, f"Differences between aligned and base with 95% intervals: {words}", parts)
