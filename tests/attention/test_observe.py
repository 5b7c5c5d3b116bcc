"""Observation of a real CogVideoX transformer: exact, differentiable, and gone afterwards."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable

import pytest
import torch
from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor

from interplay.attention import Mass, Plan, Region, RowMap, Scores, _reference, observe
from interplay.attention.requests import Request
from interplay.backbones.base import TokenLayout
from interplay.core.errors import InputError, InterplayError

T, V = 5, 18  # text tokens; 3 x 2 x 3 video tokens
WORD = Region.text([[1, 2], [3]], T)
TRACK = Region("video", torch.rand(2, V, generator=torch.Generator().manual_seed(5)).round(decimals=1))
SEED_FRAME = Region("video", TRACK.weights * (torch.arange(V) < 6))
REQUESTS: tuple[Request, ...] = (
    Scores("v2t", "all", keys=WORD),
    Scores("v2v", "all", queries=SEED_FRAME),
    Mass("mass", "all", TRACK, (WORD, TRACK), "none"),
    Mass("mean mass", "all", TRACK, (WORD,), "mean"),
    RowMap("map", "all", SEED_FRAME),
)


def _dense(q: Tensor, k: Tensor) -> dict[str, Tensor]:
    """The same five numbers from whole matrices."""
    scale = q.shape[-1] ** -0.5
    scores, attention = _reference.dense_scores(q, k, scale), _reference.dense_attention(q, k, None, scale)
    columns = torch.zeros(2, T + V, 2)
    columns[:, :T, 0], columns[:, T:, 1] = WORD.weights, TRACK.weights
    mass = _reference.dense_mass(attention, columns)[:, :, T:]
    share = TRACK.weights / TRACK.weights.sum(1, keepdim=True)
    return {
        "v2t": _reference.dense_mean_over_keys(scores[:, :, T:, :T], WORD.weights),
        "v2v": _reference.dense_mean_over_queries(scores[:, :, T:, T:], SEED_FRAME.weights),
        "mass": mass * (TRACK.weights > 0)[:, None, :, None],
        "mean mass": torch.einsum("bn,bhnr->bhr", share, mass[..., :1]),
        "map": _reference.dense_mean_over_queries(attention[:, :, T:, T:], SEED_FRAME.weights),
    }


def _record_queries_and_keys(stage) -> dict[str, tuple[Tensor, Tensor]]:
    """Queries and keys of every site, recomputed from the attention modules' own inputs: no interception involved."""
    recorded = {}

    def hook(address: str) -> Callable[..., None]:
        def record(attn, args, kwargs) -> None:
            hidden = torch.cat([kwargs["encoder_hidden_states"], kwargs["hidden_states"]], dim=1)
            sides = []
            for project, norm in ((attn.to_q, attn.norm_q), (attn.to_k, attn.norm_k)):
                x = norm(project(hidden).unflatten(2, (attn.heads, -1)).transpose(1, 2))
                video = apply_rotary_emb(x[:, :, T:], kwargs["image_rotary_emb"])
                sides.append(torch.cat([x[:, :, :T], video], dim=2))
            recorded[address] = tuple(sides)

        return record

    transformer = stage.backbone.transformer
    for site in stage.backbone.sites():
        transformer.get_submodule(site.module).register_forward_pre_hook(hook(site.address), with_kwargs=True)
    return recorded


def _loss(seen) -> Tensor:
    """Every number seen counts, with a weight of its own."""
    values = [seen[request.name][address] for request in REQUESTS for address in seen[request.name]]
    generator = torch.Generator().manual_seed(7)
    return sum((v * torch.randn(v.shape, generator=generator)).sum() for v in values)


