"""LTX-Video in both published layouts, against the contract and against the stock pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import LTXConditionPipeline, LTXImageToVideoPipeline, LTXPipeline
from PIL import Image
from torch import Tensor

from contracts.backbone_contract import BackboneContract
from contracts.ltx_variants import SMALL, first, from_095
from interplay.attention import Mass, Region, observe
from interplay.backbones.base import Backbone
from interplay.backbones.ltx_video.adapter import LTXVideo
from interplay.backbones.ltx_video.tiny import build
from interplay.backbones.ltx_video.tokens import coordinates, packed, unpacked
from interplay.backbones.registry import build_tiny, load_backbone
from interplay.core.errors import InputError
from interplay.core.files import read_json, write_json
from interplay.diffusion.sampling import Conditions, clip_generators, conditions_for, sample
from interplay.train.pretrain.denoiser import world_tokens

PROMPT = "a man in red pushes a green ball"


class TestLTXVideo(BackboneContract):
    @pytest.fixture
    def backbone(self) -> LTXVideo:
        return first()


class TestLTXVideoFrom095(BackboneContract):
    @pytest.fixture
    def backbone(self) -> LTXVideo:
        return from_095()


class TestLTXVideoOfText(BackboneContract):
    text_to_video = True

    @pytest.fixture
    def backbone(self) -> Backbone:
        return first().without_first_frame()


class TestLTXVideoFrom095OfText(BackboneContract):
    text_to_video = True

    @pytest.fixture
    def backbone(self) -> Backbone:
        return from_095().without_first_frame()


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*SMALL.size_hw, 3), dtype=np.uint8)


def as_tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1).float()[None] / 127.5 - 1


def conditions(backbone: Backbone, pixels: np.ndarray) -> Conditions:
    grid = backbone.grid(backbone.native_frames, backbone.native_size_hw)
    return conditions_for(backbone, [PROMPT], as_tensor(pixels), grid)


def stock_sample(pipeline: Any, guidance: float, **options: Any) -> torch.Tensor:
    """Latents as a stock pipeline samples them, in the tokens or the grid that it gives."""
    pipeline.set_progress_bar_config(disable=True)
    latents: torch.Tensor = pipeline(
        prompt=PROMPT,
        negative_prompt="",
        height=SMALL.size_hw[0],
        width=SMALL.size_hw[1],
        num_frames=SMALL.num_frames,
        num_inference_steps=4,
        guidance_scale=guidance,
        max_sequence_length=SMALL.text_length,
        generator=[torch.Generator().manual_seed(7)],
        output_type="latent",
        **options,
    ).frames
    return latents


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_our_sampling_equals_the_stock_pipelines(
    guidance: float, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The stock pipelines sample the first frame's latent; a posterior without variance makes both sides comparable.
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())
    for backbone, options in ((first(), {}), (from_095(), {"image_cond_noise_scale": 0.0})):
        backbone.fit_latent_scale(backbone.encode_video(torch.rand(2, 3, 9, *SMALL.size_hw) * 2 - 1))
        stock = stock_sample(backbone.pipeline, guidance, image=Image.fromarray(pixels), **options)
        ours = sample(backbone, conditions(backbone, pixels), clip_generators([7]), steps=4, guidance_scale=guidance)
        stock = stock if stock.ndim == 5 else unpacked(stock, ours.shape[2:], backbone._patch)
        assert torch.allclose(ours, stock, atol=1e-4)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_text_to_video_equals_the_stock_pipelines(guidance: float, pixels: np.ndarray) -> None:
    for backbone, stock_class in ((first(), LTXPipeline), (from_095(), LTXConditionPipeline)):
        stock = stock_sample(stock_class(**backbone.pipeline.components), guidance)
        of_text = backbone.without_first_frame()
        given = conditions(of_text, pixels)
        ours = sample(of_text, given, clip_generators([7]), steps=4, guidance_scale=guidance)
        stock = stock if stock.ndim == 5 else unpacked(stock, ours.shape[2:], backbone._patch)
        assert torch.allclose(ours, stock, atol=1e-4)
        shown = sample(backbone, conditions(backbone, pixels), clip_generators([7]), steps=4, guidance_scale=guidance)
        assert not torch.allclose(shown[:, :, 1:], ours[:, :, 1:], atol=0.01)


@pytest.mark.filterwarnings("error")
def test_a_single_step_where_levels_are_stretched_is_refused(pixels: np.ndarray) -> None:
    backbone = build_tiny("tiny-ltx-video", 0)
    given = conditions(backbone, np.resize(pixels, (*backbone.native_size_hw, 3)))
    with pytest.raises(InputError, match="two steps") as refused:
        sample(backbone, given, clip_generators([7]), steps=1, guidance_scale=1.0)
    assert (refused.value.where, refused.value.cure) == ("steps", "take 2 steps or more")
    assert sample(backbone, given, clip_generators([7]), steps=2, guidance_scale=1.0).isfinite().all()


def test_tokens_are_packed_as_the_stock_pipeline_packs_them() -> None:
    latents = torch.randn(2, 3, 4, 6, 8)
    tokens = packed(latents, (2, 2, 2))
    assert torch.equal(tokens, LTXImageToVideoPipeline._pack_latents(latents, patch_size=2, patch_size_t=2))
    assert torch.equal(unpacked(tokens, (4, 6, 8), (2, 2, 2)), latents)


def test_positions_count_seconds_and_pixels_and_the_first_frame_as_one() -> None:
    grid = from_095().grid(17, (32, 32))
    frame, row, column = coordinates(grid, 1, torch.device("cpu"))[0].unflatten(1, grid.token_shape)
    assert frame[:, 0, 0].tolist() == pytest.approx([0.0, 1 / 25, 9 / 25])
    assert row[0, :, 0].tolist() == column[0, 0, :].tolist() == [0.0, 16.0]


def test_masked_text_takes_no_mass(pixels: np.ndarray) -> None:
    backbone = first()
    given = conditions(backbone, pixels)
    words = int(given.text["mask"].sum())
    everywhere = Region.all_video(1, given.grid.num_tokens)
    padding = Region.text([range(words, backbone.text_length)], backbone.text_length)
    latents = torch.randn(1, SMALL.latent_channels, *given.grid.latent_shape)
    request = Mass("padding", "all", everywhere, [padding], "none")
    with torch.no_grad(), observe(backbone, [request], backbone.layout(given.grid, backbone.text_length)) as seen:
        backbone.denoise(latents, torch.tensor([500]), given.text, given.first_frame)
    assert set(seen["padding"]) == {"blocks.0.cross", "blocks.1.cross"}
    assert all(mass.abs().max() < 1e-6 for mass in seen["padding"].values())


def test_the_first_frame_is_kept_and_noise_on_it_does_not_matter(pixels: np.ndarray) -> None:
    backbone = first()
    given = conditions(backbone, pixels)
    made = sample(backbone, given, clip_generators([3]), steps=2, guidance_scale=1.0)
    assert torch.equal(made[:, :, :1], given.first_frame["latents"])
    latents = torch.randn(1, SMALL.latent_channels, *given.grid.latent_shape)
    noisier = latents.clone()
    noisier[:, :, 0] += 1
    with torch.no_grad():
        one, other = (
            backbone.denoise(z, torch.tensor([500]), given.text, given.first_frame) for z in (latents, noisier)
        )
    assert torch.equal(one[:, :, 1:], other[:, :, 1:])


def test_every_published_name_is_shown_a_first_frame_unless_text_to_video_is_asked_for(tmp_path: Path) -> None:
    for backbone, name, loaded in (
        (first(), "LTXPipeline", "LTXImageToVideoPipeline"),
        (from_095(), "LTXConditionPipeline", "LTXConditionPipeline"),
    ):
        folder = tmp_path / name
        backbone.save(folder)
        write_json(folder / "model_index.json", {**read_json(folder / "model_index.json"), "_class_name": name})
        again = load_backbone(str(folder))
        assert (again.pipeline_class, again.sees_first_frame) == (loaded, True)
        assert not load_backbone(str(folder), text_to_video=True).sees_first_frame
        (folder / "interplay.json").unlink()
        released = load_backbone(str(folder))
        assert (released.native_frames, released.native_size_hw) == (161, (512, 704))


def test_drawn_timesteps_are_shifted_as_the_number_of_tokens_asks() -> None:
    # Of 1024 tokens, the logarithm of the shift is 0.95; the median of shifted levels is the shifted median.
    backbone = build(0, SMALL.model_copy(update={"num_frames": 61, "size_hw": (64, 64)}))
    assert backbone.grid(61, (64, 64)).num_tokens == 1024
    drawn = backbone.draw_timesteps(4000, torch.Generator().manual_seed(0))
    shift = np.exp(0.95)
    assert float(drawn.float().median()) == pytest.approx(1000 * shift / (1 + shift), abs=20)


def test_the_tiny_ltx_video_has_its_size_and_tokens(tmp_path: Path) -> None:
    backbone = build_tiny("tiny-ltx-video", 0)
    assert backbone.grid(17, (48, 80)).num_tokens == 300
    backbone.save(tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 12e6
    tokens = world_tokens(backbone, seed=0, clips=100)
    assert tokens["mask"].sum(dim=1).max() < backbone.text_length
    assert backbone.tokenizer.unk_token_id not in tokens["ids"]


def test_parts_that_do_not_fit_are_an_input_error() -> None:
    backbone = first()
    backbone.transformer.register_to_config(in_channels=16)
    with pytest.raises(InputError, match="reads 16 values per token, latents have 32"):
        LTXVideo(backbone.pipeline, "x", backbone.native)
