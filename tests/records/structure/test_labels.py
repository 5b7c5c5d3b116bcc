"""Labels brought to a video's frames and pixels: shifts, gaps, other sizes, and what cannot be the same picture."""

import numpy as np
import pytest

from cointeract_fixtures import HEIGHT, NUM_FRAMES, WIDTH, arm_heights, draw
from interplay.core.errors import InputError
from interplay.records.geometry import Fit
from interplay.records.masks import MaskTrack
from interplay.records.media.video import probe_video, stream_video, write_video
from interplay.records.structure.config import StructureVideoConfig
from interplay.records.structure.labels import find_lead, in_step, lead_settings, structure_labels
from interplay.records.structure.lag import Lead
from interplay.records.structure.tracks import read_tracks

CONFIG = StructureVideoConfig()


@pytest.mark.parametrize(
    ("lead", "num_frames", "expected"),
    [
        (0, 3, [b"a", b"b", b"c"]),
        (1, 3, [None, b"a", b"b"]),
        (-1, 3, [b"b", b"c", None]),
        (0, 5, [b"a", b"b", b"c", None, None]),
        (7, 3, [None, None, None]),
    ],
)
def test_a_label_belongs_to_the_frame_that_many_later(lead, num_frames, expected):
    track = MaskTrack((2, 2), (b"a", b"b", b"c"))
    assert in_step(track, lead, num_frames).frames == tuple(expected)


def test_the_tracks_are_the_measured_ones_at_the_video_s_size(tmp_path):
    path = tmp_path / "structure.mp4"
    write_video(path, draw((0, 0, 0), arm_heights(4)), 25.0)
    write_video(tmp_path / "video.mp4", np.zeros((4, 3 * HEIGHT, 3 * WIDTH, 3), dtype=np.uint8), 25.0)
    info = probe_video(tmp_path / "video.mp4")
    measured = read_tracks(stream_video(path), CONFIG, where="x")
    fit = Fit((HEIGHT, WIDTH), info.size_hw)
    tracks = structure_labels(path, info, 0, CONFIG)
    assert (tracks["id1"].to_array() == fit.masks(measured.person.to_array())).all()
    assert (tracks["id2"].to_array() == fit.masks(measured.product.to_array())).all()
    assert structure_labels(path, info, 1, CONFIG)["id2"].frames == (None, *tracks["id2"].frames[:3])


def test_another_picture_is_refused_before_anything_is_measured(tmp_path):
    write_video(tmp_path / "structure.mp4", draw((0, 0, 0), arm_heights(4))[:, :, :40], 25.0)
    write_video(tmp_path / "video.mp4", draw((0, 0, 0), arm_heights(4)), 25.0)
    with pytest.raises(InputError, match="is 40x64 pixels"):
        structure_labels(tmp_path / "structure.mp4", probe_video(tmp_path / "video.mp4"), 0, CONFIG)
    with pytest.raises(InputError, match="is 40x64 pixels"):
        find_lead(tmp_path / "video.mp4", tmp_path / "structure.mp4", "measure")


def test_the_lead_is_measured_or_given(tmp_path):
    arm = arm_heights(NUM_FRAMES + 4)
    write_video(tmp_path / "video.mp4", draw((120, 90, 60), arm[:NUM_FRAMES]), 25.0)
    write_video(tmp_path / "structure.mp4", draw((0, 0, 0), arm[4:]), 25.0)
    measured = find_lead(tmp_path / "video.mp4", tmp_path / "structure.mp4", "measure")
    assert measured.frames == 4
    assert lead_settings(measured, "measure").items() >= {"frames": 4, "by": "measured"}.items()
    given = find_lead(tmp_path / "absent.mp4", tmp_path / "absent.mp4", -2)
    assert isinstance(given, Lead)
    assert lead_settings(given, -2) == {"frames": -2, "by": "config"}
