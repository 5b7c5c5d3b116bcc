"""How CogVideoX is shown a first frame, and what its temporal patches ask of the latents.

CogVideoX 1.5 makes one token of two latent frames. A clip has an odd number of them, so the first one is doubled: the
stock pipeline samples one latent frame more and throws the first away before it decodes.

Shape legend: ``b`` batch, ``c`` latent channels, ``f h w`` latent frames, height, width, ``g`` latent frames without
the doubled one, ``s`` latent frames that are shown (the first one, or all), ``k`` channels that the transformer reads.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def doubled(latents: Float[Tensor, "b c g h w"], copies: int) -> Float[Tensor, "b c f h w"]:
    """Latents whose first frame stands there ``copies`` times."""
    return torch.cat([latents[:, :, :1].expand(-1, -1, copies - 1, -1, -1), latents], dim=2)


def beside_the_noise(
    latents: Float[Tensor, "b c f h w"], shown: Float[Tensor, "b c s h w"]
) -> Float[Tensor, "b k f h w"]:
    """On the channel axis the noisy latents, and those that are shown, followed by zeros where they are fewer."""
    later = shown.new_zeros(*shown.shape[:2], latents.shape[2] - shown.shape[2], *shown.shape[3:])
    return torch.cat([latents, torch.cat([shown, later], dim=2)], dim=1)
