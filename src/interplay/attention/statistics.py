"""Pre-softmax scores, averaged over regions: linear in queries and keys, so the mean over a region comes first.

Computed in float32 whatever the model runs in, a few heads at a time, and the backward pass remembers only what the
model keeps anyway. What is read after the softmax is in :mod:`interplay.attention.streaming`; the dense twins of
everything are in :mod:`interplay.attention._reference`.

Shape legend: ``b`` batch, ``h`` heads, ``d`` head width, ``n`` tokens of a side that is kept, ``m`` tokens of a side
that is averaged, ``i`` those of them that are in a region, ``r`` regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.attention.budget import FLOAT_BYTES, NO_LIMIT, Budget
from interplay.attention.regions import Region, members
from interplay.attention.streaming import rounded, take


@dataclass(frozen=True)
class Averages:
    """Regions of one stream as weights that sum to 1 (or are all 0), over the tokens in any of them.

    ``index`` says where those tokens are, ``None`` for everywhere.
    """

    index: Int[Tensor, "b i"] | None
    weights: Float[Tensor, "b r i"]

    @classmethod
    def of(cls, regions: Sequence[Region]) -> Averages:
        """Find the tokens that matter. A rehearsal has no numbers to find them by, and takes all."""
        weights = torch.stack([normalised(region.weights.float()) for region in regions], dim=1)
        if weights.is_meta:
            return cls(None, weights)
        index = members((weights > 0).any(dim=1))
        if index.shape[1] == weights.shape[2]:
            return cls(None, weights)
        return cls(index, weights.gather(2, index[:, None].expand(-1, weights.shape[1], -1)))

    def to(self, device: torch.device) -> Averages:
        """The same on another device."""
        return Averages(None if self.index is None else self.index.to(device), self.weights.to(device))


def mean_scores(
    kept: Float[Tensor, "b h n d"],
    means: Float[Tensor, "b h r d"],
    scale: float,
    kernel_dtype: torch.dtype | None = None,
    budget: Budget = NO_LIMIT,
) -> Float[Tensor, "b h r n"]:
    """Scaled score of every kept token, averaged over regions of the other side: O((n + m) d).

    mean over j in R of scale * x_i . y_j  =  scale * x_i . (mean over j in R of y_j), with the region's weights in the
    mean. Scores are taken before the softmax and before the attention mask. An empty region gives zeros.
    """
    means = means * scale
    if not (torch.is_grad_enabled() and (kept.requires_grad or means.requires_grad)):
        return _products(kept, means, kernel_dtype, budget)
    scores = _Products.apply(kept, means, kernel_dtype, budget)  # type: ignore[no-untyped-call]
    assert isinstance(scores, Tensor)
    return scores


def region_means(
    tokens: Float[Tensor, "b h m d"], averages: Averages, kernel_dtype: torch.dtype | None, budget: Budget
) -> Float[Tensor, "b h r d"]:
    """Weighted means of queries or keys over regions; zeros where a region is empty."""
    if not (torch.is_grad_enabled() and tokens.requires_grad):
        return _means(tokens, averages, kernel_dtype, budget)
    means = _Means.apply(tokens, averages, kernel_dtype, budget)  # type: ignore[no-untyped-call]
    assert isinstance(means, Tensor)
    return means


def gradient_bytes(*sides: Tensor) -> int:
    """Bytes of the gradients of these queries and keys: one of the part that is used, one spread over all tokens."""
    return sum(2 * side.nbytes for side in sides if torch.is_grad_enabled() and side.requires_grad)


def normalised(weights: Float[Tensor, "b m"]) -> Float[Tensor, "b m"]:
    """Weights that sum to 1 per batch element; all zeros stay zeros."""
    total = weights.sum(dim=1, keepdim=True)
    return weights / torch.where(total > 0, total, 1.0)


def _means(
    tokens: Float[Tensor, "b h m d"], averages: Averages, kernel_dtype: torch.dtype | None, budget: Budget
) -> Float[Tensor, "b h r d"]:
    batch, heads, _, width = tokens.shape
    means = tokens.new_empty(batch, heads, averages.weights.shape[1], width, dtype=torch.float32)
    for b, h in _head_groups(tokens, averages.weights.shape[2], budget, means.nbytes):
        part = tokens[b, h] if averages.index is None else take(tokens[b, h], averages.index[b])
        means[b, h] = averages.weights[b, None] @ rounded(part, kernel_dtype)
    return means


def _products(
    kept: Float[Tensor, "b h n d"], means: Float[Tensor, "b h r d"], kernel_dtype: torch.dtype | None, budget: Budget
) -> Float[Tensor, "b h r n"]:
    scores = means.new_empty(*means.shape[:3], kept.shape[2])
    for b, h in _head_groups(kept, kept.shape[2], budget, scores.nbytes):
        scores[b, h] = means[b, h] @ rounded(kept[b, h], kernel_dtype).transpose(-1, -2)
    return scores


class _Means(torch.autograd.Function):
    """sum over m of weights * tokens, per head and region. Remembers the weights alone."""

    @staticmethod
    def forward(
        ctx: Any, tokens: Tensor, averages: Averages, kernel_dtype: torch.dtype | None, budget: Budget
    ) -> Float[Tensor, "b h r d"]:
        ctx.rest = averages, budget, tokens.shape, tokens.dtype
        return _means(tokens, averages, kernel_dtype, budget)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "b h r d"]) -> tuple[Tensor, None, None, None]:
        averages, budget, shape, dtype = ctx.rest
        of_tokens = gradient.new_zeros(shape, dtype=dtype)
        for b, h in _head_groups(of_tokens, averages.weights.shape[2], budget, of_tokens.nbytes):
            part = (averages.weights[b, None].transpose(-1, -2) @ gradient[b, h]).to(dtype)
            if averages.index is None:
                of_tokens[b, h] = part
            else:
                of_tokens[b, h].scatter_(2, averages.index[b, None, :, None].expand(part.shape), part)
        return of_tokens, None, None, None


class _Products(torch.autograd.Function):
    """means . kept, per head and region. Remembers the kept tokens, which the model keeps too, and the means."""

    @staticmethod
    def forward(
        ctx: Any, kept: Tensor, means: Tensor, kernel_dtype: torch.dtype | None, budget: Budget
    ) -> Float[Tensor, "b h r n"]:
        ctx.save_for_backward(kept, means)
        ctx.rest = kernel_dtype, budget
        return _products(kept, means, kernel_dtype, budget)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "b h r n"]) -> tuple[Tensor, Tensor, None, None]:
        kept, means = ctx.saved_tensors
        kernel_dtype, budget = ctx.rest
        of_kept, of_means = torch.empty_like(kept), torch.empty_like(means)
        for b, h in _head_groups(kept, kept.shape[2], budget, of_kept.nbytes):
            of_kept[b, h] = gradient[b, h].transpose(-1, -2) @ means[b, h]
            of_means[b, h] = gradient[b, h] @ rounded(kept[b, h], kernel_dtype)
        return of_kept, of_means, None, None


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
