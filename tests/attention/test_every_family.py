"""Observation of every tiny backbone against the dense twin: values and gradients.

And of Wan's image tokens, and of models that make videos of text, too, without their first frame.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from attention.exactness import Scene, cases, record
from contracts import ltx_variants, wan_variants
from interplay.attention import observe
from interplay.backbones.base import Backbone
from interplay.backbones.registry import build_tiny, tiny_names

BACKBONES: dict[str, Callable[[], Backbone]] = {
    **{name: lambda name=name: build_tiny(name, 0) for name in tiny_names()},
    "wan with image tokens": wan_variants.image_tokens,
    # Models that may be shown a first frame, without one.
    "ltx_video of text": lambda: ltx_variants.from_095().without_first_frame(),
    "wan in place of text": lambda: wan_variants.in_place().without_first_frame(),
}


@pytest.fixture(scope="module", params=BACKBONES)
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene.of(BACKBONES[request.param]())


def ends(scene: Scene) -> tuple[int, ...]:
    """The first layer and the last: where a family has two kinds of blocks, one of each."""
    layers = [site.layer for site in scene.backbone.sites()]
    return min(layers), max(layers)


def test_values_and_gradients_equal_the_dense_twin(scene: Scene) -> None:
    asked = cases(scene, ends(scene))
    recorded = record(scene)
    with observe(scene.backbone, [case.request for case in asked], scene.layout) as seen:
        scene.forward()
    fast_loss, dense_loss = torch.zeros(()), torch.zeros(())
    generator = torch.Generator().manual_seed(3)
    for case in asked:
        for address in case.request.sites:
            fast, dense = seen[case.request.name][address], case.twin(recorded[address])
            torch.testing.assert_close(fast, dense, atol=1e-5, rtol=1e-5, msg=f"{case.request.name} at {address}")
            upstream = torch.randn(fast.shape, generator=generator) / fast.numel() ** 0.5
            fast_loss, dense_loss = fast_loss + (fast * upstream).sum(), dense_loss + (dense * upstream).sum()
    for got, expected in zip(_gradients(scene, fast_loss), _gradients(scene, dense_loss), strict=True):
        assert (got is None) == (expected is None)
        if got is not None and expected is not None:
            # Sums over thousands of terms: compared with the largest of the tensor.
            torch.testing.assert_close(got, expected, atol=1e-5 * max(1.0, float(expected.abs().max())), rtol=1e-4)


def _gradients(scene: Scene, loss: Tensor) -> list[Tensor | None]:
    weights = [p for p in scene.backbone.transformer.parameters() if p.requires_grad]
    return list(torch.autograd.grad(loss, weights, allow_unused=True))


def test_the_models_output_is_untouched_bit_for_bit(scene: Scene) -> None:
    with torch.no_grad():
        plain = scene.forward()
        with observe(scene.backbone, [case.request for case in cases(scene, ends(scene))], scene.layout):
            assert torch.equal(scene.forward(), plain)
        assert torch.equal(scene.forward(), plain)


def test_half_precision_is_exact_up_to_the_kernels_rounding(scene: Scene) -> None:
    half = scene.in_dtype(torch.bfloat16)
    with torch.no_grad():
        asked, recorded = cases(half, ends(half)), record(half)
        with observe(half.backbone, [case.request for case in asked], half.layout) as seen:
            half.forward()
        for case in asked:
            for address in case.request.sites:
                fast, dense = seen[case.request.name][address], case.twin(recorded[address])
                assert fast.dtype == torch.float32
                torch.testing.assert_close(fast, dense, atol=1e-5, rtol=1e-3)
    scene.in_dtype(torch.float32)
