"""The stock Euler solver of flow matching, driven the same way for every family that ships it.

Families differ in the noise levels they ask for, in what they start from and in whether a given frame is put back.

Shape legend: ``b`` clips, ``c f h w`` latent channels, frames, height, width.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interplay.backbones.base import Sampler
from interplay.backbones.quiet import quiet
from interplay.core.errors import InputError

# Latents to latents of the same shape.
Change = Callable[[Tensor], Tensor]


def _as_it_is(latents: Tensor) -> Tensor:
    return latents


class EulerSampler(Sampler):
    """A run of ``FlowMatchEulerDiscreteScheduler`` in float32, whatever the transformer computes in.

    ``levels`` are the arguments of the scheduler's ``set_timesteps``. ``started`` makes what sampling starts from of
    pure noise, ``pinned`` puts given frames in their place, after the start and after every step. Too few steps for a
    scheduler are an ``InputError``.
    """

    def __init__(
        self,
        scheduler: Any,
        *,
        levels: dict[str, Any],
        shape: tuple[int, int, int, int],
        device: torch.device,
        started: Change = _as_it_is,
        pinned: Change = _as_it_is,
    ) -> None:
        # A copy, because set_timesteps writes into the scheduler and two runs must not disturb each other.
        self._scheduler = copy.deepcopy(scheduler)
        # It remarks on levels that it is told and does not shift, which is what is wanted.
        with quiet(), np.errstate(invalid="ignore"):
            self._scheduler.set_timesteps(**levels, device=device)
        self.timesteps = self._scheduler.timesteps
        if not bool(self.timesteps.isfinite().all()):
            # Schedulers that stretch their levels to a last one (`shift_terminal`) have none with a single step.
            raise InputError("this model's noise levels need two steps", where="steps", cure="take 2 steps or more")
        self._shape, self._device, self._started, self._pinned = shape, device, started, pinned

    def start(self, generators: Sequence[torch.Generator]) -> Float[Tensor, "b c f h w"]:
        """The stock pipeline's noise, made into what this family starts from."""
        noise = torch.stack([torch.randn(self._shape, generator=generator) for generator in generators])
        return self._pinned(self._started(noise.to(self._device)))

    def step(
        self,
        index: int,
        prediction: Float[Tensor, "b c f h w"],
        latents: Float[Tensor, "b c f h w"],
        generators: Sequence[torch.Generator],
    ) -> Float[Tensor, "b c f h w"]:
        """One step of the solver; only the schedulers of some distilled models add noise."""
        stepped = self._scheduler.step(
            prediction.float(), self.timesteps[index], latents, generator=list(generators), return_dict=False
        )[0]
        return self._pinned(stepped)
