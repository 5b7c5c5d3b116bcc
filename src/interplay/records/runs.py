"""Mask tracks as vertical runs: what resizing, cropping, flipping and pooling work on instead of pixels.

A mask of a million pixels has a few thousand runs, so a track is brought to a model's size and onto its token grid
without ever being painted. Every result equals the one of the painted masks.

Shapes: f frames, h and w pixels of the source, th and tw of the target, n runs, ch and cw cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from interplay.records.masks import MaskTrack
from interplay.records.spans import Spans, encode


@dataclass(frozen=True)
class Runs:
    """All runs of a track: in ``frame`` and ``column``, the pixels from row ``top`` to ``bottom`` (exclusive).

    Runs ascend by frame, column and row; none is empty, none overlap, and two may touch. ``known`` is false in gaps.
    """

    size_hw: tuple[int, int]
    known: Bool[ndarray, " f"]
    frame: Int[ndarray, " n"]
    column: Int[ndarray, " n"]
    top: Int[ndarray, " n"]
    bottom: Int[ndarray, " n"]

    @property
    def num_frames(self) -> int:
        """Frames of the track, gaps among them."""
        return len(self.known)


def runs_of(track: MaskTrack) -> Runs:
    """The runs of a track."""
    return _runs(track.spans(), track.known(), track.size_hw)


def track_of(runs: Runs) -> MaskTrack:
    """The track of the runs; the inverse of :func:`runs_of`."""
    height, width = runs.size_hw
    mask_of_frame = np.cumsum(runs.known) - 1
    column = (mask_of_frame[runs.frame] * width + runs.column) * height
    spans = Spans(height * width, int(runs.known.sum()), column + runs.top, column + runs.bottom)
    encoded = iter(encode(spans))
    return MaskTrack(runs.size_hw, tuple(next(encoded) if known else None for known in runs.known))


def resample(runs: Runs, rows: Int[ndarray, " th"], columns: Int[ndarray, " tw"]) -> Runs:
    """The masks ``masks[:, rows][:, :, columns]``: for each row and column of the target, that of the source.

    -1 stands for none: such a row or column is empty. Apart from these at both ends, ``rows`` must rise or fall;
    columns may come in any order.
    """
    chosen = _take_columns(runs, columns)
    inside = np.flatnonzero(rows >= 0)
    picked = rows[inside]
    falling = len(picked) > 1 and picked[0] > picked[-1]
    rising = picked[::-1] if falling else picked
    if (np.diff(rising) < 0).any() or (np.diff(inside) != 1).any():
        raise ValueError("the rows of the target must rise or fall over the source's, without holes")
    # How many of the target's rows lie above each border between two rows of the source.
    above = np.searchsorted(rising, np.arange(runs.size_hw[0] + 1))
    top, bottom = above[chosen.top], above[chosen.bottom]
    if falling:
        top, bottom = len(rising) - bottom, len(rising) - top
    shift = int(inside[0]) if len(inside) else 0
    kept = np.flatnonzero(bottom > top)
    if falling:  # the runs of a column have changed their order
        place = (chosen.frame[kept] * len(columns) + chosen.column[kept]) * len(rows) + top[kept]
        kept = kept[np.argsort(place, kind="stable")]
    size_hw = (len(rows), len(columns))
    return Runs(size_hw, runs.known, chosen.frame[kept], chosen.column[kept], top[kept] + shift, bottom[kept] + shift)


def cell_areas(runs: Runs, cells_hw: tuple[int, int]) -> Int[ndarray, "f ch cw"]:
    """How many pixels of each cell are covered, for a grid of ``cells_hw`` equal cells over the picture."""
    (cells_h, cells_w), (height, width) = cells_hw, runs.size_hw
    if height % cells_h or width % cells_w:
        raise ValueError(f"{height}x{width} pixels do not divide into {cells_h}x{cells_w} cells")
    side_y, side_x = height // cells_h, width // cells_w
    # The rows above an edge cover each cell of a column up to the edge's own whole, that one in part, and the others
    # not at all. So summing up along the column what changes from cell to cell needs two entries per edge.
    column = (runs.frame * cells_w + runs.column // side_x) * (cells_h + 2)
    edges, upwards = np.concatenate((runs.bottom, runs.top)), np.repeat([1, -1], len(runs.top))
    cell, part = np.divmod(edges, side_y)
    at = np.tile(column, 2) + cell
    changes = np.bincount(at, upwards * (part - side_y), minlength=runs.num_frames * cells_w * (cells_h + 2) + 1)
    changes[1:] -= np.bincount(at, upwards * part, minlength=len(changes))[:-1]
    areas = changes[:-1].reshape(runs.num_frames, cells_w, cells_h + 2).cumsum(axis=2)[:, :, :cells_h]
    return np.ascontiguousarray(areas.swapaxes(1, 2).astype(np.int64))


def _runs(spans: Spans, known: Bool[ndarray, " f"], size_hw: tuple[int, int]) -> Runs:
    """Spans cut at the borders of columns."""
    height, width = size_hw
    first, last = spans.start // height, (spans.stop - 1) // height
    span, column = _ragged(first, last - first + 1)
    top = np.maximum(spans.start[span] - column * height, 0)
    bottom = np.minimum(spans.stop[span] - column * height, height)
    mask, column = np.divmod(column, width)
    return Runs(size_hw, known, np.flatnonzero(known)[mask], column, top, bottom)


def _take_columns(runs: Runs, columns: Int[ndarray, " tw"]) -> Runs:
    width, inside = runs.size_hw[1], np.flatnonzero(columns >= 0)
    edges = np.searchsorted(runs.frame * width + runs.column, np.arange(runs.num_frames * width + 1))
    wanted = (np.arange(runs.num_frames)[:, None] * width + columns[inside]).ravel()
    place, run = _ragged(edges[wanted], edges[wanted + 1] - edges[wanted])
    frame, nth = np.divmod(place, max(1, len(inside)))
    size_hw = (runs.size_hw[0], len(columns))
    return Runs(size_hw, runs.known, frame, inside[nth], runs.top[run], runs.bottom[run])


def _ragged(start: Int[ndarray, " m"], length: Int[ndarray, " m"]) -> tuple[Int[ndarray, " n"], Int[ndarray, " n"]]:
    """For ranges that begin at ``start``: which range each of their members is of, and the members."""
    owner = np.repeat(np.arange(len(start)), length)
    return owner, np.arange(len(owner)) + np.repeat(start - (np.cumsum(length) - length), length)
