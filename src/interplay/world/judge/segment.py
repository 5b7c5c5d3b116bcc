"""From pixels to classes: the nearest colour of the palette, and nothing else about the picture.

An instance colour counts in its three shades (plain, the darker of arms and lids, the lighter of rims and highlights).
All six instance colours are looked for, also those the scene does not use: a purple thing in a scene without purple is
how an invented object is noticed. Shape legend: ``p`` pixel frames, ``y x`` rows and columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from jaxtyping import Int8, UInt8
from numpy import ndarray

from interplay.world.judge.first_world import BACKGROUNDS
from interplay.world.palette import EYE, HAIR, INSTANCE_COLOURS, RGB, SKIN, TROUSERS, darker, lighter

COLOURS: tuple[str, ...] = tuple(INSTANCE_COLOURS)
# Classes of pixels: 0 ... 5 are the instance colours in the palette's order.
SKIN_CLASS, HAIR_CLASS, TROUSERS_CLASS = len(COLOURS), len(COLOURS) + 1, len(COLOURS) + 2
BACKGROUND = -1
# Colours are looked up at 5 bits per channel: finer than the distance between any two names.
_BITS = 5

# Rows above which a frame is shrunk before it is judged; nothing the judge asks needs more.
_WORKING_HEIGHT = 48


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


def classify(frames: UInt8[ndarray, "p y x 3"], background: int) -> Int8[ndarray, "p y x"]:
    """The class of every pixel; ``background`` is the scene's, whose sky and ground are ``BACKGROUND``."""
    bins = (frames >> (8 - _BITS)).astype(np.intp)
    classes: Int8[ndarray, "p y x"] = _table(background)[bins[..., 0], bins[..., 1], bins[..., 2]]
    return classes


@lru_cache
def _table(background: int) -> Int8[ndarray, "r g b"]:
    names, prototypes = zip(*_prototypes(background), strict=True)
    steps = (np.arange(1 << _BITS) + 0.5) * (1 << (8 - _BITS))
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    distance = ((grid[..., None, :] - np.asarray(prototypes, np.float64)) ** 2).sum(-1)
    table: Int8[ndarray, "r g b"] = np.asarray(names, np.int8)[distance.argmin(-1)]
    return table


def _prototypes(background: int) -> Iterator[tuple[int, RGB]]:
    for index, name in enumerate(COLOURS):
        colour = INSTANCE_COLOURS[name]
        yield from ((index, shade) for shade in (colour, darker(colour), lighter(colour)))
    yield from ((SKIN_CLASS, SKIN), (HAIR_CLASS, HAIR), (HAIR_CLASS, EYE), (TROUSERS_CLASS, TROUSERS))
    yield from ((BACKGROUND, colour) for colour in BACKGROUNDS[background])
