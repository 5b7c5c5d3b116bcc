"""A tiny Wan: small instances of the real classes, untrained, in the standard pipeline layout.

It has the layout of Wan 2.2 image-to-video (mask and first-frame latents beside the noise, no image encoder) with one
transformer for all noise levels. Sizes follow the same reasoning as the other tiny backbones': the autoencoder turns 17
x 48 x 80 pixels into 5 x 12 x 20 latents of 8 channels, the transformer sees 5 x 6 x 10 = 300 video tokens, and each
token predicts 8 x 2 x 2 = 32 values at width 128, a quarter of what it can carry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from interplay.backbones.untrained import TinySizes, drawn_from, t5_sizes
from interplay.backbones.wan.adapter import Wan, stock_pipeline_class
from interplay.backbones.words import word_tokenizer

if TYPE_CHECKING:
    from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanTransformer3DModel
    from transformers import UMT5EncoderModel


class TinyWan(TinySizes):
    """Sizes of the tiny instance."""

    latent_channels: int = 8
    vae_channels: int = 16
    vae_multipliers: tuple[int, ...] = (1, 2, 3)
    layers: int = 8
    heads: int = 4
    head_dim: int = 32
    # Wider and deeper than its siblings': cross-attention reads words as the text encoder leaves them, while where
    # attention is joint every layer of the transformer goes on with them.
    text_dim: int = 128
    text_layers: int = 4
    text_length: int = 32


def build_vae(config: TinyWan) -> AutoencoderKLWan:
    """The untrained autoencoder: 4 x 4 x 4 compression with a causal first frame, begun as one of pictures."""
    from diffusers import AutoencoderKLWan

    stages = len(config.vae_multipliers)
    vae = AutoencoderKLWan(
        base_dim=config.vae_channels,
        z_dim=config.latent_channels,
        dim_mult=list(config.vae_multipliers),
        num_res_blocks=1,
        temperal_downsample=[True] * (stages - 1),
        latents_mean=[0.0] * config.latent_channels,
        latents_std=[1.0] * config.latent_channels,
        scale_factor_temporal=4,
        scale_factor_spatial=2 ** (stages - 1),
    )
    _begin_with_pictures(vae)
    return vae


@torch.no_grad()
def _begin_with_pictures(vae: AutoencoderKLWan) -> None:
    """Start an untrained autoencoder from one that treats every frame alike.

    A clip's first frame passes by the layers that halve and double time, and finds zeros where others find earlier
    frames. Weights drawn at random therefore code it differently from the rest, and stay so: a denoiser then has to
    translate between two codes. Here convolutions over time see only their own frame to begin with (the inflation of
    an image autoencoder, by which Wan's own was trained: arXiv 2503.20314), halving takes the mean of two frames, and
    doubling repeats.
    """
    for name, module in vae.named_modules():
        if not isinstance(module, nn.Conv3d) or module.kernel_size[0] == 1:
            continue
        if name.endswith("time_conv"):
            _pass_through(module, mean_of_last=2 if module.stride[0] == 2 else 1)
        else:
            module.weight[:, :, -1] = module.weight.sum(dim=2)
            module.weight[:, :, :-1] = 0.0


def _pass_through(conv: nn.Conv3d, *, mean_of_last: int) -> None:
    """Every group of outputs repeats the inputs: the mean of so many last taps."""
    copies = conv.out_channels // conv.in_channels
    identity = torch.eye(conv.in_channels).repeat(copies, 1)
    conv.weight.zero_()
    conv.weight[:, :, -mean_of_last:, 0, 0] = identity[:, :, None] / mean_of_last
    if conv.bias is not None:
        conv.bias.zero_()


def build_transformer(config: TinyWan) -> WanTransformer3DModel:
    """The untrained transformer; it reads noisy latents, 4 channels of mask and the first frame's latents."""
    from diffusers import WanTransformer3DModel

    width = config.heads * config.head_dim
    return WanTransformer3DModel(
        num_attention_heads=config.heads,
        attention_head_dim=config.head_dim,
        in_channels=2 * config.latent_channels + 4,
        out_channels=config.latent_channels,
        text_dim=config.text_dim,
        freq_dim=width,
        ffn_dim=4 * width,
        num_layers=config.layers,
        rope_max_seq_len=64,
    )


def build_text_encoder(config: TinyWan, vocabulary_size: int) -> UMT5EncoderModel:
    """The untrained text encoder; it is trained together with the transformer."""
    from transformers import UMT5Config, UMT5EncoderModel

    return UMT5EncoderModel(UMT5Config(**t5_sizes(vocabulary_size, width=config.text_dim, layers=config.text_layers)))


def build_scheduler() -> UniPCMultistepScheduler:
    """The scheduler of the released checkpoints at 480p: flow matching, UniPC of second order, shift 3."""
    from diffusers import UniPCMultistepScheduler

    return UniPCMultistepScheduler(
        num_train_timesteps=1000,
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=3.0,
    )


def build(seed: int, config: TinyWan | None = None) -> Wan:
    """An untrained tiny Wan whose random weights follow from ``seed``."""
    config = config or TinyWan()
    tokenizer = word_tokenizer()
    with drawn_from(seed, "vae"):
        vae = build_vae(config)
    with drawn_from(seed, "denoiser"):
        pipeline = stock_pipeline_class()(
            tokenizer=tokenizer,
            text_encoder=build_text_encoder(config, len(tokenizer)),
            vae=vae,
            transformer=build_transformer(config),
            scheduler=build_scheduler(),
        )
    return Wan(pipeline, "tiny-wan", config.native(config.text_length))
