"""Run-length tracks against the arrays they encode."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.core.errors import InputError
from interplay.records.masks import MaskTrack, check_tracks
from mask_strategies import tracks


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


def test_one_mask_at_a_time(masks):
    one_by_one = MaskTrack.from_masks((None if index == 1 else mask for index, mask in enumerate(masks)), (7, 11))
    assert one_by_one == MaskTrack.from_array(masks, gaps=[1])
    with pytest.raises(ValueError, match=r"\(7, 10\) pixels in a track of \(7, 11\)"):
        MaskTrack.from_masks([masks[0, :, :10]], (7, 11))


def test_visible_is_neither_empty_nor_unknown(masks):
    track = MaskTrack.from_array(masks, gaps=[0])
    assert track.visible().tolist() == [False, True, False, True, True]


def test_gaps_are_ranges(masks):
    assert MaskTrack.from_array(masks).gaps() == []
    assert MaskTrack.from_array(masks, gaps=[0, 2, 3]).gaps() == [range(1), range(2, 4)]
    assert MaskTrack.from_array(masks, gaps=range(5)).gaps() == [range(5)]
    assert MaskTrack((7, 11), ()).gaps() == []


def test_a_track_of_no_frames():
    track = MaskTrack.from_array(np.zeros((0, 4, 5), dtype=bool))
    assert len(track) == 0
    assert track.to_array().shape == (0, 4, 5)
    assert track.areas().shape == track.visible().shape == (0,)
    assert track.boxes() == {}


@settings(max_examples=150)
@given(tracks())
def test_areas_boxes_and_masks_are_those_of_the_pixels(drawn):
    track = drawn.track
    assert (track.to_array() == drawn.masks).all()
    assert track.areas().tolist() == drawn.masks.sum(axis=(1, 2)).tolist()
    boxes = track.boxes()
    assert boxes.keys() == set(range(len(track))) - set(drawn.gaps)
    for frame, box in boxes.items():
        rows, columns = np.nonzero(drawn.masks[frame])
        seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else None
        assert box == seen


@settings(max_examples=100)
@given(st.data())
def test_union_and_intersection_are_those_of_the_pixels(data):
    first = data.draw(tracks())
    frames, *size_hw = first.masks.shape
    second = data.draw(tracks(size_hw=tuple(size_hw), num_frames=frames))
    unknown = sorted({*first.gaps, *second.gaps})
    assert first.track.union(second.track) == MaskTrack.from_array(first.masks | second.masks, unknown)
    assert first.track.intersection(second.track) == MaskTrack.from_array(first.masks & second.masks, unknown)


# --- counts from files -----------------------------------------------------------------------------------------------


def _uncompressed(mask):
    """COCO's list counts of one mask, by the definition."""
    line = mask.T.ravel()
    edges = [0, *(np.flatnonzero(line[1:] != line[:-1]) + 1), line.size]
    lengths = [int(length) for length in np.diff(edges)]
    return [0, *lengths] if line[0] else lengths


@settings(max_examples=100)
@given(tracks())
def test_all_ways_of_writing_counts_are_read(drawn):
    track = drawn.track
    text = [None if counts is None else counts.decode("ascii") for counts in track.frames]
    lists = [None if index in drawn.gaps else _uncompressed(mask) for index, mask in enumerate(drawn.masks)]
    mixed = [counts if index % 2 else text[index] for index, counts in enumerate(lists)]
    for frames in (list(track.frames), text, lists, mixed):
        assert MaskTrack.checked(list(track.size_hw), frames, where="a file") == track
    assert MaskTrack.from_uncompressed(track.size_hw, lists, where="a file") == track


def test_counts_become_canonical():
    # 3 background, 2 and 1 foreground with an empty run between, and an empty run at the end.
    track = MaskTrack.checked((2, 3), [[3, 2, 0, 1, 0]], where="a file")
    assert track == MaskTrack.checked((2, 3), [[3, 3]], where="a file")
    assert track.areas().tolist() == [3]


@pytest.mark.parametrize(
    ("size", "frames", "problem"),
    [
        ((2, 3), "6", "is text, not a list of masks"),
        ((2, 3), None, "is null, not a list of masks"),
        ((2, 3), [None, "5"], "frame 1: has runs of 5 pixels together and a size of 6"),
        ((2, 3), [None, "6", "é"], "frame 2: has a character"),
        ((2, 3), [None, {"counts": "6"}], "frame 1: is an object, not COCO counts"),
        ((2, 3), [6], "frame 0: is a number, not COCO counts"),
        ((2, 3), [[]], "frame 0: has counts that are no list of run lengths"),
        ((2, 3), [[3.0, 3]], "frame 0: has counts that are no list"),
        ((2, 3), [[True, 5]], "frame 0: has counts that are no list"),
        ((2, 3), [[-1, 7]], "frame 0: has counts that are no list"),
        ((2, 3), [[10**30]], "frame 0: has counts that are no list"),
        ((2,), [], r"size \(2,\) is not two positive"),
        ((2, 3, 1), [], "is not two positive"),
        ((2.0, 3), [], "is not two positive"),
        ((True, 3), [], "is not two positive"),
        ((0, 3), [], "is not two positive"),
        ((-2, -3), ["6"], "is not two positive"),
        ("23", [], "is not two positive"),
        (None, [], "is not two positive"),
        ((10**6, 10**7), ["0"], "declares 10000000x1000000 pixels"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(size, frames, problem):
    with pytest.raises(InputError, match=f"^a file.*{problem}"):
        MaskTrack.checked(size, frames, where="a file")


def test_a_damaged_track_that_nobody_checked_harms_nobody():
    track = MaskTrack((4, 5), (b"d0", None, b"54"))
    for ask in (track.areas, track.visible, track.boxes, track.to_array, lambda: track.union(track)):
        with pytest.raises(InputError, match="mask track, frame 2: has runs of 9 pixels together"):
            ask()
    with pytest.raises(InputError, match="frame 1: has no counts"):
        MaskTrack((4, 5), (None, b"")).areas()


def test_tracks_are_checked_together(masks):
    tracks = {"id1": MaskTrack.from_array(masks, gaps=[0]), "id2": MaskTrack((4, 5), (b"d0", None, b"54"))}
    tracks["id3"] = tracks["id1"]
    with pytest.raises(InputError, match=r"^row 7 id2, frame 2: has runs of 9 pixels together"):
        check_tracks(tracks, where="row 7")
    tracks["id2"] = tracks["id2"].select([0, 1])
    check_tracks(tracks, where="row 7")
    check_tracks({}, where="row 7")


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.binary(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["size", "counts"]), inner, max_size=2),
    max_leaves=6,
)
_SIZE = st.one_of(_JUNK, st.lists(st.integers(-3, 2**40), max_size=3), st.tuples(st.integers(1, 5), st.integers(1, 5)))
_COUNTS = st.one_of(_JUNK, st.lists(st.integers(-1, 12), max_size=5))


@settings(max_examples=300)
@given(_SIZE, st.lists(st.lists(_COUNTS, max_size=2) | _JUNK, min_size=8, max_size=8))
def test_over_two_thousand_values_of_any_type(size, several):
    for frames in several:
        try:
            track = MaskTrack.checked(size, frames, where="a file")
        except InputError:
            continue
        assert (track.areas() <= track.size_hw[0] * track.size_hw[1]).all()
