from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from interplay.core.artifacts import Artifact, build
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.generate import run as stage
from interplay.generate.config import GenerateConfig
from interplay.generate.run import run
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
        assert sidecar == entry
        assert entry["prompt"] == store.get(entry["clip_id"]).caption


def test_same_seed_same_pixels_other_seed_other_pixels(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    def frames(name: str, seed: int) -> np.ndarray:
        artifact = run(config(backbone_folder, seed=seed), clips, tmp_path / name)
        return read_video(artifact.path / "videos" / "test-00000.mp4").frames

    first = frames("one", 0)
    assert np.array_equal(first, frames("two", 0))
    assert not np.array_equal(first, frames("three", 1))


def test_a_stopped_run_goes_on_with_the_missing_batches(
    backbone_folder: str, clips: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(backbone_folder, splits=("train",), batch_size=2)
    whole = run(settings, clips, tmp_path / "whole")
    calls: list[int] = []
    original = stage._generate_batch

    def stop_at_second(*args: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(stage, "_generate_batch", stop_at_second)
    with pytest.raises(KeyboardInterrupt):
        run(settings, clips, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    resumed = run(settings, clips, tmp_path / "out")
    assert len(calls) == 3, "the finished batch must not be generated again"
    for video in sorted((whole.path / "videos").glob("*.mp4")):
        assert (resumed.path / "videos" / video.name).read_bytes() == video.read_bytes()


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
