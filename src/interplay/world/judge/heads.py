"""Heads: which of a person's pixels are its head, and which way somebody faces.

A head is compared with portraits that look left and right, and so is an animal's whole outline. Shape legend: ``p``
pixel frames, ``y x`` rows and columns of the working size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Float32, Int8, UInt8
from numpy import ndarray

from interplay.world.canvas import Camera, Canvas
from interplay.world.figures.animal import draw_animal
from interplay.world.figures.owners import owner
from interplay.world.figures.person import draw_body, look_of
from interplay.world.judge.appearance import Appearance, View
from interplay.world.judge.segment import COLOURS, DARK_CLASS, HAIR_CLASS, SKIN_CLASS, soften
from interplay.world.judge.sight import beside
from interplay.world.motion.animal import Animal
from interplay.world.motion.curves import constant
from interplay.world.motion.person import Person, head_radius
from interplay.world.palette import INSTANCE_COLOURS
from interplay.world.scene import Member

Floats = Float[ndarray, " p"]

# A head is so many radii high and half as wide, from the top of the hair.
_HEIGHT, _ASIDE = 2.3, 1.45
# Dark is hair only above this height (of a grown-up).
_LEGS = 0.2
# By how many pixels a portrait is shifted to fit a head; what it is painted on.
_SEARCH_X, _SEARCH_Y = 2, 2
_GREY = (200, 200, 200)
# By how many pixels an animal's silhouette is shifted to fit, half the room it needs, where its mouth may be before its
# feet (at rest, stretched, lowered), and how much less a blurred animal's two sides differ.
_REACH, _SQUARE, _ANIMAL_GAIN = 3, 0.6, 2.0
# Of an animal of which less than this share is seen, with somebody beside it, it must be clear which way it faces.
_WHOLE, _CLEAR = 0.85, 0.3
_SNOUTS = (None, (0.3, 0.17), (0.3, 0.08))
# A robot arm's shoulder, and how far ahead its arm is on average when it rests.
_ROBOT_SHOULDER, _ROBOT_AHEAD = 0.24, 0.06


def head_of(
    look: Appearance, classes: Int8[ndarray, "p y x"], mask: Bool[ndarray, "p y x"], view: View
) -> Bool[ndarray, "p y x"]:
    """The pixels of a member's head; none of all but persons."""
    head = np.zeros_like(mask)
    if not look.is_person:
        return head
    hair = mask & (classes == HAIR_CLASS)
    dark = mask & ((classes == HAIR_CLASS) | (classes == DARK_CLASS))
    dark[:, view.row(look.member.y + _LEGS * look.member.kind.scale) :] = False
    radius = head_radius(look.member.kind.scale) * view.unit
    for frame in range(len(mask)):
        window = _window(hair[frame], dark[frame], radius)
        if window is not None:
            head[frame][window] = (dark[frame] | (mask[frame] & (classes[frame] == SKIN_CLASS)))[window]
    return head


def _window(hair: Bool[ndarray, "y x"], dark: Bool[ndarray, "y x"], radius: float) -> tuple[slice, slice] | None:
    """Where the head is: from the top of the hair down, around the middle of the hair."""
    rows, columns = np.nonzero(hair if hair.sum() >= radius else dark)
    if not rows.size:
        return None
    top = max(int(rows[int(0.03 * rows.size)]) - 1, 0)
    crown = columns[rows < top + 1.2 * radius]
    middle = float(np.median(crown)) + 0.5
    bottom = top + 1 + round(_HEIGHT * radius)
    return slice(top, bottom), slice(max(round(middle - _ASIDE * radius), 0), round(middle + _ASIDE * radius))


# --- facing ---------------------------------------------------------------------------------------------------------


def facing_of(
    look: Appearance,
    head: Bool[ndarray, "p y x"],
    frames: UInt8[ndarray, "p y x 3"],
    mask: Bool[ndarray, "p y x"],
    others: Bool[ndarray, "p y x"],
    x: Floats,
    view: View,
    softness: float,
) -> Floats:
    """Which way a member faces, -1 (left) to 1; NaN for things and where it cannot be told.

    ``others`` are the pixels of all others, who may hide some of it.
    """
    family = look.member.family
    if family == "person":
        return _face(look.member.noun, frames, head, others, view.unit, softness)
    if family == "animal":
        facing = _snout(look.member.noun, mask, others, view.unit)
        partly = (mask.sum(axis=(1, 2)) < _WHOLE * look.whole) & beside(mask, others)
        return np.where(partly & (np.abs(facing) < _CLEAR), np.nan, facing)
    if family == "robot":
        upper = mask.copy()
        upper[:, view.row(look.member.y + _ROBOT_SHOULDER) :] = False
        ahead: Floats = np.clip((_middle(upper) / view.unit - x) / _ROBOT_AHEAD, -1.0, 1.0)
        return ahead
    return np.full(len(mask), np.nan)


