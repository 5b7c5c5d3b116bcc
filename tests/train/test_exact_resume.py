"""Whole runs: killed with SIGKILL at random points, on one process and on two, they end with the bits of unbroken ones.

And two processes end with the weights of one process that makes the same draws.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from interplay.core.artifacts import Artifact, open_artifact
from interplay.core.cache import Cache
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.core.manifest import SCRATCH
from interplay.train.checkpoints import Checkpoints
from interplay.train.config import TrainConfig
from interplay.train.run import run
from train.launched import start

STEPS = 12
FILES = ("pytorch_lora_weights", "input_projection", "parts")


def recipe(folder: str, **changes: Any) -> TrainConfig:
    """Everything with a state: alignment and its decoders, a moving average, parts of a gradient, a single part."""
    fields = {
        "backbone": folder,
        "matrix": {"v2t_layers": [0], "v2v_layers": [1]},
        "also_train": ["norm_out.*"],
        "steps": STEPS,
        "batch_size": 1,
        "gradient_accumulation": 2,
        "learning_rate": 1e-3,
        "ema_decay": 0.9,
        "save_every": 2,
        "validation": {"every": 4, "limit": 1, "timesteps": [0.5]},
    }
    return TrainConfig.model_validate({**fields, **changes})


def trained(artifact: Artifact) -> dict[str, torch.Tensor]:
    return {
        f"{folder}/{name}/{key}": value
        for folder in ("adapter", "best")
        for name in FILES
        for key, value in load_file(artifact.path / folder / f"{name}.safetensors").items()
    }


@pytest.fixture(scope="module")
def unbroken(backbone_folder: str, clips: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("unbroken")
    return run(recipe(backbone_folder), clips, folder / "out", cache=Cache(folder / "cache"))


def test_killed_at_random_points_it_ends_with_the_same_bits(
    unbroken: Artifact, backbone_folder: str, clips: Artifact, tmp_path: Path
) -> None:
    out, settings = tmp_path / "out", recipe(backbone_folder).model_dump_json()
    first = kill_after_a_checkpoint(settings, clips, out, tmp_path / "cache", processes=1)
    kill_after_a_checkpoint(settings, clips, out, tmp_path / "cache", processes=1)
    assert 0 < first < STEPS, "the first kill came too late to test anything"
    with pytest.raises(InputError, match=r"out\.partial: holds unfinished work, begun with save_every 2 \(now 5\)"):
        run(recipe(backbone_folder, save_every=5), clips, out)
    start(settings, clips.path, out, tmp_path / "cache").finish()
    assert_same(unbroken, open_artifact(out))


def kill_after_a_checkpoint(settings: str, clips: Artifact, out: Path, cache: Path, *, processes: int) -> int:
    """Start a run and kill it some time after its next checkpoint; the step that it goes on from."""
    checkpoints = Checkpoints(out.with_name("out.partial") / SCRATCH, "train", 2)
    before = checkpoints.steps()
    process = start(settings, clips.path, out, cache, processes=processes)
    while process.is_running and checkpoints.steps() == before:
        time.sleep(0.01)
    time.sleep(random.uniform(0.0, 0.5))
    process.kill()
    return max(checkpoints.steps(), default=STEPS)


def assert_same(one: Artifact, other: Artifact) -> None:
    weights, others = trained(one), trained(other)
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[key], others[key]) for key in weights)
    assert read_json(one.path / "validation.json") == read_json(other.path / "validation.json")


def test_so_it_does_in_bfloat16_with_muon_checkpointing_and_trained_markers(
    backbone_folder: str, clips: Artifact, tmp_path: Path
) -> None:
    matrix = {"v2t_layers": [0], "v2v_layers": [1], "binding": "markers", "marker_embeddings": "trained"}
    other = {"precision": "bfloat16", "optimizer": "muon", "gradient_checkpointing": True, "matrix": matrix}
    config, out, cache = recipe(backbone_folder, **other), tmp_path / "out", tmp_path / "cache"
    whole = run(config, clips, tmp_path / "whole", cache=Cache(cache))
    assert "adapter/input_projection/markers.rows" in trained(whole)
    went_on = kill_after_a_checkpoint(config.model_dump_json(), clips, out, cache, processes=1)
    assert 0 < went_on < STEPS, "the kill came too late to test anything"
    start(config.model_dump_json(), clips.path, out, cache).finish()
    assert_same(whole, open_artifact(out))


@pytest.fixture(scope="module")
def unbroken_in_two(backbone_folder: str, clips: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("unbroken_in_two")
    settings = recipe(backbone_folder, gradient_accumulation=1).model_dump_json()
    start(settings, clips.path, folder / "out", folder / "cache", processes=2).finish()
    return open_artifact(folder / "out")


def test_two_processes_killed_at_a_random_point_end_with_the_same_bits(
    unbroken_in_two: Artifact, backbone_folder: str, clips: Artifact, tmp_path: Path
) -> None:
    settings = recipe(backbone_folder, gradient_accumulation=1).model_dump_json()
    went_on = kill_after_a_checkpoint(settings, clips, tmp_path / "out", tmp_path / "cache", processes=2)
    assert 0 < went_on < STEPS, "the kill came too late to test anything"
    start(settings, clips.path, tmp_path / "out", tmp_path / "cache", processes=2).finish()
    assert_same(unbroken_in_two, open_artifact(tmp_path / "out"))


def test_two_processes_see_what_one_process_sees_in_two_parts(unbroken: Artifact, unbroken_in_two: Artifact) -> None:
    assert unbroken_in_two.summary["clips_per_step"] == unbroken.summary["clips_per_step"] == 2
    weights, others = trained(unbroken), trained(unbroken_in_two)
    # The sum of two gradients is the same whoever adds them; only the order of the means may differ.
    assert all(torch.allclose(weights[key], others[key], rtol=1e-4, atol=1e-6) for key in weights)
