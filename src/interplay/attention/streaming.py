"""Softmax attention read piece by piece: every statistic of it as one differentiable operation that keeps no matrix.

Forward, pieces of rows x keys are computed in float32, read and dropped. With the log-sum-exp of the model's own kernel
a piece needs only the keys that are read: p = exp(score - log-sum-exp). Without it all keys are needed, for the sum.
Backward, the pieces are computed again (with all keys, since each of them stands under every softmax). Between the two
only queries and keys are remembered, and those the model keeps anyway.

Shape legend: ``b`` batch, ``h`` heads, ``q`` query tokens, ``k`` key tokens, ``d`` head width, ``m`` query rows that
are read, ``c`` rows of a piece, ``j`` keys of a piece; ``*r`` the axes of a statistic.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.attention.budget import FLOAT_BYTES, Budget, Pieces
from interplay.attention.products import product
from interplay.attention.regions import Chosen, take


@dataclass(frozen=True)
class Softmax:
    """How the scores of a call become attention weights.

    ``log_sum_exp`` is that of the model's own kernel, where it gave one. ``kernel_dtype`` is what autocast turned
    queries and keys into, where they came in another type.
    """

    mask: Tensor | None
    scale: float
    log_sum_exp: Float[Tensor, "b h q"] | None
    kernel_dtype: torch.dtype | None


@dataclass(frozen=True)
class Rows:
    """The query rows that are read: positions and weights, padded to a common count by rows of weight 0.

    ``padded`` is whether there are such rows.
    """

    index: Int[Tensor, "b m"]
    weights: Float[Tensor, "b m"]
    padded: bool


class Readout(ABC):
    """What is taken from a piece of attention; linear in it."""

    rows: Rows

    @abstractmethod
    def empty(self, batch: int, heads: int, keys: int) -> Tensor:
        """Zeros of the statistic's shape ``b h *``."""

    @abstractmethod
    def keys_read(self) -> Chosen | None:
        """The keys it looks at, ``None`` for all."""

    @abstractmethod
    def add(self, result: Tensor, weights: Float[Tensor, "b h c j"], batch: slice, rows: slice) -> None:
        """Add what a piece of attention contributes; ``result`` is the part of these batch elements and heads."""

    @abstractmethod
    def pull_back(self, gradient: Tensor, batch: slice, rows: slice) -> Float[Tensor, "b _ c k"]:
        """The gradient with respect to a piece's attention over all keys."""


def read(
    query: Float[Tensor, "b h q d"], key: Float[Tensor, "b h k d"], softmax: Softmax, readout: Readout, budget: Budget
) -> Tensor:
    """The readout of softmax(scale * query . key + mask), differentiable in queries and keys."""
    if torch.is_grad_enabled() and (query.requires_grad or key.requires_grad):
        result = _Read.apply(query, key, softmax, readout, budget)  # type: ignore[no-untyped-call]
        assert isinstance(result, Tensor)
        return result
    return _forward(query, key, softmax, readout, budget, gradients=False)


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, softmax: Softmax, readout: Readout, budget: Budget
    ) -> Float[Tensor, "b h *r"]:
        ctx.save_for_backward(query, key)
        ctx.rest = replace(softmax, log_sum_exp=None), readout, budget
        return _forward(query, key, softmax, readout, budget, gradients=True)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        query, key = ctx.saved_tensors
        return (*_backward(query, key, gradient, *ctx.rest), None, None, None)


def _forward(
    query: Float[Tensor, "b h q d"],
    key: Float[Tensor, "b h k d"],
    softmax: Softmax,
    readout: Readout,
    budget: Budget,
    *,
    gradients: bool,
) -> Tensor:
    batch, heads, keys, _ = key.shape
    result = readout.empty(batch, heads, keys)
    chosen = readout.keys_read() if softmax.log_sum_exp is not None else None
    count = keys if chosen is None else _count(chosen)
    fixed = result.nbytes + (query.nbytes + key.nbytes if gradients else 0)
    if gradients:  # refused now rather than in the middle of the backward pass
        _pieces(query, keys, readout, budget, fixed, held=_BACKWARD_MATRICES)
    pieces = _pieces(query, count, readout, budget, fixed, held=_FORWARD_MATRICES)
    for of_batch, of_heads in pieces.groups(batch, heads):
        group = _Group(query, key, softmax, readout.rows, of_batch, of_heads, chosen)
        for rows in pieces.row_slices(readout.rows.index.shape[1]):
            readout.add(result[of_batch, of_heads], group.attention(rows)[1], of_batch, rows)
    return result


