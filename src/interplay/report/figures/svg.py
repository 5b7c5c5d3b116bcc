"""The few SVG shapes that the figures need, and axes to put them on.

Everything that is given as text is escaped. Colours are CSS classes, so that one drawing serves light and dark.
Units are those of the drawing's view box, which is shown at about one pixel per unit.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from interplay.report.numbers import compact

# Into how many parts an axis is cut, at most.
_PARTS = 4


@dataclass(frozen=True)
class Scale:
    """A linear axis: data from ``low`` to ``high`` onto the drawing from ``start`` to ``end``, ticks every ``step``."""

    low: float
    high: float
    start: float
    end: float
    step: float

    def __call__(self, value: float) -> float:
        """Where ``value`` lies in the drawing."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """The multiples of ``step`` on the axis."""
        first, last = math.ceil(self.low / self.step - 1e-9), math.floor(self.high / self.step + 1e-9)
        return [index * self.step for index in range(first, last + 1)]


def tight_scale(low: float, high: float, start: float, end: float, *, parts: int = _PARTS) -> Scale:
    """An axis that ends where the data end."""
    return Scale(low, high, start, end, round_step(low, high, parts))


def value_scale(values: Iterable[float], floor: float, top: float) -> Scale:
    """An upright axis that holds zero and all values and ends on ticks at both ends."""
    low, high = span(values, zero=True)
    step = round_step(low, high, _PARTS)
    return Scale(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, floor, top, step)


def span(values: Iterable[float], *, zero: bool) -> tuple[float, float]:
    """The least and the greatest value (and zero, where the axis must hold it), never of no extent."""
    found = [*values, *([0.0] if zero else [])]
    low, high = min(found), max(found)
    if high > low:
        return low, high
    return (0.0, 1.0) if zero else (low - 0.5, high + 0.5)


def round_step(low: float, high: float, wanted: int) -> float:
    """The least of 1, 2, 5, 10, 20, 50 ... (and 0.5, 0.2 ...) that cuts an axis into at most ``wanted`` parts."""
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * m for m in (1.0, 2.0, 5.0, 10.0) if power * m >= raw * (1 - 1e-9))


def drawing(width: float, height: float, label: str, parts: Iterable[Markup]) -> Markup:
    """A whole figure; ``label`` says in words what it shows."""
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}" preserveAspectRatio="xMidYMid meet">{}</svg>'
    ).format(_n(width), _n(height), label, Markup("").join(parts))


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    """A straight line."""
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(_n(x1), _n(y1), _n(x2), _n(y2), style)


def rect(x: float, y: float, width: float, height: float, style: str, *, fill: str = "", title: str = "") -> Markup:
    """A rectangle; ``fill`` is a colour that no class can give, ``title`` what a pointer over it shows."""
    colour = Markup(' fill="{}"').format(fill) if fill else Markup("")
    inner = Markup("<title>{}</title>").format(title) if title else Markup("")
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" class="{}"{}>{}</rect>').format(
        _n(x), _n(y), _n(width), _n(height), style, colour, inner
    )


def bar(x: float, width: float, scale: Scale, value: float, style: str, title: str) -> Markup:
    """An upright bar from zero to ``value``."""
    top, bottom = sorted((scale(value), scale(0.0)))
    return rect(x, top, width, bottom - top, style, title=title)


def circle(x: float, y: float, radius: float, style: str) -> Markup:
    """A disc."""
    return Markup('<circle cx="{}" cy="{}" r="{}" class="{}"/>').format(_n(x), _n(y), _n(radius), style)


def text(x: float, y: float, content: str, style: str = "label", anchor: str = "middle") -> Markup:
    """Text at a point; ``anchor`` is start, middle or end."""
    return Markup('<text x="{}" y="{}" class="{}" text-anchor="{}">{}</text>').format(
        _n(x), _n(y), style, anchor, content
    )


def upright(x: float, y: float, content: str) -> Markup:
    """The title of a vertical axis, read from below."""
    return Markup(
        '<text class="axis-title" text-anchor="middle" transform="translate({} {}) rotate(-90)">{}</text>'
    ).format(_n(x), _n(y), content)


def path(points: Sequence[tuple[float, float]], style: str) -> Markup:
    """A line through ``points``."""
    moves = "".join(f"{'M' if i == 0 else 'L'}{_n(x)} {_n(y)}" for i, (x, y) in enumerate(points))
    return Markup('<path d="{}" class="{}"/>').format(moves, style)


def y_axis(scale: Scale, left: float, right: float) -> Markup:
    """Grid lines across the plot, each with its number at the left."""
    parts = []
    for tick in scale.ticks():
        style = "zero" if tick == 0 else "grid"
        parts += [line(left, scale(tick), right, scale(tick), style)]
        parts += [text(left - 6, scale(tick) + 3.5, compact(tick), anchor="end")]
    return Markup("").join(parts)


def x_axis(scale: Scale, y: float) -> Markup:
    """Numbers below a plot whose lower edge is ``y``."""
    return Markup("").join(text(scale(tick), y + 14, compact(tick)) for tick in scale.ticks())


def labelled(amount: int, most: int, kept: Collection[int] = ()) -> list[int]:
    """Which of ``amount`` places get a label: evenly spread, ``most`` at most, and all ``kept`` with room around."""
    every = -(-amount // most)
    spread = (i for i in range(0, amount, every) if all(i == k or abs(i - k) >= every for k in kept))
    return sorted({*spread, *kept})


def _n(value: float) -> str:
    return escape(f"{value:.2f}".rstrip("0").rstrip("."))
