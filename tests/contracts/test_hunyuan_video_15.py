"""HunyuanVideo-1.5, text- and image-to-video, against the contract and against the stock pipelines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import ClassifierFreeGuidance
from PIL import Image
from torch import Tensor

from contracts.backbone_contract import BackboneContract
from interplay.attention import Mass, Region, observe
from interplay.backbones.hunyuan_video_15.adapter import HunyuanVideo15
from interplay.backbones.hunyuan_video_15.tiny import TinyHunyuanVideo15, build
from interplay.backbones.registry import build_tiny, load_backbone
from interplay.core.errors import InputError
from interplay.diffusion.sampling import Conditions, clip_generators, conditions_for, sample
from interplay.records.caption import parse_caption
from interplay.world.captions import caption
from interplay.world.sampling import scene_at

SMALL = TinyHunyuanVideo15(num_frames=9, size_hw=(32, 64), layers=2)
TEXT_TO_VIDEO = SMALL.model_copy(update={"task": "t2v"})
TASKS = {"image_to_video": SMALL, "text_to_video": TEXT_TO_VIDEO}
PROMPT = "a man in red pushes a green ball"
QUOTED = 'a man in red pushes a "green" ball'
BOUND = "a <id1> man in red </id1> <verb> pushes </verb> a <id2> green ball </id2>"


class TestImageToVideo(BackboneContract):
    @pytest.fixture
    def backbone(self) -> HunyuanVideo15:
        return build(0, SMALL)


class TestTextToVideo(BackboneContract):
    @pytest.fixture
    def backbone(self) -> HunyuanVideo15:
        return build(0, TEXT_TO_VIDEO)


@pytest.fixture(scope="module")
def shared() -> HunyuanVideo15:
    """For tests that change nothing."""
    return build(0, SMALL)


def picture(size_hw: tuple[int, int], seed: int = 0) -> tuple[Image.Image, Tensor]:
    """A random picture as the stock pipeline takes it and as we do."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    return Image.fromarray(pixels), torch.from_numpy(pixels).permute(2, 0, 1).float()[None] / 127.5 - 1


def conditions(backbone: HunyuanVideo15, size_hw: tuple[int, int], prompt: str) -> Conditions:
    return conditions_for(backbone, [prompt], picture(size_hw)[1], backbone.grid(SMALL.num_frames, size_hw))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("prompt", [PROMPT, QUOTED])
def test_our_sampling_equals_the_stock_pipeline(task: str, prompt: str) -> None:
    backbone = build(0, TASKS[task])
    pipeline = backbone.pipeline
    # The stock pipeline picks the size itself, among those of as many pixels as a square of the target size.
    pipeline.target_size = 40
    size_hw = pipeline.video_processor.calculate_default_height_width(32, 64, 40)
    pipeline.guider = ClassifierFreeGuidance(guidance_scale=2.5)
    pipeline.set_progress_bar_config(disable=True)
    shown = {"image": picture(size_hw)[0]} if backbone.sees_first_frame else {"height": size_hw[0], "width": size_hw[1]}
    stock = pipeline(
        prompt=prompt,
        negative_prompt="",
        num_frames=SMALL.num_frames,
        num_inference_steps=3,
        generator=[torch.Generator().manual_seed(7)],
        output_type="latent",
        **shown,
    ).frames
    given = conditions(backbone, size_hw, prompt)
    ours = sample(backbone, given, clip_generators([7]), steps=3, guidance_scale=2.5)
    assert torch.allclose(ours, stock, atol=1e-4)


def test_the_stock_template_has_the_released_number_of_tokens(shared: HunyuanVideo15) -> None:
    """The stock pipelines' constant holds for the tiny tokenizer: the prompt starts at token 108."""
    ids = shared.tokenize(["pushes"])["chat"][0]
    tokens = shared.pipeline.tokenizer.convert_ids_to_tokens(ids)
    assert tokens[108] == "pushes"
    assert "<unk>" not in tokens


