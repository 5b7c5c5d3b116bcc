"""Observation beside what else is done to a model: compilation, offloading, guidance."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from interplay.attention import Mass, Observations, OfElements, Region, RowMap, Scores, observe
from interplay.attention.observe import ObservingProcessor
from interplay.attention.requests import Request
from interplay.backbones.batch import Batch
from interplay.backbones.placement import Offload, place

T, V = 5, 18  # text tokens; 3 x 2 x 3 video tokens
WORD = Region.text([[1, 2], [3]], T)
TRACK = Region("video", torch.rand(2, V, generator=torch.Generator().manual_seed(5)).round(decimals=1))
REQUESTS: tuple[Request, ...] = (
    Scores("v2t", "all", keys=WORD),
    Scores("pair", "all", queries=TRACK, keys=WORD),
    Mass("mass", "all", TRACK, (WORD, TRACK), "none"),
    RowMap("map", "all", TRACK, over="text"),
)


def _observed(stage) -> tuple[Tensor, Observations]:
    with observe(stage.backbone, REQUESTS, stage.layout) as seen:
        return stage.forward(), seen


def _assert_same(one: Observations, other: Observations) -> None:
    for request in REQUESTS:
        for address, value in one[request.name].items():
            torch.testing.assert_close(value, other[request.name][address], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("whole_graph", [False, True])
def test_compiled_blocks_are_observed_and_stay_compiled(stage, whole_graph: bool) -> None:
    compiled_calls = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]):
        def run(*arguments: Tensor):
            compiled_calls.append(graph)
            return graph(*arguments)

        return run

    plain, expected = _observed(stage)
    torch._dynamo.reset()
    blocks = stage.backbone.transformer.transformer_blocks
    for block in blocks:
        block.compile(backend=backend, fullgraph=whole_graph)
    compiled = [block._compiled_call_impl for block in blocks]
    stage.forward()
    before = len(compiled_calls)
    assert before > 0
    output, seen = _observed(stage)
    torch.testing.assert_close(output, plain)
    _assert_same(seen, expected)
    assert [block._compiled_call_impl for block in blocks] == compiled
    stage.forward()
    assert len(compiled_calls) == 2 * before
    loss = sum((value**2).sum() for request in REQUESTS for value in seen[request.name].values())
    loss.backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in blocks.parameters())


def test_compiled_blocks_come_back_whatever_the_order_and_after_an_exception(stage) -> None:
    blocks = stage.backbone.transformer.transformer_blocks
    for block in blocks:
        block.compile(backend="eager", fullgraph=True)
    compiled = [block._compiled_call_impl for block in blocks]
    first, second = (observe(stage.backbone, REQUESTS, stage.layout) for _ in range(2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert [block._compiled_call_impl for block in blocks] != compiled
    second.__exit__(None, None, None)
    assert [block._compiled_call_impl for block in blocks] == compiled
    with pytest.raises(RuntimeError, match="in the middle"), observe(stage.backbone, REQUESTS, stage.layout):
        raise RuntimeError("in the middle")
    assert [block._compiled_call_impl for block in blocks] == compiled


@pytest.mark.parametrize("level", ["leaf_level", "block_level"])
def test_group_offloading(stage, level: str) -> None:
    from diffusers.hooks import apply_group_offloading

    cpu = torch.device("cpu")
    with torch.no_grad():
        plain, expected = _observed(stage)
        blocks = {"num_blocks_per_group": 1} if level == "block_level" else {}
        apply_group_offloading(stage.backbone.transformer, cpu, cpu, offload_type=level, **blocks)
        output, seen = _observed(stage)
    assert torch.equal(output, plain)
    _assert_same(seen, expected)


@pytest.mark.parametrize("offload", ["networks", "blocks"])
def test_offloading_as_the_commands_do_it(stage, offload: Offload) -> None:
    with torch.no_grad():
        plain, expected = _observed(stage)
        place(stage.backbone, torch.device("cpu"), offload)
        for _ in range(2):  # the hooks stay, the observation of before does not
            output, seen = _observed(stage)
            assert torch.equal(output, plain)
            _assert_same(seen, expected)
    processors = [block.attn1.processor for block in stage.backbone.transformer.transformer_blocks]
    assert not any(isinstance(processor, ObservingProcessor) for processor in processors)


def test_regions_follow_the_attention_to_its_device(stage) -> None:
    # The meta device stands for the accelerator: a region that stayed behind would be an error there too.
    call_device = torch.device("meta")
    transformer = stage.backbone.transformer.to(call_device)
    latents, timesteps, text, first_frame = (value.to(call_device) for value in stage.inputs)
    with torch.no_grad(), observe(stage.backbone, REQUESTS, stage.layout) as seen:
        stage.backbone.denoise(latents, timesteps, text, first_frame)
    assert all(v.device == call_device for request in REQUESTS for v in seen[request.name].values())
    assert transformer is stage.backbone.transformer


def test_only_the_half_with_text(stage) -> None:
    latents, timesteps, text, first_frame = stage.inputs
    doubled = (latents.repeat(2, 1, 1, 1, 1), timesteps.repeat(2), Batch.join([text, text]), first_frame.repeated(2))
    requests = [OfElements.last(request, 2) for request in REQUESTS]
    with torch.no_grad():
        _, alone = _observed(stage)
        with observe(stage.backbone, requests, stage.layout) as seen:
            stage.backbone.denoise(*doubled)
    for request in REQUESTS:
        for address, value in alone[request.name].items():
            torch.testing.assert_close(seen[request.name][address], value, atol=1e-5, rtol=1e-5)


def test_guidance_halves(stage) -> None:
    latents, timesteps, text, first_frame = stage.inputs
    empty = Batch({"embeddings": torch.zeros_like(text["embeddings"])})
    repeated = (
        Scores("v2t", "all", keys=WORD.repeated(2)),
        Scores("pair", "all", queries=TRACK.repeated(2), keys=WORD.repeated(2)),
        Mass("mass", "all", TRACK.repeated(2), (WORD.repeated(2), TRACK.repeated(2)), "none"),
        RowMap("map", "all", TRACK.repeated(2), over="text"),
    )
    with torch.no_grad():
        _, alone = _observed(stage)
        with observe(stage.backbone, repeated, stage.layout) as both:
            stage.backbone.denoise(
                latents.repeat(2, 1, 1, 1, 1), timesteps.repeat(2), Batch.join([empty, text]), first_frame.repeated(2)
            )
    for request in REQUESTS:
        for address, value in alone[request.name].items():
            half = both[request.name][address]
            torch.testing.assert_close(half[2:], value, atol=1e-5, rtol=1e-5)
            assert not torch.allclose(half[:2], value, atol=1e-3)
