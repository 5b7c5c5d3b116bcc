"""CogVideoX's own DPM solver, driven as the stock pipeline drives it.

Shape legend: ``b`` clips, ``c f h w`` latent channels, frames, height, width.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.backbones.base import Sampler

if TYPE_CHECKING:
    from diffusers import CogVideoXDPMScheduler


class DPMSampler(Sampler):
    """A run of ``CogVideoXDPMScheduler``: second order, so it remembers the last estimate of the clean latents."""

    def __init__(
        self,
        scheduler: CogVideoXDPMScheduler,
        steps: int,
        shape: tuple[int, int, int, int],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._shape, self._device, self._dtype = shape, device, dtype
        # A copy, because set_timesteps writes into the scheduler and two runs must not disturb each other.
        self._scheduler = copy.deepcopy(scheduler)
        self._scheduler.set_timesteps(steps, device=device)
        self.timesteps = self._scheduler.timesteps
        self._last_estimate: Tensor | None = None

    def start(self, generators: Sequence[torch.Generator]) -> Float[Tensor, "b c f h w"]:
        # The stock pipeline draws on (f, c, h, w).
        c, f, h, w = self._shape
        noise = [torch.randn(f, c, h, w, generator=generator).transpose(0, 1) for generator in generators]
        return torch.stack(noise).to(self._device, self._dtype)

    def step(
        self,
        index: int,
        prediction: Float[Tensor, "b c f h w"],
        latents: Float[Tensor, "b c f h w"],
        generators: Sequence[torch.Generator],
    ) -> Float[Tensor, "b c f h w"]:
        # The solver draws noise in the shape it is given; the stock pipeline works on (b, f, c, h, w).
        stepped, self._last_estimate = self._scheduler.step(
            prediction.float().transpose(1, 2),
            self._last_estimate,
            self.timesteps[index],
            self.timesteps[index - 1] if index > 0 else None,
            latents.transpose(1, 2),
            generator=list(generators),
            return_dict=False,
        )
        return stepped.to(latents.dtype).transpose(1, 2)
