"""Pretraining by a recipe: random weights, all of them trained, with or without alignment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from interplay.backbones.base import Backbone
from interplay.backbones.registry import load_backbone
from interplay.core.artifacts import Artifact
from interplay.core.errors import InputError
from interplay.methods.matrix.adapter import load_adapter
from interplay.methods.matrix.config import MatrixConfig
from interplay.train.config import TrainConfig
from interplay.train.parts import randomise
from interplay.train.run import run

MATRIX = MatrixConfig(v2t_layers=(0,), v2v_layers=(1,), decoder_width=2, decoder_depth=0)


def config(folder: str, **changes: Any) -> TrainConfig:
    settings = {
        "backbone": folder,
        "weights": "random",
        "lora": None,
        "steps": 1,
        "batch_size": 2,
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
    }
    return TrainConfig.model_validate({**settings, **changes})


def weights_of(backbone: Backbone) -> dict[str, torch.Tensor]:
    (transformer,) = backbone.transformers
    return {name: value.detach().clone() for name, value in transformer.named_parameters()}


@pytest.mark.parametrize("instance_map", [False, True])
def test_every_weight_is_trained_and_comes_back_for_generation(
    backbone_folder: str, clips: Artifact, tmp_path: Path, instance_map: bool
) -> None:
    matrix = MATRIX.model_copy(update={"instance_map": instance_map})
    trained = run(config(backbone_folder, matrix=matrix, seed=3), clips, tmp_path / "out")
    backbone, random = load_backbone(backbone_folder), load_backbone(backbone_folder)
    before = weights_of(random)
    randomise(random, 3)
    load_adapter(backbone, trained.path / "adapter")
    after, start = weights_of(backbone), weights_of(random)
    # One step of Adam moves every weight that has a gradient by at most the learning rate, so this is the random start
    # and not the folder's. What starts as a constant (norms, biases) is the same in both.
    shared = [name for name in start if start[name].shape == after[name].shape]
    assert len(shared) == len(start) - instance_map
    assert all((after[name] - start[name]).abs().max() < 2e-3 for name in shared)
    assert all((after[name] - before[name]).abs().max() > 0.01 for name in shared if "attn1.to_" in name)
    moved = [name for name in shared if not torch.equal(after[name], start[name])]
    # The keys' biases shift all scores of a query alike, which the softmax does not see.
    assert len(moved) > 0.9 * len(shared)
    assert any(name.startswith("patch_embed.") for name in moved)


def test_another_seed_begins_with_other_weights(backbone_folder: str) -> None:
    first, second = load_backbone(backbone_folder), load_backbone(backbone_folder)
    randomise(first, 0)
    randomise(second, 1)
    name = "transformer_blocks.0.attn1.to_q.weight"
    assert not torch.equal(weights_of(first)[name], weights_of(second)[name])
    randomise(second, 0)
    assert torch.equal(weights_of(first)[name], weights_of(second)[name])


def test_nothing_else_is_trained_without_a_lora(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    settings = config(backbone_folder, weights="trained", also_train=["norm_out.*"])
    trained = run(settings, clips, tmp_path / "out")
    assert [file.name for file in (trained.path / "adapter").iterdir()] == ["parts.safetensors"]
    assert all(name.startswith("0/norm_out.") for name in load_file(trained.path / "adapter" / "parts.safetensors"))
    with pytest.raises(InputError, match="leaves nothing to train"):
        run(config(backbone_folder, weights="trained"), clips, tmp_path / "none")


def test_a_lora_on_random_weights_is_refused(backbone_folder: str) -> None:
    with pytest.raises(ValueError, match="write lora: null"):
        config(backbone_folder, lora={"rank": 4})
