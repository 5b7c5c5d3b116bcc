"""Observation of every family beside what else is done to a model: LoRA, checkpointing, autocast, offloading, guidance.

And compilation, which takes a family ten seconds: of joint attention (CogVideoX), of the mask of queries by keys
(HunyuanVideo-1.5), and of two calls in one module (Wan with image tokens). What the other two families have beside
those, a mask that comes to the kernel from outside the block, is one argument more of the same call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from attention.exactness import Recorded, Scene, cases, record
from attention.scenes import BACKBONES, requests, scene_of
from interplay.attention import Mass, Observations, OfElements, RowMap, Scores, observe
from interplay.attention.observe import ObservingProcessor
from interplay.attention.requests import Request
from interplay.backbones.batch import Batch
from interplay.backbones.placement import Offload, place
from interplay.train.compiled_blocks import blocks_of

COMPILED = [("cogvideox", False), ("cogvideox", True), ("hunyuan_video_15", True), ("wan with image tokens", True)]


@pytest.fixture(params=BACKBONES)
def scene(request: pytest.FixtureRequest) -> Scene:
    """A fresh one for every test: most of them change the model."""
    return scene_of(request.param)


@pytest.fixture
def forgetful() -> Iterator[None]:
    """No code of other tests, and none for them."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def _observed(scene: Scene) -> tuple[Tensor, Observations]:
    with observe(scene.backbone, requests(scene), scene.layout) as seen:
        return scene.forward(), seen


def _assert_same(scene: Scene, one: Observations, other: Observations) -> None:
    for request in requests(scene):
        assert set(one[request.name]) == set(request.sites)
        for address, value in one[request.name].items():
            torch.testing.assert_close(value, other[request.name][address], atol=1e-5, rtol=1e-5, msg=request.name)


def _loss(scene: Scene, seen: Observations) -> Tensor:
    """Every number seen counts, with a weight of its own."""
    values = [value for request in requests(scene) for value in seen[request.name].values()]
    generator = torch.Generator().manual_seed(7)
    return sum((v * torch.randn(v.shape, generator=generator) / v.numel() ** 0.5).sum() for v in values)


def _gradients(transformer: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in transformer.named_parameters() if p.grad is not None}


def _with_lora(scene: Scene) -> None:
    """Adapters of every site that are no longer what they were when they were fresh."""
    scene.backbone.add_lora(scene.backbone.sites(), rank=2, alpha=4.0)
    generator = torch.Generator().manual_seed(0)
    for name, weight in scene.backbone.transformer.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1, generator=generator)


def test_lora_is_in_what_is_observed(scene: Scene) -> None:
    with torch.no_grad():
        _, bare = _observed(scene)
        _with_lora(scene)
        asked = cases(scene, layers=(1,))
        recorded = record(scene)
        with observe(scene.backbone, [case.request for case in asked], scene.layout) as seen:
            scene.forward()
        for case in asked:
            for address in case.request.sites:
                value, dense = seen[case.request.name][address], case.twin(recorded[address])
                torch.testing.assert_close(value, dense, atol=1e-5, rtol=1e-5, msg=case.request.name)
        _, adapted = _observed(scene)
    assert all(
        not torch.allclose(adapted[request.name][address], bare[request.name][address], atol=1e-4)
        for request in requests(scene)
        for address in request.sites
    )


