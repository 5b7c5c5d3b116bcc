from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from contracts.backbone_contract import BackboneContract
from interplay.backbones.hunyuan_video.adapter import HunyuanVideo
from interplay.backbones.hunyuan_video.tiny import TinyHunyuanVideo, build
from interplay.core.errors import InputError
from interplay.diffusion.sampling import Conditions, clip_generators, conditions_for, sample
from interplay.records.caption import parse_caption
from interplay.world.captions import caption
from interplay.world.sampling import scene_at

SMALL = TinyHunyuanVideo(dual_layers=1, single_layers=2)
TEXT_TO_VIDEO = SMALL.model_copy(update={"condition": "none"})
BOUND = parse_caption("a <id1> man in red </id1> <verb> pushes </verb> a <id2> green ball </id2>")
PROMPT = "a man in red pushes a green ball"


@pytest.fixture
def backbone() -> HunyuanVideo:
    return build(0, SMALL)


@pytest.fixture(scope="module")
def shared() -> HunyuanVideo:
    """For tests that change nothing."""
    return build(0, SMALL)


@pytest.fixture(scope="module")
def concat() -> HunyuanVideo:
    """The release with 33 channels, made tiny; for tests that change nothing."""
    return build(0, TinyHunyuanVideo(dual_layers=1, single_layers=2, condition="latent_concat"))


class TestHunyuanVideo(BackboneContract):
    """The shared contract on the tiny instance."""


class TestLatentConcat(BackboneContract):
    """The shared contract on the other way of conditioning."""

    @pytest.fixture
    def backbone(self) -> HunyuanVideo:
        return build(0, TinyHunyuanVideo(dual_layers=1, single_layers=2, condition="latent_concat"))


class TestTextToVideo(BackboneContract):
    """The shared contract without a first frame."""

    @pytest.fixture
    def backbone(self) -> HunyuanVideo:
        return build(0, TEXT_TO_VIDEO)


def picture(backbone: HunyuanVideo, seed: int = 0) -> tuple[Image.Image, Tensor]:
    """A random picture as the stock pipeline takes it and as we do."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*backbone.native_size_hw, 3), dtype=np.uint8)
    return Image.fromarray(pixels), torch.from_numpy(pixels).permute(2, 0, 1).float()[None] / 127.5 - 1


def conditions(backbone: HunyuanVideo, prompt: str = PROMPT) -> Conditions:
    grid = backbone.grid(backbone.native_frames, backbone.native_size_hw)
    return conditions_for(backbone, [prompt], picture(backbone)[1], grid)


def stock_latents(backbone: HunyuanVideo, **options: object) -> Tensor:
    """What the stock pipeline makes of the prompt and the picture; its own defaults where nothing is said."""
    height, width = backbone.native_size_hw
    backbone.pipeline.set_progress_bar_config(disable=True)
    return backbone.pipeline(
        image=picture(backbone)[0],
        prompt=PROMPT,
        height=height,
        width=width,
        num_frames=backbone.native_frames,
        num_inference_steps=3,
        prompt_template=backbone.template.for_pipeline(),
        generator=[torch.Generator().manual_seed(7)],
        output_type="latent",
        **options,
    ).frames


def test_our_sampling_equals_the_stock_pipeline_with_embedded_guidance(shared: HunyuanVideo) -> None:
    stock = stock_latents(shared, guidance_scale=6.0)
    ours = sample(shared, conditions(shared), clip_generators([7]), steps=3, guidance_scale=6.0)
    assert torch.allclose(ours, stock, atol=1e-4)
    unguided = sample(shared, conditions(shared), clip_generators([7]), steps=3, guidance_scale=1.0)
    assert not torch.allclose(unguided, stock, atol=1e-3)


def test_our_sampling_equals_the_stock_pipeline_with_classifier_free_guidance(concat: HunyuanVideo) -> None:
    stock = stock_latents(concat, negative_prompt="", true_cfg_scale=2.5)
    ours = sample(concat, conditions(concat), clip_generators([7]), steps=3, guidance_scale=2.5)
    # The stock pipeline leaves out the first latent frame of this kind of model, which repeats the picture.
    assert torch.allclose(ours[:, :, 1:], stock, atol=1e-4)


def test_the_stock_pipeline_follows_a_fitted_scale(backbone: HunyuanVideo) -> None:
    backbone.fit_latent_scale(3.0 * torch.randn(4, 8, 5, 12, 20, generator=torch.Generator().manual_seed(0)))
    stock = stock_latents(backbone, guidance_scale=1.0)
    ours = sample(backbone, conditions(backbone), clip_generators([7]), steps=3, guidance_scale=1.0)
    assert torch.allclose(ours, stock, atol=1e-4)


def test_text_conditions_equal_the_stock_pipelines(shared: HunyuanVideo) -> None:
    """Prompts of any length, also one that cuts the assistant's header off, in one batch."""
    words = ("man", "gives", "ball", "to", "woman")
    prompts = [" ".join((words * 8)[:count]) for count in (0, 5, 28, 29, 30, 31, 32, 33, 36, 40)]
    grid = shared.grid(shared.native_frames, shared.native_size_hw)
    pil, tensor = picture(shared)
    black = Image.new("RGB", pil.size)
    with torch.no_grad():
        ours = shared.encode_text(prompts, shared.first_frame_condition(tensor.expand(len(prompts), -1, -1, -1), grid))
        for row, prompt in enumerate(prompts):
            embeddings, pooled, mask = shared.pipeline.encode_prompt(
                image=pil if prompt else black,
                prompt=prompt,
                prompt_template=shared.template.for_pipeline(),
                max_sequence_length=shared.text_length + 4,
                image_embed_interleave=4,
            )
            assert torch.equal(ours["mask"][row], mask[0].bool())
            assert torch.allclose(ours["embeddings"][row][mask[0].bool()], embeddings[0][mask[0].bool()], atol=1e-5)
            assert torch.allclose(ours["pooled"][row], pooled[0], atol=1e-5)


