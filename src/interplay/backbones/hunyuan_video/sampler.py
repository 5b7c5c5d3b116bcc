"""HunyuanVideo's Euler solver, driven as the stock image-to-video pipeline drives it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interplay.backbones.base import Sampler
from interplay.backbones.hunyuan_video.conditioning import Conditioning

if TYPE_CHECKING:
    from diffusers import FlowMatchEulerDiscreteScheduler

# The stock pipeline starts from this share of noise and, for the rest, the first frame standing still.
NOISE_SHARE = 0.999


class EulerSampler(Sampler):
    """A run of ``FlowMatchEulerDiscreteScheduler`` in float32; given frames stay what they are."""

    def __init__(
        self,
        scheduler: FlowMatchEulerDiscreteScheduler,
        steps: int,
        *,
        conditioning: Conditioning,
        first: Float[Tensor, "b c 1 h w"],
        latent_frames: int,
    ) -> None:
        # A copy, because set_timesteps writes into the scheduler and two runs must not disturb each other.
        self._scheduler = copy.deepcopy(scheduler)
        self._scheduler.set_timesteps(sigmas=np.linspace(1.0, 0.0, steps + 1)[:-1], device=first.device)
        self.timesteps = self._scheduler.timesteps
        self._conditioning, self._first, self._latent_frames = conditioning, first.float(), latent_frames

    def start(self, generators: Sequence[torch.Generator]) -> Float[Tensor, "b c f h w"]:
        _, channels, _, height, width = self._first.shape
        shape = (channels, self._latent_frames, height, width)
        noise = torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(self._first)
        share = torch.tensor([NOISE_SHARE], device=noise.device)  # in float32, as the stock pipeline rounds it
        return self._conditioning.restored(noise * share + self._first * (1 - share), self._first)

    def step(
        self,
        index: int,
        prediction: Float[Tensor, "b c f h w"],
        latents: Float[Tensor, "b c f h w"],
        generators: Sequence[torch.Generator],
    ) -> Float[Tensor, "b c f h w"]:
        stepped = self._scheduler.step(prediction.float(), self.timesteps[index], latents, return_dict=False)[0]
        return self._conditioning.restored(stepped, self._first)
