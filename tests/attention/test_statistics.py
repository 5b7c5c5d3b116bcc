"""Each fast statistic against its dense twin on random tensors: values and gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from interplay.attention import Mass, Region, RowMap, Scores, _reference, statistics
from interplay.attention.requests import AttentionCall, Request
from interplay.backbones.base import TokenLayout

B, H, T, V, D = 3, 2, 4, 9, 8
S = T + V
SCALE = 0.7  # not 1/sqrt(d), so that a scale that is ignored shows
LAYOUT = TokenLayout(
    queries={"text": slice(0, T), "video": slice(T, S)}, keys={"text": slice(0, T), "video": slice(T, S)}
)

Twin = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def _call(mask: Tensor | None = None, seed: int = 0) -> AttentionCall:
    generator = torch.Generator().manual_seed(seed)
    query, key = (torch.randn(B, H, S, D, generator=generator, requires_grad=True) for _ in range(2))
    return AttentionCall(query, key, mask, SCALE)


def _weights(tokens: int, seed: int) -> Tensor:
    """Soft memberships, a different number of members in each batch element, and none in the last."""
    weights = torch.rand(B, tokens, generator=torch.Generator().manual_seed(seed))
    weights[0, 1::2] = 0
    weights[-1] = 0
    return weights


def _masks() -> dict[str, Tensor | None]:
    generator = torch.Generator().manual_seed(9)
    padded = torch.ones(B, 1, 1, S, dtype=torch.bool)
    padded[0, :, :, 2:T] = False
    per_row = torch.rand(B, 1, S, S, generator=generator) > 0.3
    per_row[..., 0] = True
    return {
        "none": None,
        "padding": padded,
        "per row": per_row,
        "additive": torch.randn(B, H, S, S, generator=generator),
        "additive, same for all": torch.randn(1, 1, S, S, generator=generator),
    }


MASKS = _masks()
TEXT, VIDEO, OTHER = Region("text", _weights(T, 1)), Region("video", _weights(V, 2)), Region("video", _weights(V, 3))


def _columns(*regions: Region) -> Tensor:
    columns = torch.zeros(B, S, len(regions))
    for i, region in enumerate(regions):
        columns[:, LAYOUT.keys[region.stream], i] = region.weights
    return columns


def _video_rows(x: Tensor) -> Tensor:
    return x[:, :, T:]


def _members(region: Region) -> Tensor:
    return (region.weights > 0).float()[:, None, :, None]


def _dense_scores_v2t(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    return _reference.dense_mean_over_keys(_reference.dense_scores(q[:, :, T:], k[:, :, :T], SCALE), TEXT.weights)


def _dense_scores_t2v(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    return _reference.dense_mean_over_queries(_reference.dense_scores(q[:, :, :T], k[:, :, T:], SCALE), TEXT.weights)


def _dense_scores_v2v(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    return _reference.dense_mean_over_queries(_reference.dense_scores(q[:, :, T:], k[:, :, T:], SCALE), VIDEO.weights)


def _dense_mass(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    attention = _reference.dense_attention(q, k, mask, SCALE)
    return _reference.dense_mass(attention, _columns(TEXT, OTHER))[:, :, T:] * _members(VIDEO)


def _dense_mean_mass(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    attention = _reference.dense_attention(q, k, mask, SCALE)
    mass = _reference.dense_mass(attention, _columns(TEXT, OTHER))[:, :, T:]
    weights = VIDEO.weights / VIDEO.weights.sum(1, keepdim=True).clamp(min=1e-30)
    return torch.einsum("bn,bhnr->bhr", weights, mass)


def _dense_row_map(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    rows = _reference.dense_attention(q, k, mask, SCALE)[:, :, T:]
    return _reference.dense_mean_over_queries(rows, VIDEO.weights)[:, :, T:]


CASES: dict[str, tuple[Request, Twin]] = {
    "scores v2t": (Scores("x", "all", keys=TEXT), _dense_scores_v2t),
    "scores t2v": (Scores("x", "all", queries=TEXT), _dense_scores_t2v),
    "scores v2v": (Scores("x", "all", queries=VIDEO), _dense_scores_v2v),
    "mass": (Mass("x", "all", VIDEO, (TEXT, OTHER), "none"), _dense_mass),
    "mean mass": (Mass("x", "all", VIDEO, (TEXT, OTHER), "mean"), _dense_mean_mass),
    "row map": (RowMap("x", "all", VIDEO), _dense_row_map),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient_equal_the_dense_twin(case: str, mask: str) -> None:
    request, twin = CASES[case]
    call = _call(MASKS[mask])
    fast, dense = request.measure(call, LAYOUT), twin(call.query, call.key, call.mask)
    torch.testing.assert_close(fast, dense, atol=1e-5, rtol=1e-5)
    assert fast.abs().sum() > 0
    upstream = torch.randn(fast.shape, generator=torch.Generator().manual_seed(4))
    sides = (call.query, call.key)
    got = torch.autograd.grad(fast, sides, upstream)
    expected = torch.autograd.grad(dense, sides, upstream)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_an_empty_region_gives_zeros_and_finite_gradients(case: str) -> None:
    request, _ = CASES[case]
    call = _call()
    value = request.measure(call, LAYOUT)
    assert value[-1].abs().sum() == 0  # the last batch element has no members
    grads = torch.autograd.grad(value.sum(), (call.query, call.key), allow_unused=True)
    assert all(grad is None or bool(grad.isfinite().all()) for grad in grads)


def test_a_batch_without_any_member_row_gives_zeros() -> None:
    nobody = Region("video", torch.zeros(B, V))
    call = _call()
    assert Mass("x", "all", nobody, (TEXT,), "none").measure(call, LAYOUT).shape == (B, H, V, 1)
    assert Mass("x", "all", nobody, (TEXT,), "mean").measure(call, LAYOUT).abs().sum() == 0
    assert RowMap("x", "all", nobody).measure(call, LAYOUT).abs().sum() == 0


def test_mass_on_everything_is_one() -> None:
    everything = (Region("text", torch.ones(B, T)), Region("video", torch.ones(B, V)))
    mass = Mass("x", "all", Region.all_video(B, V), everything, "none").measure(_call(), LAYOUT)
    torch.testing.assert_close(mass.sum(-1), torch.ones(B, H, V))


def test_more_regions_than_the_head_is_wide() -> None:
    regions = [Region("video", torch.eye(V)[i].expand(B, V)) for i in range(V)] + [TEXT]
    assert len(regions) > D
    call = _call()
    mass = Mass("x", "all", Region.all_video(B, V), regions, "none").measure(call, LAYOUT)
    dense = _reference.dense_attention(call.query, call.key, None, SCALE)[:, :, T:]
    torch.testing.assert_close(mass[..., :V], dense[..., T:], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("elements", [1, 7 * B * H * S, 10**9])
def test_row_maps_do_not_depend_on_the_chunk(elements: int) -> None:
    call = _call()
    rows = call.query[:, :, T:]
    got = statistics.mean_row_map(rows, call.key, None, SCALE, VIDEO.weights, elements)
    dense = _reference.dense_attention(call.query, call.key, None, SCALE)[:, :, T:]
    torch.testing.assert_close(got, _reference.dense_mean_over_queries(dense, VIDEO.weights))


@pytest.mark.parametrize("case", CASES)
def test_half_precision_accumulates_in_float32(case: str) -> None:
    request, twin = CASES[case]
    call = _call()
    half = AttentionCall(call.query.bfloat16(), call.key.bfloat16(), None, SCALE)
    got = request.measure(half, LAYOUT)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, twin(half.query.float(), half.key.float(), None), atol=1e-5, rtol=1e-5)


def test_scores_need_exactly_one_side() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        Scores("x", "all")
    with pytest.raises(ValueError, match="exactly one"):
        Scores("x", "all", queries=VIDEO, keys=TEXT)