def test_the_stock_template_has_the_released_number_of_tokens(shared: HunyuanVideo) -> None:
    """The stock pipeline's constants hold for the tiny tokenizer: the prompt starts at token 103, the picture at 5."""
    ids = shared.pipeline.tokenizer(shared.template.text.format("pushes"))["input_ids"]
    tokens = shared.pipeline.tokenizer.convert_ids_to_tokens(ids)
    assert (tokens[shared.template.image_at], tokens[shared.template.prefix]) == ("<image>", "pushes")
    assert "<unk>" not in tokens


def test_every_caption_of_the_world_is_known_and_fits(shared: HunyuanVideo) -> None:
    tokenizer, aspect = shared.pipeline.tokenizer, shared.native_size_hw[1] / shared.native_size_hw[0]
    captions = [parse_caption(caption(scene_at(0, "train", index, aspect))) for index in range(40)]
    assert not any(tokenizer.unk_token_id in tokenizer(one.text)["input_ids"] for one in captions)
    assert not any(shared.token_spans(one).lost for one in captions)


def test_the_length_of_the_padding_does_not_matter(shared: HunyuanVideo) -> None:
    """The stock pipeline pads to 256 tokens, the tiny instance to 36: masked tokens are seen by nobody."""
    short = stock_latents(shared, guidance_scale=6.0, max_sequence_length=shared.text_length + 4)
    assert torch.allclose(stock_latents(shared, guidance_scale=6.0), short, atol=1e-4)


def test_spans_are_positions_in_the_text_stream(shared: HunyuanVideo) -> None:
    spans = shared.token_spans(BOUND)
    assert spans.tokens == {"id1": (1, 2, 3), "verb": (4,), "id2": (6, 7)}
    assert spans.lost == ()
    tokens = shared.tokenize([BOUND.text])["chat"]
    stream = tokens[0, shared.template.text_stream(tokens, shared._prompts._end_of_header)[0]]
    words = shared.pipeline.tokenizer.convert_ids_to_tokens(stream[:8].tolist())
    assert " ".join(words) == PROMPT


