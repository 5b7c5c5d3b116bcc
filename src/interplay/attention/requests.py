"""What can be asked of an attention site: scores, mass and row maps between regions.

A request is pure description: a name, the sites, and regions. :func:`interplay.attention.observe` hands each call of a
site's attention to :meth:`Request.measure`; the arithmetic lives in :mod:`interplay.attention.statistics` (before the
softmax) and :mod:`interplay.attention.streaming` (after it).

Shape legend: ``b`` batch, ``h`` heads, ``q`` query tokens, ``k`` key tokens of the site, ``t`` either, ``d`` head
width, ``n`` tokens of one stream, ``r`` regions or pairs of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from interplay.attention import statistics
from interplay.attention.budget import NO_LIMIT, Budget
from interplay.attention.readouts import KeyRegions, MassPerRow, MeanMass, MeanRow, PairedSums
from interplay.attention.regions import Region
from interplay.attention.streaming import Readout, Rows, Softmax, read
from interplay.backbones.base import Stream, TokenLayout
from interplay.core.errors import InputError

Sites = tuple[str, ...] | Literal["all"]


@dataclass(frozen=True)
class AttentionCall:
    """What one attention call is given: queries and keys after norm and rotary embedding, its mask and its scale.

    ``log_sum_exp`` is the kernel's own, where it told; ``kernel_dtype`` is what autocast makes of queries and keys;
    ``budget`` is the memory that a statistic of this call may take.
    """

    query: Float[Tensor, "b h q d"]
    key: Float[Tensor, "b h k d"]
    mask: Tensor | None
    scale: float
    log_sum_exp: Float[Tensor, "b h q"] | None = None
    kernel_dtype: torch.dtype | None = None
    budget: Budget = NO_LIMIT

    def elements(self, chosen: slice) -> AttentionCall:
        """The call for some elements of its batch (a mask that the batch shares stays as it is)."""
        if chosen.indices(len(self.query)) == (0, len(self.query), 1):
            return self
        shared = self.mask is None or self.mask.shape[0] == 1
        return replace(
            self,
            query=self.query[chosen],
            key=self.key[chosen],
            mask=self.mask if shared or self.mask is None else self.mask[chosen],
            log_sum_exp=None if self.log_sum_exp is None else self.log_sum_exp[chosen],
        )

    def read(self, readout: Readout) -> Tensor:
        """The readout of this call's attention."""
        softmax = Softmax(self.mask, self.scale, self.log_sum_exp, self.kernel_dtype)
        return read(self.query, self.key, softmax, readout, self.budget)


@dataclass(frozen=True)
class Request(ABC):
    """A named statistic at named sites (``"all"`` = every site that has the streams it needs)."""

    name: str
    sites: Sites

    @property
    def after_softmax(self) -> bool:
        """Whether it reads attention itself, so that the kernel should be asked for its log-sum-exp."""
        return True

    @abstractmethod
    def streams(self) -> tuple[set[Stream], set[Stream]]:
        """The streams it needs among a site's queries and among its keys."""

    @abstractmethod
    def measure(self, call: AttentionCall, layout: TokenLayout) -> Tensor:
        """The statistic of one attention call, differentiable in its queries and keys."""


@dataclass(frozen=True)
class Scores(Request):
    """Pre-softmax scaled scores against a region: ``b h n`` over the tokens of ``over`` on the other side.

    ``keys``: for each query, its mean score on the region (v2t with a text region). ``queries``: for each key, the mean
    score that the region's queries give it (v2v with a frame-0 region). Both: the mean over all pairs, ``b h``.
    """

    queries: Region | None = None
    keys: Region | None = None
    over: Stream = "video"

    def __post_init__(self) -> None:
        if self.queries is None and self.keys is None:
            raise ValueError(f"scores {self.name!r} need a region: queries, keys or both")

    @property
    def after_softmax(self) -> bool:
        """Scores are taken before it."""
        return False

    def streams(self) -> tuple[set[Stream], set[Stream]]:
        """Each region's stream on its side, ``over`` on the side without one."""
        return {self.queries.stream if self.queries else self.over}, {self.keys.stream if self.keys else self.over}

    def measure(self, call: AttentionCall, layout: TokenLayout) -> Float[Tensor, "b h n"] | Float[Tensor, "b h"]:
        """The mean over the region comes first, so the cost is linear in the tokens."""
        if self.queries is None or self.keys is None:
            return self._alone.measure(call, layout)[0]
        sides = (
            (call.query, layout.queries[self.queries.stream], self._sides[0]),
            (call.key, layout.keys[self.keys.stream], self._sides[1]),
        )
        budget = call.budget.without(statistics.gradient_bytes(call.query, call.key))
        of_queries, of_keys = (
            statistics.region_means(tokens, part, side.at(tokens, part), call.kernel_dtype, budget)
            for tokens, part, side in sides
        )
        return (of_queries * of_keys).sum(dim=-1).squeeze(-1) * call.scale

    @cached_property
    def _alone(self) -> ScoreGroup:
        return ScoreGroup((self,))

    @cached_property
    def _sides(self) -> tuple[Averaged, Averaged]:
        assert self.queries is not None
        assert self.keys is not None
        return Averaged((self.queries,)), Averaged((self.keys,))


