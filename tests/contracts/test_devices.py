"""Networks on different devices, as pretraining on an accelerator leaves them: it trains the autoencoder alone.

Here the other device is ``meta``: what is sent there keeps its shape, and cannot come back.
"""

from __future__ import annotations

import pytest
import torch

from interplay.backbones.base import Backbone
from interplay.backbones.registry import build_tiny, tiny_names


@pytest.fixture
def backbone(request: pytest.FixtureRequest) -> Backbone:
    return build_tiny(request.param, 0)


def video_of(backbone: Backbone) -> torch.Tensor:
    return torch.zeros(1, 3, backbone.native_frames, *backbone.native_size_hw)


@pytest.mark.parametrize("backbone", tiny_names(), indirect=True)
def test_an_autoencoder_encodes_where_it_is(backbone: Backbone) -> None:
    video, grid = video_of(backbone), backbone.grid(backbone.native_frames, backbone.native_size_hw)
    backbone.transformer.to("meta")
    assert tuple(backbone.encode_video(video).shape[2:]) == grid.latent_shape
    assert len(backbone.first_frame_condition(video[:, :, 0], grid)) == 1
    assert tuple(backbone.show_picture(video[:, :, 0], grid).shape[2:]) == grid.latent_shape


@pytest.mark.parametrize("backbone", tiny_names(), indirect=True)
def test_what_it_makes_is_brought_to_the_transformer(backbone: Backbone) -> None:
    video, grid = video_of(backbone), backbone.grid(backbone.native_frames, backbone.native_size_hw)
    backbone.transformer.to("meta")
    first_frame = backbone.first_frame_condition(video[:, :, 0], grid)
    made = [backbone.encode_video(video), backbone.show_picture(video[:, :, 0], grid), *first_frame.tensors.values()]
    assert {tensor.device for tensor in made} == {backbone.device}


@pytest.mark.parametrize("backbone", tiny_names(), indirect=True)
def test_an_autoencoder_decodes_where_it_is(backbone: Backbone) -> None:
    grid = backbone.grid(backbone.native_frames, backbone.native_size_hw)
    latents = torch.zeros(1, backbone.latent_channels, *grid.latent_shape)
    backbone.vae.to("meta")
    assert backbone.decode_video(latents).shape == video_of(backbone).shape