def test_spans_are_positions_in_the_text_stream_behind_the_glyphs(shared: HunyuanVideo15) -> None:
    spans = shared.token_spans(parse_caption(BOUND))
    assert spans.tokens == {"id1": (1, 2, 3), "verb": (4,), "id2": (6, 7)}
    quoted = shared.token_spans(parse_caption(BOUND.replace("green ball", '"green" ball')))
    glyphs = int(shared.tokenize([QUOTED])["spelled_real"].sum())
    # The glyph text is 'Text "green". ', cut to the 16 tokens that there is room for.
    assert glyphs == len('Text "green". ') + 1
    assert quoted.tokens["id1"] == tuple(place + glyphs for place in (1, 2, 3))


def test_a_words_position_is_where_the_transformer_puts_it(shared: HunyuanVideo15) -> None:
    """Moving one word's embedding moves the scores at that word's position, and at no other, in the first block."""
    size_hw = SMALL.size_hw
    grid = shared.grid(SMALL.num_frames, size_hw)
    latents = torch.randn(1, SMALL.latent_channels, *grid.latent_shape, generator=torch.Generator().manual_seed(0))
    layout = shared.layout(grid, shared.text_length)
    for prompt in (PROMPT, QUOTED):
        given = conditions(shared, size_hw, prompt)
        real = int(given.text["mask"].sum() + given.text["glyphs_mask"].sum())
        everywhere = Region.all_video(1, grid.num_tokens)
        regions = [Region.text([where], shared.text_length) for where in (range(real), range(real, shared.text_length))]
        request = Mass("mass", ("blocks.0.joint",), everywhere, regions, "none")
        with torch.no_grad(), observe(shared, [request], layout) as seen:
            shared.denoise(latents, torch.tensor([500]), given.text, given.first_frame)
        on_words, on_padding = seen["mass"]["blocks.0.joint"].unbind(dim=-1)
        assert on_words.min() > 0
        assert on_padding.abs().max() == 0


def test_every_caption_of_the_world_is_known_and_fits() -> None:
    backbone = build_tiny("tiny-hunyuan-video-15", 0)
    tokenizer, aspect = backbone.pipeline.tokenizer, backbone.native_size_hw[1] / backbone.native_size_hw[0]
    captions = [parse_caption(caption(scene_at(0, "train", index, aspect))) for index in range(40)]
    assert not any(tokenizer.unk_token_id in tokenizer(one.text)["input_ids"] for one in captions)
    assert not any(backbone.token_spans(one).lost for one in captions)


def test_the_tiny_instance_is_small_and_has_300_tokens(tmp_path: Path) -> None:
    backbone = build_tiny("tiny-hunyuan-video-15", 0)
    assert backbone.grid(17, (48, 80)).num_tokens == 300
    backbone.save(tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 12e6


def test_a_model_that_was_distilled_from_guidance_runs_once(shared: HunyuanVideo15) -> None:
    given = conditions(shared, SMALL.size_hw, PROMPT)
    assert shared.told_guidance(given.text, 6.0) is None
    distilled = build(0, SMALL)
    distilled.pipeline.guider = ClassifierFreeGuidance(guidance_scale=1.0)
    assert distilled.told_guidance(given.text, 6.0) is given.text


def test_a_folder_from_elsewhere_has_the_sizes_of_its_target(tmp_path: Path) -> None:
    backbone = build(0, TEXT_TO_VIDEO)
    backbone.save(tmp_path)
    (tmp_path / "interplay.json").unlink()
    released = load_backbone(str(tmp_path))
    assert (released.native_frames, released.text_length) == (121, 1000 + TEXT_TO_VIDEO.glyph_tokens)


def test_what_is_not_adapted_is_an_input_error() -> None:
    backbone = build(0, TEXT_TO_VIDEO)
    backbone.transformer.register_to_config(use_meanflow=True)
    with pytest.raises(InputError, match="use_meanflow"):
        HunyuanVideo15(backbone.pipeline, "x", backbone.native)
    backbone.transformer.register_to_config(use_meanflow=False, in_channels=16)
    with pytest.raises(InputError, match="reads 16 channels, latents and condition have 33"):
        HunyuanVideo15(backbone.pipeline, "x", backbone.native)
