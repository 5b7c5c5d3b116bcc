from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from interplay.records.check import check_clip
from interplay.records.media.video import read_image, read_video
from interplay.records.store.reader import ClipStore
from interplay.world.make import COMPANIONS, WorldConfig, clip_at, run
from interplay.world.scene import Scene

CONFIG = WorldConfig(seed=1, train=3, test=2, heldout=1, solo=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> ClipStore:
    return ClipStore(run(CONFIG, tmp_path_factory.mktemp("world") / "clips").path)


def test_a_made_dataset_is_what_was_rendered(store):
    assert [len(store.select(split=split)) for split in ("train", "test", "heldout", "solo")] == [3, 2, 1, 1]
    clip = store.get("test-00001")
    expected, rendering = clip_at(CONFIG, "test", 1)
    assert np.array_equal(store.frames(clip), rendering.frames)
    assert clip == expected
    for instance, mask in rendering.masks.items():
        assert np.array_equal(clip.tracks[instance].to_array(), mask)


def test_clips_pass_the_checks_of_the_records():
    for index in range(25):
        clip, _ = clip_at(WorldConfig(size_hw=(24, 40), num_frames=5), "train", index)
        check_clip(clip, where=clip.clip_id)


def test_truth_holds_the_scene_and_interactions_tell_it(store):
    for clip in store:
        scene = Scene.from_json(clip.truth["scene"])
        assert len(clip.interactions) == len(scene.events)
        for interaction, event in zip(clip.interactions, scene.events, strict=True):
            assert (interaction.subject, interaction.object) == (event.subject, event.object)
            assert 0 <= interaction.start_s < interaction.end_s <= CONFIG.num_frames / CONFIG.fps
        assert clip.instance("id1").appearance.endswith(scene.member("id1").colour) or scene.member("id1").colour in (
            clip.instance("id1").appearance
        )


def test_two_runs_give_the_same_identity_and_bytes(tmp_path: Path):
    config = WorldConfig(seed=1, train=2, companions=COMPANIONS)
    one, two = run(config, tmp_path / "one"), run(config, tmp_path / "two")
    assert one.identity == two.identity
    files = [sorted(p for p in a.path.rglob("*") if p.suffix in (".mp4", ".png", ".wav")) for a in (one, two)]
    assert len(files[0]) > 2
    assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]]


def test_companions_are_written_for_clips_that_have_what_they_show(tmp_path: Path):
    config = WorldConfig(seed=2, train=6, companions=COMPANIONS)
    store = ClipStore(run(config, tmp_path / "clips").path)
    shown = set()
    for clip in store:
        scene = Scene.from_json(clip.truth["scene"])
        families = {scene.member(i).family for i in scene.participants}
        assert ("product_image" in clip.media) == ("thing" in families)
        assert ("person_image" in clip.media) == ("person" in families)
        shown |= set(clip.media)
        for medium in clip.media:
            check_medium(store.path(clip, medium), medium)
    assert shown == set(COMPANIONS)


def check_medium(path: Path, medium: str) -> None:
    if medium == "audio":
        with wave.open(str(path)) as sound:
            assert sound.getnframes() == round(17 / 8 * sound.getframerate())
    elif medium.endswith("image"):
        assert read_image(path).shape == (48, 80, 3)
    else:
        assert read_video(path).frames.shape == (17, 48, 80, 3)
