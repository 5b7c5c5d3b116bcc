"""CogVideoX in every published layout, against the contract and against the stock pipelines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from contracts.backbone_contract import BackboneContract
from contracts.cogvideox_variants import CONFIG, IMAGE_TO_VIDEO, TEXT_TO_VIDEO, still_clip
from interplay.backbones.base import Backbone
from interplay.backbones.cogvideox.adapter import CogVideoX
from interplay.backbones.cogvideox.tiny import TinyCogVideoX, build
from interplay.backbones.native import Native
from interplay.backbones.registry import load_backbone
from interplay.core.errors import InputError
from interplay.diffusion.sampling import clip_generators, conditions_for, sample

PROMPT = "a man in red pushes a green ball"


@pytest.fixture
def backbone() -> Backbone:
    return build(0, TinyCogVideoX(layers=2))


class TestCogVideoX(BackboneContract):
    """The shared contract on the tiny instance."""


class TestSinusoidal(BackboneContract):
    @pytest.fixture
    def backbone(self) -> CogVideoX:
        return TEXT_TO_VIDEO["sinusoidal"]()


class TestImageToVideo15(BackboneContract):
    @pytest.fixture
    def backbone(self) -> CogVideoX:
        return IMAGE_TO_VIDEO["image_to_video_15"]()


class TestStillClip(BackboneContract):
    @pytest.fixture
    def backbone(self) -> CogVideoX:
        return still_clip()


# --- against the stock pipelines -------------------------------------------------------------------------------------


def stock_latents(backbone: CogVideoX, **options: object) -> torch.Tensor:
    height, width = backbone.native_size_hw
    return backbone.pipeline(
        prompt=PROMPT,
        negative_prompt="",
        height=height,
        width=width,
        num_frames=backbone.native_frames,
        num_inference_steps=3,
        guidance_scale=2.5,
        max_sequence_length=backbone.text_length,
        generator=[torch.Generator().manual_seed(7)],
        output_type="latent",
        **options,
    ).frames.transpose(1, 2)


def our_latents(backbone: CogVideoX, image: torch.Tensor) -> torch.Tensor:
    grid = backbone.grid(backbone.native_frames, backbone.native_size_hw)
    given = conditions_for(backbone, [PROMPT], image, grid)
    return sample(backbone, given, clip_generators([7]), steps=3, guidance_scale=2.5)


@pytest.mark.parametrize("variant", IMAGE_TO_VIDEO)
def test_image_to_video_equals_the_stock_pipeline(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The stock pipeline samples the first frame's latent; a posterior without variance makes both sides comparable.
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())
    backbone = IMAGE_TO_VIDEO[variant]()
    pixels = np.random.default_rng(0).integers(0, 256, (*CONFIG.size_hw, 3), dtype=np.uint8)
    stock = stock_latents(backbone, image=Image.fromarray(pixels))
    image = torch.from_numpy(pixels).permute(2, 0, 1).float()[None] / 127.5 - 1
    assert torch.allclose(our_latents(backbone, image), stock, atol=1e-4)


@pytest.mark.parametrize("variant", TEXT_TO_VIDEO)
def test_text_to_video_equals_the_stock_pipeline(variant: str) -> None:
    backbone = TEXT_TO_VIDEO[variant]()
    image = torch.zeros(1, 3, *CONFIG.size_hw)
    assert torch.allclose(our_latents(backbone, image), stock_latents(backbone), atol=1e-4)


@torch.no_grad()
def test_a_still_clip_of_the_picture_stands_beside_the_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    # As the published code of NimVideo's 2B image-to-video: the stock text-to-video pipeline, and in every forward the
    # latents of the repeated picture behind the noise.
    backbone = still_clip()
    assert backbone.sees_first_frame
    grid = backbone.grid(backbone.native_frames, backbone.native_size_hw)
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, *CONFIG.size_hw, generator=generator) * 2 - 1
    still = backbone.vae.encode(image[:, :, None].repeat(1, 1, grid.frames, 1, 1)).latent_dist.mode()
    still = (still * backbone.vae.config.scaling_factor).transpose(1, 2)
    shape = (1, grid.latent_shape[0], CONFIG.latent_channels, *grid.latent_shape[1:])
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(7))
    forward = backbone.transformer.forward

    def shown(hidden_states: torch.Tensor, **given: object) -> object:
        return forward(
            hidden_states=torch.cat([hidden_states, still.repeat(len(hidden_states), 1, 1, 1, 1)], 2), **given
        )

    with monkeypatch.context() as patched:
        patched.setattr(backbone.transformer, "forward", shown)
        stock = stock_latents(backbone, latents=noise)
    ours = our_latents(backbone, image)
    assert torch.allclose(ours, stock, atol=1e-4)
    assert not torch.allclose(our_latents(backbone, -image), stock, atol=1e-2)


# --- what the layouts differ in --------------------------------------------------------------------------------------


def test_temporal_patches_begin_with_the_first_frame_alone() -> None:
    backbone = TEXT_TO_VIDEO["text_to_video_15"]()
    grid = backbone.grid(17, CONFIG.size_hw)
    assert grid.latent_shape[0] == 6
    assert [grid.pixel_frames_of_token(token) for token in range(3)] == [range(1), range(1, 9), range(9, 17)]
    video = torch.rand(1, 3, 17, *CONFIG.size_hw, generator=torch.Generator().manual_seed(0)) * 2 - 1
    latents = backbone.encode_video(video)
    assert torch.equal(latents[:, :, 0], latents[:, :, 1])
    assert backbone.decode_video(latents).shape == video.shape
    with pytest.raises(InputError, match="1 \\+ a multiple of 8"):
        backbone.grid(13, CONFIG.size_hw)


def test_learned_positions_fix_the_size() -> None:
    backbone = IMAGE_TO_VIDEO["learned_positions"]()
    with pytest.raises(InputError, match="has positions for"):
        backbone.grid(CONFIG.num_frames, (48, 32))


def test_a_1_5_folder_that_says_nothing_of_its_clips_is_taken_for_a_released_one(tmp_path: Path) -> None:
    backbone = TEXT_TO_VIDEO["text_to_video_15"]()
    backbone.save(tmp_path)
    assert load_backbone(str(tmp_path)).native_size_hw == CONFIG.size_hw
    (tmp_path / "interplay.json").unlink()
    assert load_backbone(str(tmp_path)).native == Native(81, (768, 1360), CONFIG.text_length)


def test_a_pipeline_whose_parts_do_not_fit_is_an_input_error() -> None:
    backbone = TEXT_TO_VIDEO["text_to_video"]()
    backbone.transformer.register_to_config(in_channels=2 * CONFIG.latent_channels)
    with pytest.raises(InputError, match="reads 16 channels, text-to-video has 8"):
        CogVideoX(backbone.pipeline, "x")


def test_a_clip_does_not_depend_on_its_neighbours_in_the_batch(backbone: Backbone) -> None:
    images = torch.rand(3, 3, *backbone.native_size_hw, generator=torch.Generator().manual_seed(0)) * 2 - 1
    grid = backbone.grid(backbone.native_frames, backbone.native_size_hw)
    together = sample(
        backbone,
        conditions_for(backbone, ["a", "b", "c"], images, grid),
        clip_generators([1, 2, 3]),
        steps=2,
        guidance_scale=2.0,
    )
    alone = sample(
        backbone,
        conditions_for(backbone, ["b"], images[1:2], grid),
        clip_generators([2]),
        steps=2,
        guidance_scale=2.0,
    )
    assert torch.allclose(together[1:2], alone, atol=1e-5)


def test_a_portrait_clip_of_another_length_is_denoised_too(backbone: Backbone) -> None:
    grid = backbone.grid(9, (80, 48))
    latents = torch.randn(1, backbone.vae.config.latent_channels, *grid.latent_shape)
    first_frame = backbone.first_frame_condition(torch.zeros(1, 3, 80, 48), grid)
    with torch.no_grad():
        out = backbone.denoise(latents, torch.tensor([10]), backbone.encode_text(["a man"], first_frame), first_frame)
    assert out.shape == latents.shape
