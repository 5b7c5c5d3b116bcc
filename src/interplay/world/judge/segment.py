"""From pixels to classes: the nearest colour of the palette, unless the empty stage is nearer still.

An instance colour counts in all its shades, so that brightness means less than hue. All six instance colours are looked
for, also those the scene does not use: a purple thing in a scene without purple is how an invented object is noticed.
What the empty stage looks like at a pixel, plain, in a shadow, or in the glow of a lamp, is background there.
Shape legend: ``p`` pixel frames, ``y x`` rows and columns, ``n`` prototypes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, Int8, UInt8
from numpy import ndarray

from interplay.world.palette import (
    EYE,
    FRAME,
    HAIR,
    INSIDE,
    INSTANCE_COLOURS,
    LIGHT,
    METAL,
    PAPER,
    RGB,
    SHADOW,
    SHOES,
    SKIN,
    TROUSERS,
    WATER,
    darker,
    lighter,
)

COLOURS: tuple[str, ...] = tuple(INSTANCE_COLOURS)
# Classes of pixels: 0 ... 5 are the instance colours in the palette's order, then what members have in common.
SKIN_CLASS, HAIR_CLASS, DARK_CLASS, PALE_CLASS = range(len(COLOURS), len(COLOURS) + 4)
BACKGROUND = -1

# Rows above which a frame is shrunk before it is judged; nothing the judge asks needs more.
_WORKING_HEIGHT = 48
# Colours are looked up at 5 bits per channel: finer than the distance between any two names.
_BITS = 5
# Brightness counts this much less than hue (1: as in RGB).
_BRIGHTNESS = 0.45
# How much nearer than the stage an instance colour has to be; what is common to members is also common in scenery.
_BENEFIT = {"instance": 6.0, "common": 24.0}
# Opacities of shadows and of a lamp's glow that are tried.
_SHADES, _GLOWS = (0.13, 0.27), (0.15, 0.3, 0.45)


def shrink_factor(height: int) -> int:
    """By which whole number frames of this height are shrunk before they are judged."""
    return max(1, height // _WORKING_HEIGHT)


def shrink(frames: UInt8[ndarray, "p y x 3"], factor: int) -> UInt8[ndarray, "p v u 3"]:
    """The mean of blocks of ``factor`` x ``factor`` pixels; an incomplete block at the border is a block too."""
    if factor == 1:
        return frames
    sums = frames.astype(np.uint32)
    for axis in (1, 2):
        starts = np.arange(0, frames.shape[axis], factor)
        shape = [1, 1, 1, 1]
        shape[axis] = len(starts)
        counts = np.diff(np.append(starts, frames.shape[axis])).reshape(shape)
        sums = np.add.reduceat(sums, starts, axis=axis) // counts.astype(np.uint32)
    return sums.astype(np.uint8)


def shrink_mask(masks: Bool[ndarray, "n y x"], factor: int) -> Bool[ndarray, "n v u"]:
    """The middle of each of those blocks, so that no pixel belongs to two."""
    middle, (_, high, wide) = factor // 2, masks.shape
    rows, columns = (np.minimum(np.arange(0, n, factor) + middle, n - 1) for n in (high, wide))
    small: Bool[ndarray, "n v u"] = masks[:, rows[:, None], columns]
    return small


def soften(frames: Float32[ndarray, "p y x 3"], sigma: float) -> Float32[ndarray, "p y x 3"]:
    """Blurred by a Gaussian of ``sigma`` pixels."""
    if sigma == 0.0:
        return frames
    reach = max(1, round(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (1, 2):
        margin = [(0, 0)] * 4
        margin[axis] = (reach, reach)
        padded, length = np.pad(frames, margin, mode="edge"), frames.shape[axis]
        frames = np.sum([w * padded.take(range(k, k + length), axis=axis) for k, w in enumerate(weights)], axis=0)
    return frames


def classify(
    frames: UInt8[ndarray, "p y x 3"],
    stage: UInt8[ndarray, "y x 3"],
    glow: Sequence[tuple[slice, slice]] = (),
    shaded_from: int = 0,
) -> Int8[ndarray, "p y x"]:
    """The class of every pixel.

    ``stage`` is the empty one, ``glow`` the windows in which lamps may shine on it, and rows from ``shaded_from`` on
    may lie in shadows.
    """
    bins = (frames >> (8 - _BITS)).astype(np.intp)
    names, distances = _table()
    index = (bins[..., 0], bins[..., 1], bins[..., 2])
    classes: Int8[ndarray, "p y x"] = names[index]
    apart = _stage_distance(frames, stage, glow, shaded_from)
    classes[apart <= distances[index] ** 2] = BACKGROUND
    return classes


def _stage_distance(
    frames: UInt8[ndarray, "p y x 3"], stage: UInt8[ndarray, "y x 3"], glow: Sequence[tuple[slice, slice]], row: int
) -> Float32[ndarray, "p y x"]:
    """Squared distance from the empty stage, whatever light it is in."""
    seen, empty = _hue(frames.astype(np.float32)), stage.astype(np.float32)
    apart = _squared(seen, _hue(empty))
    for share in _SHADES:
        dark = empty[row:] + np.float32(share) * (np.asarray(SHADOW, np.float32) - empty[row:])
        np.minimum(apart[:, row:], _squared(seen[:, row:], _hue(dark)), out=apart[:, row:])
    for rows, columns in glow:
        for share in _GLOWS:
            lit = empty[rows, columns] + np.float32(share) * (np.asarray(LIGHT, np.float32) - empty[rows, columns])
            window = apart[:, rows, columns]
            np.minimum(window, _squared(seen[:, rows, columns], _hue(lit)), out=window)
    return apart


def _squared(one: Float32[ndarray, "p y x 3"], other: Float32[ndarray, "y x 3"]) -> Float32[ndarray, "p y x"]:
    away = one - other
    squared: Float32[ndarray, "p y x"] = np.einsum("pyxc,pyxc->pyx", away, away)
    return squared


# Brightness and two axes of hue, so that Euclid's distance is that of RGB with brightness weighted down.
_AXES = np.array(
    [
        [_BRIGHTNESS / np.sqrt(3.0)] * 3,
        np.array([1.0, 0.0, -1.0]) / np.sqrt(2.0),
        np.array([1.0, -2.0, 1.0]) / np.sqrt(6.0),
    ],
    np.float32,
).T


def _hue(colours: Float32[ndarray, "*shape 3"]) -> Float32[ndarray, "*shape 3"]:
    return colours @ _AXES


@lru_cache(maxsize=1)
def _table() -> tuple[Int8[ndarray, "r g b"], Float32[ndarray, "r g b"]]:
    """Of every colour: the nearest class of members, and how near the stage has to be to win."""
    names, prototypes = zip(*_prototypes(), strict=True)
    steps = (np.arange(1 << _BITS, dtype=np.float32) + 0.5) * (1 << (8 - _BITS))
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    away = _hue(grid)[..., None, :] - _hue(np.asarray(prototypes, np.float32))
    distance = np.sqrt((away**2).sum(-1))
    nearest = distance.argmin(-1)
    classes = np.asarray(names, np.int8)[nearest]
    benefit = np.where(classes < SKIN_CLASS, _BENEFIT["instance"], _BENEFIT["common"])
    return classes, (distance.min(-1) + benefit).astype(np.float32)


def _prototypes() -> Iterator[tuple[int, RGB]]:
    for index, name in enumerate(COLOURS):
        colour = INSTANCE_COLOURS[name]
        yield from ((index, darker(colour, share)) for share in (0.6, 0.8, 1.0))
        yield from ((index, lighter(colour, share)) for share in (0.2, 0.4))
    yield from ((SKIN_CLASS, darker(SKIN, share)) for share in (0.7, 0.85, 1.0))
    yield from ((HAIR_CLASS, HAIR), (HAIR_CLASS, EYE))
    yield from ((DARK_CLASS, colour) for colour in (TROUSERS, SHOES, METAL, darker(METAL, 0.7), FRAME, INSIDE))
    yield from ((PALE_CLASS, colour) for colour in (PAPER, WATER, LIGHT))