def test_spans_behind_the_text_length_are_lost() -> None:
    short = build(0, SMALL.model_copy(update={"text_length": 6}))
    spans = short.token_spans(BOUND)
    assert spans.tokens["id2"] == ()
    assert spans.lost == ("id2",)


def test_the_prompt_is_read_with_the_picture_in_view_and_the_empty_one_in_the_dark(shared: HunyuanVideo) -> None:
    grid = shared.grid(shared.native_frames, shared.native_size_hw)
    one, other = (shared.first_frame_condition(picture(shared, seed)[1], grid) for seed in (0, 1))
    said = [shared.encode_text([PROMPT], first)["embeddings"] for first in (one, other)]
    unsaid = [shared.encode_text([""], first)["embeddings"] for first in (one, other)]
    assert not torch.allclose(*said, atol=1e-4)
    assert torch.equal(*unsaid)


def test_the_first_frame_is_kept_through_sampling(shared: HunyuanVideo) -> None:
    given = conditions(shared)
    made = sample(shared, given, clip_generators([3]), steps=2, guidance_scale=1.0)
    assert torch.equal(made[:, :, :1], given.first_frame["latents"])


def test_noise_on_the_first_frame_does_not_matter(shared: HunyuanVideo) -> None:
    given = conditions(shared)
    latents = torch.randn(1, 8, *given.grid.latent_shape, generator=torch.Generator().manual_seed(0))
    noisier = latents.clone()
    noisier[:, :, 0] += 1
    with torch.no_grad():
        predictions = [
            shared.denoise(z, torch.tensor([500]), given.text, given.first_frame)[:, :, 1:] for z in (latents, noisier)
        ]
    assert torch.equal(*predictions)


def test_text_to_video_equals_the_stock_pipeline() -> None:
    backbone = build(0, TEXT_TO_VIDEO)
    height, width = backbone.native_size_hw
    backbone.pipeline.set_progress_bar_config(disable=True)
    stock = backbone.pipeline(
        prompt=PROMPT,
        height=height,
        width=width,
        num_frames=backbone.native_frames,
        num_inference_steps=3,
        guidance_scale=6.0,
        generator=[torch.Generator().manual_seed(7)],
        output_type="latent",
    ).frames
    ours = sample(backbone, conditions(backbone), clip_generators([7]), steps=3, guidance_scale=6.0)
    assert torch.allclose(ours, stock, atol=1e-4)


def test_text_to_video_has_the_released_template_and_spans_in_its_text_stream() -> None:
    backbone = build(0, TEXT_TO_VIDEO)
    ids = backbone.pipeline.tokenizer(backbone.template.text.format(PROMPT))["input_ids"]
    tokens = backbone.pipeline.tokenizer.convert_ids_to_tokens(ids)
    assert "<unk>" not in tokens
    assert " ".join(tokens[backbone.template.prefix :]) == f"{PROMPT} <|eot_id|>"
    assert backbone.token_spans(BOUND).tokens == {"id1": (1, 2, 3), "verb": (4,), "id2": (6, 7)}


def test_a_checkpoint_of_the_other_pipeline_is_an_input_error(backbone: HunyuanVideo) -> None:
    backbone.transformer.register_to_config(image_condition_type=None)
    with pytest.raises(InputError, match="image_condition_type"):
        HunyuanVideo(backbone.pipeline, "somewhere", backbone.native)


def test_a_folder_from_elsewhere_has_the_released_sizes(backbone: HunyuanVideo, tmp_path: Path) -> None:
    backbone.save(tmp_path)
    (tmp_path / "interplay.json").unlink()
    released = HunyuanVideo.skeleton(tmp_path, torch.float32)
    assert (released.native_frames, released.native_size_hw, released.text_length) == (129, (720, 1280), 252)


def test_the_tiny_instance_is_small() -> None:
    parts = build(0).pipeline.components.values()
    parameters = sum(p.numel() for part in parts if isinstance(part, torch.nn.Module) for p in part.parameters())
    assert 2 * parameters < 12e6  # bytes as float16
