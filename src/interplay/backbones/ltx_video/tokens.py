"""Between latents and the flat sequence of tokens that LTX-Video's transformer reads, and where each token is.

Shape legend: ``b`` batch, ``k`` channels, ``f h w`` latent frames, height, width, ``n`` tokens, ``v`` values of a
token.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.grid.token_grid import TokenGrid

# Frames per second that positions in time are counted in (the default of the stock pipelines' calls).
FRAME_RATE = 25.0


def packed(latents: Float[Tensor, "b k f h w"], patch: tuple[int, int, int]) -> Float[Tensor, "b n v"]:
    """One row of values per patch, frame by frame; the values of a patch channel by channel."""
    batch, channels, frames, height, width = latents.shape
    t, y, x = patch
    cut = latents.reshape(batch, channels, frames // t, t, height // y, y, width // x, x)
    return cut.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4).flatten(1, 3)


def unpacked(
    tokens: Float[Tensor, "b n v"], latent_shape: tuple[int, int, int], patch: tuple[int, int, int]
) -> Float[Tensor, "b k f h w"]:
    """The inverse of :func:`packed`."""
    (frames, height, width), (t, y, x) = latent_shape, patch
    cut = tokens.reshape(len(tokens), frames // t, height // y, width // x, -1, t, y, x)
    return cut.permute(0, 4, 1, 5, 2, 6, 3, 7).flatten(6).flatten(4, 5).flatten(2, 3)


def interpolation(grid: TokenGrid) -> tuple[float, float, float]:
    """Seconds per latent frame and pixels per latent: what LTX-Video 0.9 and 0.9.1 multiply positions by."""
    return grid.temporal_stride / FRAME_RATE, grid.spatial_stride, grid.spatial_stride


def coordinates(grid: TokenGrid, batch: int, device: torch.device) -> Float[Tensor, "b 3 n"]:
    """Seconds and pixels of each token's corner, as LTX-Video from 0.9.5 on counts them.

    The first latent frame holds one pixel frame, and so begins at 0 like the first pixel frame of the second at 1.
    """
    starts = [torch.arange(0, size, p, device=device) for size, p in zip(grid.latent_shape, grid.patch, strict=True)]
    frame, row, column = torch.meshgrid(*starts, indexing="ij")
    frame = (frame * grid.temporal_stride + 1 - grid.temporal_stride).clamp(min=0)
    pixels = torch.stack([frame / FRAME_RATE, row * grid.spatial_stride, column * grid.spatial_stride])
    return pixels.flatten(1).float().expand(batch, -1, -1)
