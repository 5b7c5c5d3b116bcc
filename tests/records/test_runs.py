"""Runs against the pixels that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.records.masks import MaskTrack
from interplay.records.runs import Runs, cell_areas, resample, runs_of, track_of
from mask_strategies import Drawn, tracks


def _painted(runs: Runs) -> np.ndarray:
    """The definition of runs, one by one."""
    masks = np.zeros((runs.num_frames, *runs.size_hw), dtype=bool)
    for frame, column, top, bottom in zip(runs.frame, runs.column, runs.top, runs.bottom, strict=True):
        assert top < bottom
        assert not masks[frame, top:bottom, column].any()
        masks[frame, top:bottom, column] = True
    return masks


def _ascend(runs: Runs) -> bool:
    place = (runs.frame * runs.size_hw[1] + runs.column) * runs.size_hw[0] + runs.top
    return bool((np.diff(place) > 0).all())


def test_a_span_is_cut_where_a_column_ends() -> None:
    mask = np.array([[0, 1, 1], [1, 1, 0]], dtype=bool)  # down the columns: 0 1, 1 1, 1 0
    runs = runs_of(MaskTrack.from_array(np.stack([np.zeros_like(mask), mask, mask]), gaps=[1]))
    assert runs.known.tolist() == [True, False, True]
    assert runs.frame.tolist() == [2, 2, 2]
    assert runs.column.tolist() == [0, 1, 2]
    assert list(zip(runs.top.tolist(), runs.bottom.tolist(), strict=True)) == [(1, 2), (0, 2), (0, 1)]


@settings(max_examples=150)
@given(tracks())
def test_runs_are_the_pixels_and_give_back_the_track(drawn: Drawn) -> None:
    runs = runs_of(drawn.track)
    assert _ascend(runs)
    assert (_painted(runs) == drawn.masks).all()
    assert track_of(runs) == drawn.track


@st.composite
def _index_maps(draw: st.DrawFn, side: int, *, any_order: bool) -> np.ndarray:
    """Source rows for each row of a target: rising or falling (or in any order), with repeats, -1 at the ends."""
    taken = draw(st.lists(st.integers(0, side - 1), max_size=30))
    if not any_order:
        taken = sorted(taken, reverse=draw(st.booleans()))
    before, after = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    return np.array([-1] * before + taken + [-1] * after, dtype=np.int64)


@settings(max_examples=200)
@given(st.data())
def test_resampling_takes_the_rows_and_columns(data: st.DataObject) -> None:
    drawn = data.draw(tracks())
    _, height, width = drawn.masks.shape
    rows, columns = data.draw(_index_maps(height, any_order=False)), data.draw(_index_maps(width, any_order=True))
    found = resample(runs_of(drawn.track), rows, columns)
    expected = drawn.masks[:, rows][:, :, columns] & (rows >= 0)[:, None] & (columns >= 0)
    assert found.size_hw == (len(rows), len(columns))
    assert _ascend(found)
    assert (_painted(found) == expected).all()


@pytest.mark.parametrize("rows", [[0, 2, 1], [0, -1, 1], [2, 0, 1]])
def test_rows_that_do_not_rise_or_fall_are_a_mistake_of_the_caller(rows: list[int]) -> None:
    runs = runs_of(MaskTrack.from_array(np.ones((1, 3, 3), dtype=bool)))
    with pytest.raises(ValueError, match="must rise or fall"):
        resample(runs, np.array(rows), np.arange(3))


@settings(max_examples=150)
@given(st.data())
def test_cells_count_their_pixels(data: st.DataObject) -> None:
    cells_h, cells_w, side_y, side_x = (data.draw(st.integers(1, most)) for most in (6, 6, 7, 7))
    drawn = data.draw(tracks(size_hw=(cells_h * side_y, cells_w * side_x)))
    expected = drawn.masks.reshape(-1, cells_h, side_y, cells_w, side_x).sum(axis=(2, 4))
    assert (cell_areas(runs_of(drawn.track), (cells_h, cells_w)) == expected).all()


def test_cells_that_do_not_divide_the_picture_are_a_mistake_of_the_caller() -> None:
    runs = runs_of(MaskTrack.from_array(np.ones((1, 6, 8), dtype=bool)))
    with pytest.raises(ValueError, match="6x8 pixels do not divide into 4x4 cells"):
        cell_areas(runs, (4, 4))
