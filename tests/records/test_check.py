"""Each contradiction inside a clip is one sentence that names the clip, the field and the cure."""

import pytest

from interplay.core.errors import InputError
from interplay.records.check import check_clip
from interplay.records.clip import Boxes, Instance, Interaction


def test_a_whole_clip_passes(make_clip):
    check_clip(make_clip(), where="clip c0")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"caption": "a <id1> man and a ball"},
            "clip c0, tracks: the mask track id2 has no marker in the caption; mark",
        ),
        (
            {"caption": "a <id1> man, a <id2> ball, a <id3> dog"},
            "clip c0, caption: the marker <id3> has no mask track; give a track for id3",
        ),
        ({"caption": "a <id1>"}, "clip c0, caption: the marker <id1> has no word"),
        ({"instances": (Instance("id1", "man"),)}, "caption and tracks: id2 is not among the clip's instances"),
        ({"instances": (Instance("id1", "man"),) * 2}, "instances: an instance id is listed twice"),
        ({"interactions": (Interaction("id1", "gives", "id2", "id4"),)}, "interaction 'gives': id4 is not among"),
        ({"boxes": {"face": Boxes({4: None})}}, "boxes face: a box is at frame 4 and the clip has 4 frames"),
        ({"num_frames": 5}, "track id1: the mask track is 4 frames of 16x24 and the video 5 frames of 16x24"),
        ({"size_hw": (16, 32)}, "track id1: the mask track is 4 frames of 16x24 and the video 4 frames of 16x32"),
    ],
)
def test_contradictions(make_clip, changes, message):
    with pytest.raises(InputError) as error:
        check_clip(make_clip(**changes), where="clip c0")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
