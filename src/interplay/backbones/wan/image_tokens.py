"""The image tokens of Wan 2.1: what its CLIP encoder sees in the first frame.

Shape legend: ``b`` batch, ``y x`` pixel height, width, ``i`` image tokens, ``e`` the image encoder's width.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

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


class Unplugged:
    """Transformers whose blocks attend to no image tokens until :meth:`plug_in`, as if they had been built without.

    A block without these two projections takes all tokens that it is given for text.
    """

    def __init__(self, transformers: Iterable[nn.Module]) -> None:
        # Any, because these modules are None in models that have no image tokens, which no annotation says.
        attentions: list[Any] = [block.attn2 for one in transformers for block in cast(Any, one).blocks]
        self._taken = [(attention, attention.add_k_proj, attention.add_v_proj) for attention in attentions]
        for attention in attentions:
            attention.add_k_proj = attention.add_v_proj = None

    def plug_in(self) -> None:
        """Put the projections back."""
        for attention, key, value in self._taken:
            attention.add_k_proj, attention.add_v_proj = key, value
