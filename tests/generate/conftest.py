"""A very small CogVideoX on disk, and an adapter for it that reads markers and instance maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from interplay.backbones.cogvideox.tiny import TinyCogVideoX, build
from interplay.backbones.registry import load_backbone
from interplay.methods.matrix.adapter import save_adapter
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.install import install
from interplay.methods.matrix.instance_map import colour_of
from interplay.records.media.images import write_image
from tiny_fixtures import backbone_folder, clips

__all__ = ["backbone_folder", "clips"]

SIZE_HW = (16, 24)
CONFIG = TinyCogVideoX(
    num_frames=9, size_hw=SIZE_HW, layers=2, heads=2, head_dim=16, text_layers=1, text_length=16, text_dim=16
)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("small") / "pipeline"
    build(0, CONFIG).save(folder)
    return str(folder)


@pytest.fixture(scope="session")
def adapter(small: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As if after training: neither the LoRA nor the projection is what it was."""
    folder = tmp_path_factory.mktemp("adapter") / "adapter"
    backbone = load_backbone(small)
    installed = install(backbone, MatrixConfig(binding="markers"))
    backbone.add_lora(backbone.sites(), 2, 2.0)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, weight in backbone.transformer.named_parameters():
            if "lora_B" in name:
                weight.normal_(generator=generator)
        for parameter in installed.trained:
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    save_adapter(backbone, folder, installed)
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``first.png``, twice the size of the small model's clips, and ``map.png``, its masks."""
    folder = tmp_path_factory.mktemp("pictures")
    height, width = 2 * SIZE_HW[0], 2 * SIZE_HW[1]
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    write_image(folder / "first.png", pixels)
    painted = np.zeros((height, width, 3), dtype=np.uint8)
    painted[:, :16], painted[:, 32:] = colour_of("id1"), colour_of("id2")
    write_image(folder / "map.png", painted)
    return folder