def _backward(
    query: Float[Tensor, "b h q d"],
    key: Float[Tensor, "b h k d"],
    gradient: Tensor,
    softmax: Softmax,
    readout: Readout,
    budget: Budget,
) -> tuple[Float[Tensor, "b h q d"], Float[Tensor, "b h k d"]]:
    batch, heads, keys, _ = key.shape
    of_query, of_key = torch.zeros_like(query), torch.zeros_like(key)
    fixed = query.nbytes + key.nbytes + gradient.nbytes
    pieces = _pieces(query, keys, readout, budget, fixed, held=_BACKWARD_MATRICES)
    for of_batch, of_heads in pieces.groups(batch, heads):
        group = _Group(query, key, softmax, readout.rows, of_batch, of_heads, None)
        upstream, summed = gradient[of_batch, of_heads], torch.zeros_like(group.keys)
        for rows in pieces.row_slices(readout.rows.index.shape[1]):
            queries, weights = group.attention(rows)
            # The gradient of a softmax: p * (g - sum p g).
            pulled = weights * readout.pull_back(upstream, of_batch, rows)
            pulled = pulled.sub_(weights.mul_(pulled.sum(dim=-1, keepdim=True)))
            summed += pulled.transpose(-1, -2) @ queries  # queries carry the scale already
            group.scatter(of_query, rows, pulled @ group.keys * softmax.scale)
        of_key[of_batch, of_heads] = summed.to(key.dtype)
    return of_query, of_key


# Matrices of rows x keys that live at the same time: scores and weights; and forth and back the pulled-back gradient.
_FORWARD_MATRICES, _BACKWARD_MATRICES = 2, 4


def _pieces(query: Tensor, keys: int, readout: Readout, budget: Budget, fixed_bytes: int, *, held: int) -> Pieces:
    batch, heads, _, width = query.shape
    return budget.pieces(
        batch,
        heads,
        readout.rows.index.shape[1],
        head_bytes=held * keys * width * FLOAT_BYTES,  # keys gathered and in float32, and their gradient
        row_bytes=(held * keys + 3 * width) * FLOAT_BYTES,
        fixed_bytes=fixed_bytes,
        on_cpu=query.device.type == "cpu",
    )


class _Group:
    """Some batch elements and heads of a call: their keys once, their attention piece by piece of the rows."""

    def __init__(
        self,
        query: Tensor,
        key: Tensor,
        softmax: Softmax,
        rows: Rows,
        of_batch: slice,
        of_heads: slice,
        chosen: Chosen | None,
    ) -> None:
        self.query, self.of = query[of_batch, of_heads], (of_batch, of_heads)
        self.softmax, self.index = softmax, rows.index[of_batch]
        self.chosen = chosen[of_batch] if isinstance(chosen, Tensor) else chosen
        keys = key[of_batch, of_heads]
        self.keys = rounded(keys if self.chosen is None else take(keys, self.chosen), softmax.kernel_dtype)

    def attention(self, rows: slice) -> tuple[Float[Tensor, "b h c d"], Float[Tensor, "b h c j"]]:
        """Scaled queries of a piece, and its attention."""
        index = self.index[:, rows]
        queries = rounded(take(self.query, index), self.softmax.kernel_dtype) * self.softmax.scale
        scores = product(queries, self.keys.transpose(-1, -2))
        mask = self._mask(index)
        if mask is None:
            return queries, self._weights(scores, index)
        scores = scores.masked_fill_(~mask, float("-inf")) if mask.dtype == torch.bool else scores.add_(mask)
        # Queries that may look at nothing (padding) attend to nothing; the softmax of such a row is no number.
        nothing = scores.amax(dim=-1, keepdim=True) == float("-inf")
        return queries, self._weights(scores, index).masked_fill_(nothing, 0.0)

    def _weights(self, scores: Float[Tensor, "b h c j"], index: Int[Tensor, "b c"]) -> Float[Tensor, "b h c j"]:
        total = self.softmax.log_sum_exp
        if total is None:
            return scores.softmax(dim=-1)
        of_rows = total[self.of].gather(2, index[:, None].expand(-1, scores.shape[1], -1))
        return scores.sub_(of_rows[..., None]).exp_()

    def scatter(self, whole: Float[Tensor, "_ _ q d"], rows: slice, values: Float[Tensor, "b h c d"]) -> None:
        """Write rows of a piece to their places (each row is in one piece only)."""
        index = self.index[:, rows, None][:, None].expand(values.shape)
        whole[self.of].scatter_(2, index, values.to(whole.dtype))

    def _mask(self, index: Int[Tensor, "b c"]) -> Tensor | None:
        """The mask of these rows and keys; axes of length 1 stay, they hold for all."""
        mask = self.softmax.mask
        if mask is None:
            return None
        of_batch, of_heads = self.of
        mask = mask[of_batch if mask.shape[0] > 1 else slice(None), of_heads if mask.shape[1] > 1 else slice(None)]
        if mask.shape[2] > 1:
            mask = take(mask.expand(len(index), -1, -1, -1), index)
        if isinstance(self.chosen, slice):
            return mask[..., self.chosen] if mask.shape[3] > 1 else mask
        if self.chosen is not None and mask.shape[3] > 1:
            mask = mask.expand(len(index), -1, -1, -1)
            mask = mask.gather(3, self.chosen[:, None, None].expand(-1, *mask.shape[1:3], -1))
        return mask


def _count(chosen: Chosen) -> int:
    return chosen.stop - chosen.start if isinstance(chosen, slice) else chosen.shape[1]


def rounded(tokens: Tensor, kernel_dtype: torch.dtype | None) -> Float[Tensor, "b h n d"]:
    """Tokens in float32, after the rounding that the model's kernel gives them."""
    return (tokens if kernel_dtype is None else tokens.to(kernel_dtype)).float()
