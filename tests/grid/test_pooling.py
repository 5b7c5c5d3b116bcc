from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.core.errors import InputError
from interplay.grid.pooling import pool_known, pool_masks, pool_track, pool_tracks
from interplay.grid.token_grid import TokenGrid
from interplay.records.geometry import Fit, Flip
from interplay.records.masks import MaskTrack
from interplay.world.sampling import render_at
from mask_strategies import sizes, tracks

# 5 pixel frames -> 2 token frames ([0], [1..4]); 8 x 8 pixels -> 2 x 2 tokens of 4 x 4 pixels.
GRID = TokenGrid(frames=5, height=8, width=8, temporal_stride=4, spatial_stride=2, patch=(1, 2, 2))


def _masks() -> torch.Tensor:
    masks = torch.zeros(1, 5, 8, 8, dtype=torch.bool)
    masks[0, 0, :4, :4] = True  # frame 0: the upper left token, whole
    masks[0, 1, :2, 4:8] = True  # frame 1: the upper half of the upper right token
    masks[0, 2, 6, 2] = True  # frame 2: the centre pixel of the lower left token
    return masks


def test_area_is_the_mean_over_pixels_and_frames() -> None:
    pooled = pool_masks(_masks(), GRID, rule="area", rate="latent")
    assert pooled.shape == (1, 2, 2, 2)
    torch.testing.assert_close(pooled[0, 0], torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    torch.testing.assert_close(pooled[0, 1], torch.tensor([[0.0, 0.5 / 4], [1 / 16 / 4, 0.0]]))


def test_max_is_the_union() -> None:
    pooled = pool_masks(_masks(), GRID, rule="max", rate="latent")
    torch.testing.assert_close(pooled[0, 1], torch.tensor([[0.0, 1.0], [1.0, 0.0]]))


def test_nearest_looks_at_the_centre_pixel_and_unites_frames() -> None:
    pooled = pool_masks(_masks(), GRID, rule="nearest", rate="latent")
    torch.testing.assert_close(pooled[0, 0], torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    torch.testing.assert_close(pooled[0, 1], torch.tensor([[0.0, 0.0], [1.0, 0.0]]))


def test_full_rate_keeps_the_pixel_frames() -> None:
    pooled = pool_masks(_masks(), GRID, rule="area", rate="full")
    assert pooled.shape == (1, 5, 2, 2)
    assert pooled[0, 1, 0, 1] == 0.5
    assert pooled[0, 3].sum() == 0


@pytest.mark.parametrize("rule", ["area", "max", "nearest"])
def test_frames_of_a_token_are_pooled_at_once_like_one_by_one(rule: str) -> None:
    masks = torch.rand(3, 5, 8, 8, generator=torch.Generator().manual_seed(0)) > 0.6
    full = pool_masks(masks, GRID, rule=rule, rate="full")
    latent = pool_masks(masks, GRID, rule=rule, rate="latent")
    torch.testing.assert_close(latent[:, 0], full[:, 0])
    later = full[:, 1:].mean(1) if rule == "area" else full[:, 1:].amax(1)
    torch.testing.assert_close(latent[:, 1], later)


def test_gaps_take_no_part() -> None:
    known = torch.tensor([[True, True, False, False, False]])
    pooled = pool_masks(_masks(), GRID, rule="area", rate="latent", known=known)
    torch.testing.assert_close(pooled[0, 1], torch.tensor([[0.0, 0.5], [0.0, 0.0]]))


def test_a_token_frame_of_gaps_only_is_unknown() -> None:
    known = torch.tensor([[True, False, False, False, False], [False, True, True, True, True]])
    torch.testing.assert_close(pool_known(known, GRID), torch.tensor([[True, False], [False, True]]))
    pooled = pool_masks(_masks().expand(2, -1, -1, -1), GRID, rule="area", rate="latent", known=known)
    assert pooled[0, 1].sum() == 0
    assert pooled[1, 0].sum() == 0


def test_masks_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(5, 8, 4\), the clip has \(5, 8, 8\)"):
        pool_masks(torch.zeros(1, 5, 8, 4), GRID, rule="max", rate="latent")


# --- from runs -------------------------------------------------------------------------------------------------------


@st.composite
def _grids(draw: st.DrawFn) -> TokenGrid:
    temporal, spatial = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    patch = (draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 3)))
    frames = 1 + temporal * (patch[0] * draw(st.integers(1, 3)) - 1)
    height, width = (spatial * side * draw(st.integers(1, 5)) for side in patch[1:])
    return TokenGrid(frames, height, width, temporal, spatial, patch)


@settings(max_examples=150)
@given(st.data(), st.sampled_from(["area", "max", "nearest"]), st.sampled_from(["latent", "full"]))
def test_a_track_pools_like_its_fitted_masks(data: st.DataObject, rule: str, rate: str) -> None:
    grid = data.draw(_grids())
    size_hw = (grid.height, grid.width)
    fit = None
    if data.draw(st.booleans()):
        fit = Fit(data.draw(sizes()), size_hw, data.draw(st.sampled_from(["cover", "contain"]))).then(Flip(size_hw))
    several = [
        data.draw(tracks(size_hw=size_hw if fit is None else fit.source_hw, num_frames=grid.frames)) for _ in range(2)
    ]
    masks = np.stack([drawn.masks if fit is None else fit.masks(drawn.masks) for drawn in several])
    known = torch.from_numpy(np.stack([drawn.track.known() for drawn in several]))
    expected = pool_masks(torch.from_numpy(masks), grid, rule=rule, rate=rate, known=known)
    found = pool_tracks([drawn.track for drawn in several], grid, rule=rule, rate=rate, fit=fit)
    assert found.dtype == expected.dtype
    assert torch.equal(found, expected)
    assert torch.equal(pool_track(several[1].track, grid, rule=rule, rate=rate, fit=fit), expected[1])


@pytest.mark.parametrize("rule", ["area", "max", "nearest"])
def test_tracks_of_the_world_pool_like_their_masks(rule: str) -> None:
    _, rendering = render_at(0, "test", 3, 17, (48, 80))
    grid = TokenGrid(17, 48, 80, temporal_stride=4, spatial_stride=4, patch=(1, 2, 2))
    masks = np.stack(list(rendering.masks.values()))
    found = pool_tracks([MaskTrack.from_array(mask) for mask in masks], grid, rule=rule, rate="latent")
    assert torch.equal(found, pool_masks(torch.from_numpy(masks), grid, rule=rule, rate="latent"))


def test_no_tracks_at_all() -> None:
    assert pool_tracks([], GRID, rule="area", rate="latent").shape == (0, 2, 2, 2)
    assert pool_tracks([], GRID, rule="nearest", rate="full").shape == (0, 5, 2, 2)


def test_tracks_of_another_size_are_refused() -> None:
    track = MaskTrack.from_array(np.zeros((5, 8, 4), dtype=bool))
    with pytest.raises(InputError, match=r"\(5, 8, 4\), the clip has \(5, 8, 8\)"):
        pool_track(track, GRID, rule="area", rate="latent")
    with pytest.raises(InputError, match=r"\(4, 8, 8\), the clip has \(5, 8, 8\)"):
        pool_track(track.select(range(4)), GRID, rule="area", rate="latent", fit=Fit((8, 4), (8, 8)))
    with pytest.raises(ValueError, match=r"this fit is for pictures of \(8, 5\), not \(8, 4\)"):
        pool_track(track, GRID, rule="area", rate="latent", fit=Fit((8, 5), (8, 8)))
