from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from contracts.backbone_contract import BackboneContract
from interplay.backbones.base import Backbone
from interplay.backbones.cogvideox.tiny import TinyCogVideoX, build
from interplay.diffusion.sampling import clip_generators, conditions_for, sample


@pytest.fixture
def backbone() -> Backbone:
    return build(0, TinyCogVideoX(layers=2))


class TestCogVideoX(BackboneContract):
    """The shared contract on the tiny instance."""


def test_our_sampling_equals_the_stock_pipeline(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    height, width = backbone.native_size_hw
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    # The stock pipeline samples the first frame's latent; a posterior without variance makes both sides comparable.
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())
    stock = backbone.pipeline(
        image=Image.fromarray(pixels),
        prompt="a man in red pushes a green ball",
        negative_prompt="",
        height=height,
        width=width,
        num_frames=backbone.native_frames,
        num_inference_steps=3,
        guidance_scale=2.5,
        max_sequence_length=backbone.text_length,
        generator=[torch.Generator().manual_seed(7)],
        output_type="latent",
    ).frames
    image = torch.from_numpy(pixels).permute(2, 0, 1).float()[None] / 127.5 - 1
    grid = backbone.grid(backbone.native_frames, (height, width))
    conditions = conditions_for(backbone, ["a man in red pushes a green ball"], image, grid)
    ours = sample(backbone, conditions, clip_generators([7]), steps=3, guidance_scale=2.5)
    assert torch.allclose(ours.transpose(1, 2), stock, atol=1e-4)


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
