"""Missing is a value with a reason: what the page shows in the place of a part that cannot be made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from interplay.core.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Absent:
    """``what`` is not on the page, and ``why``."""

    what: str
    why: str


def or_absent(what: str, make: Callable[[], T]) -> T | Absent:
    """What ``make`` returns, or an :class:`Absent` with its complaint about its input."""
    try:
        return make()
    except InputError as error:
        return Absent(what, str(error))
