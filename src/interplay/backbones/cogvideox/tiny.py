"""A tiny CogVideoX: small instances of the real classes, untrained, in the standard pipeline layout.

The vocabulary is the embedded world's. Sizes are chosen so that a base trains in about two hours on two CPU cores: the
autoencoder turns 17 x 48 x 80 pixels into 5 x 12 x 20 latents of 8 channels, the transformer sees 5 x 6 x 10 = 300
video tokens, and each token predicts 8 x 2 x 2 = 32 values at width 128. (At 192 values per token a model of this
width never learns to carry its noise, and nothing it predicts is of use.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interplay.backbones.cogvideox.adapter import CogVideoX
from interplay.backbones.untrained import TinySizes, drawn_from, t5_sizes
from interplay.backbones.words import word_tokenizer

if TYPE_CHECKING:
    from diffusers import AutoencoderKLCogVideoX, CogVideoXDPMScheduler, CogVideoXTransformer3DModel
    from transformers import T5EncoderModel


class TinyCogVideoX(TinySizes):
    """Sizes of the tiny instance."""

    latent_channels: int = 8
    vae_channels: tuple[int, ...] = (16, 32, 48)
    layers: int = 8
    heads: int = 4
    head_dim: int = 32
    time_embed_dim: int = 64
    text_dim: int = 64
    text_layers: int = 2
    text_length: int = 32


def build_vae(config: TinyCogVideoX) -> AutoencoderKLCogVideoX:
    """The untrained autoencoder: 4 x 4 x 4 compression with a causal first frame."""
    from diffusers import AutoencoderKLCogVideoX

    stages = len(config.vae_channels)
    return AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * stages,
        up_block_types=("CogVideoXUpBlock3D",) * stages,
        block_out_channels=config.vae_channels,
        latent_channels=config.latent_channels,
        layers_per_block=1,
        norm_num_groups=8,
        temporal_compression_ratio=4,
        sample_height=config.size_hw[0],
        sample_width=config.size_hw[1],
        scaling_factor=1.0,
        invert_scale_latents=False,
    )


def build_transformer(config: TinyCogVideoX) -> CogVideoXTransformer3DModel:
    """The untrained image-to-video transformer with rotary embeddings."""
    from diffusers import CogVideoXTransformer3DModel

    spatial_stride = 2 ** (len(config.vae_channels) - 1)
    return CogVideoXTransformer3DModel(
        num_attention_heads=config.heads,
        attention_head_dim=config.head_dim,
        in_channels=2 * config.latent_channels,
        out_channels=config.latent_channels,
        time_embed_dim=config.time_embed_dim,
        text_embed_dim=config.text_dim,
        num_layers=config.layers,
        sample_height=config.size_hw[0] // spatial_stride,
        sample_width=config.size_hw[1] // spatial_stride,
        sample_frames=config.num_frames,
        max_text_seq_length=config.text_length,
        use_rotary_positional_embeddings=True,
    )


def build_text_encoder(config: TinyCogVideoX, vocabulary_size: int) -> T5EncoderModel:
    """The untrained text encoder; it is trained together with the transformer."""
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(T5Config(**t5_sizes(vocabulary_size, width=config.text_dim, layers=config.text_layers)))


def build_scheduler() -> CogVideoXDPMScheduler:
    """The scheduler of CogVideoX-5B-I2V: v-prediction, zero terminal signal-to-noise, trailing steps."""
    from diffusers import CogVideoXDPMScheduler

    return CogVideoXDPMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        snr_shift_scale=1.0,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
    )


def build(seed: int, config: TinyCogVideoX | None = None) -> CogVideoX:
    """An untrained tiny CogVideoX whose random weights follow from ``seed``."""
    from diffusers import CogVideoXImageToVideoPipeline

    config = config or TinyCogVideoX()
    tokenizer = word_tokenizer()
    with drawn_from(seed, "vae"):
        vae = build_vae(config)
    with drawn_from(seed, "denoiser"):
        pipeline = CogVideoXImageToVideoPipeline(
            tokenizer=tokenizer,
            text_encoder=build_text_encoder(config, len(tokenizer)),
            vae=vae,
            transformer=build_transformer(config),
            scheduler=build_scheduler(),
        )
    return CogVideoX(pipeline, "tiny-cogvideox", config.native(config.text_length))
