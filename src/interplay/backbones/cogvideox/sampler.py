"""The solvers that CogVideoX ships with, driven as the stock pipeline drives them.

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
    from diffusers import CogVideoXDDIMScheduler, CogVideoXDPMScheduler


class CogVideoXSampler(Sampler):
    """A run of ``CogVideoXDDIMScheduler``, or of ``CogVideoXDPMScheduler``, whose steps know the one before.

    The DPM solver is of second order and remembers the last estimate of the clean latents.
    """

    def __init__(
        self,
        scheduler: CogVideoXDDIMScheduler | CogVideoXDPMScheduler,
        steps: int,
        shape: tuple[int, int, int, int],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        from diffusers import CogVideoXDPMScheduler

        self._shape, self._device, self._dtype = shape, device, dtype
        # A copy, because set_timesteps writes into the scheduler and two runs must not disturb each other.
        self._scheduler = copy.deepcopy(scheduler)
        self._scheduler.set_timesteps(steps, device=device)
        self.timesteps = self._scheduler.timesteps
        self._second_order = isinstance(self._scheduler, CogVideoXDPMScheduler)
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
        predicted, noisy = prediction.float().transpose(1, 2), latents.transpose(1, 2)
        timestep, options = self.timesteps[index], {"generator": list(generators), "return_dict": False}
        if self._second_order:
            before = self.timesteps[index - 1] if index > 0 else None
            stepped, self._last_estimate = self._scheduler.step(
                predicted, self._last_estimate, timestep, before, noisy, **options
            )
        else:
            stepped = self._scheduler.step(predicted, timestep, noisy, **options)[0]
        return stepped.to(latents.dtype).transpose(1, 2)
