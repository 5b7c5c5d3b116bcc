"""Very small LTX-Videos of both published layouts."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKLLTXVideo, FlowMatchEulerDiscreteScheduler, LTXConditionPipeline

from interplay.backbones.ltx_video.adapter import LTXVideo
from interplay.backbones.ltx_video.tiny import TinyLTXVideo, build
from interplay.backbones.native import Native

SMALL = TinyLTXVideo(num_frames=9, size_hw=(32, 64), layers=2, heads=2, head_dim=24, text_dim=32)


def first() -> LTXVideo:
    """LTX-Video 0.9."""
    return build(0, SMALL)


def from_095() -> LTXVideo:
    """LTX-Video 0.9.5 and later: another autoencoder, other positions, another schedule."""
    base = build(0, SMALL)
    torch.manual_seed(1)
    vae = AutoencoderKLLTXVideo(
        latent_channels=SMALL.latent_channels,
        block_out_channels=(16, 16, 32, 32, 32),
        down_block_types=("LTXVideo095DownBlock3D",) * 4,
        decoder_block_out_channels=(8, 16, 32),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, True, True),
        decoder_spatio_temporal_scaling=(True, True, True),
        decoder_inject_noise=(False, False, False, False),
        downsample_type=("spatial", "temporal", "spatiotemporal", "spatiotemporal"),
        upsample_residual=(True, True, True),
        upsample_factor=(2, 2, 2),
        timestep_conditioning=True,
        patch_size=2,
        spatial_compression_ratio=16,
        temporal_compression_ratio=8,
    ).eval()
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=False)
    pipeline = LTXConditionPipeline(**{**base.pipeline.components, "vae": vae, "scheduler": scheduler})
    return LTXVideo(pipeline, "variant", Native(SMALL.num_frames, SMALL.size_hw, SMALL.text_length))
