"""The parts of the judge against small twins and hand-made pictures."""

from __future__ import annotations

import numpy as np
import pytest

from interplay.world.judge.components import components
from interplay.world.judge.first_world import BACKGROUNDS
from interplay.world.judge.presence import Presence
from interplay.world.judge.segment import BACKGROUND, COLOURS, SKIN_CLASS, TROUSERS_CLASS, classify, shrink
from interplay.world.judge.tracks import _hidden, _unseen_runs
from interplay.world.palette import INSTANCE_COLOURS, SKIN, TROUSERS


def flood_fill(classes: np.ndarray) -> list[frozenset[tuple[int, int, int]]]:
    """The plainest way to find components."""
    left = {tuple(int(i) for i in where) for where in np.argwhere(classes != BACKGROUND)}
    found = []
    while left:
        waiting, part = [next(iter(left))], set()
        while waiting:
            frame, row, column = where = waiting.pop()
            if where not in left:
                continue
            left.discard(where)
            part.add(where)
            for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                near = (frame, row + step[0], column + step[1])
                if near in left and classes[near] == classes[where]:
                    waiting.append(near)
        found.append(frozenset(part))
    return found


@pytest.mark.parametrize("density", [0.2, 0.5, 0.8])
def test_components_are_those_of_a_flood_fill(density):
    rng = np.random.default_rng(round(10 * density))
    classes = np.where(rng.random((3, 14, 19)) < density, rng.integers(0, 3, (3, 14, 19)), BACKGROUND).astype(np.int8)
    parts = components(classes)
    found = [frozenset(tuple(int(i) for i in w) for w in np.argwhere(parts.index == n)) for n in range(len(parts.area))]
    assert set(found) == set(flood_fill(classes))
    for n, part in enumerate(found):
        frames, rows, columns = (np.array(values) for values in zip(*part, strict=True))
        assert parts.area[n] == len(part)
        assert set(frames) == {parts.frame[n]}
        assert parts.kind[n] == classes[next(iter(part))]
        assert tuple(parts.box[n]) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert parts.centre[n] == pytest.approx([columns.mean() + 0.5, rows.mean() + 0.5])


def test_a_spiral_is_one_component():
    spiral = np.array(["11111", "00001", "11101", "10001", "11111"])
    classes = np.array([[[0 if c == "1" else BACKGROUND for c in row] for row in spiral]], np.int8)
    parts = components(classes)
    assert parts.area.tolist() == [17]
    assert parts.core.tolist() == [0]


def test_the_core_of_a_block():
    classes = np.full((1, 7, 8), BACKGROUND, np.int8)
    classes[0, 1:6, 2:7] = 4
    parts = components(classes)
    assert (parts.area.tolist(), parts.core.tolist()) == ([25], [9])


def test_an_empty_clip_has_no_components():
    parts = components(np.full((2, 3, 4), BACKGROUND, np.int8))
    assert parts.area.size == 0
    assert (parts.index == -1).all()


def test_every_palette_colour_is_its_own_class():
    colours = [*INSTANCE_COLOURS.values(), SKIN, TROUSERS, *BACKGROUNDS[1]]
    frames = np.array(colours, np.uint8)[None, None]
    expected = [*range(len(COLOURS)), SKIN_CLASS, TROUSERS_CLASS, BACKGROUND, BACKGROUND]
    assert classify(frames, 1)[0, 0].tolist() == expected


def test_shrinking_takes_means_of_blocks():
    frames = np.zeros((1, 3, 4, 3), np.uint8)
    frames[0, :2, :2] = [[[10, 20, 30], [30, 20, 10]], [[10, 20, 30], [30, 20, 10]]]
    frames[0, 2, 2:] = 7
    assert shrink(frames, 2)[0].tolist() == [[[20, 20, 20], [0, 0, 0]], [[0, 0, 0], [7, 7, 7]]]
    assert shrink(frames, 1) is frames


def test_stretches_without_a_sight():
    assert list(_unseen_runs([True, False, False, True, False])) == [(1, 3), (4, 5)]
    assert list(_unseen_runs([True, True])) == []
    assert list(_unseen_runs([False])) == [(0, 1)]


def test_hidden_is_who_has_others_in_its_place_all_the_time():
    place = np.zeros((4, 4), bool)
    place[:2] = True
    others = np.zeros((2, 4, 4), bool)
    others[:, :, :3] = True
    assert _hidden(place, others, 0.75)
    assert not _hidden(place, others, 0.8)
    others[1] = False
    assert not _hidden(place, others, 0.4)


def test_presence_is_plain_data():
    assert Presence((1,), (), 16) == Presence((1,), (), 16)
