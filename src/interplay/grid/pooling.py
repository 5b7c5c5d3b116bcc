"""Pooling mask tracks from pixels onto the token grid, by a named rule.

The rule decides what a token that is half covered counts as, and a method's recipe names it, because MATRIX's paper and
code and TAViD all pool differently.

Shape legend: ``k`` masks (any flat batch of tracks), ``p y x`` pixel frames, height, width, ``f h w`` token frames,
height, width, ``r`` temporal positions of the result (token frames or pixel frames, see ``rate``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray
from torch import Tensor

from interplay.core.errors import InputError
from interplay.grid.token_grid import TokenGrid
from interplay.records.geometry import Transform
from interplay.records.masks import MaskTrack
from interplay.records.rle import blocks
from interplay.records.runs import Runs, cell_areas, resample, runs_of

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
    _check_size(tuple(masks.shape[1:]), grid)
    in_space = _pool_space(masks, grid, rule)
    if known is not None:
        in_space = in_space * known[:, :, None, None]
    return _pool_time(in_space, grid, rule, rate, known)


def pool_track(
    track: MaskTrack, grid: TokenGrid, *, rule: PoolRule, rate: Rate, fit: Transform | None = None
) -> Float[Tensor, "r h w"]:
    """What :func:`pool_masks` makes of the track's masks (brought to the grid's size by ``fit``), bit for bit.

    Gaps are the frames that are not known. Nothing is painted: the work goes with the number of runs, not of pixels.
    """
    return pool_tracks([track], grid, rule=rule, rate=rate, fit=fit)[0]


def pool_tracks(
    tracks: Sequence[MaskTrack], grid: TokenGrid, *, rule: PoolRule, rate: Rate, fit: Transform | None = None
) -> Float[Tensor, "k r h w"]:
    """:func:`pool_track` of several tracks of one size, also of several clips: faster than one after the other."""
    for track in tracks:
        _check_size((len(track), *(track.size_hw if fit is None else fit.target_hw)), grid)
        if fit is not None:
            fit.check(track.size_hw)
    size_hw = (grid.height, grid.width) if fit is None else fit.source_hw
    frames = tuple(counts for track in tracks for counts in track.frames)
    in_space = np.zeros((len(frames), *grid.token_shape[1:]), dtype=np.float32)
    for block in blocks([len(counts or b"") for counts in frames]):
        in_space[block] = _pool_runs(runs_of(MaskTrack(size_hw, frames[block])), grid, rule, fit)
    known = torch.tensor([counts is not None for counts in frames], dtype=torch.bool)
    by_track = torch.from_numpy(in_space).unflatten(0, (len(tracks), grid.frames))
    return _pool_time(by_track, grid, rule, rate, known.unflatten(0, (len(tracks), grid.frames)))


def pool_known(known: Bool[Tensor, "k p"], grid: TokenGrid) -> Bool[Tensor, "k f"]:
    """Whether a track is known in at least one pixel frame of each token frame."""
    return torch.cat([frames.any(dim=2) for frames in _by_token(known, grid)], dim=1)


def _check_size(found: tuple[int, ...], grid: TokenGrid) -> None:
    expected = (grid.frames, grid.height, grid.width)
    if found != expected:
        raise InputError(
            f"masks have (frames, height, width) {found}, the clip has {expected}",
            where="mask tracks",
            cure="resize masks and frames together, with one geometry",
        )


def _by_token(frames: Shaped[Tensor, "k p *rest"], grid: TokenGrid) -> list[Shaped[Tensor, "k _ _ *rest"]]:
    """The pixel frames of token frame 0, and those of all others, which have equally many: [k, token, frame, ...]."""
    first, others = len(grid.pixel_frames_of_token(0)), grid.token_shape[0] - 1
    per_token = grid.temporal_stride * grid.patch[0]
    return [frames[:, :first].unflatten(1, (1, first)), frames[:, first:].unflatten(1, (others, per_token))]


def _pool_space(masks: Tensor, grid: TokenGrid, rule: PoolRule) -> Float[Tensor, "k p h w"]:
    _, height, width = grid.token_shape
    side_y, side_x = grid.height // height, grid.width // width
    if rule == "nearest":
        return masks[:, :, side_y // 2 :: side_y, side_x // 2 :: side_x].float()
    cells = masks.float().reshape(*masks.shape[:2], height, side_y, width, side_x)
    return cells.mean(dim=(3, 5)) if rule == "area" else cells.amax(dim=(3, 5))


def _pool_runs(runs: Runs, grid: TokenGrid, rule: PoolRule, fit: Transform | None) -> Float[ndarray, "kp h w"]:
    """The twin of :func:`_pool_space`: the frames of all tracks, one after the other."""
    _, height, width = grid.token_shape
    side_y, side_x = grid.height // height, grid.width // width
    rows, columns = (np.arange(grid.height), np.arange(grid.width)) if fit is None else fit.sampled()
    if rule == "nearest":
        rows, columns = rows[side_y // 2 :: side_y], columns[side_x // 2 :: side_x]
    fitted = runs if fit is None and rule != "nearest" else resample(runs, rows, columns)
    areas = cell_areas(fitted, (height, width)).astype(np.float32)
    return areas / np.float32(side_y * side_x) if rule == "area" else np.minimum(areas, np.float32(1))


def _pool_time(
    in_space: Float[Tensor, "k p h w"],
    grid: TokenGrid,
    rule: PoolRule,
    rate: Rate,
    known: Bool[Tensor, "k p"] | None,
) -> Float[Tensor, "k r h w"]:
    if rate == "full":
        return in_space
    if known is None:
        known = torch.ones(in_space.shape[:2], dtype=torch.bool, device=in_space.device)
    groups = zip(_by_token(in_space, grid), _by_token(known, grid), strict=True)
    return torch.cat([_pool_frames(frames, rule, seen) for frames, seen in groups], dim=1)


def _pool_frames(
    frames: Float[Tensor, "k f n h w"], rule: PoolRule, known: Bool[Tensor, "k f n"]
) -> Float[Tensor, "k f h w"]:
    if rule != "area":
        return frames.amax(dim=2)
    # Gaps are zero already, so the sum is over known frames; no known frame at all gives 0 / 1.
    return frames.sum(dim=2) / known.sum(dim=2).clamp(min=1)[:, :, None, None]
