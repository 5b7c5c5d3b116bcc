"""The two ways in which HunyuanVideo image-to-video models are shown the first frame's latent, and none at all.

``token_replace``: it stands, clean, in the place of latent frame 0, whose tokens are modulated as at timestep 0.
``latent_concat``: it stands beside the noisy latents on the channel axis, zeros behind it, with a mask that is 1 there.
The condition is a batch with ``latents b c 1 h w``, for text-to-video one of nothing.

Shape legend: ``b`` batch, ``c`` latent channels, ``i`` channels of the transformer's input, ``f h w`` latent frames,
height, width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.backbones.batch import Batch

# The stock image-to-video pipeline starts from this share of noise and, for the rest, the first frame standing still.
NOISE_SHARE = 0.999


class Conditioning(ABC):
    """How the first frame enters the transformer.

    ``given_frames`` leading latent frames are shown clean; of the picture's tokens that the text encoder made, one in
    ``image_tokens_every`` is shown (the stock pipeline's default for this kind of model).
    """

    given_frames: int
    image_tokens_every: int

    @abstractmethod
    def model_input(self, latents: Float[Tensor, "b c f h w"], first_frame: Batch) -> Float[Tensor, "b i f h w"]:
        """Noisy latents and the first frame's latent together."""

    def started(self, noise: Float[Tensor, "b c f h w"], first_frame: Batch) -> Float[Tensor, "b c f h w"]:
        """What sampling starts from, of pure noise; given frames are not yet in place."""
        share = torch.tensor([NOISE_SHARE], device=noise.device)  # in float32, as the stock pipeline rounds it
        return noise * share + first_frame["latents"].to(noise) * (1 - share)

    def restored(self, latents: Float[Tensor, "b c f h w"], first_frame: Batch) -> Float[Tensor, "b c f h w"]:
        """The latents with their given frames clean."""
        given = self.given_frames
        return torch.cat([first_frame["latents"][:, :, :given].to(latents), latents[:, :, given:]], dim=2)


class TextAlone(Conditioning):
    """Text-to-video: there is no first frame."""

    given_frames = 0
    image_tokens_every = 1

    def model_input(self, latents: Float[Tensor, "b c f h w"], first_frame: Batch) -> Float[Tensor, "b c f h w"]:
        return latents

    def started(self, noise: Float[Tensor, "b c f h w"], first_frame: Batch) -> Float[Tensor, "b c f h w"]:
        return noise

    def restored(self, latents: Float[Tensor, "b c f h w"], first_frame: Batch) -> Float[Tensor, "b c f h w"]:
        return latents


class TokenReplace(Conditioning):
    """Latent frame 0 is the first frame's."""

    given_frames = 1
    image_tokens_every = 4

    def model_input(self, latents: Float[Tensor, "b c f h w"], first_frame: Batch) -> Float[Tensor, "b c f h w"]:
        return self.restored(latents, first_frame)


class LatentConcat(Conditioning):
    """The first frame's latent and its mask are channels of their own: 2 c + 1 in all."""

    given_frames = 0
    image_tokens_every = 2

    def model_input(self, latents: Float[Tensor, "b c f h w"], first_frame: Batch) -> Float[Tensor, "b i f h w"]:
        first = first_frame["latents"]
        known = torch.cat([first, torch.ones_like(first[:, :1])], dim=1).to(latents)
        behind = known.new_zeros(*known.shape[:2], latents.shape[2] - 1, *known.shape[3:])
        return torch.cat([latents, torch.cat([known, behind], dim=2)], dim=1)


# By the transformer's `image_condition_type`.
CONDITIONINGS: dict[str | None, type[Conditioning]] = {
    "token_replace": TokenReplace,
    "latent_concat": LatentConcat,
    None: TextAlone,
}
