"""A small causal decoder from a map of tokens to mask logits in every frame of the clip (D of the paper, section 5).

Why decode at all (paper): masks that are united over the pixel frames of a token inflate an instance and destroy order,
so the map is brought to the full frame rate and compared there. Why small: the released decoder is a copy of a video
VAE's decoder with 73 M parameters, able to draw masks out of almost anything; this one has a few thousand, and what it
adds to is the map itself (:class:`.ScoreHead`, with a scale that is positive), so that the attention has to bring the
mask. It serves training alone.

    logits = up(exp(s) z + b) + subpixel(conv(blocks(conv(z))))

``up`` repeats each token's value over the pixel frames and latents that the token stands for; ``subpixel`` sorts the
channels of the last convolution there (Shi et al. 2016, here in time, too). Convolutions look at this token frame and
the two before it, never at later ones, as the autoencoders do; the last one starts at zero, so that the decoder starts
as the plain head.

Shape legend: ``l`` sites, ``r`` maps of one site, ``m`` maps, ``n`` video tokens, ``f h w`` token frames, height,
width, ``p y x`` pixel frames, latent height, width, ``c`` channels, ``o`` positions of a decoded map (p y x), ``a`` the
same by token (f h w c).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional

from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.causal_conv import causal_conv
from interplay.methods.matrix.score_head import ScoreHead


@dataclass(frozen=True)
class Upsampling:
    """What a token stands for: ``first`` pixel frames in token frame 0, ``t`` in others, ``y`` times ``x`` latents."""

    first: int
    t: int
    y: int
    x: int

    @classmethod
    def of(cls, grid: TokenGrid) -> Upsampling:
        """That of a grid; the same for all grids of a backbone."""
        per_token = grid.temporal_stride * grid.patch[0]
        return cls(len(grid.pixel_frames_of_token(0)), per_token, grid.patch[1], grid.patch[2])

    @property
    def positions(self) -> int:
        """Decoded positions per token (those of token frame 0 are fewer)."""
        return self.t * self.y * self.x

    def sorted(self, tokens: Float[Tensor, "m f h w c"]) -> Float[Tensor, "m p y x"]:
        """Values per token, in the order time, height, width, brought to their places."""
        maps, frames, height, width, _ = tokens.shape
        cut = tokens.reshape(maps, frames, height, width, self.t, self.y, self.x).permute(0, 1, 4, 2, 5, 3, 6)
        # The pixel frames of token frame 0 are the last of its group, as in a causal autoencoder.
        return cut.reshape(maps, frames * self.t, height * self.y, width * self.x)[:, self.t - self.first :]

    def by_token(self, places: Shaped[Tensor, "m o"], token_shape: tuple[int, int, int]) -> Shaped[Tensor, "m a"]:
        """The inverse of :meth:`sorted`, flat; zeros where token frame 0 has no pixel frame."""
        nothing_first = functional.pad(places, (1, 0))
        return nothing_first.index_select(1, _order(self, token_shape, places.device))


@lru_cache(maxsize=64)
def _order(upsampling: Upsampling, token_shape: tuple[int, int, int], device: torch.device) -> Int[Tensor, " a"]:
    """Which position, counted from 1, is at each place of the order by token; 0 is none."""
    frames, height, width = token_shape
    shape = frames * upsampling.t, height * upsampling.y, width * upsampling.x
    beside = (upsampling.t - upsampling.first) * shape[1] * shape[2]
    numbers = (torch.arange(1, math.prod(shape) + 1) - beside).clamp(min=0)
    cut = numbers.reshape(frames, upsampling.t, height, upsampling.y, width, upsampling.x)
    return cut.permute(0, 2, 4, 1, 3, 5).flatten().to(device)


class MaskDecoder(nn.Module):
    """Mask logits in every frame, of standardised maps."""

    def __init__(self, sites: Sequence[str], upsampling: Upsampling, *, width: int, depth: int) -> None:
        super().__init__()
        self.upsampling = upsampling
        self.head = ScoreHead(sites)
        self.read = CausalConv(1, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(depth))
        self.write = CausalConv(width, upsampling.positions)
        for parameter in self.write.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self, addresses: Sequence[str], standardised: Float[Tensor, "l r n"], token_shape: tuple[int, int, int]
    ) -> Float[Tensor, "l r o"]:
        """Logits of maps that were seen at these sites, on a grid of this token shape."""
        tokens = self.by_token(addresses, standardised, token_shape)
        places = self.upsampling.sorted(tokens.reshape(-1, *token_shape, self.upsampling.positions))
        return places.reshape(*standardised.shape[:2], -1)

    def by_token(
        self, addresses: Sequence[str], standardised: Float[Tensor, "l r n"], token_shape: tuple[int, int, int]
    ) -> Float[Tensor, "l r a"]:
        """The same logits before they are sorted, as :meth:`.Upsampling.by_token` has them.

        The loss takes them so: sorting the targets costs less than sorting the logits and their gradient.
        """
        maps = standardised.reshape(-1, *token_shape, 1)
        hidden = self.read(maps)
        for block in self.blocks:
            hidden = block(hidden)
        # In place: these are the largest tensors of the decoder by far.
        decoded: Tensor = self.write(functional.silu(hidden))
        decoded.add_(self.head(addresses, standardised).reshape(maps.shape))
        return decoded.reshape(*standardised.shape[:2], -1)


class CausalConv(nn.Module):
    """A convolution over three token frames (this one and the two before) and three by three tokens."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, kernel_size=3, padding=(0, 1, 1))

    def forward(self, maps: Float[Tensor, "m f h w _"]) -> Float[Tensor, "m f h w _"]:
        """As many frames as before; nothing is known before the first."""
        bias = self.conv.bias
        assert bias is not None
        return causal_conv(maps, self.conv.weight, bias)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = CausalConv(width, width)

    def forward(self, hidden: Float[Tensor, "m f h w c"]) -> Float[Tensor, "m f h w c"]:
        out: Tensor = hidden + self.conv(functional.silu(hidden))
        return out
