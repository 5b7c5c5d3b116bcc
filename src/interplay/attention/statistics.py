"""The numbers that are read off one attention call, as pure functions of its queries and keys.

None of them builds the q x k matrix: means of scores are linear in the region, masses are one more attention call with
membership columns as values, and row maps stream over chunks of query rows. Everything is computed in float32, whatever
the model runs in. The dense twins of these functions are in :mod:`interplay.attention._reference`.

Shape legend: ``b`` batch, ``h`` heads, ``q`` query tokens, ``k`` key tokens, ``d`` head width, ``n`` tokens of a side
that is kept, ``m`` tokens of a side that is averaged, or gathered query rows, ``r`` key regions; ``#`` broadcasts.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

# Elements of one chunk of softmax rows: 2**26 float32 are 256 MiB, small beside any real video model.
ROW_CHUNK_ELEMENTS = 2**26


def mean_scores(
    kept: Float[Tensor, "b h n d"], averaged: Float[Tensor, "b h m d"], weights: Float[Tensor, "b m"], scale: float
) -> Float[Tensor, "b h n"]:
    """Scaled score of every kept token, averaged over a region of the other side: O((n + m) d).

    mean over j in R of scale * x_i . y_j  =  scale * x_i . (mean over j in R of y_j), with the region's weights in the
    mean. Scores are taken before the softmax and before the attention mask. An empty region gives zeros.
    """
    mean = torch.einsum("bm,bhmd->bhd", normalised(weights.float()), averaged.float())
    return torch.einsum("bhnd,bhd->bhn", kept.float(), mean) * scale


def region_mass(
    rows: Float[Tensor, "b h m d"],
    key: Float[Tensor, "b h k d"],
    mask: Tensor | None,
    scale: float,
    columns: Float[Tensor, "b k r"],
) -> Float[Tensor, "b h m r"]:
    """Attention mass of query rows on key regions: softmax(scale * rows . key + mask) @ columns, as attention itself.

    The regions' memberships take the place of the values, so no matrix of rows x k exists. Columns are padded with
    zeros to the head width, because fused kernels want values as wide as keys; more regions take several calls.
    """
    width = rows.shape[-1]
    parts = [
        _attend(rows, key, mask, scale, columns[:, :, first : first + width])
        for first in range(0, columns.shape[-1], width)
    ]
    return torch.cat(parts, dim=-1)


def _attend(
    rows: Tensor, key: Tensor, mask: Tensor | None, scale: float, columns: Float[Tensor, "b k r"]
) -> Float[Tensor, "b h m r"]:
    batch, heads, keys, width = key.shape
    values = functional.pad(columns.float(), (0, width - columns.shape[-1]))[:, None].expand(batch, heads, keys, width)
    if mask is not None and mask.dtype != torch.bool:
        mask = mask.float()
    out = functional.scaled_dot_product_attention(rows.float(), key.float(), values, attn_mask=mask, scale=scale)
    return out[..., : columns.shape[-1]]


def mean_row_map(
    rows: Float[Tensor, "b h m d"],
    key: Float[Tensor, "b h k d"],
    mask: Tensor | None,
    scale: float,
    weights: Float[Tensor, "b m"],
    chunk_elements: int = ROW_CHUNK_ELEMENTS,
) -> Float[Tensor, "b h k"]:
    """Weighted mean over query rows of their softmax over all keys, streamed over chunks of rows.

    Memory is ``chunk_elements`` float32 beyond the result. Weights that sum to 0 give zeros.
    """
    batch, heads, keys, _ = key.shape
    total = torch.zeros(batch, heads, keys, device=key.device)
    step = max(1, chunk_elements // (batch * heads * keys))
    share = normalised(weights.float())
    for first in range(0, rows.shape[2], step):
        chunk = slice(first, first + step)
        chunk_mask = mask if mask is None or mask.shape[2] == 1 else mask[:, :, chunk]
        attention = softmax_rows(rows[:, :, chunk], key, chunk_mask, scale)
        total = total + torch.einsum("bm,bhmk->bhk", share[:, chunk], attention)
    return total


def softmax_rows(
    rows: Float[Tensor, "b h m d"], key: Float[Tensor, "b h k d"], mask: Tensor | None, scale: float
) -> Float[Tensor, "b h m k"]:
    """The softmax rows themselves; only for few rows at a time."""
    scores = rows.float() @ key.float().transpose(-1, -2) * scale
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask.float()
    return scores.softmax(dim=-1)


def normalised(weights: Float[Tensor, "b m"]) -> Float[Tensor, "b m"]:
    """Weights that sum to 1 per batch element; all zeros stay zeros."""
    total = weights.sum(dim=1, keepdim=True)
    return weights / torch.where(total > 0, total, 1.0)


def member_rows(weights: Float[Tensor, "b n"]) -> Int[Tensor, "b m"]:
    """Positions of the members (weight > 0) of each batch element, padded to the largest count in the batch.

    Padding takes positions of non-members: distinct, harmless as query rows, and recognised by their weight of 0.
    """
    member = weights > 0
    order = member.to(torch.int8).argsort(dim=1, descending=True, stable=True)
    return order[:, : int(member.sum(dim=1).max())]


def take_rows(tokens: Float[Tensor, "b h n d"], rows: Int[Tensor, "b m"]) -> Float[Tensor, "b h m d"]:
    """Per batch element, the tokens at these positions."""
    batch, heads, _, width = tokens.shape
    return tokens.gather(2, rows[:, None, :, None].expand(batch, heads, rows.shape[1], width))


def take_mask_rows(mask: Tensor | None, rows: Int[Tensor, "b m"]) -> Tensor | None:
    """The rows of an attention mask that go with :func:`take_rows`; a mask that is the same for all rows stays."""
    if mask is None or mask.shape[2] == 1:
        return mask
    batch, count = rows.shape
    per_sample = mask.expand(batch, -1, -1, -1)
    return per_sample.gather(2, rows[:, None, :, None].expand(batch, mask.shape[1], count, mask.shape[3]))
