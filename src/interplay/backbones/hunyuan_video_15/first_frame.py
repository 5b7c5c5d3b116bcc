"""How HunyuanVideo-1.5 is shown a first frame: its latent beside the noise, and an image encoder's tokens.

The channels beside the noise are there in text-to-video, too: zero, under a mask of zeros.

Shape legend: ``b`` batch, ``c`` latent channels, ``f h w`` latent frames, height, width, ``k`` channels that the
transformer reads, ``y x`` pixel height and width, ``i`` image tokens, ``e`` their width, ``v`` channels that a picture
is shown by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from interplay.backbones.batch import Batch
from interplay.backbones.devices import device_of
from interplay.grid.pixels import to_frames

if TYPE_CHECKING:
    from transformers import SiglipImageProcessor, SiglipVisionModel


def model_input(latents: Float[Tensor, "b c f h w"], first_frame: Batch) -> Float[Tensor, "b k f h w"]:
    """On the channel axis: noisy latents, the first frame's latent followed by zeros, and a mask that is 1 there."""
    batch, channels, frames, height, width = latents.shape
    shown = latents.new_zeros(batch, channels + 1, frames, height, width)
    first = first_frame.tensors.get("latents")
    if first is not None:
        shown = torch.cat([with_validity(first).to(latents), shown[:, :, 1:]], dim=2)
    return torch.cat([latents, shown], dim=1)


def with_validity(latents: Float[Tensor, "b c 1 h w"]) -> Float[Tensor, "b v 1 h w"]:
    """A picture's latents, and behind them the mask that says that there is a picture."""
    return torch.cat([latents, torch.ones_like(latents[:, :1])], dim=1)


def image_tokens(
    encoder: SiglipVisionModel, processor: SiglipImageProcessor, image: Float[Tensor, "b 3 y x"]
) -> Float[Tensor, "b i e"]:
    """The image encoder's last layer, for pixels in [-1, 1]."""
    if image.is_meta:
        # The processor works on pictures, and on the meta device there is none; its result has this shape.
        side = encoder.config.image_size
        pixels = image.new_empty(len(image), 3, side, side)
    else:
        frames = [Image.fromarray(to_frames(one[:, None])[0]) for one in image]
        pixels = processor.preprocess(images=frames, do_resize=True, return_tensors="pt", do_convert_rgb=True)
        pixels = pixels["pixel_values"]
    return encoder(pixels.to(device_of(encoder), encoder.dtype)).last_hidden_state


def number_of_tokens(encoder: SiglipVisionModel) -> int:
    """How many tokens a picture has: one per patch."""
    return (encoder.config.image_size // encoder.config.patch_size) ** 2
