"""What can be asked of an attention site: scores, mass and row maps between regions.

A request is pure description: a name, the sites, and regions. :func:`interplay.attention.observe` hands each call of a
site's attention to :meth:`Request.measure`, and the arithmetic lives in :mod:`interplay.attention.statistics`.

Shape legend: ``b`` batch, ``h`` heads, ``q`` query tokens, ``k`` key tokens of the site, ``d`` head width, ``n`` tokens
of one stream, ``m`` gathered query rows, ``r`` regions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.attention import statistics
from interplay.attention.regions import Region
from interplay.backbones.base import Stream, TokenLayout
from interplay.core.errors import InputError

Sites = tuple[str, ...] | Literal["all"]


@dataclass(frozen=True)
class AttentionCall:
    """What one attention call is given: queries and keys after norm and rotary embedding, its mask and its scale."""

    query: Float[Tensor, "b h q d"]
    key: Float[Tensor, "b h k d"]
    mask: Tensor | None
    scale: float


@dataclass(frozen=True)
class Request(ABC):
    """A named statistic at named sites (``"all"`` = every site that has the streams it needs)."""

    name: str
    sites: Sites

    @abstractmethod
    def streams(self) -> tuple[set[Stream], set[Stream]]:
        """The streams it needs among a site's queries and among its keys."""

    @abstractmethod
    def measure(self, call: AttentionCall, layout: TokenLayout) -> Tensor:
        """The statistic of one attention call, differentiable in its queries and keys."""


@dataclass(frozen=True)
class Scores(Request):
    """Pre-softmax scaled scores against a region: ``b h n`` over the video tokens of the other side.

    Give exactly one side. ``keys``: for each video query, its mean score on the region (v2t with a text region).
    ``queries``: for each video key, the mean score the region's queries give it (v2v with a frame-0 region).
    """

    queries: Region | None = None
    keys: Region | None = None

    def __post_init__(self) -> None:
        if (self.queries is None) == (self.keys is None):
            raise ValueError(f"scores {self.name!r} need exactly one region: queries or keys")

    def streams(self) -> tuple[set[Stream], set[Stream]]:
        """The region's stream on its side, video on the other."""
        return {self.queries.stream if self.queries else "video"}, {self.keys.stream if self.keys else "video"}

    def measure(self, call: AttentionCall, layout: TokenLayout) -> Float[Tensor, "b h n"]:
        """The mean over the region comes first, so the cost is linear in the tokens."""
        if self.keys is not None:
            kept, averaged = call.query[:, :, layout.queries["video"]], _side(call.key, layout.keys, self.keys)
            return statistics.mean_scores(kept, averaged, self.keys.weights, call.scale)
        assert self.queries is not None  # __post_init__
        kept, averaged = call.key[:, :, layout.keys["video"]], _side(call.query, layout.queries, self.queries)
        return statistics.mean_scores(kept, averaged, self.queries.weights, call.scale)


@dataclass(frozen=True)
class Mass(Request):
    """Post-softmax attention mass (over all keys of the site) that query tokens place on key regions.

    Only the queries inside the region (weight > 0) are computed. ``reduce="none"``: ``b h n r`` over the tokens of the
    query stream, zero outside the region. ``reduce="mean"``: ``b h r``, the mean weighted by the query region. Key
    weights are summed as they are; a region that is :meth:`Region.normalised` gives the mean per key instead.
    """

    queries: Region
    keys: Sequence[Region]
    reduce: Literal["none", "mean"]

    def streams(self) -> tuple[set[Stream], set[Stream]]:
        """The streams of its regions."""
        return {self.queries.stream}, {region.stream for region in self.keys}

    def measure(self, call: AttentionCall, layout: TokenLayout) -> Float[Tensor, "b h n r"] | Float[Tensor, "b h r"]:
        """One more attention call over the region's rows, with the key regions as its values."""
        rows = _rows_of(self.queries, call, layout)
        columns = torch.stack([_spread(region, call.key, layout.keys) for region in self.keys], dim=-1)
        mass = statistics.region_mass(rows.tokens, call.key, rows.mask, call.scale, columns)
        if self.reduce == "mean":
            return torch.einsum("bm,bhmr->bhr", statistics.normalised(rows.weights), mass)
        batch, heads, _, regions = mass.shape
        everywhere = mass.new_zeros(batch, heads, self.queries.weights.shape[1], regions)
        real = (rows.weights > 0)[:, None, :, None]
        return everywhere.scatter(2, rows.index[:, None, :, None].expand(mass.shape), mass * real)


@dataclass(frozen=True)
class RowMap(Request):
    """Weighted mean over query rows of their softmax rows: ``b h n`` over the video keys; for pictures."""

    queries: Region

    def streams(self) -> tuple[set[Stream], set[Stream]]:
        """The region's stream among the queries, video among the keys."""
        return {self.queries.stream}, {"video"}

    def measure(self, call: AttentionCall, layout: TokenLayout) -> Float[Tensor, "b h n"]:
        """Softmax rows in chunks, summed as they come."""
        rows = _rows_of(self.queries, call, layout)
        maps = statistics.mean_row_map(rows.tokens, call.key, rows.mask, call.scale, rows.weights)
        return maps[:, :, layout.keys["video"]]


@dataclass(frozen=True)
class _Rows:
    """The query rows inside a region, gathered: padded to the largest count in the batch by rows of weight 0."""

    tokens: Float[Tensor, "b h m d"]
    mask: Tensor | None
    index: Int[Tensor, "b m"]
    weights: Float[Tensor, "b m"]


def _rows_of(region: Region, call: AttentionCall, layout: TokenLayout) -> _Rows:
    tokens = _side(call.query, layout.queries, region)
    index = statistics.member_rows(region.weights)
    mask = call.mask
    if mask is not None and mask.shape[2] > 1:
        mask = mask[:, :, layout.queries[region.stream]]
    return _Rows(
        tokens=statistics.take_rows(tokens, index),
        mask=statistics.take_mask_rows(mask, index),
        index=index,
        weights=region.weights.float().gather(1, index),
    )


def _side(tokens: Tensor, slices: Mapping[Stream, slice], region: Region) -> Float[Tensor, "b h n d"]:
    """The tokens of the region's stream, after checking that the region is one of this batch and this stream."""
    part = tokens[:, :, slices[region.stream]]
    _check_region(region, (part.shape[0], part.shape[2]))
    return part


def _spread(region: Region, key: Tensor, slices: Mapping[Stream, slice]) -> Float[Tensor, "b k"]:
    """A key region's weights along the whole key axis of the site."""
    batch, _, keys, _ = key.shape
    weights = torch.zeros(batch, keys, device=key.device)
    _check_region(region, tuple(weights[:, slices[region.stream]].shape))
    weights[:, slices[region.stream]] = region.weights.float()
    return weights


def _check_region(region: Region, expected: tuple[int, ...]) -> None:
    found = tuple(region.weights.shape)
    if found != expected:
        raise InputError(
            f"weights have (batch, tokens) {found}, the attention has {expected}",
            where=f"region of the {region.stream} stream",
            cure="build regions on the grid, text length and batch of this forward",
        )
