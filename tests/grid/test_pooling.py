from __future__ import annotations

import pytest
import torch

from interplay.core.errors import InputError
from interplay.grid.pooling import pool_known, pool_masks
from interplay.grid.token_grid import TokenGrid

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