@dataclass(frozen=True)
class _Portraits:
    """A person's head that looks left, and right: colours, which pixels are its, and how much the two differ."""

    colours: Float32[ndarray, "2 k"]
    weights: Float32[ndarray, "2 k"]
    differ: float
    size: tuple[int, int]


@lru_cache(maxsize=128)
def _portraits(noun: str, unit: float, softness: float) -> _Portraits:
    camera = Camera((round(unit), round(unit)), round(unit) / unit)
    pictures, masks = [], []
    for facing in (-1, 1):
        canvas = Canvas(1, camera, _GREY)
        draw_body(canvas, look_of(noun, _GREY), Person(Member("id1", noun, COLOURS[0], 0.5, 0.0, facing), 1).pose(), 0)
        pictures.append(soften(canvas.frames, softness)[0])
        masks.append(canvas.owner[0] == owner(0, "head"))
    rows, columns = np.nonzero(masks[0] | masks[1])
    window = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    colours, mine = np.array([p[window] for p in pictures]), np.array([m[window] for m in masks])
    weights = np.repeat(mine[..., None], 3, axis=-1).astype(np.float32)
    differ = float(((colours[1] - colours[0]) ** 2 * weights[1]).sum())
    return _Portraits(colours.reshape(2, -1), weights.reshape(2, -1), differ, mine.shape[1:])


def _face(
    noun: str,
    frames: UInt8[ndarray, "p y x 3"],
    head: Bool[ndarray, "p y x"],
    others: Bool[ndarray, "p y x"],
    unit: float,
    softness: float,
) -> Floats:
    """Which of the portraits looks more like a head, each where it fits best; what others hide speaks for neither."""
    portraits = _portraits(noun, unit, softness)
    high, wide = portraits.size
    result = np.full(len(frames), np.nan)
    weighted = portraits.weights * portraits.colours
    own = weighted * portraits.colours
    margins = ((0, 0), (high, high), (wide, wide))
    padded = np.pad(frames, (*margins, (0, 0)), mode="edge")
    hidden = np.pad(_spread(others), margins)
    for frame in np.flatnonzero(head.any(axis=(1, 2))):
        rows, columns = np.flatnonzero(head[frame].any(axis=1)), np.flatnonzero(head[frame].any(axis=0))
        top = rows[0] + high - _SEARCH_Y
        left = round((columns[0] + columns[-1] + 1 - wide) / 2) + wide - _SEARCH_X
        window = slice(top, top + high + 2 * _SEARCH_Y), slice(left, left + wide + 2 * _SEARCH_X)
        seen = _shifted(padded[frame][window].astype(np.float32), high, wide)
        if hidden[frame][window].any():
            free = ~hidden[frame][window].repeat(3).reshape(*hidden[frame][window].shape, 3)
            weights = _shifted(free.astype(np.float32), high, wide)
            away = (weights * seen**2) @ portraits.weights.T - 2.0 * (weights * seen) @ weighted.T + weights @ own.T
            # As much as if all were seen, so that what hides most does not fit best.
            away *= portraits.weights.sum(axis=1) / np.maximum(weights @ portraits.weights.T, 1.0)
        else:
            away = (seen**2) @ portraits.weights.T - 2.0 * seen @ weighted.T + own.sum(axis=1)
        left_away, right_away = away.min(axis=0)
        result[frame] = (left_away - right_away) / portraits.differ
    facing: Floats = np.clip(result, -1.0, 1.0)
    return facing


