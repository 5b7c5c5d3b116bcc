"""The scores of single words: a dot with its interval for each, the highest first."""

from __future__ import annotations

from markupsafe import Markup

from interplay.report.alignment import Terms
from interplay.report.figures import svg
from interplay.report.layers import Variant
from interplay.report.numbers import count, rough

_WIDTH, _ROW, _TOP, _BOTTOM = 520.0, 25.0, 6.0, 40.0
_LEFT, _RIGHT = 150.0, 390.0
# So many letters fit left of the plot; the whole phrase is in the title of its row.
_MAX_LETTERS = 20


def word_figure(variant: Variant, terms: Terms) -> Markup | None:
    """One row per word; ``None`` when no word has a score."""
    rows = [(term, term.score.mean) for term in terms.shown if term.score.mean is not None]
    if not rows:
        return None
    ends = [end for term, mean in rows for end in (term.score.low, mean, term.score.high) if end is not None]
    low, high = svg.span(ends, zero=True)
    scale = svg.tight_scale(low, high, _LEFT, _RIGHT)
    floor = _TOP + _ROW * len(rows)
    ticks = scale.ticks()
    parts = [svg.line(scale(t), _TOP, scale(t), floor, "grid" if t else "zero") for t in ticks]
    parts += [svg.text(scale(tick), floor + 14, rough(tick)) for tick in ticks]
    parts.append(svg.text((_LEFT + _RIGHT) / 2, floor + 33, f"mean score in layer {terms.layer}", "axis-title"))
    for position, (term, mean) in enumerate(rows):
        y = _TOP + _ROW * (position + 0.5)
        parts.append(svg.text(_LEFT - 10, y + 4, _short(term.words), "word", "end"))
        if term.score.low is not None and term.score.high is not None:
            parts.append(svg.line(scale(term.score.low), y, scale(term.score.high), y, "whisker"))
        parts.append(svg.circle(scale(mean), y, 4.5, "dot"))
        told = f"{count(term.score.n_scored, 'clip')}, {term.area_tokens:.0f} tokens"
        parts.append(svg.text(_RIGHT + 14, y + 4, told, "label", "start"))
    words = ", ".join(f"{term.words} {rough(mean)}" for term, mean in rows)
    return svg.drawing(_WIDTH, floor + _BOTTOM, f"{variant.title}, mean score by word: {words}", parts)


def _short(words: str) -> str:
    return words if len(words) <= _MAX_LETTERS else f"{words[: _MAX_LETTERS - 1].rstrip()}…"
