"""What a fine-tuning step minimises: the backbone's own objective, alone or with the alignment terms of MATRIX.

Shape legend: ``b`` clips of a batch, ``c f h w`` latent channels, frames, height, width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from interplay.attention import observe
from interplay.backbones.base import Backbone
from interplay.diffusion.training import NoisedBatch, noise_batch
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.requests import MatrixSites, build_batch
from interplay.methods.matrix.targets import ClipTargets
from interplay.methods.matrix.terms import MatrixHeads, losses, weighted_total
from interplay.train.batches import ClipBatch, TrainingClips
from interplay.train.config import TrainConfig


@dataclass(frozen=True)
class Draw:
    """The random choices of one step: which clips, whose caption is dropped, and how noisy they are."""

    clips: ClipBatch
    dropped: Bool[Tensor, " b"]
    noised: NoisedBatch


class FineTuneLosses(nn.Module):
    """The plain objective on random clips: what LoRA-only training minimises."""

    def __init__(self, backbone: Backbone, data: TrainingClips, config: TrainConfig) -> None:
        super().__init__()
        self.transformers = nn.ModuleList(backbone.transformers)
        self.backbone, self.data, self.config = backbone, data, config

    def forward(self, generator: torch.Generator) -> dict[str, Tensor]:
        """``loss`` and ``diffusion``, which are the same thing here."""
        draw = self.draw(generator)
        diffusion = draw.noised.loss(self.predict(draw)).mean()
        return {"loss": diffusion, "diffusion": diffusion}

    def draw(self, generator: torch.Generator) -> Draw:
        """Choose clips, noise and dropped captions. Guidance needs some clips without their caption."""
        rows = self.data.draw(self.config.batch_size, generator)
        dropped = torch.rand(len(rows), generator=generator) < self.config.caption_dropout
        clips = self.data.batch(rows.tolist(), dropped.tolist())
        return Draw(clips, dropped, noise_batch(self.backbone, clips.latents, generator))

    def predict(self, draw: Draw) -> Float[Tensor, "b c f h w"]:
        """The model's prediction for the chosen clips."""
        noised, clips = draw.noised, draw.clips
        return self.backbone.denoise(noised.noisy, noised.timesteps, clips.text, clips.first_frame)


class MatrixLosses(FineTuneLosses):
    """The objective plus SGA and SPA: L = L_DM + lambda_SGA L_SGA + lambda_SPA L_SPA (MATRIX, paper section 5).

    A clip whose caption was dropped has no words to ground: it takes part in SPA and not in SGA. A logged term is the
    mean over the clips that take part, and 0 where none does.
    """

    def __init__(self, backbone: Backbone, data: TrainingClips, config: TrainConfig, matrix: MatrixConfig) -> None:
        super().__init__(backbone, data, config)
        self.matrix = matrix
        self.sites = MatrixSites.of(backbone, matrix)
        self.heads = MatrixHeads(self.sites).to(backbone.device)

    def forward(self, generator: torch.Generator) -> dict[str, Tensor]:
        """``loss``, ``diffusion`` and one entry per alignment term."""
        draw = self.draw(generator)
        batch = build_batch(
            self.matrix,
            self.sites,
            _targets(draw),
            text_length=self.backbone.text_length,
            device=self.backbone.device,
        )
        layout = self.backbone.layout(draw.clips.grid, self.backbone.text_length)
        with observe(self.backbone, batch.requests, layout) as seen:
            prediction = self.predict(draw)
        terms = losses(self.matrix, self.heads, seen, batch)
        diffusion = draw.noised.loss(prediction)
        total = (diffusion + weighted_total(self.matrix, terms)).mean()
        means = {name: term.value.sum() / term.present.sum().clamp(min=1) for name, term in terms.items()}
        return {"loss": total, "diffusion": diffusion.mean(), **means}


def _targets(draw: Draw) -> list[ClipTargets]:
    pairs = zip(draw.clips.targets, draw.dropped.tolist(), strict=True)
    return [without_words(targets) if dropped else targets for targets, dropped in pairs]


def without_words(targets: ClipTargets) -> ClipTargets:
    """The same targets for a clip whose caption is not shown."""
    return replace(targets, entities=tuple(replace(entity, tokens=()) for entity in targets.entities))