def _gradients(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_values_and_gradients_equal_the_dense_twin(stage) -> None:
    recorded = _record_queries_and_keys(stage)
    with observe(stage.backbone, REQUESTS, stage.layout) as seen:
        stage.forward()
    weights = [p for p in stage.backbone.transformer.parameters() if p.requires_grad]
    for site in stage.backbone.sites():
        for name, dense in _dense(*recorded[site.address]).items():
            fast = seen[name][site.address]
            torch.testing.assert_close(fast, dense, atol=1e-5, rtol=1e-5)
            upstream = torch.randn(fast.shape, generator=torch.Generator().manual_seed(3))
            got = torch.autograd.grad(fast, weights, upstream, retain_graph=True, allow_unused=True)
            expected = torch.autograd.grad(dense, weights, upstream, retain_graph=True, allow_unused=True)
            for g, e in zip(got, expected, strict=True):
                assert (g is None) == (e is None)
                torch.testing.assert_close(g, e, atol=1e-5, rtol=1e-4)


def test_the_models_output_is_untouched_bit_for_bit(stage) -> None:
    plain = stage.forward()
    with observe(stage.backbone, REQUESTS, stage.layout):
        observed = stage.forward()
    assert torch.equal(plain, observed)


def test_gradients_are_the_same_with_checkpointing_where_the_backward_pass_is_inside(stage) -> None:
    """Outside, and with a LoRA: of every family in ``test_company``."""
    transformer = stage.backbone.transformer.train()
    gradients = []
    for checkpointing in (False, True):
        (transformer.enable_gradient_checkpointing if checkpointing else transformer.disable_gradient_checkpointing)()
        transformer.zero_grad()
        with observe(stage.backbone, REQUESTS, stage.layout) as seen:
            loss = stage.forward().square().mean() + _loss(seen)
            value = seen["v2t"]["blocks.0.joint"]
            loss.backward()
        assert seen["v2t"]["blocks.0.joint"] is value  # the recomputation did not overwrite it
        gradients.append(_gradients(transformer))
    assert gradients[0].keys() == gradients[1].keys()
    assert any("to_k" in name and g.abs().sum() > 0 for name, g in gradients[0].items())
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, atol=1e-6, rtol=1e-5, msg=name)


def test_no_gradients_under_no_grad(stage) -> None:
    with torch.no_grad(), observe(stage.backbone, REQUESTS, stage.layout) as seen:
        stage.forward()
    assert not seen["v2t"]["blocks.0.joint"].requires_grad


def test_the_last_forward_is_what_is_seen(stage) -> None:
    latents, _, text, condition = stage.inputs
    with observe(stage.backbone, REQUESTS[:1], stage.layout) as seen:
        stage.forward()
        first = seen["v2t"]["blocks.1.joint"]
        stage.backbone.denoise(latents, torch.tensor([0, 0]), text, condition)
        assert not torch.equal(seen["v2t"]["blocks.1.joint"], first)


def test_only_the_named_sites_are_wrapped(stage) -> None:
    blocks = stage.backbone.transformer.transformer_blocks
    before = [block.attn1.processor for block in blocks]
    with observe(stage.backbone, [Scores("s", ("blocks.1.joint",), keys=WORD)], stage.layout) as seen:
        assert blocks[0].attn1.processor is before[0]
        assert blocks[1].attn1.processor is not before[1]
        stage.forward()
    assert list(seen["s"]) == ["blocks.1.joint"]


def _processors(stage) -> list[object]:
    return [block.attn1.processor for block in stage.backbone.transformer.transformer_blocks]


def test_processors_are_back_after_the_block_and_after_an_exception(stage) -> None:
    before = _processors(stage)
    with observe(stage.backbone, REQUESTS, stage.layout):
        stage.forward()
    assert _processors(stage) == before

    def fail() -> None:
        with observe(stage.backbone, REQUESTS, stage.layout):
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert _processors(stage) == before


def test_processors_are_back_after_a_refused_forward(stage) -> None:
    before = _processors(stage)
    one_clip = Scores("s", "all", keys=Region.text([[0]], T))
    with (
        pytest.raises(InputError, match=r"\(1, 5\), the attention has \(2, 5\)"),
        observe(stage.backbone, [one_clip], stage.layout),
    ):
        stage.forward()
    assert _processors(stage) == before


def test_nested_and_repeated_observation_agree(stage) -> None:
    before = _processors(stage)
    with observe(stage.backbone, REQUESTS, stage.layout) as outer:
        with observe(stage.backbone, REQUESTS, stage.layout) as inner:
            stage.forward()
        for request in REQUESTS:
            for address, value in outer[request.name].items():
                assert torch.equal(value, inner[request.name][address])
        kept = inner["v2t"]["blocks.0.joint"]
        stage.forward()
        assert inner["v2t"]["blocks.0.joint"] is kept  # closed: it sees no more
        assert outer["v2t"]["blocks.0.joint"] is not kept
    assert _processors(stage) == before
    with observe(stage.backbone, REQUESTS, stage.layout) as again:
        stage.forward()
    assert torch.equal(again["v2t"]["blocks.0.joint"], kept)


