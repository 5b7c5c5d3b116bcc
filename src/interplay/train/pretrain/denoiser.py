"""Training transformer and text encoder together on cached latents, with the model's own objective.

No alignment loss and no mask enters here: whether alignment helps is a question asked of this base later.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn

from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch
from interplay.diffusion.training import noise_batch
from interplay.records.caption import parse_caption
from interplay.train.compiled_blocks import compiled_blocks
from interplay.train.history import History
from interplay.train.loop import LoopConfig, Schedule, Trainer
from interplay.train.optimizers import OptimizerConfig
from interplay.train.pretrain.config import DenoiserConfig
from interplay.train.pretrain.latents import LatentCache
from interplay.world.captions import caption
from interplay.world.sampling import scene_at


def train_denoiser(
    backbone: Backbone,
    settings: DenoiserConfig,
    cache: LatentCache,
    tokens: Batch,
    folder: Path,
    *,
    seed: int,
    save_every: int,
    compiled: bool,
) -> History:
    """One phase: train transformer and text encoder in place (weights become the moving average).

    ``tokens`` are the captions of the cache's clips and, as the last row, the empty one. Returns the logged losses.
    """
    schedule = Schedule(settings.steps, settings.learning_rate, settings.final_learning_rate, settings.warmup_steps)
    loop = LoopConfig(
        optimizer=OptimizerConfig(name=settings.optimizer, weight_decay=settings.weight_decay),
        clip_grad_norm=settings.clip_grad_norm,
        ema_decay=settings.ema_decay,
        save_every=save_every,
        precision=settings.precision,
    )
    module = DenoiserLosses(backbone, settings, cache, tokens)
    trainer = Trainer(module, schedule, folder, name=settings.name, seed=seed, loop=loop)
    with compiled_blocks(backbone.transformers) if compiled else nullcontext():
        return trainer.run()


class DenoiserLosses(nn.Module):
    """The backbone's own objective on random clips of the cache, some of them with the empty caption."""

    def __init__(self, backbone: Backbone, settings: DenoiserConfig, cache: LatentCache, tokens: Batch) -> None:
        super().__init__()
        self.transformers = nn.ModuleList(backbone.transformers)
        self.text_encoders = nn.ModuleList(backbone.text_encoders)
        self.backbone, self.settings, self.cache, self.tokens = backbone, settings, cache, tokens

    def forward(self, generator: torch.Generator) -> dict[str, Tensor]:
        """``loss``: mean squared error of the prediction."""
        backbone, size = self.backbone, self.settings.batch_size
        rows = torch.randint(len(self.cache.video), (size,), generator=generator)
        clean, first_frame = self.cache.take(rows, backbone.device)
        dropped = torch.rand(size, generator=generator) < self.settings.caption_dropout
        tokens = self.tokens.take(rows).replaced(dropped, self.tokens.take([-1])).to(backbone.device)
        batch = noise_batch(backbone, clean, generator, shift=self.settings.timestep_shift)
        text = backbone.embed_tokens(tokens, first_frame)
        prediction = backbone.denoise(batch.noisy, batch.timesteps, text, first_frame)
        return {"loss": batch.loss(prediction).mean()}


def world_tokens(backbone: Backbone, seed: int, clips: int) -> Batch:
    """Tokens of every training clip's caption, and of the empty caption as the last row."""
    aspect = backbone.native_size_hw[1] / backbone.native_size_hw[0]
    scenes = (scene_at(seed, "train", i, aspect) for i in range(clips))
    return backbone.tokenize([*(parse_caption(caption(scene)).text for scene in scenes), ""]).to("cpu")
