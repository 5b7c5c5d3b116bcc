"""How numbers and their absence are written on the page."""

from __future__ import annotations

import math

NOTHING = "–"
_MINUS = "−"


def number(value: float | None, digits: int = 3) -> str:
    """``0.412``, with a true minus sign; a dash for what is not there."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:.{digits}f}".replace("-", _MINUS)


def signed(value: float | None, digits: int = 3) -> str:
    """``+0.041`` or ``−0.041``: for differences."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:+.{digits}f}".replace("-", _MINUS)


def compact(value: float) -> str:
    """Three significant digits, for the labels of axes: ``0.0125``, ``1.2e−05``, ``4000``."""
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", _MINUS)


def count(amount: int, noun: str) -> str:
    """``1 clip``, ``2 clips``."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"
