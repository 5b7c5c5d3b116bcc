from __future__ import annotations

import pytest
import torch

from interplay.backbones.flow import draw_shifted_timesteps, flow_noised, flow_target, shifted


def test_a_shift_keeps_the_ends_and_its_inverse_undoes_it() -> None:
    levels = torch.linspace(0, 1, 11)
    moved = shifted(levels, 3.0)
    assert torch.allclose(moved[[0, 5, -1]], torch.tensor([0.0, 0.75, 1.0]))
    assert torch.allclose(shifted(moved, 1 / 3), levels, atol=1e-6)
    assert torch.equal(shifted(levels, 1.0), levels)


def test_the_line_goes_from_clean_latents_to_noise_with_the_target_as_its_direction() -> None:
    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(2, 3, 4, 5, 6, generator=generator) for _ in range(2))
    level = torch.tensor([0.0, 1.0])
    noised = flow_noised(clean, noise, level)
    assert torch.equal(noised[0], clean[0])
    assert torch.equal(noised[1], noise[1])
    halfway = flow_noised(clean, noise, torch.tensor([0.25, 0.25]))
    assert torch.allclose(halfway - 0.25 * flow_target(clean, noise), clean, atol=1e-6)


@pytest.mark.parametrize("within", [range(1000), range(900, 1000), range(900)])
def test_drawn_timesteps_fill_their_range_as_densely_as_shifted_levels(within: range) -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = draw_shifted_timesteps(20000, 3.0, 1000, within, generator)
    assert drawn.min() >= within.start
    assert drawn.max() < within.stop
    every = (shifted(torch.linspace(0, 1, 200001), 3.0) * 1000).long()
    expected = every[(every >= within.start) & (every < within.stop)].float()
    for quantile in (0.1, 0.5, 0.9):
        assert float(drawn.float().quantile(quantile)) == pytest.approx(float(expected.quantile(quantile)), abs=12)
