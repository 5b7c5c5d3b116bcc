"""Numbers of bytes for people, in powers of ten as disks are sold: ``1.5 GB``."""

from __future__ import annotations

import re

from interplay.core.errors import InputError

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?B)", re.IGNORECASE)


def size_text(count: int) -> str:
    """``1500000000`` as ``1.5 GB``."""
    unit = next((name for name, factor in reversed(_UNITS.items()) if count >= factor), "B")
    return f"{count} B" if unit == "B" else f"{count / _UNITS[unit]:.1f} {unit}"


def size_of(text: str, *, where: str) -> int:
    """The number of bytes that ``1.5GB`` means; :class:`InputError` about ``where`` when it is no size."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InputError("is no size", where=f"{where} {text}", cure="write it like 50GB, 800MB or 1.5TB")
    return int(float(match[1]) * _UNITS[match[2].upper()])
