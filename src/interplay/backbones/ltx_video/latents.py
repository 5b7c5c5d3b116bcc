"""Pixels to latents and back: the autoencoder, and the statistics that bring its latents to the transformer's units.

The statistics are weights of the autoencoder (buffers), not entries of its config.

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
    from diffusers import AutoencoderKLLTXVideo

# Decoders from 0.9.1 on are told how noisy the latents are: not at all (the default of the stock pipelines' calls).
_DECODE_TIMESTEP = 0.0


def encode(vae: AutoencoderKLLTXVideo, video: Float[Tensor, "b 3 p y x"]) -> Float[Tensor, "b c f h w"]:
    """Scaled latents in float32: (posterior mean - mean) / deviation, channel by channel."""
    raw = vae.encode(video.to(device_of(vae), vae.dtype)).latent_dist.mode().float()
    return (raw - _of_channels(vae.latents_mean, raw)) / _of_channels(vae.latents_std, raw)


def decode(vae: AutoencoderKLLTXVideo, latents: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b 3 p y x"]:
    """Pixels of scaled latents."""
    wide = latents.to(device_of(vae), torch.float32)
    raw = (wide * _of_channels(vae.latents_std, wide) + _of_channels(vae.latents_mean, wide)).to(vae.dtype)
    timestep = raw.new_full((len(raw),), _DECODE_TIMESTEP) if vae.config.timestep_conditioning else None
    return vae.decode(raw, timestep).sample.float().clamp(-1.0, 1.0)


def fit_scale(vae: AutoencoderKLLTXVideo, latents: Float[Tensor, "n c f h w"]) -> None:
    """Change mean and deviation so that these latents, scaled as they are now, would have mean 0 and deviation 1."""
    mean, deviation = vae.latents_mean.double().cpu(), vae.latents_std.double().cpu()
    of_channels = latents.double().cpu().transpose(0, 1).flatten(1)
    vae.latents_mean.copy_(mean + of_channels.mean(dim=1) * deviation)
    vae.latents_std.copy_(of_channels.std(dim=1, correction=0) * deviation)


def _of_channels(values: Float[Tensor, " c"], like: Tensor) -> Float[Tensor, "1 c 1 1 1"]:
    """One value per channel, where ``like`` is: the autoencoder itself may have been sent away."""
    return values.to(like).view(1, -1, 1, 1, 1)
