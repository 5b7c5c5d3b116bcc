"""Pre-softmax scores, averaged over regions: linear in queries and keys, so the mean over a region comes first.

Computed in float32 whatever the model runs in, a few heads at a time, and the backward pass remembers only what the
model keeps anyway. What is read after the softmax is in :mod:`interplay.attention.streaming`; the dense twins of
everything are in :mod:`interplay.attention._reference`.

Shape legend: ``b`` batch, ``h`` heads, ``d`` head width, ``t`` query or key tokens of the site, ``n`` those that are
kept, ``m`` tokens of a stream that is averaged, ``i`` those of them that are read, ``r`` regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.attention.budget import FLOAT_BYTES, NO_LIMIT, Budget
from interplay.attention.products import product, weighted_sums
from interplay.attention.regions import Chosen, Region, chosen, part_of, take, weights_of
from interplay.attention.streaming import rounded


@dataclass(frozen=True)
class Averages:
    """Regions of one stream as weights that sum to 1 (or are all 0), over the tokens that are read for them.

    ``read`` says which tokens those are.
    """

    read: Chosen
    weights: Float[Tensor, "b r i"]

    @classmethod
    def of(cls, regions: Sequence[Region]) -> Averages:
        """Find the tokens that matter. A rehearsal has no numbers to find them by, and takes all."""
        weights = normalised(torch.stack([region.weights.float() for region in regions], dim=1))
        if weights.is_meta:
            return cls(slice(0, weights.shape[2]), weights)
        read = chosen((weights > 0).any(dim=1))
        return cls(read, weights_of(weights.transpose(1, 2), read).transpose(1, 2).contiguous())

    def to(self, device: torch.device) -> Averages:
        """The same on another device."""
        read = self.read if isinstance(self.read, slice) else self.read.to(device)
        return Averages(read, self.weights.to(device))


def mean_scores(
    tokens: Float[Tensor, "b h t d"],
    kept: slice,
    means: Float[Tensor, "b h r d"],
    scale: float,
    kernel_dtype: torch.dtype | None = None,
    budget: Budget = NO_LIMIT,
) -> Float[Tensor, "b h r n"]:
    """Scaled score of every kept token, averaged over regions of the other side: O((n + m) d).

    mean over j in R of scale * x_i . y_j  =  scale * x_i . (mean over j in R of y_j), with the region's weights in the
    mean. Scores are taken before the softmax and before the attention mask. An empty region gives zeros.
    """
    if not (torch.is_grad_enabled() and (tokens.requires_grad or means.requires_grad)):
        return _products(tokens, kept, means, scale, kernel_dtype, budget)
    scores = _Products.apply(tokens, kept, means, scale, kernel_dtype, budget)  # type: ignore[no-untyped-call]
    assert isinstance(scores, Tensor)
    return scores


def region_means(
    tokens: Float[Tensor, "b h t d"],
    stream: slice,
    averages: Averages,
    kernel_dtype: torch.dtype | None,
    budget: Budget,
) -> Float[Tensor, "b h r d"]:
    """Weighted means of queries or keys over regions of a stream, a part of them; zeros where a region is empty."""
    if not (torch.is_grad_enabled() and tokens.requires_grad):
        return _means(tokens, stream, averages, kernel_dtype, budget)
    means = _Means.apply(tokens, stream, averages, kernel_dtype, budget)  # type: ignore[no-untyped-call]
    assert isinstance(means, Tensor)
    return means


def gradient_bytes(*sides: Tensor) -> int:
    """Bytes of the gradients of these queries and keys."""
    return sum(side.nbytes for side in sides if torch.is_grad_enabled() and side.requires_grad)


def normalised(weights: Float[Tensor, "*b m"]) -> Float[Tensor, "*b m"]:
    """Weights that sum to 1 over their last axis; all zeros stay zeros."""
    total = weights.sum(dim=-1, keepdim=True)
    return weights / torch.where(total > 0, total, 1.0)


def _means(
    tokens: Float[Tensor, "b h t d"],
    stream: slice,
    averages: Averages,
    kernel_dtype: torch.dtype | None,
    budget: Budget,
) -> Float[Tensor, "b h r d"]:
    batch, heads, _, width = tokens.shape
    _, regions, count = averages.weights.shape
    read, result_bytes = averages.read, batch * heads * regions * width * FLOAT_BYTES
    if isinstance(read, slice) and not _is_converted(tokens, kernel_dtype):
        budget.afford(result_bytes)
        return weighted_sums(averages.weights, part_of(tokens, stream, read))
    means = tokens.new_empty(batch, heads, regions, width, dtype=torch.float32)
    of_stream = part_of(tokens, stream)
    for b, h in _head_groups(tokens, count, budget, result_bytes):
        part = take(of_stream[b, h], read if isinstance(read, slice) else read[b])
        means[b, h] = weighted_sums(averages.weights[b], rounded(part, kernel_dtype))
    return means


def _products(
    tokens: Float[Tensor, "b h t d"],
    kept: slice,
    means: Float[Tensor, "b h r d"],
    scale: float,
    kernel_dtype: torch.dtype | None,
    budget: Budget,
) -> Float[Tensor, "b h r n"]:
    of_kept = part_of(tokens, kept)
    scores = means.new_empty(*means.shape[:3], of_kept.shape[2])
    if not _is_converted(tokens, kernel_dtype):
        budget.afford(scores.nbytes)
        return product(means, of_kept.mT, scores, scale)
    for b, h in _head_groups(tokens, of_kept.shape[2], budget, scores.nbytes):
        product(means[b, h], rounded(of_kept[b, h], kernel_dtype).mT, scores[b, h], scale)
    return scores


class _Means(torch.autograd.Function):
    """sum over m of weights * tokens, per head and region. Remembers the weights alone."""

    @staticmethod
    def forward(
        ctx: Any,
        tokens: Tensor,
        stream: slice,
        averages: Averages,
        kernel_dtype: torch.dtype | None,
        budget: Budget,
    ) -> Float[Tensor, "b h r d"]:
        ctx.rest = stream, averages, budget, tokens.shape, tokens.dtype
        return _means(tokens, stream, averages, kernel_dtype, budget)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "b h r d"]) -> tuple[Tensor, None, None, None, None]:
        stream, averages, budget, shape, dtype = ctx.rest
        of_tokens = gradient.new_zeros(shape, dtype=dtype)
        of_stream, read = of_tokens[:, :, stream], averages.read
        weights = averages.weights.mT
        for b, h in _head_groups(of_tokens, weights.shape[1], budget, of_tokens.nbytes):
            part = weighted_sums(weights[b], gradient[b, h]).to(dtype)
            if isinstance(read, slice):
                of_stream[b, h, read] = part
            else:
                of_stream[b, h].scatter_(2, read[b, None, :, None].expand(part.shape), part)
        return of_tokens, None, None, None, None


class _Products(torch.autograd.Function):
    """means . kept, per head and region. Remembers the tokens, which the model keeps too, and the means."""

    @staticmethod
    def forward(
        ctx: Any,
        tokens: Tensor,
        kept: slice,
        means: Tensor,
        scale: float,
        kernel_dtype: torch.dtype | None,
        budget: Budget,
    ) -> Float[Tensor, "b h r n"]:
        ctx.save_for_backward(tokens, means)
        ctx.rest = kept, scale, kernel_dtype, budget
        return _products(tokens, kept, means, scale, kernel_dtype, budget)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "b h r n"]) -> tuple[Tensor, None, Tensor, None, None, None]:
        tokens, means = ctx.saved_tensors
        kept, scale, kernel_dtype, budget = ctx.rest
        of_tokens, of_means = torch.zeros_like(tokens), torch.empty_like(means)
        of_kept, remembered = part_of(of_tokens, kept), part_of(tokens, kept)
        for b, h in _head_groups(tokens, remembered.shape[2], budget, of_tokens.nbytes):
            of_kept[b, h] = product(gradient[b, h].mT, means[b, h], scale=scale)
            product(gradient[b, h], rounded(remembered[b, h], kernel_dtype), of_means[b, h], scale)
        return of_tokens, None, of_means, None, None, None


def _is_converted(tokens: Tensor, kernel_dtype: torch.dtype | None) -> bool:
    """Whether :func:`.rounded` makes a copy."""
    return tokens.dtype != torch.float32 or kernel_dtype is not None


def _head_groups(tokens: Tensor, length: int, budget: Budget, fixed_bytes: int) -> list[tuple[slice, slice]]:
    """Heads that are worked on together: a copy in float32 and one in the order a matrix product wants."""
    batch, heads, _, width = tokens.shape
    pieces = budget.pieces(
        batch,
        heads,
        0,
        head_bytes=2 * length * width * FLOAT_BYTES,
        row_bytes=0,
        fixed_bytes=fixed_bytes,
        on_cpu=tokens.device.type == "cpu",
    )
    return list(pieces.groups(batch, heads))
