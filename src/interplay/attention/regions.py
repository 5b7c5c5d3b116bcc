"""A region: which tokens of one stream are meant, and how much.

Shape legend: ``b`` batch, ``n`` tokens of the region's stream, ``m`` its members, ``t`` tokens of a site, ``r``
regions, ``f h w`` token frames, height and width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from interplay.backbones.base import Stream

# Which tokens are read: where they are, or all from one to another where they lie close together.
Chosen = slice | Int[Tensor, "b m"]
# Gathering reads, writes and reads again; so much more may be read where it lies instead.
_WORTH_A_COPY = 3


@dataclass(frozen=True)
class Region:
    """Tokens of one stream with their membership in 0..1; soft membership (a half covered token) is allowed.

    A batch element without any member is legal: its scores, masses and maps are zero.
    """

    stream: Stream
    weights: Float[Tensor, "b n"]

    @classmethod
    def all_video(cls, batch: int, num_tokens: int, device: torch.device | str = "cpu") -> Region:
        """Every video token of every batch element."""
        return cls("video", torch.ones(batch, num_tokens, device=device))

    @classmethod
    def video(cls, pooled: Float[Tensor, "b f h w"]) -> Region:
        """A mask track that was pooled onto the token grid."""
        return cls("video", pooled.flatten(1))

    @classmethod
    def first_frame(cls, pooled: Float[Tensor, "b f h w"]) -> Region:
        """The part of a pooled mask track that lies in token frame 0: MATRIX's query set Q_e."""
        weights = torch.zeros_like(pooled)
        weights[:, 0] = pooled[:, 0]
        return cls("video", weights.flatten(1))

    @classmethod
    def text(cls, tokens: Sequence[Sequence[int]], text_length: int, device: torch.device | str = "cpu") -> Region:
        """The text tokens at these positions, one list per batch element (an empty list is an empty region)."""
        rows = [row for row, positions in enumerate(tokens) for _ in positions]
        weights = torch.zeros(len(tokens), text_length)
        weights[rows, [place for positions in tokens for place in positions]] = 1.0
        return cls("text", weights.to(device))

    @cached_property
    def members(self) -> Int[Tensor, "b m"]:
        """Positions of the members (weight > 0), padded with others; found once, since a GPU must wait for the count.

        Weights are not written to once a region is made.
        """
        return members(self.weights > 0)

    def normalised(self) -> Region:
        """The same region with weights that sum to 1 per batch element: masses on it become means over its tokens."""
        total = self.weights.sum(dim=1, keepdim=True)
        return Region(self.stream, self.weights / torch.where(total > 0, total, 1.0))

    def repeated(self, times: int) -> Region:
        """The region for a batch that was repeated, for instance the two halves of classifier-free guidance."""
        return Region(self.stream, self.weights.repeat(times, 1))


def members(inside: Tensor) -> Int[Tensor, "b m"]:
    """Positions that are inside, per batch element, padded to the largest count in the batch.

    Padding takes positions that are outside: distinct, harmless to read, and recognised by their weight of 0.
    """
    order = inside.to(torch.int8).argsort(dim=1, descending=True, stable=True)
    return order[:, : int(inside.sum(dim=1).max())]


def chosen(inside: Tensor) -> Chosen:
    """The tokens that are inside in any batch element, as :func:`members` or as a slice that holds them all."""
    index = members(inside)
    places = inside.any(dim=0).nonzero()
    if not len(places):
        return slice(0, 0)
    first, last = int(places[0]), int(places[-1])
    return slice(first, last + 1) if last + 1 - first <= _WORTH_A_COPY * index.shape[1] else index


def part_of(tokens: Shaped[Tensor, "b h t d"], stream: slice, read: slice = slice(None)) -> Shaped[Tensor, "b h m d"]:
    """The tokens of a stream, or those of them that are read, as a view."""
    places = range(tokens.shape[2])[stream][read]
    return tokens if len(places) == tokens.shape[2] else tokens[:, :, places.start : places.stop]


def take(tokens: Shaped[Tensor, "b h n d"], read: Chosen) -> Shaped[Tensor, "b h m d"]:
    """Per batch element, what belongs to these tokens."""
    if isinstance(read, slice):
        return tokens[:, :, read]
    batch, heads, _, width = tokens.shape
    return tokens.gather(2, read[:, None, :, None].expand(batch, heads, read.shape[1], width))


def weights_of(weights: Float[Tensor, "b n r"], read: Chosen) -> Float[Tensor, "b m r"]:
    """Weights of the tokens that are read."""
    if isinstance(read, slice):
        return weights[:, read]
    return weights.gather(1, read[:, :, None].expand(-1, -1, weights.shape[2]))
