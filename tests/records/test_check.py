"""Each contradiction inside a clip is one sentence that names the clip, the field and the cure."""

import pytest

from interplay.core.errors import InputError
from interplay.records.check import check_binding, check_clip
from interplay.records.clip import Boxes, Instance, Interaction


def test_a_whole_clip_passes(make_clip):
    check_clip(make_clip(), where="clip c0")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"caption": "a <id1> man, a <id3> dog"},
            "caption and tracks: id3 is not among the clip's instances (id1, id2)",
        ),
        ({"caption": "a <id1>"}, "clip c0, caption: the marker <id1> has no word"),
        ({"instances": (Instance("id1", "man"),)}, "caption and tracks: id2 is not among the clip's instances"),
        ({"instances": (Instance("id1", "man"),) * 2}, "instances: an instance id is listed twice"),
        ({"interactions": (Interaction("id1", "gives", "id2", "id4"),)}, "interaction 'gives': id4 is not among"),
        ({"boxes": {"face": Boxes({4: None})}}, "boxes face: a box is at frame 4 and the clip has 4 frames"),
        ({"boxes": {"face": Boxes({-1: None})}}, "boxes face: a box is at frame -1"),
        (
            {"boxes": {"face": Boxes({0: (3.0, 0.0, 1.0, 2.0)})}},
            "boxes face: the box of frame 0 is (3.0, 0.0, 1.0, 2.0)",
        ),
        ({"boxes": {"face": Boxes({0: (0.0, 0.0, float("nan"), 2.0)})}}, "which is no (x1, y1, x2, y2); give finite"),
        ({"num_frames": 5}, "track id1: the mask track is 4 frames of 24x16 and the video 5 frames of 24x16"),
        ({"size_hw": (16, 32)}, "track id1: the mask track is 4 frames of 24x16 and the video 4 frames of 32x16"),
    ],
)
def test_contradictions(make_clip, changes, message):
    with pytest.raises(InputError) as error:
        check_clip(make_clip(**changes), where="clip c0")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_merely_missing_may_be_stored(make_clip):
    track = make_clip().tracks["id1"]
    check_clip(make_clip(caption="a <id1> man and a ball"), where="clip c0")
    check_clip(make_clip(caption="", tracks={}), where="clip c0")
    check_clip(make_clip(tracks={"id1": track}), where="clip c0")
    check_clip(make_clip(boxes={"face": Boxes({0: (-3.0, 0.0, 30.0, 9.0), 1: (2.0, 2.0, 2.0, 2.0)})}), where="clip c0")


@pytest.mark.parametrize(
    ("marked", "tracked", "message"),
    [
        (("id1",), ("id1", "id2"), "row 3, tracks: the mask track id2 has no marker in the caption; mark"),
        (("id1", "id3"), ("id1",), "row 3, caption: the marker <id3> has no mask track; give a track for id3"),
    ],
)
def test_a_stage_that_binds_must_bind_everything(marked, tracked, message):
    with pytest.raises(InputError) as error:
        check_binding(marked, tracked, where="row 3")
    assert message in str(error.value)
