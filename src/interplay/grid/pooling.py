"""Pooling mask tracks from pixels onto the token grid, by a named rule.

The rule decides what a token that is half covered counts as, and a method's recipe names it, because MATRIX's paper and
code and TAViD all pool differently.

Shape legend: ``k`` masks (any flat batch of tracks), ``p y x`` pixel frames, height, width, ``f h w`` token frames,
height, width, ``r`` temporal positions of the result (token frames or pixel frames, see ``rate``).
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interplay.core.errors import InputError
from interplay.grid.token_grid import TokenGrid

PoolRule = Literal["area", "max", "nearest"]
Rate = Literal["latent", "full"]


def pool_masks(
    masks: Bool[Tensor, "k p y x"] | Float[Tensor, "k p y x"],
    grid: TokenGrid,
    *,
    rule: PoolRule,
    rate: Rate,
    known: Bool[Tensor, "k p"] | None = None,
) -> Float[Tensor, "k r h w"]:
    """How much of each token's pixels a mask covers, in 0..1.

    ``rule``, in space and then in time (over the pixel frames of a token frame):
      - ``area``: the covered share; the mean over the frames;
      - ``max``: any covered pixel; the union of the frames;
      - ``nearest``: the pixel at the token's centre; the union of the frames. This is the rule of MATRIX's analysis
        (released code: nearest resize, then OR over the pixel frames of a latent frame).
    ``rate`` ``latent`` gives token frames (r = f); ``full`` keeps every pixel frame (r = p), pooled in space only.
    ``known`` marks the frames in which a track is known; the others (gaps) take no part in mean or union, and a token
    frame of gaps only is 0: ask :func:`pool_known` which those are.
    """
    _check_size(masks, grid)
    in_space = _pool_space(masks, grid, rule)
    if known is not None:
        in_space = in_space * known[:, :, None, None]
    if rate == "full":
        return in_space
    frames = [_pool_frames(in_space[:, f], rule, None if known is None else known[:, f]) for f in _frame_groups(grid)]
    return torch.stack(frames, dim=1)


def pool_known(known: Bool[Tensor, "k p"], grid: TokenGrid) -> Bool[Tensor, "k f"]:
    """Whether a track is known in at least one pixel frame of each token frame."""
    return torch.stack([known[:, frames].any(dim=1) for frames in _frame_groups(grid)], dim=1)


def _check_size(masks: Tensor, grid: TokenGrid) -> None:
    found, expected = tuple(masks.shape[1:]), (grid.frames, grid.height, grid.width)
    if found != expected:
        raise InputError(
            f"masks have (frames, height, width) {found}, the clip has {expected}",
            where="mask tracks",
            cure="resize masks and frames together, with one geometry",
        )


def _frame_groups(grid: TokenGrid) -> list[slice]:
    spans = [grid.pixel_frames_of_token(frame) for frame in range(grid.token_shape[0])]
    return [slice(span.start, span.stop) for span in spans]


def _pool_space(masks: Tensor, grid: TokenGrid, rule: PoolRule) -> Float[Tensor, "k p h w"]:
    _, height, width = grid.token_shape
    side_y, side_x = grid.height // height, grid.width // width
    if rule == "nearest":
        return masks[:, :, side_y // 2 :: side_y, side_x // 2 :: side_x].float()
    cells = masks.float().reshape(*masks.shape[:2], height, side_y, width, side_x)
    return cells.mean(dim=(3, 5)) if rule == "area" else cells.amax(dim=(3, 5))


def _pool_frames(
    frames: Float[Tensor, "k p h w"], rule: PoolRule, known: Bool[Tensor, "k p"] | None
) -> Float[Tensor, "k h w"]:
    if rule != "area":
        return frames.amax(dim=1)
    if known is None:
        return frames.mean(dim=1)
    # Gaps are zero already, so the sum is over known frames; no known frame at all gives 0 / 1.
    return frames.sum(dim=1) / known.sum(dim=1).clamp(min=1)[:, None, None]
