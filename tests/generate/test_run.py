from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interplay.backbones.registry import load_backbone
from interplay.core.artifacts import Artifact, build
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.generate.config import GenerateConfig
from interplay.generate.reproduce import reproduce
from interplay.generate.run import run
from interplay.methods.matrix.adapter import save_adapter
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.guidance import Course
from interplay.methods.matrix.install import install
from interplay.methods.matrix.instance_map import paint
from interplay.records.media.images import read_image
from interplay.records.media.video import read_video
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter


def config(folder: str, **changes: object) -> GenerateConfig:
    settings = {"backbone": folder, "splits": ("test",), "steps": 2, "batch_size": 2}
    return GenerateConfig.model_validate({**settings, **changes})


def test_videos_and_sidecars(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    artifact = run(config(backbone_folder), clips, tmp_path / "out")
    index = read_json(artifact.path / "index.json")
    assert [entry["clip_id"] for entry in index["clips"]] == ["test-00000", "test-00001"]
    store = ClipStore(clips.path)
    for entry in index["clips"]:
        video = read_video(artifact.path / entry["video"])
        assert video.frames.shape == store.frames(store.get(entry["clip_id"])).shape
        sidecar = json.loads((artifact.path / "videos" / f"{entry['clip_id']}.json").read_text())
        assert sidecar == {**entry, "video": f"{entry['clip_id']}.mp4"}
        assert entry["prompt"] == store.get(entry["clip_id"]).caption


def test_same_seed_same_pixels_other_seed_other_pixels(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    def frames(name: str, seed: int) -> np.ndarray:
        artifact = run(config(backbone_folder, seed=seed), clips, tmp_path / name)
        return read_video(artifact.path / "videos" / "test-00000.mp4").frames

    first = frames("one", 0)
    assert np.array_equal(first, frames("two", 0))
    assert not np.array_equal(first, frames("three", 1))


def test_a_clip_is_made_again_from_its_json_alone(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    artifact = run(config(backbone_folder, splits=("train",), guidance_scale=2.0, limit=2), clips, tmp_path / "out")
    again = reproduce(artifact.path / "videos" / "train-00001.json")
    assert np.array_equal(again.frames, read_video(artifact.path / "videos" / "train-00001.mp4").frames)


def test_another_size_than_that_of_the_dataset(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    artifact = run(config(backbone_folder, size="64x32x9", limit=1, steps=1), clips, tmp_path / "out")
    assert read_video(artifact.path / "videos" / "test-00000.mp4").frames.shape == (9, 32, 64, 3)


def test_an_adapter_from_elsewhere_sees_the_masks_of_the_first_frame(
    backbone_folder: str, clips: Artifact, tmp_path: Path
) -> None:
    backbone = load_backbone(backbone_folder)
    save_adapter(backbone, tmp_path / "adapter", install(backbone, MatrixConfig()), lora=False)
    settings = config(backbone_folder, limit=1, steps=1)
    artifact = run(settings, clips, tmp_path / "out", adapter=tmp_path / "adapter")
    (entry,) = read_json(artifact.path / "index.json")["clips"]
    clip = ClipStore(clips.path).get(entry["clip_id"])
    assert np.array_equal(read_image(artifact.path / "videos" / entry["masks"]["path"]), paint(clip.tracks, frame=0))
    # An untrained projection is zero: the widened model is the model itself, bit for bit.
    plain = run(settings, clips, tmp_path / "plain")
    videos = [folder / "videos" / f"{clip.clip_id}.mp4" for folder in (artifact.path, plain.path)]
    assert videos[0].read_bytes() == videos[1].read_bytes()


def test_guidance_by_words_follows_the_tracks_of_the_dataset(
    backbone_folder: str, clips: Artifact, tmp_path: Path
) -> None:
    guided = {"cmg_scale": 4.0, "cmg_layers": [0, 1]}
    settings = config(backbone_folder, limit=1, size="64x32x9", guidance=guided)
    artifact = run(settings, clips, tmp_path / "out")
    (entry,) = read_json(artifact.path / "index.json")["clips"]
    clip = ClipStore(clips.path).get(entry["clip_id"])
    assert clip.interactions
    verbs = Course.of(clip, num_frames=9, fps=clip.fps).verbs
    assert {label: tuple(ids) for label, ids in entry["tracks"]["verbs"].items()} == verbs != {}
    # Made again from its files alone; who stands still throughout is another clip.
    record = artifact.path / "videos" / f"{clip.clip_id}.json"
    again = reproduce(record)
    video = read_video(record.with_suffix(".mp4"))
    assert np.array_equal(again.frames, video.frames)
    again.save(tmp_path / "again.mp4")
    assert read_json(tmp_path / "again.json")["tracks"]["digest"] == entry["tracks"]["digest"]
    told = read_json(record)
    still = tmp_path / "still.json"
    pictures = {
        name: {**told[name], "path": str(record.parent / told[name]["path"])} for name in ("masks", "first_frame")
    }
    still.write_text(json.dumps({**told, **pictures, "tracks": None, "backbone_path": None}))
    assert not np.array_equal(reproduce(still, backbone=backbone_folder).frames, video.frames)


def test_tracks_that_have_changed_are_refused(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    guided = {"cmg_scale": 1.0, "cmg_layers": [0]}
    artifact = run(config(backbone_folder, limit=1, steps=1, guidance=guided), clips, tmp_path / "out")
    record = artifact.path / "videos" / "test-00000.json"
    tracks = record.with_name("test-00000.tracks.json")
    content = read_json(tracks)
    content["id1"]["frames"][1] = None
    tracks.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"field tracks: test-00000\.tracks\.json has changed; put the old file back"):
        reproduce(record)
    tracks.unlink()
    with pytest.raises(InputError, match=r"field tracks: there is no .*; put the file back"):
        reproduce(record)


def test_clips_of_a_dataset_without_tracks_are_told_once(
    backbone_folder: str, clips: Artifact, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backbone = load_backbone(backbone_folder)
    save_adapter(backbone, tmp_path / "adapter", install(backbone, MatrixConfig()), lora=False)
    store = ClipStore(clips.path)

    def trackless(folder: Path) -> dict[str, object]:
        with StoreWriter(folder) as writer:
            for clip_id in ("test-00000", "test-00001"):
                clip = store.get(clip_id)
                writer.add(replace(clip, tracks={}, truth=None), frames=store.frames(clip))
        return {}

    bare = build(tmp_path / "bare", kind="clips", config={}, inputs={}, make=trackless)
    capsys.readouterr()
    run(config(backbone_folder, steps=1, batch_size=1), bare, tmp_path / "out", adapter=tmp_path / "adapter")
    told = "2 of 2 clips have no masks and are shown no instance map (test-00000, ...)"
    assert capsys.readouterr().err.count(told) == 1


def test_limit_counts_per_split(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    artifact = run(config(backbone_folder, splits=("test", "heldout"), limit=1, steps=1), clips, tmp_path / "out")
    assert [e["clip_id"] for e in read_json(artifact.path / "index.json")["clips"]] == ["test-00000", "heldout-00000"]


def test_an_unknown_split_or_backbone_is_an_input_error(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="validation"):
        run(config(backbone_folder, splits=("validation",)), clips, tmp_path / "a")
    with pytest.raises(InputError, match=r"model_index\.json"):
        run(config(str(tmp_path)), clips, tmp_path / "b")
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


def test_a_pipeline_of_an_unknown_family_is_an_input_error(clips: Artifact, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    with pytest.raises(InputError, match="FluxPipeline"):
        run(config(str(tmp_path / "model")), clips, tmp_path / "out")


def test_another_artifact_in_the_place_is_kept(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    build(tmp_path / "out", kind="clips", config={}, inputs={}, make=lambda folder: {})
    with pytest.raises(InputError, match="--overwrite"):
        run(config(backbone_folder), clips, tmp_path / "out")
