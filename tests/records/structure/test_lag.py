"""The lead is found when it is there, and only then."""

import numpy as np
import pytest
from PIL import Image

from cointeract_fixtures import arm_heights, draw
from interplay.records.media.video import stream_video
from interplay.records.structure.lag import measure_lead


@pytest.mark.parametrize("lead", [-7, -1, 0, 4, 11])
def test_a_known_lead(lead):
    arm = arm_heights(60)
    video, structure = arm[12:48], arm[12 + lead : 48 + lead]
    found = measure_lead(draw((120, 90, 60), video), draw((0, 0, 0), structure))
    assert found.frames == lead
    assert found.correlation > 0.9


def test_another_size_of_the_same_picture():
    arm = arm_heights(40)
    large = draw((120, 90, 60), arm[:30]).repeat(2, axis=1).repeat(2, axis=2)
    assert measure_lead(large, draw((0, 0, 0), arm[3:33])).frames == 3


def test_two_sizes_of_one_picture_that_round_to_different_working_sizes():
    arm = arm_heights(40)
    video, structure = draw((120, 90, 60), arm[:30]), draw((0, 0, 0), arm[3:33])
    # 48 / 100 of 175 is 84.0, 48 / 101 of 178 is 84.6.
    video, structure = (resized(frames, size) for frames, size in ((video, (175, 100)), (structure, (178, 101))))
    assert measure_lead(video, structure).frames == 3


def resized(frames, size_hw):
    return [np.asarray(Image.fromarray(frame).resize(size_hw[::-1])) for frame in frames]


def test_without_movement_or_relation_the_labels_stay():
    still = draw((0, 0, 0), [20] * 30)
    assert measure_lead(still, still).frames == 0
    noise = np.random.default_rng(0).integers(0, 256, (30, 64, 48, 3), dtype=np.uint8)
    assert measure_lead(noise, draw((0, 0, 0), arm_heights(30))).frames == 0
    assert measure_lead(still[:1], still[:1]).frames == 0


def test_the_published_sample_is_six_frames_off(hoi_training_clip):
    def lead_over(name):
        pair = (hoi_training_clip / folder / "000.mp4" for folder in (name, "hoi_video"))
        return measure_lead(*(stream_video(path, range(60)) for path in pair)).frames

    assert lead_over("input_video") == 6
    assert lead_over("pose_video") == 0
