"""What a fine-tuning step minimises: the backbone's own objective, alone or with the alignment terms of MATRIX.

Shape legend: ``b`` clips of a batch, ``c f h w`` latent channels, frames, height, width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from interplay.attention import observe
from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch
from interplay.backbones.widen import beside
from interplay.diffusion.training import NoisedBatch, noise_batch
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.install import Installed
from interplay.methods.matrix.requests import MatrixSites, build_batch
from interplay.methods.matrix.targets import ClipTargets
from interplay.methods.matrix.terms import MatrixHeads, Term, losses, weighted_total
from interplay.train.batches import ClipBatch, TrainingClips
from interplay.train.config import TrainConfig
from interplay.train.processes import Processes
from interplay.train.sharding import is_sharded

# Timesteps that the mean of the bell is taken over.
_BELL_DRAWS = 1000


@dataclass(frozen=True)
class Draw:
    """The random choices of one step: which clips, whose caption and map are dropped, and how noisy they are."""

    clips: ClipBatch
    dropped: Bool[Tensor, " b"]
    noised: NoisedBatch


class FineTuneLosses(nn.Module):
    """The plain objective on random clips: what LoRA-only training minimises.

    ``last_rows`` are the clips of the last step, by their number in the data.
    """

    def __init__(self, backbone: Backbone, data: TrainingClips, config: TrainConfig) -> None:
        super().__init__()
        self.transformers = nn.ModuleList(backbone.transformers)
        self.backbone, self.data, self.config = backbone, data, config
        self.last_rows: list[int] = []

    def forward(self, generator: torch.Generator) -> dict[str, Tensor]:
        """``loss`` and ``diffusion``, which are the same thing here."""
        draw = self.draw(generator)
        diffusion = draw.noised.loss(self.predict(draw)).mean()
        return {"loss": diffusion, "diffusion": diffusion}

    @torch.no_grad()
    def evaluate(
        self, clips: ClipBatch, timesteps: Int[Tensor, " b"], generator: torch.Generator
    ) -> dict[str, Float[Tensor, " b"]]:
        """The losses of these clips at these timesteps, clip by clip; a term that a clip has no part in is nan."""
        draw = self.noised(clips, torch.zeros(len(clips.latents), dtype=torch.bool), generator, timesteps)
        return {"diffusion": draw.noised.loss(self.predict(draw))}

    def draw(self, generator: torch.Generator) -> Draw:
        """Choose clips, noise and dropped captions. Guidance needs some clips without their caption."""
        rows = self.data.draw(self.config.batch_size, generator)
        dropped = torch.rand(len(rows), generator=generator) < self.config.caption_dropout
        self.last_rows = rows.tolist()
        clips = self.data.batch(self.last_rows, dropped.tolist())
        return self.noised(clips, dropped, generator, self._timesteps(len(rows), generator))

    def _timesteps(self, count: int, generator: torch.Generator) -> Int[Tensor, " b"] | None:
        """Timesteps of the expert that the main process draws, where experts are shared out; else left to the model."""
        if len(self.transformers) == 1 or not is_sharded(self):
            return None
        shift = self.config.timestep_shift
        expert = Processes().told_by_main(self.backbone.draw_expert(generator, shift))
        assert expert is not None
        return self.backbone.draw_timesteps_of(expert, count, generator, shift)

    def noised(
        self,
        clips: ClipBatch,
        dropped: Bool[Tensor, " b"],
        generator: torch.Generator,
        timesteps: Int[Tensor, " b"] | None = None,
    ) -> Draw:
        """The clips with noise, at random timesteps unless they are given."""
        shift = self.config.timestep_shift
        return Draw(clips, dropped, noise_batch(self.backbone, clips.latents, generator, timesteps, shift=shift))

    def predict(self, draw: Draw) -> Float[Tensor, "b c f h w"]:
        """The model's prediction for the chosen clips."""
        noised, clips = draw.noised, draw.clips
        return self.backbone.denoise(noised.noisy, noised.timesteps, self.text(clips), self.first_frame(clips))

    def text(self, clips: ClipBatch) -> Batch:
        """The text conditions."""
        return clips.text

    def first_frame(self, clips: ClipBatch) -> Batch:
        """The first-frame conditions."""
        return clips.first_frame


