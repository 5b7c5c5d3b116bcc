"""One noised training pair per clip: what the model sees, and what it should say.

Shape legend: ``b`` clips, ``c f h w`` latent channels, frames, height, width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.backbones.base import Backbone


@dataclass(frozen=True)
class NoisedBatch:
    """Noisy latents, their timesteps and the objective's target, of which the first ``given_frames`` do not count."""

    noisy: Float[Tensor, "b c f h w"]
    timesteps: Int[Tensor, " b"]
    target: Float[Tensor, "b c f h w"]
    given_frames: int

    def loss(self, prediction: Float[Tensor, "b c f h w"]) -> Float[Tensor, " b"]:
        """:func:`diffusion_loss` of the frames that the model has to predict."""
        return diffusion_loss(prediction[:, :, self.given_frames :], self.target[:, :, self.given_frames :])


def noise_batch(
    backbone: Backbone,
    latents: Float[Tensor, "b c f h w"],
    generator: torch.Generator,
    timesteps: Int[Tensor, " b"] | None = None,
    *,
    shift: float | None = None,
) -> NoisedBatch:
    """Noise clean latents to ``timesteps``, or to random ones that the backbone draws; ``generator`` is on the CPU.

    ``shift`` moves the random ones towards noise, in place of the model's own (:meth:`.Backbone.draw_timesteps`).
    """
    if timesteps is None:
        timesteps = backbone.draw_timesteps(len(latents), generator, shift)
    timesteps = timesteps.to(latents.device)
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    noisy = backbone.add_noise(latents, noise, timesteps)
    target = backbone.target(latents, noise, timesteps)
    return NoisedBatch(noisy, timesteps, target, backbone.objective.given_frames)


def diffusion_loss(prediction: Float[Tensor, "b c f h w"], target: Float[Tensor, "b c f h w"]) -> Float[Tensor, " b"]:
    """Squared error of the objective's prediction, one mean per clip.

    For ``v`` prediction this is the loss CogVideoX trains with: its weight 1 / (1 - alpha_t) on the error of the clean
    latents turns that error into the error of v (Salimans & Ho 2022, section 4).
    """
    return ((prediction.float() - target.float()) ** 2).flatten(1).mean(dim=1)
