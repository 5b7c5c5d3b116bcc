"""The image tokens of Wan 2.1: what its CLIP encoder sees in the first frame.

Shape legend: ``b`` batch, ``y x`` pixel height, width, ``i`` image tokens, ``e`` the image encoder's width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from interplay.backbones.devices import device_of
from interplay.grid.pixels import to_frames

if TYPE_CHECKING:
    from transformers import CLIPImageProcessor, CLIPVisionModel


def image_tokens(
    encoder: CLIPVisionModel, processor: CLIPImageProcessor, image: Float[Tensor, "b 3 y x"]
) -> Float[Tensor, "b i e"]:
    """The encoder's last layer but one, for pixels in [-1, 1]."""
    if image.is_meta:
        # The processor works on pictures, and on the meta device there is none; its result has this shape.
        side = encoder.config.image_size
        pixels = image.new_empty(len(image), 3, side, side)
    else:
        frames = [Image.fromarray(to_frames(one[:, None])[0]) for one in image]
        pixels = processor(images=frames, return_tensors="pt").pixel_values
    return encoder(pixels.to(device_of(encoder), encoder.dtype), output_hidden_states=True).hidden_states[-2]


def number_of_tokens(encoder: CLIPVisionModel) -> int:
    """How many tokens a picture has: one per patch, and the class token."""
    return (encoder.config.image_size // encoder.config.patch_size) ** 2 + 1