@pytest.mark.parametrize("lora", [False, True])
def test_gradients_are_the_same_with_and_without_checkpointing(scene: Scene, lora: bool) -> None:
    if lora:
        _with_lora(scene)
    transformer = scene.backbone.transformer.train()
    gradients = []
    for checkpointing in (False, True):
        (transformer.enable_gradient_checkpointing if checkpointing else transformer.disable_gradient_checkpointing)()
        transformer.zero_grad()
        output, seen = _observed(scene)
        before = {request.name: dict(seen[request.name]) for request in requests(scene)}
        (output.square().mean() + _loss(scene, seen)).backward()
        # The recomputation did not overwrite what was seen.
        assert all(seen[name][address] is value for name, at in before.items() for address, value in at.items())
        gradients.append(_gradients(transformer))
    plain, recomputed = gradients
    assert plain.keys() == recomputed.keys()
    assert all(any("to_k" in name and grad.abs().sum() > 0 for name, grad in one.items()) for one in gradients)
    for name, gradient in plain.items():
        bound = 1e-5 * max(1.0, float(gradient.abs().max()))
        torch.testing.assert_close(recomputed[name], gradient, atol=bound, rtol=1e-4, msg=name)


# Torch's own remark: LTX-Video's norms keep weights in float32.
@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight:UserWarning")
def test_under_autocast_statistics_are_float32_of_what_the_kernel_sees(scene: Scene) -> None:
    asked = cases(scene, layers=(1,))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        recorded = {address: _as_autocast_hands_it_on(one) for address, one in record(scene).items()}
        with observe(scene.backbone, [case.request for case in asked], scene.layout) as seen:
            scene.forward()
    for case in asked:
        for address in case.request.sites:
            value, dense = seen[case.request.name][address], case.twin(recorded[address])
            assert value.dtype == torch.float32
            torch.testing.assert_close(value, dense, atol=1e-5, rtol=1e-3, msg=f"{case.request.name} at {address}")


def _as_autocast_hands_it_on(recorded: Recorded) -> Recorded:
    """Torch rounds the kernel's arguments after the call that was recorded."""
    mask = recorded.mask
    if mask is not None and mask.is_floating_point():
        mask = mask.bfloat16()
    return replace(recorded, query=recorded.query.bfloat16(), key=recorded.key.bfloat16(), mask=mask)


@pytest.mark.parametrize("level", ["leaf_level", "block_level"])
def test_group_offloading(scene: Scene, level: str) -> None:
    from diffusers.hooks import apply_group_offloading

    cpu = torch.device("cpu")
    with torch.no_grad():
        plain, expected = _observed(scene)
        blocks = {"num_blocks_per_group": 1} if level == "block_level" else {}
        apply_group_offloading(scene.backbone.transformer, cpu, cpu, offload_type=level, **blocks)
        output, seen = _observed(scene)
    assert torch.equal(output, plain)
    _assert_same(scene, expected, seen)


@pytest.mark.parametrize("offload", ["networks", "blocks"])
def test_offloading_as_the_commands_do_it(scene: Scene, offload: Offload) -> None:
    with torch.no_grad():
        plain, expected = _observed(scene)
        place(scene.backbone, torch.device("cpu"), offload)
        for _ in range(2):  # the hooks stay, the observation of before does not
            output, seen = _observed(scene)
            assert torch.equal(output, plain)
            _assert_same(scene, expected, seen)
    modules = scene.backbone.transformer.modules()
    assert not any(isinstance(getattr(module, "processor", None), ObservingProcessor) for module in modules)


def test_regions_follow_the_attention_to_its_device(scene: Scene) -> None:
    # The meta device stands for the accelerator: a region that stayed behind would be an error there too.
    there = torch.device("meta")
    scene.backbone.transformer.to(there)
    moved = replace(
        scene,
        latents=scene.latents.to(there),
        timesteps=scene.timesteps.to(there),
        text=scene.text.to(there),
        first_frame=scene.first_frame.to(there),
    )
    with torch.no_grad():
        _, seen = _observed(moved)
    assert all(v.device == there for request in requests(scene) for v in seen[request.name].values())


def _guided(scene: Scene) -> Scene:
    """Both halves of classifier-free guidance: empty prompts, then the scene's own."""
    with torch.no_grad():
        empty = scene.backbone.encode_text([""] * 2, scene.first_frame)
    return replace(
        scene,
        latents=scene.latents.repeat(2, 1, 1, 1, 1),
        timesteps=scene.timesteps.repeat(2),
        text=Batch.join([empty, scene.text]),
        first_frame=scene.first_frame.repeated(2),
    )