def _shifted(area: Float32[ndarray, "v u 3"], high: int, wide: int) -> Float32[ndarray, "w k"]:
    """All windows of a portrait's size, one a row."""
    windows = np.lib.stride_tricks.sliding_window_view(area, (high, wide), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
    rows: Float32[ndarray, "w k"] = windows.reshape(-1, high * wide * 3)
    return rows


def _spread(mask: Bool[ndarray, "p y x"]) -> Bool[ndarray, "p y x"]:
    """A mask and the pixels to its left and right, in which colours mix."""
    wide = mask.copy()
    wide[:, :, 1:] |= mask[:, :, :-1]
    wide[:, :, :-1] |= mask[:, :, 1:]
    return wide


def _middle(mask: Bool[ndarray, "p y x"]) -> Floats:
    """Mean column; NaN of an empty frame."""
    counts = mask.sum(axis=1).astype(np.float64)
    total = counts.sum(axis=1)
    columns = (counts @ (np.arange(mask.shape[2]) + 0.5)) / np.where(total > 0, total, np.nan)
    result: Floats = columns
    return result


@lru_cache(maxsize=64)
def _silhouettes(noun: str, unit: int) -> tuple[Float32[ndarray, "n k"], float, int]:
    """An animal in the middle of a square, half of the pictures looking left, the others right.

    The head is where it rests, stretched out, and lowered. Values are 1 inside and -1 outside; also by how much the
    two sides differ, and the square's side.
    """
    side = 2 * _REACH + 1 + int(_SQUARE * unit)
    found = []
    for facing in (-1, 1):
        for goal in _SNOUTS:
            rows, columns = np.nonzero(_animal(noun, facing, unit, goal))
            square = np.full((side, side), -1.0, np.float32)
            square[rows - rows.max() + side - 1 - _REACH, columns - round(float(columns.mean())) + side // 2] = 1.0
            found.append(square.ravel())
    shapes = np.array(found, np.float32)
    return shapes, float((shapes[0] != shapes[len(_SNOUTS)]).sum()), side


def _animal(noun: str, facing: int, unit: int, goal: tuple[float, float] | None) -> Bool[ndarray, "y x"]:
    """Where an animal is seen that brings its mouth to a goal, relative to its feet."""
    camera = Camera((unit, unit), 1.0)
    animal = Animal(Member("id1", noun, COLOURS[0], 0.5, 0.0, facing), 1)
    if goal is not None:
        animal.reach(animal.at(facing * goal[0], goal[1]), constant(1.0))
    canvas = Canvas(1, camera, (0, 0, 0))
    draw_animal(canvas, noun, INSTANCE_COLOURS[COLOURS[0]], animal.pose(), 0)
    seen: Bool[ndarray, "y x"] = canvas.owner[0] >= 0
    return seen


def _snout(noun: str, mask: Bool[ndarray, "p y x"], others: Bool[ndarray, "p y x"], unit: float) -> Floats:
    """Which of an animal's silhouettes fit better, each where it fits best; what is behind others fits either way."""
    shapes, differs, side = _silhouettes(noun, round(unit))
    inside = (shapes > 0).astype(np.float32)
    result = np.full(len(mask), np.nan)
    for frame in range(len(mask)):
        rows, columns = np.nonzero(mask[frame])
        if not rows.size:
            continue
        top, left = int(rows.max()) - side + 1, round(float(columns.mean())) - side // 2 - _REACH
        fits = _windows(mask[frame], top, left, side) @ shapes.T
        hidden = _windows(others[frame], top, left, side)
        # A shape's own size counts against it, so that a longer one does not fit everything.
        fits -= 0.5 * (inside.sum(axis=1) - hidden @ inside.T)
        best = fits.max(axis=0)
        result[frame] = (best[len(_SNOUTS) :].max() - best[: len(_SNOUTS)].max()) / differs
    facing: Floats = np.clip(_ANIMAL_GAIN * result, -1.0, 1.0)
    return facing


def _windows(seen: Bool[ndarray, "y x"], top: int, left: int, side: int) -> Float32[ndarray, "w k"]:
    """All squares of a side that lie in a slightly larger one, from this row and column on."""
    square = np.zeros((side + 2 * _REACH, side + 2 * _REACH), np.float32)
    high, wide = seen.shape
    rows = slice(max(top, 0), min(top + len(square), high))
    columns = slice(max(left, 0), min(left + len(square), wide))
    square[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = seen[rows, columns]
    windows: Float32[ndarray, "w k"] = np.lib.stride_tricks.sliding_window_view(square, (side, side)).reshape(
        -1, side * side
    )
    return windows
