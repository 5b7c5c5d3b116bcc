from __future__ import annotations

import torch

from interplay.attention import Region


def test_text_tokens_per_batch_element() -> None:
    region = Region.text([[1, 3], []], text_length=4)
    assert region.stream == "text"
    torch.testing.assert_close(region.weights, torch.tensor([[0.0, 1.0, 0.0, 1.0], [0.0] * 4]))


def test_first_frame_keeps_frame_zero_only() -> None:
    pooled = torch.rand(2, 3, 2, 2)
    weights = Region.first_frame(pooled).weights.reshape(2, 3, 2, 2)
    torch.testing.assert_close(weights[:, 0], pooled[:, 0])
    assert weights[:, 1:].sum() == 0


def test_video_counts_tokens_frame_by_frame() -> None:
    pooled = torch.arange(12.0).reshape(1, 3, 2, 2)
    torch.testing.assert_close(Region.video(pooled).weights, torch.arange(12.0)[None])


def test_normalised_weights_sum_to_one_or_stay_empty() -> None:
    weights = Region.text([[0, 1, 3], []], text_length=4).normalised().weights
    torch.testing.assert_close(weights.sum(1), torch.tensor([1.0, 0.0]))


def test_repeated_follows_the_guidance_halves() -> None:
    weights = Region.text([[0], [1]], text_length=2).repeated(2).weights
    torch.testing.assert_close(weights, torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]))