def test_a_plan_observes_as_often_as_one_likes_each_time_anew(stage) -> None:
    before, plan = _processors(stage), Plan(stage.backbone, REQUESTS, stage.layout)
    with observe(stage.backbone, REQUESTS, stage.layout) as expected:
        stage.forward()
    for _ in range(2):
        with plan.observe() as seen:
            with pytest.raises(InterplayError, match="nothing was observed"):
                seen["v2t"]
            stage.forward()
        for request in REQUESTS:
            for address, value in expected[request.name].items():
                assert torch.equal(seen[request.name][address], value)
        assert _processors(stage) == before


def test_contexts_may_close_in_any_order(stage) -> None:
    before = _processors(stage)
    first, second = (observe(stage.backbone, REQUESTS, stage.layout) for _ in range(2))
    first.__enter__()
    seen = second.__enter__()
    first.__exit__(None, None, None)
    stage.forward()
    assert seen["v2t"]["blocks.0.joint"].shape == (2, 2, V)
    second.__exit__(None, None, None)
    assert _processors(stage) == before


def test_the_wrapper_shows_the_originals_signature(stage) -> None:
    original = inspect.signature(_processors(stage)[0].__call__)
    with observe(stage.backbone, REQUESTS, stage.layout):
        assert inspect.signature(_processors(stage)[0].__call__) == original


def test_nothing_seen_and_unknown_names_are_errors(stage) -> None:
    with observe(stage.backbone, REQUESTS, stage.layout) as seen:
        with pytest.raises(InterplayError, match="nothing was observed for 'v2t'"):
            seen["v2t"]
        with pytest.raises(KeyError, match="no request is named 'v2x'"):
            seen["v2x"]


def test_bad_requests_are_refused(stage) -> None:
    unknown = Scores("s", ("blocks.7.joint",), keys=WORD)
    with (
        pytest.raises(InputError, match=r"blocks.7.joint; choose among blocks.0.joint, blocks.1.joint"),
        observe(stage.backbone, [unknown], stage.layout),
    ):
        pass
    with (
        pytest.raises(ValueError, match="given twice: v2t"),
        observe(stage.backbone, [REQUESTS[0], REQUESTS[0]], stage.layout),
    ):
        pass


def test_a_layout_of_another_grid_is_refused(stage) -> None:
    streams = {"text": slice(0, T), "video": slice(T, T + V + 1)}
    with (
        pytest.raises(InputError, match="has 23 query tokens, the layout describes 24"),
        observe(stage.backbone, REQUESTS, {"joint": TokenLayout(streams, streams)}),
    ):
        stage.forward()


def test_sites_without_the_streams_are_left_out_or_refused(stage) -> None:
    video = {"video": slice(0, T + V)}
    layout = {"joint": TokenLayout(video, video)}
    with (
        pytest.raises(InputError, match="cannot be observed at any site"),
        observe(stage.backbone, REQUESTS[:1], layout),
    ):
        pass


def test_a_step_cache_is_refused(stage) -> None:
    from diffusers import FirstBlockCacheConfig
    from diffusers.hooks import apply_first_block_cache

    transformer = stage.backbone.transformer
    transformer.enable_cache(FirstBlockCacheConfig(threshold=0.1))
    with (
        pytest.raises(InputError, match=r"step cache is enabled .*disable_cache"),
        observe(stage.backbone, REQUESTS, stage.layout),
    ):
        pass
    transformer.disable_cache()
    with observe(stage.backbone, REQUESTS, stage.layout):
        stage.forward()
    bare = copy.deepcopy(transformer)
    apply_first_block_cache(bare, FirstBlockCacheConfig(threshold=0.1))  # hooked without enable_cache
    stage.backbone.transformer = bare
    with pytest.raises(InputError, match="step cache"), observe(stage.backbone, REQUESTS, stage.layout):
        pass
