"""Each fast statistic against its dense twin on random tensors: values and gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from interplay.attention import Mass, PairedMass, Region, RowMap, Scores, _reference, budget
from interplay.attention.budget import NO_LIMIT
from interplay.attention.readouts import KeyRegions
from interplay.attention.requests import AttentionCall, Request
from interplay.attention.statistics import Averages, region_means
from interplay.backbones.base import TokenLayout

B, H, T, V, D = 3, 2, 4, 9, 8
S = T + V
SCALE = 0.7  # not 1/sqrt(d), so that a scale that is ignored shows
LAYOUT = TokenLayout(
    queries={"text": slice(0, T), "video": slice(T, S)}, keys={"text": slice(0, T), "video": slice(T, S)}
)

Twin = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def _call(mask: Tensor | None = None, *, log_sum_exp: bool = False) -> AttentionCall:
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(B, H, S, D, generator=generator, requires_grad=True) for _ in range(2))
    if not log_sum_exp:
        return AttentionCall(query, key, mask, SCALE)
    scores = _reference.dense_scores(query, key, SCALE).detach()
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
    return AttentionCall(query, key, mask, SCALE, scores.logsumexp(dim=-1))


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


def _dense_paired_mass(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    attention = _reference.dense_attention(q, k, mask, SCALE)
    return _reference.dense_paired_mass(attention, _columns(VIDEO, OTHER), _columns(TEXT, OTHER))


def _dense_scores_both(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    by_query = _reference.dense_mean_over_keys(_reference.dense_scores(q, k, SCALE)[..., :T], TEXT.weights)
    share = VIDEO.weights / VIDEO.weights.sum(1, keepdim=True).clamp(min=1e-30)
    return torch.einsum("bhq,bq->bh", by_query[:, :, T:], share)


def _dense_scores_t2t(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    scores = _reference.dense_scores(q, k, SCALE)[:, :, :T, :T]
    return _reference.dense_mean_over_keys(scores, TEXT.weights)


def _dense_text_map(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    rows = _reference.dense_attention(q, k, mask, SCALE)[:, :, T:]
    return _reference.dense_mean_over_queries(rows, VIDEO.weights)[:, :, :T]


def _dense_row_map(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    rows = _reference.dense_attention(q, k, mask, SCALE)[:, :, T:]
    return _reference.dense_mean_over_queries(rows, VIDEO.weights)[:, :, T:]


CASES: dict[str, tuple[Request, Twin]] = {
    "scores v2t": (Scores("x", "all", keys=TEXT), _dense_scores_v2t),
    "scores t2v": (Scores("x", "all", queries=TEXT), _dense_scores_t2v),
    "scores v2v": (Scores("x", "all", queries=VIDEO), _dense_scores_v2v),
    "scores t2t": (Scores("x", "all", keys=TEXT, over="text"), _dense_scores_t2t),
    "scores of two regions": (Scores("x", "all", queries=VIDEO, keys=TEXT), _dense_scores_both),
    "mass": (Mass("x", "all", VIDEO, (TEXT, OTHER), "none"), _dense_mass),
    "mean mass": (Mass("x", "all", VIDEO, (TEXT, OTHER), "mean"), _dense_mean_mass),
    "paired mass": (PairedMass("x", "all", (VIDEO, OTHER), (TEXT, OTHER)), _dense_paired_mass),
    "row map": (RowMap("x", "all", VIDEO), _dense_row_map),
    "row map of text": (RowMap("x", "all", VIDEO, over="text"), _dense_text_map),
}


@pytest.mark.parametrize("log_sum_exp", [False, True])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient_equal_the_dense_twin(case: str, mask: str, log_sum_exp: bool) -> None:
    request, twin = CASES[case]
    call = _call(MASKS[mask], log_sum_exp=log_sum_exp)
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


@pytest.mark.parametrize("mask", ["none", "per row"])
@pytest.mark.parametrize("log_sum_exp", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_pieces_change_nothing(case: str, log_sum_exp: bool, mask: str, monkeypatch: pytest.MonkeyPatch) -> None:
    request, _ = CASES[case]
    call = _call(MASKS[mask], log_sum_exp=log_sum_exp)

    def value_and_gradients() -> tuple[Tensor, ...]:
        value = request.measure(call, LAYOUT)
        upstream = torch.randn(value.shape, generator=torch.Generator().manual_seed(4))
        return value, *torch.autograd.grad(value, (call.query, call.key), upstream)

    whole = value_and_gradients()
    # One head of one batch element at a time, and some of its rows.
    monkeypatch.setattr(budget, "_CPU_WORKSPACE_BYTES", 1)
    monkeypatch.setattr(budget, "_GOOD_ROWS", 2)
    torch.testing.assert_close(value_and_gradients(), whole)


def test_a_query_that_may_look_at_nothing_attends_to_nothing() -> None:
    mask = torch.ones(B, 1, S, S, dtype=torch.bool)
    mask[0, :, T + 2] = False
    for log_sum_exp in (False, True):
        call = _call(mask, log_sum_exp=log_sum_exp)
        mass = Mass("x", "all", Region.all_video(B, V), (TEXT, VIDEO), "none").measure(call, LAYOUT)
        assert mass[0, :, 2].abs().sum() == 0
        assert mass[0, :, 3].abs().min() > 0
        assert all(bool(g.isfinite().all()) for g in torch.autograd.grad(mass.sum(), (call.query, call.key)))


def test_some_elements_of_a_batch() -> None:
    for mask in MASKS.values():
        call = _call(mask, log_sum_exp=True)
        region = Region("video", VIDEO.weights[1:])
        part = RowMap("x", "all", region).measure(call.elements(slice(1, None)), LAYOUT)
        torch.testing.assert_close(part, RowMap("x", "all", VIDEO).measure(call, LAYOUT)[1:])


@pytest.mark.parametrize("case", CASES)
def test_half_precision_accumulates_in_float32(case: str) -> None:
    request, twin = CASES[case]
    call = _call()
    half = AttentionCall(call.query.bfloat16(), call.key.bfloat16(), None, SCALE)
    got = request.measure(half, LAYOUT)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, twin(half.query.float(), half.key.float(), None), atol=1e-5, rtol=1e-5)


def test_scores_need_a_region() -> None:
    with pytest.raises(ValueError, match="queries, keys or both"):
        Scores("x", "all")


@pytest.mark.parametrize("case", CASES)
def test_the_order_in_which_a_model_keeps_its_heads_changes_nothing(case: str) -> None:
    request, _ = CASES[case]
    call = _call(log_sum_exp=True)
    by_token = replace(call, query=_heads_side_by_side(call.query), key=_heads_side_by_side(call.key))
    values = [request.measure(one, LAYOUT) for one in (call, by_token)]
    plain_all, turned_all = (
        (value, *torch.autograd.grad(value.sum(), (one.query, one.key)))
        for value, one in zip(values, (call, by_token), strict=True)
    )
    for plain, turned in zip(plain_all, turned_all, strict=True):
        torch.testing.assert_close(turned, plain, atol=1e-6, rtol=1e-5)


def _heads_side_by_side(tokens: Tensor) -> Tensor:
    return tokens.detach().transpose(1, 2).contiguous().transpose(1, 2).requires_grad_()


@pytest.mark.parametrize("places", [[1, 2], [0, 8], []])
def test_tokens_that_lie_close_together_are_read_where_they_are_and_others_gathered(places: list[int]) -> None:
    """Two members of nine: next to each other they are a slice, at both ends an index; nobody is nothing to read."""
    weights = torch.zeros(B, V)
    weights[:, places] = 0.5
    averages = Averages.of([Region("video", weights)])
    columns = KeyRegions.of(weights[..., None])
    for read in (averages.read, columns.read):
        assert isinstance(read, slice) == (places != [0, 8])
    tokens = torch.randn(B, H, V, D, generator=torch.Generator().manual_seed(5))
    means = region_means(tokens, slice(0, V), averages, None, NO_LIMIT)
    expected = tokens[:, :, places].sum(dim=2, keepdim=True) / max(len(places), 1)
    torch.testing.assert_close(means, expected, atol=1e-6, rtol=1e-5)


def test_paired_mass_needs_pairs() -> None:
    for queries in ((VIDEO,), (VIDEO, TEXT)):
        with pytest.raises(ValueError, match="paired mass 'x' needs pairs of regions"):
            PairedMass("x", "all", queries, (TEXT, OTHER))
