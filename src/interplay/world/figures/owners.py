"""Who owns a pixel: a member of the scene and, of persons, which part. One small number per pixel holds both."""

from __future__ import annotations

from typing import Literal

Part = Literal["body", "head", "near_hand", "far_hand"]
PARTS: tuple[Part, ...] = ("body", "head", "near_hand", "far_hand")


def owner(member_index: int, part: Part = "body") -> int:
    """The number of a part of the member at this place in the scene's list; 0 and more."""
    return member_index * len(PARTS) + PARTS.index(part)
