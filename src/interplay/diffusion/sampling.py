"""Sampling a clip from noise with classifier-free guidance, one random generator per clip.

A clip's result depends on its own seed and not on its neighbours in the batch. Shape legend: ``b`` clips, ``c f h w``
latent channels, frames, height, width, ``y x`` pixel height and width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch
from interplay.grid.token_grid import TokenGrid

# (step, latents, timesteps, text, first frame) -> the model's prediction.
Denoise = Callable[[int, Tensor, Tensor, Batch, Batch], Tensor]


@dataclass(frozen=True)
class Conditions:
    """What clips of one geometry are generated from: text, empty text (for guidance) and their first frames."""

    grid: TokenGrid
    text: Batch
    empty_text: Batch
    first_frame: Batch


def conditions_for(
    backbone: Backbone, prompts: Sequence[str], images: Float[Tensor, "b 3 y x"], grid: TokenGrid
) -> Conditions:
    """Encode prompts and first frames (pixels in [-1, 1])."""
    first_frame = backbone.first_frame_condition(images, grid)
    return Conditions(
        grid=grid,
        text=backbone.encode_text(prompts, first_frame),
        empty_text=backbone.encode_text([""] * len(prompts), first_frame),
        first_frame=first_frame,
    )


def clip_generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """One generator per clip, on the CPU whatever the device, so that a seed means the same noise everywhere."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@torch.no_grad()
def sample(
    backbone: Backbone,
    conditions: Conditions,
    generators: Sequence[torch.Generator],
    *,
    steps: int,
    guidance_scale: float,
    denoise: Denoise | None = None,
) -> Float[Tensor, "b c f h w"]:
    """Latents of generated clips.

    With ``guidance_scale`` above 1 the model sees the batch twice, ``[empty text, text]`` along the batch axis, and
    the prediction is ``empty + guidance_scale * (text - empty)`` (Ho & Salimans 2022); a model that was distilled to
    do this in one pass is told the scale instead. ``denoise(step, latents, timesteps, text, first_frame)`` replaces the
    plain call of the model, for instance to observe it.
    """
    call = denoise or _plain(backbone)
    sampler = backbone.sampler(steps, conditions.grid, conditions.first_frame)
    latents = sampler.start(generators)
    told = backbone.told_guidance(conditions.text, guidance_scale)
    guided = told is None and guidance_scale > 1.0
    text = conditions.text if told is None else told
    if guided:
        text = Batch.join([conditions.empty_text, conditions.text])
    first_frame = conditions.first_frame.repeated(2 if guided else 1)
    for index, timestep in enumerate(sampler.timesteps):
        doubled = latents.repeat(2 if guided else 1, 1, 1, 1, 1)
        prediction = call(index, doubled, timestep.expand(len(doubled)), text, first_frame)
        if guided:
            empty, full = prediction.chunk(2)
            prediction = empty + guidance_scale * (full - empty)
        latents = sampler.step(index, prediction, latents, generators)
    return latents


def _plain(backbone: Backbone) -> Denoise:
    def denoise(index: int, latents: Tensor, timesteps: Tensor, text: Batch, first_frame: Batch) -> Tensor:
        return backbone.denoise(latents, timesteps, text, first_frame)

    return denoise
