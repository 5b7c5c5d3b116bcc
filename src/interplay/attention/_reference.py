"""Dense twins of the statistics: ten readable lines each that build the whole attention matrix. For tests only.

Shape legend: ``b`` batch, ``h`` heads, ``q`` query tokens, ``k`` key tokens, ``d`` head width, ``n`` query tokens that
are kept, ``r`` key regions, or pairs of a query region and a key region.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def dense_scores(query: Float[Tensor, "b h q d"], key: Float[Tensor, "b h k d"], scale: float) -> Tensor:
    """All pre-softmax scores, ``b h q k``."""
    return torch.einsum("bhqd,bhkd->bhqk", query.float(), key.float()) * scale


def dense_attention(
    query: Float[Tensor, "b h q d"], key: Float[Tensor, "b h k d"], mask: Tensor | None, scale: float
) -> Float[Tensor, "b h q k"]:
    """All softmax weights; rows that are masked as a whole are zero."""
    scores = dense_scores(query, key, scale)
    if mask is not None and mask.dtype == torch.bool:
        scores = torch.where(mask, scores, float("-inf"))
    elif mask is not None:
        scores = scores + mask
    seen = (scores > float("-inf")).any(dim=-1, keepdim=True)
    # Where nothing is seen the softmax would be no number, and so would its gradient.
    return torch.where(seen, torch.softmax(torch.where(seen, scores, 0.0), dim=-1), 0.0)


def dense_mean_over_keys(scores: Float[Tensor, "b h q k"], weights: Float[Tensor, "b k"]) -> Float[Tensor, "b h q"]:
    """Weighted mean over the keys of every row."""
    return (scores * weights[:, None, None, :]).sum(-1) / weights.sum(-1).clamp(min=1e-30)[:, None, None]


def dense_mean_over_queries(scores: Float[Tensor, "b h q k"], weights: Float[Tensor, "b q"]) -> Float[Tensor, "b h k"]:
    """Weighted mean over the queries of every column."""
    return (scores * weights[:, None, :, None]).sum(-2) / weights.sum(-1).clamp(min=1e-30)[:, None, None]


def dense_mass(attention: Float[Tensor, "b h q k"], columns: Float[Tensor, "b k r"]) -> Float[Tensor, "b h q r"]:
    """Mass of every row on each key region."""
    return torch.einsum("bhqk,bkr->bhqr", attention, columns)


def dense_paired_mass(
    attention: Float[Tensor, "b h q k"], rows: Float[Tensor, "b q r"], columns: Float[Tensor, "b k r"]
) -> Float[Tensor, "b h r"]:
    """Mass of each query region on its key region, by both weights."""
    return torch.einsum("bhqk,bqr,bkr->bhr", attention, rows, columns)
