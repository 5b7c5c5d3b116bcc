"""The box cells: both key conventions, what is absent, what is wrong, and that writing is the inverse of reading."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interplay.core.errors import InputError
from interplay.records.clip import Boxes
from interplay.records.formats.cointeract.boxes import WrittenBoxes, boxes_in_clip, read_box_cells, write_box_cells

FACE = {"frame_2": [1, 2, 3, 4], "frame_78": [5, 6, 7.5, 8]}
HANDS = {"frame_2": {"l_h": [1, 1, 2, 2], "r_h": [], "obj": [0, 0, 9, 9]}, "frame_6": {"r_h": [3, 3, 4, 4]}}
PARTS = {
    "face": {2: (1.0, 2.0, 3.0, 4.0), 78: (5.0, 6.0, 7.5, 8.0)},
    "left_hand": {2: (1.0, 1.0, 2.0, 2.0)},
    "right_hand": {2: None, 6: (3.0, 3.0, 4.0, 4.0)},
    "object": {2: (0.0, 0.0, 9.0, 9.0)},
}


def read(**cells):
    return read_box_cells(cells, "row 1")


@pytest.mark.parametrize("spelt", [json.dumps, lambda value: value])
def test_cells_as_text_and_as_values(spelt):
    cells = read(face=spelt(FACE), hand_object=spelt(HANDS))
    assert cells.parts == PARTS
    assert cells.convention(81) == "pixel"
    assert cells.in_pixel_frames("pixel") == PARTS


@pytest.mark.parametrize("empty", [None, "[]", "{}", "null", [], {}])
def test_cells_that_say_nothing(empty):
    cells = read(face=empty, hand_object=empty)
    assert (cells.parts, cells.largest_key, cells.convention(81)) == ({}, None, None)
    assert read().parts == {}


def test_a_frame_or_side_without_a_box():
    cells = read(hand_object={"frame_2": [], "frame_22": None, "frame_26": {}, "frame_30": {"l_h": None, "foot": 1}})
    assert cells.parts == {"left_hand": {30: None}}
    assert (cells.largest_key, cells.unread) == (30, ("foot",))


def test_the_largest_key_of_both_cells_decides_what_keys_count():
    latent = read(face={f"frame_{key}": [key, 0, key + 1, 1] for key in range(20)})
    assert latent.convention(81) == "latent"
    assert latent.in_pixel_frames("latent")["face"] == {4 * key + 2: (key, 0.0, key + 1, 1.0) for key in range(20)}
    assert read(face={"frame_2": [1, 2, 3, 4]}, hand_object={"frame_22": {}}).convention(81) == "pixel"
    # Latent 6 would be frame 26: a video of 24 frames has no such frame, so 6 is a frame.
    assert read(face={"frame_6": [1, 2, 3, 4]}).convention(24) == "pixel"
    assert read(face={"frame_6": [1, 2, 3, 4]}).convention(27) == "latent"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"face": "{"}, "field face: is not valid JSON"),
        ({"face": "[1]"}, "field face: is no JSON object"),
        ({"face": 5}, "field face: is no JSON object"),
        ({"face": {"2": [1, 2, 3, 4]}}, "field face: the key '2' is not known"),
        ({"face": {"frame_-2": [1, 2, 3, 4]}}, "the key 'frame_-2' is not known"),
        ({"face": {"frame_" + "9" * 5000: [1, 2, 3, 4]}}, "is not known"),
        ({"face": {"frame_2": [], "frame_02": []}}, "field face: frame 2 is named twice"),
        ({"face": {"frame_2": [1, 2, 3]}}, "field face, frame_2: [1, 2, 3] is no box"),
        ({"face": {"frame_2": ["1", 2, 3, 4]}}, "field face, frame_2: ['1', 2, 3, 4] is no box"),
        ({"face": {"frame_2": [True, 2, 3, 4]}}, "is no box"),
        ({"face": '{"frame_2": [NaN, 2, 3, 4]}'}, "is no box"),
        ({"face": '{"frame_2": [0, 0, 1e999, 4]}'}, "is no box"),
        ({"face": '{"frame_2": [0, 0, 1' + "0" * 400 + ", 4]}"}, "is no box"),
        ({"face": {"frame_2": [5, 2, 3, 4]}}, "field face, frame_2: the box [5, 2, 3, 4] is empty"),
        ({"hand_object": {"frame_2": [1, 2, 3, 4]}}, "field hand_object, frame_2: is no JSON object"),
        ({"hand_object": {"frame_2": {"obj": "x"}}}, "field hand_object, frame_2, obj: 'x' is no box"),
    ],
)
def test_wrong_cells_are_one_sentence(cells, message):
    with pytest.raises(InputError) as error:
        read(**cells)
    assert message in str(error.value)
    assert len(str(error.value)) < 6000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["frame_2", "frame_19", "frame_x", "l_h", "obj"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(face=JSON, hands=JSON)
def test_no_cell_does_harm(face, hands):
    for cells in ({"face": face, "hand_object": hands}, {"face": json.dumps(face), "hand_object": str(hands)}):
        with contextlib.suppress(InputError):
            assert read(**cells).convention(81) in ("pixel", "latent", None)


def test_boxes_move_with_the_lead_and_scale_with_the_picture():
    boxes, cut = boxes_in_clip(PARTS, (100, 50), (200, 100), 4, 81, where="row")
    assert boxes["face"] == Boxes({6: (2.0, 4.0, 6.0, 8.0)})
    assert boxes["right_hand"] == Boxes({6: None, 10: (6.0, 6.0, 8.0, 8.0)})
    assert cut == 1  # frame 78 + 4 is behind the last one
    boxes, cut = boxes_in_clip(PARTS, (200, 100), (200, 100), -3, 81, where="row")
    assert (boxes.keys(), cut) == ({"face", "right_hand"}, 4)
    with pytest.raises(InputError, match="row: is 60x100 pixels"):
        boxes_in_clip(PARTS, (100, 60), (200, 100), 0, 81, where="row")


def as_boxes(parts):
    return {part: Boxes(by_frame) for part, by_frame in parts.items()}


@pytest.mark.parametrize("lead", [0, 6, -2])
def test_written_cells_read_as_the_same_boxes(lead):
    shifted = {part: {key + lead: box for key, box in by_frame.items()} for part, by_frame in PARTS.items()}
    written = write_box_cells(as_boxes(shifted), lead)
    assert written == WrittenBoxes(FACE, HANDS, left_out=0, moved=0)
    assert json.dumps(written.hand_object) == json.dumps(HANDS)  # integers as such, and in order


def test_keys_that_could_be_latents_are_written_so_that_nobody_takes_them_for_such():
    few = {"left_hand": Boxes({2: (0.0, 0.0, 1.0, 1.0), 18: None})}
    hands = write_box_cells(few, 0).hand_object
    assert hands == {"frame_2": {"l_h": [0, 0, 1, 1]}, "frame_18": {"l_h": []}, "frame_78": {}}
    assert read(hand_object=hands).convention(81) == "pixel"
    assert as_boxes(read(hand_object=hands).parts) == few


def test_of_several_boxes_of_a_latent_the_one_nearest_its_centre_is_written():
    # Latent 0 holds the frames 1 to 4, latent 1 the frames 5 to 8; frame 0 is in none.
    every = Boxes({frame: (0.0, 0.0, frame + 1.0, 1.0) for frame in (0, 1, 3, 4, 8)})
    written = write_box_cells({"face": every, "head": every}, 0)
    face = {"frame_2": [0, 0, 2, 1], "frame_6": [0, 0, 9, 1]}
    assert written == WrittenBoxes(face, {"frame_78": {}}, left_out=8, moved=2)
