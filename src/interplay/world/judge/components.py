"""Connected parts of one class, in all frames at once.

Horizontal runs of equal class are the nodes of a graph, vertical neighbours of equal class its edges; its components
are found by letting every node take the smallest number among its neighbours until nothing changes.
Shape legend: ``p`` pixel frames, ``y x`` rows and columns, ``n`` components, ``r`` runs, ``e`` edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int8
from numpy import ndarray

from interplay.world.judge.segment import BACKGROUND


@dataclass(frozen=True)
class Components:
    """All components of a clip. ``index`` says which one a pixel belongs to (-1: background).

    ``core`` counts the pixels whose four neighbours are of the same class: mixed colours along an edge form components
    too, but thin ones, which have none. Boxes hold ``left, top, right, bottom`` in pixels, the last two exclusive.
    """

    index: Int[ndarray, "p y x"]
    frame: Int[ndarray, " n"]
    kind: Int[ndarray, " n"]
    area: Int[ndarray, " n"]
    core: Int[ndarray, " n"]
    centre: Float[ndarray, "n 2"]
    box: Int[ndarray, "n 4"]

    def of(self, frame: int, kind: int) -> list[int]:
        """Numbers of the components of a class in a frame."""
        return [int(n) for n in np.flatnonzero((self.frame == frame) & (self.kind == kind))]


def components(classes: Int8[ndarray, "p y x"]) -> Components:
    """The components of every class but the background (4-neighbourhood)."""
    run_of = _runs(classes)
    root = _connect(int(run_of[-1, -1, -1]) + 1, _vertical_edges(classes, run_of))
    seen = classes != BACKGROUND
    number = np.zeros(root.size, np.intp)
    number[np.unique(root[run_of[seen]])] = 1
    number = np.cumsum(number) - 1
    index = np.where(seen, number[root[run_of]], -1)
    return _measure(index, classes)


def _runs(classes: Int8[ndarray, "p y x"]) -> Int[ndarray, "p y x"]:
    """Number of the horizontal run that each pixel is part of."""
    starts = np.ones(classes.shape, dtype=bool)
    starts[:, :, 1:] = classes[:, :, 1:] != classes[:, :, :-1]
    return (np.cumsum(starts) - 1).reshape(classes.shape)


def _vertical_edges(classes: Int8[ndarray, "p y x"], run_of: Int[ndarray, "p y x"]) -> Int[ndarray, "e 2"]:
    """Pairs of runs that touch, each once or more."""
    same = (classes[:, 1:] == classes[:, :-1]) & (classes[:, 1:] != BACKGROUND)
    upper, lower = run_of[:, :-1][same], run_of[:, 1:][same]
    # Neighbouring pixels of the same two runs say the same thing again.
    fresh = np.ones(upper.shape, dtype=bool)
    fresh[1:] = (upper[1:] != upper[:-1]) | (lower[1:] != lower[:-1])
    return np.stack([upper[fresh], lower[fresh]], axis=1)


def _connect(count: int, edges: Int[ndarray, "e 2"]) -> Int[ndarray, " r"]:
    """The smallest node that each node is connected with."""
    root = np.arange(count)
    while True:
        low = np.minimum(root[edges[:, 0]], root[edges[:, 1]])
        before = root.copy()
        for side in (0, 1):
            np.minimum.at(root, root[edges[:, side]], low)
            np.minimum.at(root, edges[:, side], low)
        root = root[root]
        if np.array_equal(root, before):
            return root


def _core(classes: Int8[ndarray, "p y x"]) -> Bool[ndarray, "p y x"]:
    inside = np.zeros(classes.shape, dtype=bool)
    middle = classes[:, 1:-1, 1:-1]
    inside[:, 1:-1, 1:-1] = (
        (middle == classes[:, :-2, 1:-1])
        & (middle == classes[:, 2:, 1:-1])
        & (middle == classes[:, 1:-1, :-2])
        & (middle == classes[:, 1:-1, 2:])
    )
    return inside


def _measure(index: Int[ndarray, "p y x"], classes: Int8[ndarray, "p y x"]) -> Components:
    frame, row, column = np.nonzero(index >= 0)
    number = index[frame, row, column]
    count = int(number.max()) + 1 if number.size else 0
    area = np.bincount(number, minlength=count)
    core = np.bincount(number, weights=_core(classes)[frame, row, column], minlength=count).astype(np.intp)
    centre = np.stack([np.bincount(number, weights=v + 0.5, minlength=count) for v in (column, row)], axis=1)
    first_frame, kind = np.zeros(count, np.intp), np.zeros(count, np.intp)
    first_frame[number], kind[number] = frame, classes[frame, row, column]
    box = np.empty((count, 4), np.intp)
    box[:, :2], box[:, 2:] = np.iinfo(np.intp).max, 0
    for position, values in ((0, column), (1, row)):
        np.minimum.at(box[:, position], number, values)
        np.maximum.at(box[:, position + 2], number, values + 1)
    return Components(index, first_frame, kind, area, core, centre / np.maximum(area, 1)[:, None], box)
