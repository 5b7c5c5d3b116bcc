"""The flow schedulers that Wan ships with, driven as the stock pipeline drives them.

Shape legend: ``b`` clips, ``c f h w`` latent channels, frames, height, width.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.backbones.base import Sampler
from interplay.core.errors import InputError

if TYPE_CHECKING:
    from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler

    FlowScheduler: TypeAlias = UniPCMultistepScheduler | FlowMatchEulerDiscreteScheduler


class FlowSampler(Sampler):
    """A run of a flow scheduler in float32, whatever the transformer computes in.

    ``pinned`` puts the first frame in its place where the model does not predict it.
    """

    def __init__(
        self,
        scheduler: FlowScheduler,
        steps: int,
        shape: tuple[int, int, int, int],
        device: torch.device,
        pinned: Callable[[Tensor], Tensor],
    ) -> None:
        # A copy, because set_timesteps writes into the scheduler and two runs must not disturb each other.
        self._scheduler = copy.deepcopy(scheduler)
        self._scheduler.set_timesteps(steps, device=device)
        self.timesteps = self._scheduler.timesteps
        self._shape, self._device, self._pinned = shape, device, pinned

    def start(self, generators: Sequence[torch.Generator]) -> Float[Tensor, "b c f h w"]:
        noise = [torch.randn(self._shape, generator=generator) for generator in generators]
        return self._pinned(torch.stack(noise).to(self._device))

    def step(
        self,
        index: int,
        prediction: Float[Tensor, "b c f h w"],
        latents: Float[Tensor, "b c f h w"],
        generators: Sequence[torch.Generator],
    ) -> Float[Tensor, "b c f h w"]:
        return self._pinned(
            self._scheduler.step(prediction.float(), self.timesteps[index], latents, return_dict=False)[0]
        )


def flow_shift(scheduler: FlowScheduler, where: str) -> float:
    """How far a scheduler moves noise levels towards noise; :class:`InputError` when it is no flow scheduler."""
    config = scheduler.config
    # UniPC serves several objectives, and calls flow_shift what the Euler scheduler calls shift.
    if config.get("prediction_type", "flow_prediction") != "flow_prediction" or not (
        {"flow_shift", "shift"} & {*config}
    ):
        cure = "use the scheduler of the checkpoint (UniPCMultistepScheduler or FlowMatchEulerDiscreteScheduler)"
        raise InputError(f"{type(scheduler).__name__} is not set up for flow matching", where=where, cure=cure)
    return float(config["flow_shift"] if "flow_shift" in config else config["shift"])
