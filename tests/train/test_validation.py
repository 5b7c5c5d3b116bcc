"""What is measured on held-out clips, what a run leaves of it, and that the export generates what the run generated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from interplay.backbones.registry import load_backbone
from interplay.cli.probes import probes_for
from interplay.core.artifacts import Artifact
from interplay.core.cache import Cache
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.methods.matrix.adapter import load_adapter
from interplay.train.config import TrainConfig
from interplay.train.parts import unfreeze
from interplay.train.probes import Probes
from interplay.train.run import Surroundings, run

MEASURED = {
    "every": 2,
    "limit": 2,
    "timesteps": [0.3, 0.7],
    "samples": 1,
    "sample_steps": 2,
    "aas": True,
    "judge": "world",
}


def recipe(folder: str, **changes: Any) -> TrainConfig:
    fields = {
        "backbone": folder,
        "matrix": {"v2t_layers": [0], "v2v_layers": [1]},
        "also_train": ["norm_out.*", "time_embedding.linear_1.bias"],
        "steps": 4,
        "batch_size": 1,
        "learning_rate": 1e-2,
        "warmup_steps": 0,
        "precision": "bfloat16",
        "gradient_checkpointing": True,
        "validation": MEASURED,
    }
    return TrainConfig.model_validate({**fields, **changes})


@pytest.fixture(scope="module")
def trained(backbone_folder: str, clips: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("measured")
    config = recipe(backbone_folder)
    return run(config, clips, folder / "out", cache=Cache(folder / "cache"), probes=probes_for(config))


def test_everything_that_was_asked_for_is_measured_before_while_and_after(trained: Artifact) -> None:
    rows = read_json(trained.path / "validation.json")["rows"]
    assert [row["step"] for row in rows] == [0, 2, 4]
    for row in rows:
        assert row["held_out"] == pytest.approx((row["held_out_at_0.3"] + row["held_out_at_0.7"]) / 2)
        assert {"held_out_alignment", "held_out_sga_verb", "held_out_spa_object"} <= row.keys()
        assert {"aas_noun_v2t", "aas_verb_v2t", "aas_noun_v2v", "aas_verb_v2v", "fidelity"} <= row.keys()
    assert rows[-1]["held_out"] < rows[0]["held_out"]


def test_a_run_leaves_samples_a_chart_and_the_best_adapter(trained: Artifact) -> None:
    samples = sorted(path.relative_to(trained.path).as_posix() for path in trained.path.rglob("*.mp4"))
    assert samples == [f"samples/step-{step:08d}/test-00000.mp4" for step in (0, 2, 4)]
    assert (trained.path / "chart.png").read_bytes().startswith(b"\x89PNG")
    # The last weights are the best ones here, so both folders hold the same.
    assert read_json(trained.path / "validation.json")["best_step"] == 4
    for name in ("pytorch_lora_weights", "input_projection", "parts"):
        last, best = (load_file(trained.path / kind / f"{name}.safetensors") for kind in ("adapter", "best"))
        assert all(torch.equal(last[key], best[key]) for key in last)


def test_single_parts_are_trained_saved_and_loaded(trained: Artifact, backbone_folder: str) -> None:
    parts = load_file(trained.path / "adapter" / "parts.safetensors")
    names = {"norm_out.norm.weight", "norm_out.norm.bias", "norm_out.linear.weight", "norm_out.linear.bias"}
    assert parts.keys() == {f"0/{name}" for name in (*names, "time_embedding.linear_1.bias")}
    backbone = load_backbone(backbone_folder)
    before = backbone.transformer.get_parameter("norm_out.linear.weight").detach().clone()
    assert not torch.equal(before, parts["0/norm_out.linear.weight"])
    load_adapter(backbone, trained.path / "adapter")
    for key, value in parts.items():
        assert torch.equal(backbone.transformer.get_parameter(key.removeprefix("0/")), value)


def test_a_pattern_that_fits_nothing_names_some_that_would(backbone_folder: str) -> None:
    with pytest.raises(InputError, match=r"no parameter fits norm_uot\.\*; names look like .*norm_out"):
        unfreeze(load_backbone(backbone_folder), ["norm_uot.*"])


def test_held_out_clips_must_be_others(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    config = recipe(backbone_folder, validation={"splits": ["train"]})
    with pytest.raises(InputError, match="clip train-00000 is trained on too"):
        run(config, clips, tmp_path / "out")


def test_a_probe_that_nobody_brought_is_named(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"validation\.aas: needs a probe"):
        run(recipe(backbone_folder), clips, tmp_path / "out", probes=Probes())


def test_a_tracker_that_is_not_installed_is_named(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    config = recipe(backbone_folder, validation=None)
    with pytest.raises(InputError, match="--tracker tensorbored: is no tracker; choose among .*tensorboard"):
        run(config, clips, tmp_path / "out", surroundings=Surroundings(trackers=("tensorbored",)))