class MatrixLosses(FineTuneLosses):
    """The objective plus SGA and SPA: L = L_DM + lambda_SGA L_SGA + lambda_SPA L_SPA (MATRIX, paper section 5).

    ``installed`` is what :func:`.install` made of the same backbone and config; what it trains is unfrozen here.
    ``sites`` are those of each of the model's transformers: a step is one expert's and aligns at its own.
    A clip whose caption was dropped has no words to ground: it takes part in SPA and not in SGA. A logged term is the
    mean over the clips that take part, and 0 where none does. With ``timestep_weight: bell`` a clip's whole loss is
    weighted by its timestep (:func:`bell`), as in the released code.
    """

    def __init__(
        self, backbone: Backbone, data: TrainingClips, config: TrainConfig, matrix: MatrixConfig, installed: Installed
    ) -> None:
        super().__init__(backbone, data, config)
        self.matrix, self.installed = matrix, installed
        self.sites = MatrixSites.of_each(backbone, matrix)
        self.heads = MatrixHeads.of(backbone, matrix, MatrixSites.of(backbone, matrix))
        self.markers = installed.markers
        for parameter in installed.trained:
            parameter.requires_grad_(True)
        self._bell_mean = bell_mean(backbone, config.timestep_shift) if matrix.timestep_weight == "bell" else None

    def forward(self, generator: torch.Generator) -> dict[str, Tensor]:
        """``loss``, ``diffusion`` and one entry per alignment term."""
        draw = self.draw(generator)
        if self.matrix.map_dropout and draw.clips.maps is not None:
            shown = torch.rand(len(draw.dropped), generator=generator) >= self.matrix.map_dropout
            maps = draw.clips.maps * shown.to(draw.clips.maps)[:, None, None, None, None]
            draw = replace(draw, clips=replace(draw.clips, maps=maps))
        diffusion, terms = self._compared(draw)
        total = diffusion + weighted_total(self.matrix, terms) if terms else diffusion
        if self._bell_mean is not None:
            weight = bell(draw.noised.timesteps, self.backbone.objective.num_train_timesteps) / self._bell_mean
            total = total * weight
        means = {name: term.value.sum() / term.present.sum().clamp(min=1) for name, term in terms.items()}
        return {"loss": total.mean(), "diffusion": diffusion.mean(), **means}

    @torch.no_grad()
    def evaluate(
        self, clips: ClipBatch, timesteps: Int[Tensor, " b"], generator: torch.Generator
    ) -> dict[str, Float[Tensor, " b"]]:
        """``diffusion`` and every term, clip by clip; nan where a clip has no part in a term."""
        dropped = torch.zeros(len(clips.latents), dtype=torch.bool)
        diffusion, terms = self._compared(self.noised(clips, dropped, generator, timesteps))
        absent = torch.full_like(diffusion, math.nan)
        return {"diffusion": diffusion} | {
            name: torch.where(term.present, term.value.to(diffusion), absent) for name, term in terms.items()
        }

    def text(self, clips: ClipBatch) -> Batch:
        """As cached, or, where rows of the embedding are trained, embedded with the rows as they are now."""
        if not self.installed.trains_text:
            return clips.text
        return self.backbone.embed_tokens(self.backbone.tokenize(clips.captions), clips.first_frame)

    def first_frame(self, clips: ClipBatch) -> Batch:
        """With the instance map beside it, where one is shown."""
        return clips.first_frame if clips.maps is None else beside(clips.first_frame, clips.maps)

    def _compared(self, draw: Draw) -> tuple[Float[Tensor, " b"], dict[str, Term]]:
        """The loss of the objective and the alignment terms of these clips."""
        if not self.matrix.terms():
            return draw.noised.loss(self.predict(draw)), {}
        length, device = self.backbone.text_length, self.backbone.device
        sites = self.sites[self.backbone.expert_at(draw.noised.timesteps)]
        batch = build_batch(self.matrix, sites, _targets(draw), text_length=length, device=device)
        with observe(self.backbone, batch.requests, self.backbone.layout(draw.clips.grid, length)) as seen:
            prediction = self.predict(draw)
        return draw.noised.loss(prediction), losses(self.matrix, self.heads, seen, batch)


def bell(timesteps: Int[Tensor, " b"], total: int) -> Float[Tensor, " b"]:
    """A weight that is greatest in the middle of the schedule and 0 at its ends.

    Formula: exp(-2 ((t - T/2) / T)^2) - exp(-1/2), T = ``total``. Source: the weight of flow-matching timesteps in the
    framework that the released code is built on, there divided by its mean over the schedule (:func:`bell_mean`).
    """
    return torch.exp(-2 * ((timesteps.float() - total / 2) / total).square()) - math.exp(-0.5)


def bell_mean(backbone: Backbone, shift: float | None = None) -> float:
    """Mean of the bell over the timesteps that training draws with this shift, so that the weight is 1 on average."""
    generator = torch.Generator().manual_seed(0)
    # Where experts share the schedule, a batch is all one expert's: there one by one.
    at_once = 1 if len(backbone.transformers) > 1 else _BELL_DRAWS
    drawn = torch.cat([backbone.draw_timesteps(at_once, generator, shift) for _ in range(_BELL_DRAWS // at_once)])
    return float(bell(drawn, backbone.objective.num_train_timesteps).mean())


def _targets(draw: Draw) -> list[ClipTargets]:
    pairs = zip(draw.clips.targets, draw.dropped.tolist(), strict=True)
    return [without_words(targets) if dropped else targets for targets, dropped in pairs]


def without_words(targets: ClipTargets) -> ClipTargets:
    """The same targets for a clip whose caption is not shown."""
    return replace(targets, entities=tuple(replace(entity, tokens=()) for entity in targets.entities))
