"""How sizes are told to people: width x height, as players, cameras and trainers say it.

In the code a size is ``size_hw``, height first, as arrays have it; only text turns it round, and only here.
"""

from __future__ import annotations


def size_text(size_hw: tuple[int, int]) -> str:
    """``(1920, 1080)`` as ``1080x1920``: a portrait video is narrow before it is tall."""
    return f"{size_hw[1]}x{size_hw[0]}"


def shape_text(num_frames: int, size_hw: tuple[int, int]) -> str:
    """``81 frames of 1080x1920``."""
    return f"{num_frames} frames of {size_text(size_hw)}"
