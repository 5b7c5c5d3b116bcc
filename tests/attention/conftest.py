"""A very small CogVideoX (real classes, random weights) and a batch that fits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from interplay.backbones.base import Backbone, SiteKind, TokenLayout
from interplay.backbones.batch import Batch
from interplay.backbones.cogvideox.tiny import TinyCogVideoX, build
from interplay.grid.token_grid import TokenGrid

CONFIG = TinyCogVideoX(
    num_frames=9, size_hw=(16, 24), layers=2, heads=2, head_dim=16, text_layers=1, text_length=5, text_dim=16
)


@dataclass(frozen=True)
class Stage:
    """A backbone, a grid, and the arguments of one forward for a batch of two clips."""

    backbone: Backbone
    grid: TokenGrid
    layout: Mapping[SiteKind, TokenLayout]
    inputs: tuple[Tensor, Tensor, Batch, Batch]

    def forward(self) -> Tensor:
        return self.backbone.denoise(*self.inputs)


@pytest.fixture
def stage() -> Stage:
    backbone = build(0, CONFIG)
    generator = torch.Generator().manual_seed(1)
    for block in backbone.transformer.transformer_blocks:
        for norm in (block.attn1.norm_q, block.attn1.norm_k):
            # Weights of 1 leave attention nearly uniform, where a wrong statistic hardly shows.
            torch.nn.init.normal_(norm.weight, std=1.5, generator=generator)
    grid = backbone.grid(CONFIG.num_frames, CONFIG.size_hw)
    shape = (2, CONFIG.latent_channels, *grid.latent_shape)
    latents, condition = (torch.randn(shape, generator=generator) for _ in range(2))
    text = Batch({"embeddings": torch.randn(2, CONFIG.text_length, CONFIG.text_dim, generator=generator)})
    layout = backbone.layout(grid, CONFIG.text_length)
    first_frame = Batch({"latents": condition[:, :, :1]})
    return Stage(backbone, grid, layout, (latents, torch.tensor([100, 700]), text, first_frame))
