"""The real videos, pictures and sounds: what is read is what their README says."""

import os
import random
from pathlib import Path

import numpy as np
import pytest

from interplay.records.media.audio import read_audio, sound_of_frames
from interplay.records.media.video import probe_video, read_image, read_video
from media_files import plain_decoding

SCENES = ("feed_strawberry", "lift_box", "place_notebook")
MODELS = ("matrix", "tavid", "open-sora-v2", "cogvideox-5b", "cogvideox-2b")
# Frames, height and width, rate, sound.
VIDEOS = {
    "hoi_training_clip/input_video/000.mp4": (81, (1920, 1080), 24.0, False),
    "hoi_training_clip/hoi_video/000.mp4": (81, (1920, 1080), 25.0, False),
    "hoi_training_clip/pose_video/000.mp4": (81, (1920, 1080), 25.0, False),
    "hoi_training_clip/motion_video/000.mp4": (73, (1920, 1080), 24.0, False),
    "cogeneration_case1/case1.mp4": (229, (832, 480), 25.0, True),
    "cogeneration_case1/case1_hoi.mp4": (230, (1110, 640), 25.0, False),
    "cogeneration_case2/case2.mp4": (80, (832, 480), 25.0, True),
    "cogeneration_case2/case2_hoi.mp4": (80, (1110, 640), 25.0, False),
    "expert_routing/case1/case1.mp4": (78, (832, 480), 25.0, True),
    "expert_routing/case1/case1_base.mp4": (80, (416, 240), 25.0, False),
    "expert_routing/case1/case1_hand.mp4": (80, (416, 240), 25.0, False),
    "expert_routing/case1/case1_head.mp4": (80, (416, 240), 25.0, False),
    "product_outputs/case1/InteractAvatar.mp4": (81, (960, 640), 25.0, False),
    "product_outputs/case1/anchorcrafter.mp4": (41, (1024, 576), 15.0, False),
    "product_outputs/case1/humo.mp4": (82, (832, 480), 25.0, True),
    "product_outputs/case1/ours.mp4": (77, (1280, 720), 25.0, True),
    "product_outputs/case1/phantom.mp4": (81, (832, 480), 24.0, False),
    "product_outputs/case1/skyreels.mp4": (81, (832, 480), 24.0, False),
    "product_outputs/case1/vace.mp4": (87, (832, 480), 25.0, False),
    **{f"interaction_outputs/{s}/{m}.mp4": (49, (480, 720), 8.0, False) for s in SCENES for m in MODELS},
}
PICTURES = {
    "hoi_training_clip/person_image/000.png": (1376, 768),
    "hoi_training_clip/product_image/000.png": (1376, 768),
    "cogeneration_case1/case1_person.png": (1280, 720),
    "product_outputs/case1/object.png": (1344, 768),
    "product_outputs/case1/person.png": (492, 284),
    "target_mask/image.png": (480, 720),
    "target_mask/mask_0.png": (480, 720),
    "target_mask/mask_2.png": (480, 720),
}


@pytest.fixture(scope="module")
def samples():
    """The folder of real media."""
    folder = Path(__file__).resolve().parents[3] / os.environ.get("INTERPLAY_SAMPLES", "../shared/samples")
    if not folder.is_dir():
        pytest.skip(f"no real media at {folder} (set INTERPLAY_SAMPLES)")
    return folder


def test_every_video_is_what_the_readme_says(samples):
    assert {str(path.relative_to(samples)) for path in samples.rglob("*.mp4")} == set(VIDEOS)
    for name, (frames, size_hw, fps, has_audio) in VIDEOS.items():
        info = probe_video(samples / name)
        assert (info.num_frames, info.size_hw, info.fps, info.has_audio) == (frames, size_hw, fps, has_audio), name
        assert (info.rotation, info.variable_rate, info.pixel_aspect) == (0, False, 1.0)
        assert info.duration_s == pytest.approx(frames / fps, abs=1e-3)


def test_an_edit_list_hides_half_of_one(samples):
    info = probe_video(samples / "expert_routing/case1/case1.mp4")
    assert (info.num_frames, info.declared_frames) == (78, 160)


def test_every_index_of_a_small_one_and_some_of_others_by_random_access(samples):
    chance = random.Random(0)
    for name, first, count in (
        ("expert_routing/case1/case1_hand.mp4", 80, 80),
        ("expert_routing/case1/case1.mp4", 30, 2),
        ("hoi_training_clip/pose_video/000.mp4", 40, 2),
        ("interaction_outputs/lift_box/tavid.mp4", 49, 3),
    ):
        plain = plain_decoding(samples / name, first)
        for index in chance.sample(range(first), count):
            assert (read_video(samples / name, indices=[index]).frames[0] == plain[index]).all(), (name, index)


def test_pictures(samples):
    for name, size_hw in PICTURES.items():
        assert read_image(samples / name).shape == (*size_hw, 3), name
    mask = read_image(samples / "target_mask/mask_0.png")
    assert set(np.unique(mask)) <= set(range(256))
    assert (mask == mask[..., :1]).all()


def test_sounds(samples):
    assert len(read_audio(samples / "hoi_training_clip/audio/000.wav")) == 51840  # 3.24 s at 16 kHz: 81 frames at 25
    for name, (frames, _, fps, has_audio) in VIDEOS.items():
        if has_audio:
            sound = sound_of_frames(samples / name, num_frames=frames, fps=fps)
            assert len(sound.samples) == round(frames / fps * 16000)
            assert sum(map(len, sound.gaps)) < 0.025 * 16000, name  # these files' sound ends up to 20 ms early
            assert np.abs(sound.samples).max() > 0.05