@dataclass(frozen=True)
class Averaged:
    """Regions of one stream, made into averages once for each device."""

    regions: tuple[Region, ...]
    _on_device: dict[torch.device, statistics.Averages] = field(default_factory=dict, init=False, repr=False)

    def at(self, tokens: Float[Tensor, "b h t d"], part: slice) -> statistics.Averages:
        """The averages, where these tokens are, of which their stream is a part."""
        for region in self.regions:
            _check(region, len(tokens), part)
        if tokens.device not in self._on_device:
            self._on_device[tokens.device] = statistics.Averages.of(self.regions).to(tokens.device)
        return self._on_device[tokens.device]


@dataclass(frozen=True)
class ScoreGroup:
    """Scores with one region each that keep the same tokens: one pass over those tokens for all of them."""

    requests: tuple[Scores, ...]

    @classmethod
    def all_of(cls, requests: Sequence[Request]) -> list[ScoreGroup]:
        """The groups among some requests."""
        found: dict[tuple[bool, Stream], list[Scores]] = {}
        for request in requests:
            if isinstance(request, Scores) and (request.queries is None or request.keys is None):
                found.setdefault((request.queries is None, request.over), []).append(request)
        return [cls(tuple(of_kind)) for of_kind in found.values()]

    @cached_property
    def _of_streams(self) -> Mapping[Stream, tuple[list[int], Averaged]]:
        """For each stream that is averaged: which requests have their region there, and the regions."""
        regions = [request.queries or request.keys for request in self.requests]
        numbers: dict[Stream, list[int]] = {}
        for number, region in enumerate(regions):
            assert region is not None  # __post_init__ of Scores
            numbers.setdefault(region.stream, []).append(number)
        return {
            stream: (of_stream, Averaged(tuple(region for i in of_stream if (region := regions[i]) is not None)))
            for stream, of_stream in numbers.items()
        }

    def measure(self, call: AttentionCall, layout: TokenLayout) -> list[Float[Tensor, "b h n"]]:
        """The statistic of each request, in their order."""
        keep_queries, over = self.requests[0].queries is None, self.requests[0].over
        kept, of_kept = (call.query, layout.queries) if keep_queries else (call.key, layout.keys)
        other, of_other = (call.key, layout.keys) if keep_queries else (call.query, layout.queries)
        budget = call.budget.without(statistics.gradient_bytes(kept, *[other] * len(self._of_streams)))
        means, order = [], []
        for stream, (numbers, averaged) in self._of_streams.items():
            part = of_other[stream]
            means.append(statistics.region_means(other, part, averaged.at(other, part), call.kernel_dtype, budget))
            order += numbers
        together = means[0] if len(means) == 1 else torch.cat(means, dim=2)
        together = statistics.mean_scores(kept, of_kept[over], together, call.scale, call.kernel_dtype, budget)
        scores = together.unbind(dim=2)
        return [scores[order.index(number)] for number in range(len(order))]


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
    _prepared: dict[object, Readout] = field(default_factory=dict, init=False, repr=False, compare=False)

    def streams(self) -> tuple[set[Stream], set[Stream]]:
        """The streams of its regions."""
        return {self.queries.stream}, {region.stream for region in self.keys}

    def measure(self, call: AttentionCall, layout: TokenLayout) -> Float[Tensor, "b h n r"] | Float[Tensor, "b h r"]:
        """The region's rows, piece by piece, and of each piece the mass on the key regions."""
        return call.read(_once(self._prepared, (self.queries,), self.keys, call, layout, self._readout))

    def _readout(self, call: AttentionCall, layout: TokenLayout) -> Readout:
        rows, keys = _rows(self.queries, call, layout), _key_regions(self.keys, call, layout)
        if self.reduce == "mean":
            return MeanMass(rows, keys)
        queries = layout.queries[self.queries.stream]
        return MassPerRow(rows, keys, queries.start, queries.stop - queries.start)


