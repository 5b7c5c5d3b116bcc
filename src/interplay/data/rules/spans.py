"""Frames in words: a list of frame numbers as the ranges that a person would write."""

from __future__ import annotations

from collections.abc import Iterable

_MOST_RANGES = 4


def ranges_of(frames: Iterable[int]) -> list[range]:
    """Ascending frame numbers as runs without holes."""
    runs: list[range] = []
    for frame in frames:
        if runs and frame == runs[-1].stop:
            runs[-1] = range(runs[-1].start, frame + 1)
        else:
            runs.append(range(frame, frame + 1))
    return runs


def in_words(frames: Iterable[int]) -> str:
    """``frame 3``, ``frames 0-4, 9``; beyond four ranges the rest is counted."""
    runs = ranges_of(frames)
    total = sum(map(len, runs))
    shown = ", ".join(_range(run) for run in runs[:_MOST_RANGES])
    more = f" and {total - sum(map(len, runs[:_MOST_RANGES]))} more" if len(runs) > _MOST_RANGES else ""
    return f"{'frame' if total == 1 else 'frames'} {shown}{more}"


def _range(run: range) -> str:
    return str(run.start) if len(run) == 1 else f"{run.start}-{run.stop - 1}"
