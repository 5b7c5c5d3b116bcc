"""What checks of a dataset ask of two tracks, against the pixels."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.records.masks import MaskTrack
from interplay.records.overlap import area_shares, common_areas, ious
from mask_strategies import tracks


@settings(max_examples=60)
@given(st.data())
def test_they_are_those_of_the_pixels(data: st.DataObject) -> None:
    first = data.draw(tracks())
    frames, height, width = first.masks.shape
    second = data.draw(tracks(size_hw=(height, width), num_frames=frames))
    known = first.track.known() & second.track.known()
    both = (first.masks & second.masks).sum(axis=(1, 2))
    either = (first.masks | second.masks).sum(axis=(1, 2))
    assert common_areas(first.track, second.track).tolist() == np.where(known, both, 0).tolist()
    expected = [both[k] / either[k] if known[k] and either[k] else np.nan for k in range(frames)]
    np.testing.assert_array_equal(ious(first.track, second.track), expected)


def test_shares_of_the_picture() -> None:
    masks = np.zeros((3, 4, 5), dtype=bool)
    masks[0, :2] = True
    np.testing.assert_array_equal(area_shares(MaskTrack.from_array(masks, gaps=[2])), [0.5, 0.0, np.nan])


def test_instances_that_exchange_places_show_between_two_frames() -> None:
    masks = np.zeros((4, 6, 9), dtype=bool)
    masks[:2, 1:4, 1:3] = True
    masks[2:, 2:5, 5:8] = True
    first, second = MaskTrack.from_array(masks), MaskTrack.from_array(masks[::-1].copy())
    earlier, later = range(3), range(1, 4)
    assert ious(first.select(earlier), second.select(later)).tolist() == [0, 1, 0]
    assert ious(first.select(earlier), first.select(later)).tolist() == [1, 0, 1]
