"""``interplay world pretrain``: an untrained tiny backbone becomes one that knows the world.

Resumable at every stage: the autoencoder's and the denoiser's checkpoints and the latent cache wait in the artifact's
scratch folder until the pipeline is complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from interplay.backbones.base import Backbone
from interplay.backbones.registry import build_tiny
from interplay.core.artifacts import Artifact, build, scratch
from interplay.core.files import atomic_write_text
from interplay.train.history import LOSSES, History, as_csv, mean_of
from interplay.train.pretrain.autoencoder import train_autoencoder
from interplay.train.pretrain.card import MEAN_OVER, CardFacts, write_card
from interplay.train.pretrain.chart import CHART, draw_chart
from interplay.train.pretrain.config import PretrainConfig
from interplay.train.pretrain.denoiser import train_denoiser, world_tokens
from interplay.train.pretrain.latents import cache_latents, calibrate


def run(config: PretrainConfig, out: Path, *, overwrite: bool = False) -> Artifact:
    """Train ``config.backbone`` from scratch into ``out``, a pipeline folder (kind ``backbone``)."""
    return build(
        out, kind="backbone", config=config, inputs={}, make=lambda folder: _train(config, folder), overwrite=overwrite
    )


def _train(config: PretrainConfig, folder: Path) -> Mapping[str, Any]:
    work = scratch(folder)
    backbone = build_tiny(config.backbone, config.seed)
    num_frames, size_hw = backbone.native_frames, backbone.native_size_hw
    histories = {}
    for crops in config.autoencoder:
        histories[crops.name] = train_autoencoder(backbone, crops, work, seed=config.seed, save_every=config.save_every)
    deviation = calibrate(backbone, num_frames, size_hw, config.seed)
    cache = cache_latents(backbone, config.clips, num_frames, size_hw, config.seed, work)
    tokens = world_tokens(backbone, config.seed, config.clips)
    for phase in config.denoiser:
        histories[phase.name] = train_denoiser(
            backbone,
            phase,
            cache,
            tokens,
            work,
            seed=config.seed,
            save_every=config.save_every,
            compiled=config.compile,
        )
    facts = CardFacts(backbone.pipeline_class, num_frames, size_hw, _size(backbone.vae), _denoiser_size(backbone))
    backbone.save(folder)
    write_card(folder / "README.md", config, facts, histories)
    draw_chart(histories, folder / CHART)
    write_losses(folder / LOSSES, histories)
    return {
        "latent_standard_deviation": deviation,
        "final_loss": mean_of(histories[config.denoiser[-1].name][-MEAN_OVER:], "loss"),
    }


def write_losses(path: Path, histories: Mapping[str, History]) -> None:
    """What every step of every phase logged, in five digits: the table is shipped with the weights."""
    rows = ({"phase": name, **row} for name, history in histories.items() for row in history)
    short = ({name: f"{x:.5g}" if isinstance(x, float) else x for name, x in row.items()} for row in rows)
    atomic_write_text(path, as_csv(short))


def _size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _denoiser_size(backbone: Backbone) -> int:
    return sum(_size(module) for module in (*backbone.transformers, *backbone.text_encoders))
