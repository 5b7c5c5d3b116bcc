"""What state a thing is in: open, lit, full.

A thing's pixels are compared with its noun drawn in several states where it stood at first; what others cover of it is
left out. Shape legend: ``p`` pixel frames, ``y x`` rows and columns of the working size, ``n`` drawn states, ``k``
pixels of a thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8
from numpy import ndarray

from interplay.world.judge.appearance import Appearance, Setting, Sharpness, setting_of
from interplay.world.judge.brief import Brief
from interplay.world.judge.drawing import samples_of
from interplay.world.judge.segment import shrink, shrink_mask, soften

Floats = Float[ndarray, " p"]

_LEVELS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0)
# Things with a state, and to which sides they may open.
_SIDES: Mapping[str, tuple[int, ...]] = {
    "box": (-1, 1), "book": (-1, 1), "door": (-1, 1), "lamp": (1,), "cup": (1,)
}  # fmt: skip
# A thing is where it stood at first if its picture fits so much better than the empty stage, as far as it is seen. A
# book in use is mostly white pages and hands; it still is there as long as its picture fits at all better.
_FITS, _BOOK_FITS, _BOOK_LINGERS, _FREE = 0.5, 0.75, 0.95, 0.2
# A pixel is not the stage's from this squared difference on: so many times the noise and so much more.
_SURELY, _NOTICED = 1.5, 150.0
# A book of whose colour this share more is elsewhere than before has been taken away.
_ELSEWHERE = 0.4
# A pixel cannot be farther off than this (grey levels): a hand that nobody owns yet must not decide.
_OFF = 90.0
# A cup is drawn full of water from this state on.
_FULL = 0.5
# What never moves, and from which state on a thing's colours no longer show where its middle is.
FIXED, OPENED = ("door", "lamp"), 0.15
# Pixels around a thing that matter when its picture is blurred.
_MARGIN = 4


@dataclass(frozen=True)
class Home:
    """A thing with a state, where it stood at first.

    ``opened`` from 0 to 1 (NaN where it is not at home); ``there`` whether it is at home in a state in which it looks
    unlike itself, or is fixed there; ``mask`` its pixels then.
    """

    opened: Floats
    there: Bool[ndarray, " p"]
    mask: Bool[ndarray, "p y x"]


def at_home(
    look: Appearance,
    frames: UInt8[ndarray, "p y x 3"],
    brief: Brief,
    setting: Setting,
    sight: Sharpness,
    own: Bool[ndarray, "p y x"],
    others: Bool[ndarray, "p y x"],
) -> Home | None:
    """Find a thing in the state whose picture is nearest; ``None`` for what has no state, or no place of its own.

    ``sight`` is how blurred and noisy the clip is, ``own`` are the pixels of its colour, ``others`` those of the
    colours of other members.
    """
    held = any(plot.object == look.member.id and plot.kind.room.held for plot in brief.plots)
    if held or look.member.noun not in _SIDES:
        return None
    pictures = _pictures(brief, setting.view.size_hw, look.member.id, sight.softness)
    rows, columns = pictures.rows, pictures.columns
    if not rows.size:  # it is out of the picture
        return None
    free = ~others[:, rows, columns]
    seen = frames[:, rows, columns].astype(np.float32)
    costs = _costs(seen, pictures.drawn, free)
    empty = _costs(seen, pictures.empty[None], free)[:, 0]
    best = costs.argmin(axis=1)
    ratio, enough = costs.min(axis=1) / np.maximum(empty, 1.0), free.mean(axis=1) >= _FREE
    there = (ratio <= _FITS) & enough
    if look.member.noun == "book":
        taken = _taken((own & ~pictures.masks[0]).sum(axis=(1, 2)), look.whole, there, pictures.opened[best])
        likely = (ratio <= _BOOK_LINGERS) | _filled(seen, pictures.empty, free, sight.noise)
        there |= _lasting((ratio <= _BOOK_FITS) & enough & ~taken, likely & enough & ~taken)
    opened = _filling(seen, pictures.drawn, free) if look.member.noun == "cup" else pictures.opened[best]
    opened = np.where(there, opened, np.nan)
    # What is shut looks as it does anywhere, and is found by its colour.
    changed = there & (opened >= OPENED) if look.member.noun not in FIXED else there
    mask: Bool[ndarray, "p y x"] = pictures.masks[best] & changed[:, None, None] & ~others
    return Home(opened, changed, mask)


@dataclass(frozen=True)
class _Pictures:
    """A thing in all its states: ``masks``, and the pixels that it has in any of them, with and without it."""

    opened: Float[ndarray, " n"]
    masks: Bool[ndarray, "n y x"]
    rows: Int[ndarray, " k"]
    columns: Int[ndarray, " k"]
    drawn: Float32[ndarray, "n k 3"]
    empty: Float32[ndarray, "k 3"]


@lru_cache(maxsize=256)
def _pictures(brief: Brief, size_hw: tuple[int, int], member_id: str, softness: float) -> _Pictures:
    setting, noun = setting_of(brief, size_hw), brief.member(member_id).noun
    levels = tuple(_FULL * level for level in _LEVELS) if noun == "cup" else _LEVELS
    samples = [samples_of(brief, size_hw, member_id, side, levels) for side in _SIDES[noun]]
    masks = np.concatenate([shrink_mask(s.mask, setting.view.factor) for s in samples])
    with_it = np.concatenate([shrink(s.frames, setting.view.factor) for s in samples])
    opened = np.array(levels * len(samples))
    rows, columns = np.nonzero(masks.any(axis=0))
    if not rows.size:
        return _Pictures(
            opened, masks, rows, columns, np.zeros((len(masks), 0, 3), np.float32), np.zeros((0, 3), np.float32)
        )
    top_row, left = max(rows.min() - _MARGIN, 0), max(columns.min() - _MARGIN, 0)
    window = slice(top_row, rows.max() + _MARGIN), slice(left, columns.max() + _MARGIN)
    inside = rows - top_row, columns - left
    drawn, empty = (
        soften(pictures[:, *window].astype(np.float32), softness)[:, *inside]
        for pictures in (with_it, setting.stage[None])
    )
    return _Pictures(opened, masks, rows, columns, drawn, empty[0])


def _taken(
    elsewhere: Int[ndarray, " p"], whole: int, there: Bool[ndarray, " p"], opened: Floats
) -> Bool[ndarray, " p"]:
    """Whether a book has been taken away: much more of its colour is elsewhere than when it last was there for certain.

    Of one that was open then little is seen of its colour, and what is elsewhere is something else.
    """
    last = np.maximum.accumulate(np.where(there, np.arange(len(there)), 0))
    taken: Bool[ndarray, " p"] = (elsewhere - elsewhere[last] >= _ELSEWHERE * whole) & (opened[last] < OPENED)
    return taken


def _lasting(sure: Bool[ndarray, " p"], likely: Bool[ndarray, " p"]) -> Bool[ndarray, " p"]:
    """Frames that are sure, and likely ones in a row with a sure one; a single doubtful one does not break a row."""
    result, likely = sure.copy(), likely.copy()
    likely[1:-1] |= likely[:-2] & likely[2:]
    for frames in (range(1, len(sure)), range(len(sure) - 2, -1, -1)):
        for frame in frames:
            result[frame] |= likely[frame] and result[frame - frames.step]
    return result


def _filled(
    seen: Float32[ndarray, "p k 3"], empty: Float32[ndarray, "k 3"], free: Bool[ndarray, "p k"], noise: float
) -> Bool[ndarray, " p"]:
    """Whether most of the free pixels show something else than the empty stage."""
    anything = free.any(axis=1, keepdims=True)
    away = np.where(free, ((seen - empty) ** 2).sum(axis=-1), np.where(anything, np.nan, 0.0))
    middle = np.nanmedian(away, axis=1)
    filled: Bool[ndarray, " p"] = middle >= _SURELY * noise + _NOTICED
    return filled


def _costs(
    seen: Float32[ndarray, "p k 3"], drawn: Float32[ndarray, "n k 3"], free: Bool[ndarray, "p k"]
) -> Float32[ndarray, "p n"]:
    """Squared differences, of free pixels alone."""
    away = seen[:, None] - drawn[None]
    squared = np.minimum(np.einsum("pnkc,pnkc->pnk", away, away), np.float32(_OFF**2))
    costs: Float32[ndarray, "p n"] = np.einsum("pnk,pk->pn", squared, free.astype(np.float32))
    return costs


def _filling(seen: Float32[ndarray, "p k 3"], drawn: Float32[ndarray, "n k 3"], free: Bool[ndarray, "p k"]) -> Floats:
    """How far a cup has gone from how it looked at first, when it was empty, toward how it looks when full."""
    toward = drawn[-1] - drawn[0]
    weights = free & free[0]
    gone = np.einsum("pkc,kc,pk->p", seen - seen[:1], toward, weights.astype(np.float32))
    whole = np.einsum("kc,kc,pk->p", toward, toward, weights.astype(np.float32))
    filling: Floats = np.clip(gone / np.maximum(whole, 1.0), 0.0, 1.0).astype(np.float64)
    return filling
