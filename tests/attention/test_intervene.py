"""Changed attention against dense attention that was changed by hand, for every family."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from attention.exactness import Scene, _inside_sites
from interplay.attention import Mass, Region, observe
from interplay.attention._reference import dense_attention
from interplay.attention.intervene import OwnFrameOnly, WordsUnseen, intervene
from interplay.backbones.base import Site, TokenLayout
from interplay.backbones.registry import build_tiny, tiny_names
from interplay.core.errors import InputError

Dense = Callable[[Tensor, Tensor, Tensor, Tensor | None, float, TokenLayout], Tensor]


@pytest.fixture(scope="module", params=tiny_names())
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene.of(build_tiny(request.param, 0))


@contextmanager
def by_hand(scene: Scene, sites: list[Site], attend: Dense) -> Iterator[None]:
    """Within it, attention at these sites is what ``attend`` computes."""
    inside: list[str] = []
    made: dict[str, int] = {}
    original = functional.scaled_dot_product_attention

    def attending(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **options: Any) -> Tensor:
        module = inside[-1] if inside else ""
        number = made[module] = made.get(module, -1) + 1
        for site in sites:
            if site.module == module and site.call == number % site.calls:
                mask = attn_mask if attn_mask is None else attn_mask[(None,) * (4 - attn_mask.ndim)]
                scale = options.get("scale") or query.shape[-1] ** -0.5
                return attend(query, key, value, mask, scale, scene.layout[site.kind])
        return original(query, key, value, attn_mask=attn_mask, **options)

    with mock.patch.object(functional, "scaled_dot_product_attention", attending), _inside_sites(scene, inside):
        yield


def _sites(scene: Scene, *kinds: str) -> list[Site]:
    return [site for site in scene.backbone.sites() if site.kind in kinds][:2]


def _words(scene: Scene, sites: list[Site]) -> WordsUnseen:
    """Two words of the first clip, one of the second, unseen by overlapping soft regions."""
    tokens = next(part.keys["video"] for part in scene.layout.values() if "video" in part.keys)
    shape, length = (2, tokens.stop - tokens.start), scene.backbone.text_length
    generator = torch.Generator().manual_seed(4)
    regions = [(torch.rand(shape, generator=generator) * 2 - 0.5).clamp(0, 1) for _ in range(2)]
    words = Region.text([[0], [1]], length), Region.text([[2], []], length)
    return WordsUnseen(tuple(s.address for s in sites), words, tuple(Region("video", weights) for weights in regions))


@torch.no_grad()
def test_words_are_unseen_as_if_their_weights_had_been_set_to_zero(scene: Scene) -> None:
    sites = _sites(scene, "joint", "cross")
    change = _words(scene, sites)

    def dense(query, key, value, mask, scale, layout):
        weights = dense_attention(query, key, mask, scale)
        for word, region in zip(change.words, change.regions, strict=True):
            for row in range(2):
                for token in word.weights[row].nonzero().flatten().tolist():
                    column = layout.keys["text"].start + token
                    weights[row, :, layout.queries["video"], column] *= 1 - region.weights[row]
        return weights.to(value) @ value

    plain = scene.forward()
    with by_hand(scene, sites, dense):
        expected = scene.forward()
    with intervene(scene.backbone, [change], scene.layout):
        changed = scene.forward()
    torch.testing.assert_close(changed, expected, atol=2e-5, rtol=1e-4)
    assert not torch.allclose(changed, plain, atol=1e-4)
    assert torch.equal(scene.forward(), plain)


@torch.no_grad()
def test_other_frames_are_unseen_as_if_they_had_been_masked(scene: Scene) -> None:
    sites = _sites(scene, "joint", "self")
    grid = scene.backbone.grid(scene.backbone.native_frames, scene.backbone.native_size_hw)

    def dense(query, key, value, mask, scale, layout):
        frame = torch.arange(grid.num_tokens) // grid.tokens_per_frame
        allowed = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool)
        allowed[layout.queries["video"], layout.keys["video"]] = frame[:, None] == frame
        together = torch.where(allowed, 0.0, float("-inf"))
        if mask is not None:
            together = together + (torch.where(mask, 0.0, float("-inf")) if mask.dtype == torch.bool else mask)
        return dense_attention(query, key, together, scale).to(value) @ value

    change = OwnFrameOnly(tuple(site.address for site in sites), grid.tokens_per_frame)
    plain = scene.forward()
    with by_hand(scene, sites, dense):
        expected = scene.forward()
    with intervene(scene.backbone, [change], scene.layout):
        changed = scene.forward()
    torch.testing.assert_close(changed, expected, atol=2e-5, rtol=1e-4)
    assert not torch.allclose(changed, plain, atol=1e-4)


@torch.no_grad()
def test_an_observation_around_a_change_sees_the_models_own_attention() -> None:
    scene = Scene.of(build_tiny("tiny-cogvideox", 0))
    sites = _sites(scene, "joint")[:1]
    grid = scene.backbone.grid(scene.backbone.native_frames, scene.backbone.native_size_hw)
    everything = Region.all_video(2, grid.num_tokens)
    request = Mass("mass", (sites[0].address,), everything, [everything], "mean")
    with observe(scene.backbone, [request], scene.layout) as plain:
        scene.forward()
    change = OwnFrameOnly((sites[0].address,), grid.tokens_per_frame)
    for changes in ([change], [_words(scene, sites), change]):
        before = scene.backbone.transformer.get_submodule(sites[0].module).processor
        with (
            observe(scene.backbone, [request], scene.layout) as around,
            intervene(scene.backbone, changes, scene.layout),
            observe(scene.backbone, [request], scene.layout) as within,
        ):
            scene.forward()
        assert scene.backbone.transformer.get_submodule(sites[0].module).processor is before
        for seen in (around, within):
            torch.testing.assert_close(seen["mass"][sites[0].address], plain["mass"][sites[0].address])


def test_nothing_is_left_after_an_exception_and_a_foreign_kernel_is_refused() -> None:
    scene = Scene.of(build_tiny("tiny-wan", 0))
    sites = _sites(scene, "self")
    change = OwnFrameOnly(tuple(site.address for site in sites), 1)
    modules = [scene.backbone.transformer.get_submodule(site.module) for site in sites]
    before = [module.processor for module in modules]
    with pytest.raises(ZeroDivisionError), intervene(scene.backbone, [change], scene.layout):
        _ = (modules[0].processor is before[0]) / 0
    assert [module.processor for module in modules] == before
    nowhere = intervene(scene.backbone, [OwnFrameOnly(("blocks.99.self",), 1)], scene.layout)
    with pytest.raises(ValueError, match="no attention sites"):
        nowhere.__enter__()

    class Foreign:
        def __call__(self, attn, hidden_states, *args, **kwargs):
            return hidden_states

    modules[0].set_processor(Foreign())
    with pytest.raises(InputError, match="made 0 calls"), intervene(scene.backbone, [change], scene.layout):
        scene.forward()