def test_only_the_half_with_text(scene: Scene) -> None:
    asked = [OfElements.last(request, 2) for request in requests(scene)]
    with torch.no_grad():
        _, alone = _observed(scene)
        with observe(scene.backbone, asked, scene.layout) as seen:
            _guided(scene).forward()
    _assert_same(scene, alone, seen)


def test_guidance_halves(scene: Scene) -> None:
    """The half with text is as if it were alone, and the other is of empty prompts alone."""
    guided = _guided(scene)
    halves = [replace(scene, text=guided.text.take(rows)) for rows in ([0, 1], [2, 3])]
    with torch.no_grad():
        empty, alone = (_observed(half)[1] for half in halves)
        with observe(scene.backbone, [_repeated(request) for request in requests(scene)], scene.layout) as both:
            guided.forward()
    for request in requests(scene):
        for address, value in both[request.name].items():
            torch.testing.assert_close(value[:2], empty[request.name][address], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(value[2:], alone[request.name][address], atol=1e-5, rtol=1e-5)
    last = max(site.layer for site in scene.backbone.sites())
    of_text = [site for site in scene.backbone.sites() if site.layer == last and site.kind in ("joint", "cross")]
    for site in of_text:
        mass = both[f"{site.kind} mass"][site.address]
        assert not torch.allclose(mass[:2], mass[2:], atol=1e-3)


def _repeated(request: Request) -> Request:
    """The same of a batch twice as long."""
    match request:
        case Scores():
            queries, keys = (one and one.repeated(2) for one in (request.queries, request.keys))
            return replace(request, queries=queries, keys=keys)
        case Mass():
            keys = tuple(region.repeated(2) for region in request.keys)
            return replace(request, queries=request.queries.repeated(2), keys=keys)
        case RowMap():
            return replace(request, queries=request.queries.repeated(2))
    raise TypeError(request)


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize(("name", "whole_graph"), COMPILED)
def test_compiled_blocks_are_observed_and_stay_compiled(name: str, whole_graph: bool) -> None:
    scene, compiled_calls = scene_of(name), []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]):
        def run(*arguments: Tensor):
            compiled_calls.append(graph)
            return graph(*arguments)

        return run

    plain, expected = _observed(scene)
    blocks = blocks_of(scene.backbone.transformer)
    for block in blocks:
        block.compile(backend=backend, fullgraph=whole_graph)
    compiled = [block._compiled_call_impl for block in blocks]
    scene.forward()
    before = len(compiled_calls)
    assert before >= len(blocks)
    output, seen = _observed(scene)
    torch.testing.assert_close(output, plain)
    _assert_same(scene, expected, seen)
    assert [block._compiled_call_impl for block in blocks] == compiled
    scene.forward()
    assert len(compiled_calls) == 2 * before
    _loss(scene, seen).backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for block in blocks for p in block.parameters())


@pytest.mark.usefixtures("forgetful")
def test_compiled_blocks_come_back_whatever_the_order_and_after_an_exception() -> None:
    scene = scene_of("cogvideox")
    blocks = blocks_of(scene.backbone.transformer)
    for block in blocks:
        block.compile(backend="eager", fullgraph=True)
    compiled = [block._compiled_call_impl for block in blocks]
    first, second = (observe(scene.backbone, requests(scene), scene.layout) for _ in range(2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert [block._compiled_call_impl for block in blocks] != compiled
    second.__exit__(None, None, None)
    assert [block._compiled_call_impl for block in blocks] == compiled
    with pytest.raises(RuntimeError, match="in the middle"), observe(scene.backbone, requests(scene), scene.layout):
        raise RuntimeError("in the middle")
    assert [block._compiled_call_impl for block in blocks] == compiled
