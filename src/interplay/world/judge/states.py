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
from interplay.world.judge.drawing import Samples, samples_of
from interplay.world.judge.segment import shrink, soften

Floats = Float[ndarray, " p"]

_LEVELS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0)
# Things with a state, and to which sides they may open.
_SIDES: Mapping[str, tuple[int, ...]] = {
    "box": (-1, 1), "book": (-1, 1), "door": (-1, 1), "lamp": (1,), "cup": (1,)
}  # fmt: skip
# A thing is where it stood at first if its picture fits so much better than the empty stage, as far as it is seen. A
# book in use is mostly white pages and hands; it still is there as long as its picture fits at all better.
_FITS, _BOOK_FITS, _BOOK_LINGERS, _FREE = 0.5, 0.75, 0.95, 0.2
# A pixel is not the stage's from this difference on: so many times the noise and so much more (squared, three channels).
_SURELY, _NOTICED = 1.5, 150.0
# A book of whose colour this share is elsewhere has been taken away.
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
    """Find a thing in the state whose picture is nearest; ``None`` for what has no state.

    ``sight`` is how blurred and noisy the clip is, ``own`` are the pixels of its colour, ``others`` those of the
    colours of other members.
    """
    if look.member.noun not in _SIDES:
        return None
    pictures = _pictures(brief, setting.view.size_hw, look.member.id, sight.softness)
    rows, columns = pictures.rows, pictures.columns
    free = ~others[:, rows, columns]
    seen = frames[:, rows, columns].astype(np.float32)
    costs = _costs(seen, pictures.drawn, free)
    empty = _costs(seen, pictures.empty[None], free)[:, 0]
    best = costs.argmin(axis=1)
    ratio, enough = costs.min(axis=1) / np.maximum(empty, 1.0), free.mean(axis=1) >= _FREE
    if look.member.noun == "book":
        likely = (ratio <= _BOOK_LINGERS) | _filled(seen, pictures.empty, free, sight.noise)
        elsewhere = own.sum(axis=(1, 2)) - own[:, rows, columns].sum(axis=1) >= _ELSEWHERE * look.whole
        there = _lasting((ratio <= _BOOK_FITS) & enough, likely & enough & ~elsewhere)
    else:
        there = (ratio <= _FITS) & enough
    opened = _filling(seen, pictures.drawn, free) if look.member.noun == "cup" else pictures.opened[best]
    opened = np.where(there, opened, np.nan)
    # What is shut looks as it does anywhere, and is found by its colour.
    changed = there & (opened >= OPENED) if look.member.noun not in FIXED else there
    return Home(opened, changed, pictures.masks[best] & changed[:, None, None] & ~others)


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
    top = _FULL if noun == "cup" else 1.0
    states = tuple((top * level, 0.0, side) for side in _SIDES[noun] for level in _LEVELS)
    samples = samples_of(brief, size_hw, member_id, states)
    masks = _shrunk(samples, setting.view.factor)
    rows, columns = np.nonzero(masks.any(axis=0))
    if not rows.size:
        return _Pictures(np.array(samples.opened), masks, rows, columns, np.zeros((len(masks), 0, 3), np.float32), np.zeros((0, 3), np.float32))
    top_row, left = max(rows.min() - _MARGIN, 0), max(columns.min() - _MARGIN, 0)
    window = slice(top_row, rows.max() + _MARGIN), slice(left, columns.max() + _MARGIN)
    with_it = shrink(samples.frames, setting.view.factor)[:, *window].astype(np.float32)
    without = setting.stage[None, *window].astype(np.float32)
    inside = rows - top_row, columns - left
    drawn, empty = (soften(frames, softness)[:, *inside] for frames in (with_it, without))
    return _Pictures(np.array(samples.opened), masks, rows, columns, drawn, empty[0])


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
    away = np.where(free, ((seen - empty) ** 2).sum(axis=-1), np.nan)
    middle = np.nanmedian(np.where(free.any(axis=1)[:, None], away, 0.0), axis=1)
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


def _filling(
    seen: Float32[ndarray, "p k 3"], drawn: Float32[ndarray, "n k 3"], free: Bool[ndarray, "p k"]
) -> Floats:
    """How far a cup has gone from how it looked at first, when it was empty, toward how it looks when full."""
    toward = drawn[-1] - drawn[0]
    weights = free & free[0]
    gone = np.einsum("pkc,kc,pk->p", seen - seen[:1], toward, weights.astype(np.float32))
    whole = np.einsum("kc,kc,pk->p", toward, toward, weights.astype(np.float32))
    filling: Floats = np.clip(gone / np.maximum(whole, 1.0), 0.0, 1.0).astype(np.float64)
    return filling


def _shrunk(samples: Samples, factor: int) -> Bool[ndarray, "n y x"]:
    middle = factor // 2
    small: Bool[ndarray, "n y x"] = samples.mask[:, middle::factor, middle::factor]
    return small
