"""Training transformer and text encoder together on cached latents, with the model's own objective.

No alignment loss and no mask enters here: whether alignment helps is a question asked of this base later.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from interplay.backbones.base import Backbone
from interplay.diffusion.training import diffusion_loss, noise_batch
from interplay.records.caption import parse_caption
from interplay.train.loop import History, LoopConfig, Schedule, Trainer
from interplay.train.pretrain.config import DenoiserConfig
from interplay.train.pretrain.latents import LatentCache
from interplay.world.captions import caption
from interplay.world.sampling import scene_at


def train_denoiser(
    backbone: Backbone,
    settings: DenoiserConfig,
    cache: LatentCache,
    tokens: Int[Tensor, "n t"],
    folder: Path,
    *,
    name: str,
    seed: int,
    save_every: int,
) -> History:
    """One phase: train transformer and text encoder in place (weights become the moving average).

    ``tokens`` are the captions of the cache's clips and, as the last row, the empty one. Returns the logged losses.
    """
    schedule = Schedule(settings.steps, settings.learning_rate, settings.final_learning_rate, settings.warmup_steps)
    loop = LoopConfig(
        weight_decay=settings.weight_decay,
        clip_grad_norm=settings.clip_grad_norm,
        ema_decay=settings.ema_decay,
        save_every=save_every,
    )
    module = DenoiserLosses(backbone, settings, cache, tokens)
    return Trainer(module, schedule, folder, name=name, seed=seed, loop=loop).run()


class DenoiserLosses(nn.Module):
    """The backbone's own objective on random clips of the cache, some of them with the empty caption."""

    def __init__(
        self, backbone: Backbone, settings: DenoiserConfig, cache: LatentCache, tokens: Int[Tensor, "n t"]
    ) -> None:
        super().__init__()
        self.transformer, self.text_encoder = backbone.transformer, backbone.text_encoder
        self.backbone, self.settings, self.cache, self.tokens = backbone, settings, cache, tokens

    def forward(self, generator: torch.Generator) -> dict[str, Tensor]:
        """``loss``: mean squared error of the prediction."""
        backbone, size = self.backbone, self.settings.batch_size
        rows = torch.randint(len(self.cache.video), (size,), generator=generator)
        clean = torch.from_numpy(self.cache.video[rows.numpy()].astype(np.float32)).to(backbone.device)
        first = torch.from_numpy(self.cache.first[rows.numpy()].astype(np.float32)).to(backbone.device)
        dropped = torch.rand(size, generator=generator) < self.settings.caption_dropout
        ids = torch.where(dropped[:, None], self.tokens[-1], self.tokens[rows]).to(backbone.device)
        condition = torch.cat([first, torch.zeros_like(clean[:, :, 1:])], dim=2)
        batch = noise_batch(backbone, clean, generator)
        prediction = backbone.denoise(batch.noisy, batch.timesteps, backbone.embed_tokens(ids), condition)
        return {"loss": diffusion_loss(prediction, batch.target).mean()}


def world_tokens(backbone: Backbone, seed: int, clips: int) -> Int[Tensor, "n t"]:
    """Token ids of every training clip's caption, and of the empty caption as the last row."""
    aspect = backbone.native_size_hw[1] / backbone.native_size_hw[0]
    scenes = (scene_at(seed, "train", i, aspect) for i in range(clips))
    return backbone.tokenize([*(parse_caption(caption(scene)).text for scene in scenes), ""]).cpu()
