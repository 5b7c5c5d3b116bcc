"""The rotary tables of CogVideoX, as the stock pipeline makes them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def rotary_tables(
    config: Any, latent_shape: tuple[int, int, int], device: torch.device
) -> tuple[Tensor, Tensor] | None:
    """Cosines and sines for the token grid of these latents (frames, height, width); ``None`` for a model without.

    CogVideoX 1.0 scales the grid into the one that the model was configured with, 1.5 takes a corner of the largest.
    """
    from diffusers.models.embeddings import get_3d_rotary_pos_embed
    from diffusers.pipelines.cogvideo.pipeline_cogvideox import get_resize_crop_region_for_grid

    if not config.use_rotary_positional_embeddings:
        return None
    frames, height, width = latent_shape[0], latent_shape[1] // config.patch_size, latent_shape[2] // config.patch_size
    largest = config.sample_height // config.patch_size, config.sample_width // config.patch_size
    if config.patch_size_t is None:
        return get_3d_rotary_pos_embed(
            embed_dim=config.attention_head_dim,
            crops_coords=get_resize_crop_region_for_grid((height, width), largest[1], largest[0]),
            grid_size=(height, width),
            temporal_size=frames,
            device=device,
        )
    return get_3d_rotary_pos_embed(
        embed_dim=config.attention_head_dim,
        crops_coords=None,
        grid_size=(height, width),
        temporal_size=frames // config.patch_size_t,
        grid_type="slice",
        max_size=largest,
        device=device,
    )
