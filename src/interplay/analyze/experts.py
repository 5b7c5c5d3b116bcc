"""Variants where experts share a model's noise levels: each expert has verdicts of its own, told apart by name.

A variant of one expert is called ``noun_v2t.expert1``, in the manner of sites (``blocks.3.cross``); experts are
numbered as :attr:`.Backbone.transformers`. A model with one transformer has plain names: ``noun_v2t``.
"""

from __future__ import annotations

from collections.abc import Iterable

_MARK = ".expert"


def name_of(variant: str, expert: int, experts: int) -> str:
    """What the verdict on a variant in one of so many experts is called."""
    return variant if experts == 1 else f"{variant}{_MARK}{expert}"


def variant_of(name: str) -> str:
    """The variant alone."""
    return name.partition(_MARK)[0]


def expert_of(name: str) -> int | None:
    """The number of the expert; ``None`` in a name without one."""
    number = name.partition(_MARK)[2]
    return int(number) if number else None


def names_of(variant: str, names: Iterable[str]) -> list[str]:
    """Those of the names that are of this variant, in their order."""
    return [name for name in names if variant_of(name) == variant]
