"""A tiny LTX-Video: small instances of the real classes, untrained, in the standard pipeline layout.

Sizes follow the same reasoning as the other tiny backbones'. LTX-Video compresses far in the autoencoder and not at all
in the transformer, so here the autoencoder turns 17 x 48 x 80 pixels into 5 x 6 x 10 latents of 32 channels, each of
which is a token: 300 video tokens, and each predicts 32 values at width 128.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interplay.backbones.ltx_video.adapter import LTXVideo
from interplay.backbones.untrained import TinySizes, drawn_from, t5_sizes
from interplay.backbones.words import word_tokenizer

if TYPE_CHECKING:
    from diffusers import AutoencoderKLLTXVideo, FlowMatchEulerDiscreteScheduler, LTXVideoTransformer3DModel
    from transformers import T5EncoderModel


class TinyLTXVideo(TinySizes):
    """Sizes of the tiny instance."""

    latent_channels: int = 32
    vae_patch: int = 2
    vae_channels: tuple[int, ...] = (32, 48, 64)
    layers: int = 8
    heads: int = 4
    head_dim: int = 32
    text_dim: int = 64
    text_layers: int = 2
    text_length: int = 32


def build_vae(config: TinyLTXVideo) -> AutoencoderKLLTXVideo:
    """The untrained autoencoder: 4 x 8 x 8 compression, half of it by patches, with a causal first frame."""
    from diffusers import AutoencoderKLLTXVideo

    stages = len(config.vae_channels)
    scaling = (True,) * (stages - 1) + (False,)
    return AutoencoderKLLTXVideo(
        latent_channels=config.latent_channels,
        block_out_channels=config.vae_channels,
        down_block_types=("LTXVideoDownBlock3D",) * stages,
        decoder_block_out_channels=config.vae_channels,
        layers_per_block=(1,) * (stages + 1),
        decoder_layers_per_block=(1,) * (stages + 1),
        spatio_temporal_scaling=scaling,
        decoder_spatio_temporal_scaling=scaling,
        decoder_inject_noise=(False,) * (stages + 1),
        downsample_type=("conv",) * stages,
        upsample_residual=(False,) * stages,
        upsample_factor=(1,) * stages,
        patch_size=config.vae_patch,
        timestep_conditioning=False,
    )


def build_transformer(config: TinyLTXVideo) -> LTXVideoTransformer3DModel:
    """The untrained transformer."""
    from diffusers import LTXVideoTransformer3DModel

    return LTXVideoTransformer3DModel(
        in_channels=config.latent_channels,
        out_channels=config.latent_channels,
        num_attention_heads=config.heads,
        attention_head_dim=config.head_dim,
        cross_attention_dim=config.heads * config.head_dim,
        num_layers=config.layers,
        caption_channels=config.text_dim,
    )


def build_text_encoder(config: TinyLTXVideo, vocabulary_size: int) -> T5EncoderModel:
    """The untrained text encoder; it is trained together with the transformer."""
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(T5Config(**t5_sizes(vocabulary_size, width=config.text_dim, layers=config.text_layers)))


def build_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """The scheduler of LTX-Video 0.9, whose shift grows with the number of tokens."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(
        num_train_timesteps=1000,
        use_dynamic_shifting=True,
        base_shift=0.95,
        max_shift=2.05,
        base_image_seq_len=1024,
        max_image_seq_len=4096,
        shift_terminal=0.1,
    )


def build(seed: int, config: TinyLTXVideo | None = None) -> LTXVideo:
    """An untrained tiny LTX-Video whose random weights follow from ``seed``."""
    from diffusers import LTXImageToVideoPipeline

    config = config or TinyLTXVideo()
    tokenizer = word_tokenizer()
    with drawn_from(seed, "vae"):
        vae = build_vae(config).eval()
    with drawn_from(seed, "denoiser"):
        pipeline = LTXImageToVideoPipeline(
            tokenizer=tokenizer,
            text_encoder=build_text_encoder(config, len(tokenizer)),
            vae=vae,
            transformer=build_transformer(config),
            scheduler=build_scheduler(),
        )
    return LTXVideo(pipeline, "tiny-ltx-video", config.native(config.text_length))
