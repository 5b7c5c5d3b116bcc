"""Pixels to latents and back: the autoencoder, and the statistics that bring its latents to the transformer's units.

Shape legend: ``b`` batch, ``n`` clips, ``c`` latent channels, ``f h w`` latent frames, height, width, ``p y x`` pixel
frames, height, width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.backbones.devices import device_of

if TYPE_CHECKING:
    from diffusers import AutoencoderKLWan


def encode(vae: AutoencoderKLWan, video: Float[Tensor, "b 3 p y x"]) -> Float[Tensor, "b c f h w"]:
    """Scaled latents in float32: (posterior mean - mean) / deviation, channel by channel."""
    raw = vae.encode(video.to(device_of(vae), vae.dtype)).latent_dist.mode()
    mean, inverse_deviation = _statistics(vae, raw.device)
    return (raw.float() - mean) * inverse_deviation


def decode(vae: AutoencoderKLWan, latents: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b 3 p y x"]:
    """Pixels of scaled latents; the decoder itself clips them to [-1, 1]."""
    device = device_of(vae)
    mean, inverse_deviation = _statistics(vae, device)
    raw = latents.to(device).float() / inverse_deviation + mean
    return vae.decode(raw.to(vae.dtype)).sample.float()


def fit_scale(vae: AutoencoderKLWan, latents: Float[Tensor, "n c f h w"]) -> None:
    """Change mean and deviation so that these latents, scaled as they are now, would have mean 0 and deviation 1."""
    mean, inverse_deviation = (values.flatten().double() for values in _statistics(vae, latents.device))
    of_channels = latents.to(mean).transpose(0, 1).flatten(1)
    vae.register_to_config(
        latents_mean=(mean + of_channels.mean(dim=1) / inverse_deviation).tolist(),
        latents_std=(of_channels.std(dim=1) / inverse_deviation).tolist(),
    )


def _statistics(
    vae: AutoencoderKLWan, device: torch.device
) -> tuple[Float[Tensor, "1 c 1 1 1"], Float[Tensor, "1 c 1 1 1"]]:
    """Mean of the raw latents, and the inverse of their deviation (which the stock pipeline multiplies by)."""
    mean, deviation = (
        torch.tensor(values, device=device).view(1, -1, 1, 1, 1)
        for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    return mean, 1.0 / deviation