@dataclass(frozen=True)
class PairedMass(Request):
    """Of each pair of a query region and a key region, the post-softmax mass that one places on the other: ``b h r``.

    Formula: sum over q and k of w(q) v(k) A(q, k), with the weights of the pair as they are; a region that is
    :meth:`Region.normalised` gives a mean over its tokens in place of a sum. All query regions are of one stream.
    """

    queries: Sequence[Region]
    keys: Sequence[Region]
    _prepared: dict[object, Readout] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.queries) != len(self.keys) or len({region.stream for region in self.queries}) != 1:
            raise ValueError(f"paired mass {self.name!r} needs pairs of regions, all queries of one stream")

    def streams(self) -> tuple[set[Stream], set[Stream]]:
        """The streams of its regions."""
        return {self.queries[0].stream}, {region.stream for region in self.keys}

    def measure(self, call: AttentionCall, layout: TokenLayout) -> Float[Tensor, "b h r"]:
        """The rows of all query regions, piece by piece, summed as they come."""
        return call.read(_once(self._prepared, self.queries, self.keys, call, layout, self._readout))

    def _readout(self, call: AttentionCall, layout: TokenLayout) -> Readout:
        weights = torch.stack([region.weights.float() for region in self.queries], dim=1)
        rows = _rows(Region(self.queries[0].stream, weights.amax(dim=1)), call, layout)
        index = rows.index.to(weights.device) - layout.queries[self.queries[0].stream].start
        of_rows = weights.gather(2, index[:, None].expand(-1, weights.shape[1], -1))
        return PairedSums(rows, of_rows.to(call.query.device), _key_regions(self.keys, call, layout))


@dataclass(frozen=True)
class RowMap(Request):
    """Weighted mean over query rows of their softmax rows: ``b h n`` over the keys of ``over``; for pictures."""

    queries: Region
    over: Stream = "video"
    _prepared: dict[object, Readout] = field(default_factory=dict, init=False, repr=False, compare=False)

    def streams(self) -> tuple[set[Stream], set[Stream]]:
        """The region's stream among the queries, ``over`` among the keys."""
        return {self.queries.stream}, {self.over}

    def measure(self, call: AttentionCall, layout: TokenLayout) -> Float[Tensor, "b h n"]:
        """Softmax rows in pieces, summed as they come."""
        maps = call.read(_once(self._prepared, (self.queries,), (), call, layout, self._readout))
        return maps[:, :, layout.keys[self.over]]

    def _readout(self, call: AttentionCall, layout: TokenLayout) -> Readout:
        return MeanRow(_rows(self.queries, call, layout))


@dataclass(frozen=True)
class OfElements(Request):
    """Another request, of some elements of the forward's batch: the half with text of a guided one, for instance."""

    inner: Request
    chosen: slice

    @classmethod
    def last(cls, inner: Request, count: int) -> OfElements:
        """Of the last ``count`` elements, under the inner request's own name and sites."""
        return cls(inner.name, inner.sites, inner, slice(-count, None))

    @property
    def after_softmax(self) -> bool:
        """As the inner request."""
        return self.inner.after_softmax

    def streams(self) -> tuple[set[Stream], set[Stream]]:
        """Those of the inner request."""
        return self.inner.streams()

    def measure(self, call: AttentionCall, layout: TokenLayout) -> Tensor:
        """The inner statistic."""
        return self.inner.measure(call.elements(self.chosen), layout)


def _once(
    prepared: dict[object, Readout],
    queries: Sequence[Region],
    keys: Sequence[Region],
    call: AttentionCall,
    layout: TokenLayout,
    make: Callable[[AttentionCall, TokenLayout], Readout],
) -> Readout:
    """The readout for calls of this size, device and layout: the same at all sites of a kind and in all steps."""
    batch = len(call.query)
    sides = [(region, layout.queries[region.stream]) for region in queries]
    sides += [(region, layout.keys[region.stream]) for region in keys]
    place = (call.query.device, batch, call.key.shape[2], *((part.start, part.stop) for _, part in sides))
    if place not in prepared:
        for region, part in sides:
            _check(region, batch, part)
        prepared[place] = make(call, layout)
    return prepared[place]


def _rows(region: Region, call: AttentionCall, layout: TokenLayout) -> Rows:
    """The query rows inside a region; their weights sum to 1, or are all 0 where the region is empty."""
    queries, index = layout.queries[region.stream], region.members
    _check(region, len(call.query), queries)
    weights = statistics.normalised(region.weights.float()).gather(1, index)
    device = call.query.device
    return Rows((index + queries.start).to(device), weights.to(device), padded=not bool((weights > 0).all()))


def _key_regions(regions: Sequence[Region], call: AttentionCall, layout: TokenLayout) -> KeyRegions:
    """Key regions along the whole key axis of the site, of which their streams are parts."""
    parts = [layout.keys[region.stream] for region in regions]
    spread = [
        functional.pad(region.weights.float(), (part.start, call.key.shape[2] - part.stop))
        for region, part in zip(regions, parts, strict=True)
    ]
    return KeyRegions.of(torch.stack(spread, dim=-1)).to(call.key.device)


def _check(region: Region, batch: int, part: slice) -> None:
    """Refuse a region of another batch or stream."""
    expected, found = (batch, part.stop - part.start), tuple(region.weights.shape)
    if found != expected:
        raise InputError(
            f"weights have (batch, tokens) {found}, the attention has {expected}",
            where=f"region of the {region.stream} stream",
            cure="build regions on the grid, text length and batch of this forward",
        )
