"""Run-length tracks against the arrays they encode."""

import numpy as np
import pytest

from interplay.records.masks import MaskTrack


@pytest.fixture
def masks():
    rng = np.random.default_rng(0)
    found = rng.random((5, 7, 11)) < 0.4
    found[2] = False
    return found


def test_round_trip_is_exact(masks):
    track = MaskTrack.from_array(masks)
    assert (track.to_array() == masks).all()
    assert track.size_hw == (7, 11)
    assert len(track) == 5


def test_a_gap_is_not_an_empty_mask(masks):
    track = MaskTrack.from_array(masks, gaps=[3])
    assert track.known().tolist() == [True, True, True, False, True]
    assert track.areas().tolist() == [masks[0].sum(), masks[1].sum(), 0, 0, masks[4].sum()]
    assert not track.to_array()[3].any()
    assert track.boxes().keys() == {0, 1, 2, 4}
    assert track.boxes()[2] is None


def test_nothing_but_gaps(masks):
    track = MaskTrack.from_array(masks, gaps=range(5))
    assert not track.to_array().any()
    assert not track.areas().any()
    assert track.boxes() == {}


def test_boxes_end_behind_the_last_pixel():
    masks = np.zeros((1, 6, 8), dtype=bool)
    masks[0, 2:5, 3:7] = True
    assert MaskTrack.from_array(masks).boxes() == {0: (3.0, 2.0, 7.0, 5.0)}


def test_union_is_known_where_both_are(masks):
    first, second = MaskTrack.from_array(masks, gaps=[0]), MaskTrack.from_array(~masks, gaps=[4])
    union = first.union(second)
    assert union.known().tolist() == [False, True, True, True, False]
    assert union.to_array()[1:4].all()
    with pytest.raises(ValueError, match="5 and"):
        first.union(MaskTrack.from_array(masks[:, :, :9]))


def test_select_takes_frames_in_order(masks):
    track = MaskTrack.from_array(masks, gaps=[1]).select([4, 1, 0])
    assert (track.to_array()[[0, 2]] == masks[[4, 0]]).all()
    assert track.known().tolist() == [True, False, True]
