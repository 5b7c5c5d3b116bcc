from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from interplay.core.artifacts import Artifact, open_artifact
from interplay.core.errors import InputError
from interplay.core.manifest import MANIFEST
from interplay.records.check import check_clip
from interplay.records.media.video import read_image, read_video
from interplay.records.store.reader import ClipStore
from interplay.world.make import COMPANIONS, TWINS, WorldConfig, clip_at, run, twin_at
from interplay.world.sampling import scene_at
from interplay.world.scene import Scene
from interplay.world.twins import twin

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


def bytes_of(artifact: Artifact) -> dict[str, bytes]:
    return {
        path.relative_to(artifact.path).as_posix(): path.read_bytes()
        for path in artifact.path.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }


def test_the_bytes_are_the_same_for_any_number_of_workers(tmp_path: Path):
    config = WorldConfig(
        seed=1, train=1, test=4, twins=True, size_hw=(24, 40), num_frames=5, fps=12.0, companions=COMPANIONS
    )
    alone, together = run(config, tmp_path / "alone"), run(config, tmp_path / "together", workers=2)
    assert alone.identity == together.identity
    assert bytes_of(alone) == bytes_of(together)
    assert alone.summary == together.summary


def test_any_size_length_and_rate(tmp_path: Path):
    store = ClipStore(run(WorldConfig(train=1, size_hw=(64, 64), num_frames=11, fps=24.0), tmp_path / "clips").path)
    (clip,) = store
    assert (clip.size_hw, clip.num_frames, clip.fps) == ((64, 64), 11, 24.0)
    video = read_video(store.folder / clip.video)
    assert (video.frames.shape, video.fps) == ((11, 64, 64, 3), 24.0)


@pytest.fixture(scope="module")
def with_twins(tmp_path_factory) -> Artifact:
    config = WorldConfig(seed=1, train=2, test=8, heldout=8, twins=True, size_hw=(24, 40), num_frames=5)
    return run(config, tmp_path_factory.mktemp("twins") / "clips")


def test_twins_are_a_split_of_their_own_that_says_whose_they_are(with_twins):
    store, config = ClipStore(with_twins.path), WorldConfig.model_validate(with_twins.config)
    twins = store.select(split=TWINS)
    whole = [s for s in ("test", "heldout") for i in range(8) if twin(scene_at(1, s, i, 40 / 24)) is not None]
    assert 0 < len(twins) == len(whole) < 16
    assert with_twins.summary == {
        "clips": {"train": 2, "test": 8, "heldout": 8, "solo": 0, "twins": len(twins)},
        "without_twin": 16 - len(twins),
    }
    for clip in twins:
        original = store.get(clip.truth["twin_of"])
        assert clip.clip_id == f"{original.clip_id}-twin"
        assert Scene.from_json(clip.truth["scene"]) == twin(Scene.from_json(original.truth["scene"]))
        assert clip.interactions[0].subject == (original.interactions[0].recipient or original.interactions[0].object)
        assert clip.caption != original.caption
        assert clip.instances == original.instances
        made = clip.made_by("caption").settings
        again, rendering = twin_at(config, made["split"], made["index"])
        assert again == clip
        assert np.array_equal(rendering.frames, store.frames(clip))


def test_without_being_asked_for_there_are_no_twins(store, tmp_path: Path):
    assert all(clip.split != TWINS and "twin_of" not in clip.truth for clip in store)
    assert open_artifact(store.folder).summary == {"clips": {"train": 3, "test": 2, "heldout": 1, "solo": 1}}
    with pytest.raises(InputError, match="twins: are made of test and held-out clips"):
        run(WorldConfig(train=4, twins=True), tmp_path / "clips")


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
