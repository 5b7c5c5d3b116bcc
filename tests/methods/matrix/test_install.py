"""Marker tokens and widened inputs on real classes of every family: what they change, and that nothing stays."""

from __future__ import annotations

import pytest
import torch

from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch
from interplay.backbones.registry import build_tiny, tiny_names
from interplay.core.errors import InputError
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.install import install
from interplay.methods.matrix.instance_map import shown_maps
from interplay.methods.matrix.markers import check_markers
from interplay.records.caption import marked_text

PROMPT = "a <id1> man pushes a <id2> ball"
MARKERS = MatrixConfig(variant="released", instance_map=False, markers=12)


@pytest.fixture(scope="module", params=tiny_names())
def family(request: pytest.FixtureRequest) -> Backbone:
    return build_tiny(request.param, 0)


def _text(backbone: Backbone, prompt: str = PROMPT) -> Batch:
    image = torch.zeros(1, 3, *backbone.native_size_hw)
    first_frame = backbone.first_frame_condition(image, backbone.grid(backbone.native_frames, backbone.native_size_hw))
    return backbone.embed_tokens(backbone.tokenize([prompt]), first_frame)


def _same(one: Batch, two: Batch) -> bool:
    return all(torch.equal(tensor, two[name]) for name, tensor in one.tensors.items())


def test_with_a_map_step_zero_is_the_base_bit_for_bit(family: Backbone) -> None:
    """The method's own condition, maps and all, of a trained base's clip and of one without a map."""
    grid = family.grid(family.native_frames, family.native_size_hw)
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 3, *family.native_size_hw, generator=generator) * 2 - 1
    latents = torch.randn(2, family.latent_channels, *grid.latent_shape, generator=generator)
    first_frame = family.first_frame_condition(image, grid)
    text, timesteps = family.encode_text(["a man", "a ball"], first_frame), torch.tensor([500, 700])
    installed = None
    with torch.no_grad():
        plain = family.denoise(latents, timesteps, text, first_frame)
        try:
            installed = install(family, MatrixConfig())
            painted = (torch.rand(*family.native_size_hw, 3, generator=generator) * 255).to(torch.uint8).numpy()
            channels = shown_maps(family, [painted, None], grid)
            assert channels[0].any()
            shown = Batch({**first_frame.tensors, "beside": channels})
            assert torch.equal(family.denoise(latents, timesteps, text, shown), plain)
            # To be trained: the new columns get a gradient from the map, in every family.
            torch.set_grad_enabled(True)
            family.denoise(latents, timesteps, text, shown).square().sum().backward()
            for parameter in installed.trained:
                assert parameter.grad.abs().sum() > 0
        finally:
            torch.set_grad_enabled(True)
            family.transformer.zero_grad(set_to_none=True)
            if installed:
                installed.remove()
        with torch.no_grad():
            assert torch.equal(family.denoise(latents, timesteps, text, first_frame), plain)


def test_markers_are_one_token_each_and_leave_nothing_behind(family: Backbone) -> None:
    plain, before = "a man pushes a ball", len(family.tokenizer)
    text, marked = _text(family, plain), _text(family)
    installed = install(family, MARKERS)
    try:
        spans = family.token_spans(marked_text("a <id1> man pushes a <id12> ball")).tokens
        assert [len(spans[label]) for label in ("id1", "id12")] == [1, 1]
        assert _same(_text(family, plain), text)  # other words are what they were
        far = [_text(family, f"a <id{number}> man") for number in (1, 11, 12)]
        assert not _same(far[0], far[1])
        assert not _same(far[1], far[2])
    finally:
        installed.remove()
    assert len(family.tokenizer) == before
    assert _same(_text(family, plain), text)
    assert _same(_text(family), marked)


def test_trained_rows_get_a_gradient_and_the_encoder_does_not_change(family: Backbone) -> None:
    encoder_before = [weight.detach().clone() for weight in family.text_encoder.parameters()]
    installed = install(family, MARKERS.model_copy(update={"marker_embeddings": "trained"}))
    try:
        family.text_encoder.requires_grad_(False)
        assert installed.trains_text
        (rows,) = installed.trained
        before = _text(family)
        values = [tensor for tensor in before.tensors.values() if tensor.requires_grad]
        sum(tensor.square().sum() for tensor in values).backward()
        touched = rows.grad.abs().sum(dim=1) > 0
        assert touched.tolist() == [True, True, *[False] * 10]
        with torch.no_grad():
            rows[1] += 1
        assert not _same(_text(family), before)
    finally:
        installed.remove()
        family.text_encoder.requires_grad_(True)
    assert all(torch.equal(one, two) for one, two in zip(family.text_encoder.parameters(), encoder_before, strict=True))


def test_spare_rows_are_the_tables_own(backbone: Backbone) -> None:
    five = MatrixConfig(variant="released", instance_map=False)
    before = _text(backbone)  # the tiny tokenizers know nine markers
    installed = install(backbone, five)
    assert installed.trained == []
    assert installed.identity == {"markers": ["<id1>", "<id2>", "<id3>", "<id4>", "<id5>"]}
    assert _same(_text(backbone), before)
    installed.remove()


def test_rows_that_the_table_does_not_have_are_named_by_their_values(backbone: Backbone) -> None:
    """Two seeds draw two embeddings of one token, and a cache must not take one for the other."""
    found = []
    for seed in (1, 2, 1):
        installed = install(backbone, MARKERS, seed=seed)
        found.append(installed.identity)
        installed.remove()
    assert found[0] != found[1]
    assert found[0] == found[2]
    assert found[0]["markers"] == found[1]["markers"]


def test_image_tokens_that_a_model_does_not_have_cannot_be_left_out(backbone: Backbone) -> None:
    channels = backbone.transformer.config.in_channels
    with pytest.raises(InputError, match=r"matrix.image_tokens: .* leave matrix.image_tokens out"):
        install(backbone, MatrixConfig(image_tokens=False))
    assert backbone.transformer.config.in_channels == channels
    install(backbone, MatrixConfig()).remove()


def test_installing_twice_is_once_and_another_conditioning_is_refused(backbone: Backbone) -> None:
    installed = install(backbone, MatrixConfig())
    assert install(backbone, MatrixConfig(lambda_sga=1.0)) is installed
    channels = backbone.transformer.config.in_channels
    with pytest.raises(ValueError, match="another conditioning"):
        install(backbone, MatrixConfig(binding="markers"))
    installed.remove()
    installed.remove()
    assert backbone.transformer.config.in_channels == channels - backbone.picture_channels
    again = install(backbone, MatrixConfig(binding="markers"))
    assert again is not installed
    again.remove()


def test_a_marker_beyond_the_last_token_is_refused() -> None:
    check_markers(("id1", "id5"), 5, where="clip a")
    with pytest.raises(InputError, match=r"clip a: has the marker <id7>, and there are 5 marker tokens; .* 7"):
        check_markers(("id1", "id7", "id6"), 5, where="clip a")
