from __future__ import annotations

import json
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
from interplay.methods.matrix.install import install
from interplay.methods.matrix.instance_map import paint
from interplay.records.media.images import read_image
from interplay.records.media.video import read_video
from interplay.records.store.reader import ClipStore


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
