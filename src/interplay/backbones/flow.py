"""Flow matching, the same for every family that is trained with it: a straight line from clean latents to noise.

At noise level s in [0, 1] the latents are z = (1 - s) x0 + s e and the target is the line's direction e - x0 (Lipman et
al. 2023; Liu et al. 2023). The model is told s as a timestep, t = s * num_train_timesteps.

Shape legend: ``b`` batch, ``c f h w`` latent channels, frames, height, width, ``n`` any number of noise levels.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def shifted(level: Float[Tensor, " n"], shift: float) -> Float[Tensor, " n"]:
    """Noise levels moved towards noise: s' = k s / (1 + (k - 1) s) for a shift k (Esser et al. 2024, section 5.3.2)."""
    return shift * level / (1.0 + (shift - 1.0) * level)


def flow_noised(
    latents: Float[Tensor, "b c f h w"], noise: Float[Tensor, "b c f h w"], level: Float[Tensor, " b"]
) -> Float[Tensor, "b c f h w"]:
    """Latents at these noise levels."""
    s = level.to(latents).view(-1, 1, 1, 1, 1)
    return (1.0 - s) * latents + s * noise


def flow_target(latents: Float[Tensor, "b c f h w"], noise: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b c f h w"]:
    """The direction from clean latents to noise, which is the same at every level."""
    return noise - latents


def draw_shifted_timesteps(
    count: int, shift: float, num_train_timesteps: int, within: range, generator: torch.Generator
) -> Int[Tensor, " n"]:
    """Random integer timesteps of a training batch, as dense along ``within`` as shifted uniform levels are.

    ``generator`` lives on the CPU.
    """
    # A shift is undone by the shift of its inverse.
    edges = torch.tensor([within.start, within.stop]) / num_train_timesteps
    low, high = shifted(edges, 1.0 / shift)
    level = shifted(low + (high - low) * torch.rand(count, generator=generator), shift)
    return (level * num_train_timesteps).long().clamp(within.start, within.stop - 1)
