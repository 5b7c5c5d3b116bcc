"""The one place that turns a clip's pixel geometry into latent and token geometry and back.

A video VAE compresses ``temporal_stride`` pixel frames into one latent frame, except that the first latent frame holds
the first pixel frame alone (the VAE is causal); the transformer then groups ``patch`` latents into one token. A model
that groups several latent frames may be given the first one several times, so that its first token holds the first
pixel frame alone, too. Nothing here needs torch, so that stages can check a clip's size before a model is loaded.

Shape legend: ``p`` pixel frames, ``F H W`` latent frames, height, width, ``f h w`` token frames, height, width.
"""

from __future__ import annotations

from dataclasses import dataclass

from interplay.core.errors import InputError


@dataclass(frozen=True)
class TokenGrid:
    """Geometry of one clip in one backbone: pixel size, VAE strides and patch size ``(t, h, w)`` in latents.

    The first ``first_latents`` latent frames hold the first pixel frame, each of them. Only sizes that fit exactly are
    legal: ``frames - 1`` is a multiple of ``temporal_stride`` (causal first frame), and latents divide into patches.
    Anything else is an :class:`InputError` that names the legal numbers on both sides.
    """

    frames: int
    height: int
    width: int
    temporal_stride: int
    spatial_stride: int
    patch: tuple[int, int, int]
    first_latents: int = 1

    def __post_init__(self) -> None:
        self._check_frames()
        self._check_side("height", self.height, self.spatial_stride * self.patch[1])
        self._check_side("width", self.width, self.spatial_stride * self.patch[2])

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """``(F, H, W)``: latent frames, height and width."""
        latent_frames = self.first_latents + (self.frames - 1) // self.temporal_stride
        return latent_frames, self.height // self.spatial_stride, self.width // self.spatial_stride

    @property
    def token_shape(self) -> tuple[int, int, int]:
        """``(f, h, w)``: token frames, height and width; tokens are numbered in this order, width fastest."""
        latent_frames, latent_height, latent_width = self.latent_shape
        return latent_frames // self.patch[0], latent_height // self.patch[1], latent_width // self.patch[2]

    @property
    def num_tokens(self) -> int:
        """Video tokens of the whole clip."""
        return self.token_shape[0] * self.tokens_per_frame

    @property
    def tokens_per_frame(self) -> int:
        """Video tokens of one token frame; the first this many tokens are those of frame 0."""
        return self.token_shape[1] * self.token_shape[2]

    def pixel_frames_of(self, latent_frame: int) -> range:
        """The pixel frames inside one latent frame: frame 0 alone for the first, then ``temporal_stride`` each."""
        if not 0 <= latent_frame < self.latent_shape[0]:
            raise IndexError(f"latent frame {latent_frame} is outside 0..{self.latent_shape[0] - 1}")
        later = latent_frame - self.first_latents + 1
        stop = 1 + later * self.temporal_stride
        return range(stop - self.temporal_stride, stop) if later > 0 else range(1)

    def latent_frame_of(self, pixel_frame: int) -> int:
        """The (last) latent frame that holds this pixel frame; the inverse of :meth:`pixel_frames_of`."""
        if not 0 <= pixel_frame < self.frames:
            raise IndexError(f"pixel frame {pixel_frame} is outside 0..{self.frames - 1}")
        return self.first_latents - 1 + (pixel_frame + self.temporal_stride - 1) // self.temporal_stride

    def pixel_frames_of_token(self, token_frame: int) -> range:
        """The pixel frames inside one token frame: those of its ``patch[0]`` latent frames."""
        first = token_frame * self.patch[0]
        return range(self.pixel_frames_of(first).start, self.pixel_frames_of(first + self.patch[0] - 1).stop)

    def _check_frames(self) -> None:
        per_token = self.temporal_stride * self.patch[0]
        # Legal counts are first, first + per_token, ...: the latent frames then divide into temporal patches.
        first = 1 + self.temporal_stride * (-self.first_latents % self.patch[0])
        if self.frames < first or (self.frames - first) % per_token:
            cure = f"use {neighbours(self.frames, first, per_token)}"
            rule = f"{first} + a multiple of {per_token}"
            raise InputError(f"{self.frames} is not {rule}", where="number of frames", cure=cure)

    @staticmethod
    def _check_side(name: str, size: int, unit: int) -> None:
        if size < unit or size % unit:
            cure = f"use {neighbours(size, unit, unit)}"
            raise InputError(f"{size} is not a multiple of {unit}", where=f"video {name}", cure=cure)


def neighbours(value: int, first: int, step: int) -> str:
    """The members of ``first, first + step, ...`` on both sides of ``value`` in words; ``first`` alone below it."""
    if value < first:
        return str(first)
    below = first + (value - first) // step * step
    return f"{below} or {below + step}"
