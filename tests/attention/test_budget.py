"""The memory bound: stated by the budget, kept by every statistic, measured with the allocator's own record."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from attention.memory import peak_bytes
from interplay.analyze.alignment import AlignmentScores
from interplay.analyze.terms import TermRegions
from interplay.attention import Mass, PairedMass, Region, RowMap, Scores, observe
from interplay.attention.budget import Budget, Pieces, cut
from interplay.attention.requests import AttentionCall, Request
from interplay.backbones.base import TokenLayout
from interplay.core.errors import InputError

B, H, T, V, D = 2, 4, 64, 1024, 32
S = T + V
STREAMS = {"text": slice(0, T), "video": slice(T, S)}
LAYOUT = TokenLayout(STREAMS, STREAMS)  # type: ignore[arg-type]
BUDGET = 6 * 2**20  # the scores of one head of one clip are 4.5 MiB, those of all heads and clips 36


def _regions() -> tuple[Region, Region]:
    generator = torch.Generator().manual_seed(0)
    video = (torch.rand(B, V, generator=generator) - 0.5).clamp(min=0.0)
    return Region("video", video), Region("text", torch.rand(B, T, generator=generator))


def _terms() -> TermRegions:
    """A dozen terms of each clip: soft masks, the part of them in the first quarter of the tokens, and words."""
    generator = torch.Generator().manual_seed(2)
    masks = (torch.rand(B, 12, V, generator=generator) - 0.5).clamp(min=0.0)
    first_frame = masks.clone()
    first_frame[..., V // 4 :] = 0.0
    return TermRegions(((),) * B, masks, first_frame, (torch.rand(B, 12, T, generator=generator) > 0.8).float())


VIDEO, WORD = _regions()
REQUESTS: dict[str, Request] = {
    "scores on text": Scores("x", "all", keys=WORD),
    "scores of the region": Scores("x", "all", queries=VIDEO),
    "scores of two regions": Scores("x", "all", queries=VIDEO, keys=WORD),
    "mass": Mass("x", "all", VIDEO, (WORD, VIDEO), "none"),
    "mean mass": Mass("x", "all", VIDEO, (WORD, VIDEO), "mean"),
    "paired mass": PairedMass("x", "all", (VIDEO, VIDEO), (WORD, VIDEO)),
    "row map": RowMap("x", "all", VIDEO),
    "alignment scores": AlignmentScores("x", "all", _terms(), ("v2t", "v2v")),
}


def _call(dtype: torch.dtype, *, gradients: bool) -> AttentionCall:
    generator = torch.Generator().manual_seed(1)
    # Heads last in memory, as most families have them, and a mask with a row for each query: the dearest case.
    query, key = (torch.randn(B, S, H, D, generator=generator).to(dtype).transpose(1, 2) for _ in range(2))
    mask = torch.rand(B, 1, S, S, generator=generator) > 0.2
    return AttentionCall(query.requires_grad_(gradients), key.requires_grad_(gradients), mask, 0.2)


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", REQUESTS)
def test_no_statistic_takes_more_than_its_budget(name: str, dtype: torch.dtype, gradients: bool) -> None:
    request, call = REQUESTS[name], _call(dtype, gradients=gradients)
    request.measure(call, LAYOUT)  # regions find their members once
    limited = replace(call, budget=Budget(BUDGET))

    def compute() -> Tensor:
        value = request.measure(limited, LAYOUT)
        if gradients:
            torch.autograd.grad(value.sum(), (call.query, call.key), allow_unused=True)
        return value

    assert peak_bytes(compute) <= BUDGET


def test_a_budget_that_is_too_small_is_refused_before_anything_is_computed() -> None:
    call = replace(_call(torch.float32, gradients=True), budget=Budget(2 * 2**20))
    # Two gradients and the result; one head's keys in float32, with room for their gradient; four matrices of one row.
    needed = 2 * B * H * S * D * 4 + B * H * 2 * 4 + 4 * S * D * 4 + (4 * S + 3 * D) * 4
    with pytest.raises(InputError, match=rf"{needed:,} bytes are needed and 2,097,152 are left; raise it"):
        REQUESTS["mean mass"].measure(replace(call, budget=Budget(2**21)), LAYOUT)
    with pytest.raises(InputError, match="memory budget of the observation"):
        REQUESTS["scores on text"].measure(call, LAYOUT)


def test_results_and_what_checkpointing_makes_us_keep_count(stage) -> None:
    requests = [Scores("s", "all", keys=Region.text([[1], [2]], 5))]
    with torch.no_grad(), observe(stage.backbone, requests, stage.layout, budget_bytes=12_000) as seen:
        stage.forward()
    results = 2 * 2 * 2 * 18 * 4  # sites, clips, heads, tokens
    assert seen.nbytes == results
    transformer = stage.backbone.transformer.train()
    roomy = 100_000
    with observe(stage.backbone, requests, stage.layout, budget_bytes=roomy) as seen:
        stage.forward()
    assert seen.nbytes == results
    transformer.enable_gradient_checkpointing()
    # Queries of 2 clips, 2 heads, 23 tokens, 16 wide are 5,888 bytes a site, which the model would not keep.
    with observe(stage.backbone, requests, stage.layout, budget_bytes=roomy) as seen:
        stage.forward()
    assert results + 2 * 5_888 <= seen.nbytes < results + 2 * 5_888 + 3_000
    del seen
    with (
        pytest.raises(InputError, match="memory budget"),
        observe(stage.backbone, requests, stage.layout, budget_bytes=12_500),
    ):
        stage.forward()


def test_pieces_fill_the_workspace() -> None:
    pieces = cut(2, 8, 1000, head_bytes=100, row_bytes=10, workspace_bytes=10**6)
    assert (pieces.batch, pieces.heads) == (2, 8)
    assert 16 * (100 + 10 * pieces.rows) <= 10**6
    small = cut(2, 8, 1000, head_bytes=100, row_bytes=10, workspace_bytes=2000)
    assert (small.batch, small.heads) == (1, 2)
    assert 2 * (100 + 10 * small.rows) <= 2000
    assert len(list(small.groups(2, 8))) == 2 * 4
    assert list(small.row_slices(100)) == [slice(0, 90), slice(90, 180)]


def test_a_long_head_is_cut_by_what_is_left_and_not_by_habit() -> None:
    def pieces(left_bytes: int | None) -> Pieces:
        long = 10**9  # more than any usual workspace
        sizes = {"head_bytes": long, "row_bytes": 10, "fixed_bytes": 90}
        return Budget(left_bytes).pieces(2, 8, 1000, **sizes, on_cpu=True)

    assert pieces(None) == Pieces(1, 1, 64)
    assert pieces(10**9 + 120) == Pieces(1, 1, 3)
    with pytest.raises(InputError, match="1,000,000,100 bytes are needed and 1,000,000,099 are left"):
        pieces(10**9 + 99)
