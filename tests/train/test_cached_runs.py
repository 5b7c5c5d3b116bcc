"""Training runs over one cache, one after another and at the same time: the same bits as without any."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from interplay.core.artifacts import Artifact, build
from interplay.core.cache import Cache
from interplay.methods.matrix.config import MatrixConfig
from interplay.records.store.writer import StoreWriter
from interplay.train.config import TrainConfig
from interplay.train.losses import MatrixLosses
from interplay.train.run import run
from interplay.world.make import WorldConfig, clip_at
from train.launched import start

GEOMETRIES = (((32, 48), 9), ((48, 32), 9), ((32, 48), 5), ((32, 48), 9))
MATRIX = MatrixConfig(v2t_layers=(0,), v2v_layers=(1,))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Four clips of three geometries, as a dataset."""

    def make(folder: Path) -> dict[str, Any]:
        with StoreWriter(folder) as writer:
            for index, (size_hw, frames) in enumerate(GEOMETRIES):
                clip, rendering = clip_at(WorldConfig(num_frames=frames, size_hw=size_hw), "train", index)
                writer.add(clip, frames=rendering.frames)
        return {}

    return build(tmp_path_factory.mktemp("mixed") / "clips", kind="clips", config={}, inputs={}, make=make)


def config(folder: str, **changes: Any) -> TrainConfig:
    settings = {"backbone": folder, "matrix": MATRIX, "steps": 6, "batch_size": 2, "learning_rate": 1e-3}
    return TrainConfig.model_validate({**settings, "save_every": 2, **changes})


def result(artifact: Artifact) -> tuple[list[dict[str, str]], dict[str, torch.Tensor]]:
    rows = [{**row, "seconds": ""} for row in csv.DictReader((artifact.path / "losses.csv").open())]
    return rows, load_file(artifact.path / "adapter" / "pytorch_lora_weights.safetensors")


def assert_same(one: Artifact, other: Artifact) -> None:
    (losses, weights), (other_losses, other_weights) = result(one), result(other)
    assert losses == other_losses
    assert weights.keys() == other_weights.keys()
    assert all(torch.equal(weights[name], other_weights[name]) for name in weights)


@pytest.fixture(scope="module")
def uncached(backbone_folder: str, mixed: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return run(config(backbone_folder), mixed, tmp_path_factory.mktemp("uncached") / "out")


def test_with_a_cache_first_and_second_time(
    uncached: Artifact, backbone_folder: str, mixed: Artifact, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        assert_same(uncached, run(config(backbone_folder), mixed, tmp_path / name, cache=Cache(tmp_path / "cache")))
    rebuilt = Cache(tmp_path / "cache", rebuild=True)
    assert_same(uncached, run(config(backbone_folder), mixed, tmp_path / "rebuilt", cache=rebuilt))


def test_without_a_cache_nothing_of_it_stays(uncached: Artifact) -> None:
    assert not list(uncached.path.parent.rglob("CACHEDIR.TAG"))


def test_broken_off_among_several_buckets_it_goes_on_as_if_nothing_had_happened(
    uncached: Artifact, backbone_folder: str, mixed: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, forward = 0, MatrixLosses.forward

    def break_off(self: MatrixLosses, generator: torch.Generator) -> dict[str, torch.Tensor]:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return forward(self, generator)

    monkeypatch.setattr(MatrixLosses, "forward", break_off)
    with pytest.raises(KeyboardInterrupt):
        run(config(backbone_folder), mixed, tmp_path / "out")
    assert_same(uncached, run(config(backbone_folder), mixed, tmp_path / "out"))
    assert calls == 4 + 4, "it must have gone on from the second step"


def test_two_trainings_at_once_on_one_cache(
    uncached: Artifact, backbone_folder: str, mixed: Artifact, tmp_path: Path
) -> None:
    recipe, cache = config(backbone_folder).model_dump_json(), tmp_path / "cache"
    outs = [tmp_path / "one", tmp_path / "two"]
    both = [start(recipe, mixed.path, out, cache) for out in outs]
    for one, out in zip(both, outs, strict=True):
        assert "damaged" not in one.finish()
        assert_same(uncached, Artifact(out, json.loads((out / "manifest.json").read_text())))


def test_what_is_left_out_is_in_the_artifact_and_told(
    backbone_folder: str, mixed: Artifact, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = config(backbone_folder, steps=1, buckets={"sizes": ["48x32x9", "24x16x9"]})
    artifact = run(settings, mixed, tmp_path / "out")
    assert artifact.summary["buckets"] == {"48x32x9": 2, "24x16x9": 0}
    assert artifact.summary["dropped"] == {"too much cropped": 1, "too short": 1}
    assert (artifact.summary["clips"], artifact.summary["dropped_clips"]) == (2, 2)
    told = json.loads((artifact.path / "buckets.json").read_text())
    assert [drop["clip_id"] for drop in told["drops"]] == ["train-00001", "train-00002"]
    told = "2 of 4 clips are left out (too much cropped: 1, too short: 1): see "
    assert told in capsys.readouterr().err


def test_what_cannot_be_aligned_is_in_the_artifact_and_told(
    backbone_folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def make(folder: Path) -> dict[str, Any]:
        clip, rendering = clip_at(WorldConfig(num_frames=5, size_hw=(32, 48)), "train", 0)
        tracks = {name: track for name, track in clip.tracks.items() if name != "id1"}
        with StoreWriter(folder) as writer:
            writer.add(type(clip)(**{**vars(clip), "tracks": tracks}), frames=rendering.frames)
        return {}

    clips = build(tmp_path / "clips", kind="clips", config={}, inputs={}, make=make)
    artifact = run(config(backbone_folder, steps=1), clips, tmp_path / "out")
    assert artifact.summary["missing"] == {
        "sga_subject: no mask track": 1,
        "sga_verb: no mask track": 1,
        "spa_subject: no mask track": 1,
    }
    assert len(json.loads((artifact.path / "missing.json").read_text())) == 3
    assert "1 of 1 clips lack something to align (no mask track: 3): see " in capsys.readouterr().err
