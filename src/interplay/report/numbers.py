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


def rough(value: float | None) -> str:
    """:func:`compact` for a score of any size, a dash for what is not there."""
    return NOTHING if value is None or not math.isfinite(value) else compact(value)


def percent(share: float) -> str:
    """``54%``; 0 and 100 are kept for none and all."""
    whole = round(100 * share)
    return f"{min(max(whole, 0 if share <= 0 else 1), 100 if share >= 1 else 99)}%"


def count(amount: int, noun: str) -> str:
    """``1 clip``, ``2 clips``."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"
