"""Sampling a clip from noise with classifier-free guidance, one random generator per clip.

A clip's result depends on its own seed and not on its neighbours in the batch. Shape legend: ``b`` clips, ``c f h w``
latent channels, frames, height, width, ``t d`` text tokens and width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.backbones.base import Backbone

Denoise = Callable[[int, Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Conditions:
    """What a batch of clips is generated from: text, empty text (for guidance) and the first frame's condition."""

    text: Float[Tensor, "b t d"]
    empty_text: Float[Tensor, "b t d"]
    first_frame: Float[Tensor, "b c f h w"]


def conditions_for(
    backbone: Backbone, prompts: Sequence[str], images: Float[Tensor, "b 3 y x"], latent_frames: int
) -> Conditions:
    """Encode prompts and first frames (pixels in [-1, 1])."""
    return Conditions(
        text=backbone.encode_text(prompts),
        empty_text=backbone.encode_text([""] * len(prompts)),
        first_frame=backbone.first_frame_condition(images, latent_frames),
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
    the prediction is ``empty + guidance_scale * (text - empty)`` (Ho & Salimans 2022). ``denoise(step, latents,
    timesteps, text, condition)`` replaces the plain call of the model, for instance to observe it.
    """
    call = denoise or _plain(backbone)
    sampler = backbone.sampler(steps)
    latents = _initial_noise(conditions.first_frame, generators)
    guided = guidance_scale > 1.0
    text = torch.cat([conditions.empty_text, conditions.text]) if guided else conditions.text
    condition = conditions.first_frame.repeat(2 if guided else 1, 1, 1, 1, 1)
    for index, timestep in enumerate(sampler.timesteps):
        doubled = latents.repeat(2 if guided else 1, 1, 1, 1, 1)
        prediction = call(index, doubled, timestep.expand(len(doubled)), text, condition)
        if guided:
            empty, full = prediction.chunk(2)
            prediction = empty + guidance_scale * (full - empty)
        latents = sampler.step(index, prediction, latents, generators)
    return latents


def _plain(backbone: Backbone) -> Denoise:
    def denoise(index: int, latents: Tensor, timesteps: Tensor, text: Tensor, condition: Tensor) -> Tensor:
        return backbone.denoise(latents, timesteps, text, condition)

    return denoise


def _initial_noise(like: Float[Tensor, "b c f h w"], generators: Sequence[torch.Generator]) -> Tensor:
    """Noise in the stock pipeline's axis order (f before c), so that a seed gives the same clip there and here."""
    _, c, f, h, w = like.shape
    noise = [torch.randn(f, c, h, w, generator=generator).transpose(0, 1) for generator in generators]
    return torch.stack(noise).to(like.device, like.dtype)
