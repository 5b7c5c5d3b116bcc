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
from interplay.diffusion.guides import Guide
from interplay.grid.token_grid import TokenGrid

# (step, latents, timesteps, text, first frame) -> the model's prediction.
Denoise = Callable[[int, Tensor, Tensor, Batch, Batch], Tensor]


@dataclass(frozen=True)
class Conditions:
    """What clips of one geometry are generated from: text, what guidance leads away from, and their first frames.

    ``empty_text`` is the condition of empty text, or of a negative prompt.
    """

    grid: TokenGrid
    text: Batch
    empty_text: Batch
    first_frame: Batch


def conditions_for(
    backbone: Backbone,
    prompts: Sequence[str],
    images: Float[Tensor, "b 3 y x"],
    grid: TokenGrid,
    *,
    negative: str = "",
) -> Conditions:
    """Encode prompts and first frames (pixels in [-1, 1]); guidance leads away from ``negative``."""
    first_frame = backbone.first_frame_condition(images, grid)
    return Conditions(
        grid=grid,
        text=backbone.encode_text(prompts, first_frame),
        empty_text=backbone.encode_text([negative] * len(prompts), first_frame),
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
    guides: Sequence[Guide] = (),
    denoise: Denoise | None = None,
) -> Float[Tensor, "b c f h w"]:
    """Latents of generated clips.

    With ``guidance_scale`` above 1 the model sees the batch twice, ``[empty text, text]`` along the batch axis, and
    the prediction is ``empty + guidance_scale * (text - empty)`` (Ho & Salimans 2022); a model that was distilled to
    do this in one pass is told the scale instead. Each of ``guides`` costs one more pass per step, of the text alone.
    ``denoise(step, latents, timesteps, text, first_frame)`` replaces the plain call of the model, for instance to
    observe it; the passes of guides do not go through it.
    """
    call = denoise or _plain(backbone)
    sampler = backbone.sampler(steps, conditions.grid, conditions.first_frame)
    latents = sampler.start(generators)
    told = backbone.told_guidance(conditions.text, guidance_scale)
    guided = told is None and guidance_scale > 1.0
    own_text = conditions.text if told is None else told
    text = Batch.join([conditions.empty_text, own_text]) if guided else own_text
    first_frame = conditions.first_frame.repeated(2 if guided else 1)
    for index, timestep in enumerate(sampler.timesteps):
        doubled = latents.repeat(2 if guided else 1, 1, 1, 1, 1)
        prediction = call(index, doubled, timestep.expand(len(doubled)), text, first_frame)
        conditional = prediction
        if guided:
            empty, conditional = prediction.chunk(2)
            prediction = empty + guidance_scale * (conditional - empty)
        for guide in guides:
            timesteps = timestep.expand(len(latents))
            with guide.perturbed(timesteps):
                worse = backbone.denoise(latents, timesteps, own_text, conditions.first_frame)
            prediction = prediction + guide.scale * (conditional - worse)
        latents = sampler.step(index, prediction, latents, generators)
    return latents


def _plain(backbone: Backbone) -> Denoise:
    def denoise(index: int, latents: Tensor, timesteps: Tensor, text: Batch, first_frame: Batch) -> Tensor:
        return backbone.denoise(latents, timesteps, text, first_frame)

    return denoise
