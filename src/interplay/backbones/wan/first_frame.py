"""The ways in which Wan is shown a first frame, or none.

Shape legend: ``b`` batch, ``c`` latent channels, ``f h w`` latent frames, height, width, ``p y x`` pixel frames,
height, width, ``k`` channels that the transformer reads, ``g`` latent frames of the condition, ``n`` video tokens.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from interplay.backbones.batch import Batch


class FirstFrame(ABC):
    """How a first frame's ``latents`` (``b c g h w``) enter the transformer and leave the sampler."""

    given_frames: int

    @abstractmethod
    def channels(self, latent_channels: int) -> int:
        """How many channels the transformer reads."""

    @abstractmethod
    def video(self, image: Float[Tensor, "b 3 y x"], num_frames: int) -> Float[Tensor, "b 3 p y x"] | None:
        """The pixels whose latents are the condition, for clips of ``num_frames`` pixel frames; ``None`` for none."""

    @abstractmethod
    def model_input(self, latents: Float[Tensor, "b c f h w"], condition: Batch) -> Float[Tensor, "b k f h w"]:
        """What the transformer reads."""

    @abstractmethod
    def model_timesteps(self, timesteps: Tensor, token_shape: tuple[int, int, int]) -> Tensor:
        """What the transformer is told of the noise: ``b``, or ``b n`` where tokens differ."""

    @abstractmethod
    def pinned(self, latents: Float[Tensor, "b c f h w"], condition: Batch) -> Float[Tensor, "b c f h w"]:
        """Latents of a sampling step, with the first frame in its place where it is no longer to be predicted."""


class BesideTheNoise(FirstFrame):
    """Wan 2.1 and Wan 2.2 A14B: on the channel axis [noisy latents, mask, latents of the first frame and grey].

    The mask has one channel per pixel frame of a latent frame: 1 where the condition shows the clip.
    """

    given_frames = 0

    def __init__(self, mask_channels: int) -> None:
        self._mask_channels = mask_channels

    def channels(self, latent_channels: int) -> int:
        return 2 * latent_channels + self._mask_channels

    def video(self, image: Float[Tensor, "b 3 y x"], num_frames: int) -> Float[Tensor, "b 3 p y x"] | None:
        # Zero is mid-grey in [-1, 1].
        return functional.pad(image.unsqueeze(2), (0, 0, 0, 0, 0, num_frames - 1))

    def model_input(self, latents: Float[Tensor, "b c f h w"], condition: Batch) -> Float[Tensor, "b k f h w"]:
        batch, _, *shape = latents.shape
        mask = latents.new_zeros(batch, self._mask_channels, *shape)
        mask[:, :, 0] = 1.0
        return torch.cat([latents, mask, condition["latents"]], dim=1)

    def model_timesteps(self, timesteps: Tensor, token_shape: tuple[int, int, int]) -> Tensor:
        return timesteps

    def pinned(self, latents: Float[Tensor, "b c f h w"], condition: Batch) -> Float[Tensor, "b c f h w"]:
        return latents


class InPlaceOfTheNoise(FirstFrame):
    """Wan 2.2 TI2V: the first latent frame is the clean one, and its tokens are told timestep 0."""

    given_frames = 1

    def channels(self, latent_channels: int) -> int:
        return latent_channels

    def video(self, image: Float[Tensor, "b 3 y x"], num_frames: int) -> Float[Tensor, "b 3 p y x"] | None:
        return image.unsqueeze(2)

    def model_input(self, latents: Float[Tensor, "b c f h w"], condition: Batch) -> Float[Tensor, "b k f h w"]:
        return self.pinned(latents, condition)

    def model_timesteps(self, timesteps: Tensor, token_shape: tuple[int, int, int]) -> Tensor:
        frames, height, width = token_shape
        per_token = timesteps[:, None].repeat(1, frames * height * width)
        per_token[:, : height * width] = 0
        return per_token

    def pinned(self, latents: Float[Tensor, "b c f h w"], condition: Batch) -> Float[Tensor, "b c f h w"]:
        return torch.cat([condition["latents"].to(latents.dtype), latents[:, :, 1:]], dim=2)


class NotShown(FirstFrame):
    """Text-to-video: every frame is predicted."""

    given_frames = 0

    def channels(self, latent_channels: int) -> int:
        return latent_channels

    def video(self, image: Float[Tensor, "b 3 y x"], num_frames: int) -> Float[Tensor, "b 3 p y x"] | None:
        return None

    def model_input(self, latents: Float[Tensor, "b c f h w"], condition: Batch) -> Float[Tensor, "b k f h w"]:
        return latents

    def model_timesteps(self, timesteps: Tensor, token_shape: tuple[int, int, int]) -> Tensor:
        return timesteps

    def pinned(self, latents: Float[Tensor, "b c f h w"], condition: Batch) -> Float[Tensor, "b c f h w"]:
        return latents
