"""A tiny HunyuanVideo image-to-video: small instances of the real classes, untrained, in the standard pipeline layout.

Like the released 16-channel model it replaces the tokens of the first frame, is told its guidance scale, and reads
prompts with a vision-language model. Sizes follow the tiny CogVideoX: 17 x 48 x 80 pixels are 5 x 12 x 20 latents of 8
channels and 300 video tokens, each of which predicts 32 values at width 128. The first frame's picture is 64 tokens, of
which the transformer sees 16. ``condition`` makes it another of the released kinds, ``none`` text-to-video.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from interplay.backbones.hunyuan_video.adapter import HunyuanVideo
from interplay.backbones.hunyuan_video.encoder import CLIP_TOKENS
from interplay.backbones.hunyuan_video.plain import PlainTemplate
from interplay.backbones.hunyuan_video.prompts import Template
from interplay.backbones.hunyuan_video.words import IMAGE, caption_tokenizer, chat_tokenizer
from interplay.backbones.quiet import quiet
from interplay.backbones.untrained import TinySizes, drawn_from

if TYPE_CHECKING:
    from diffusers import (
        AutoencoderKLHunyuanVideo,
        FlowMatchEulerDiscreteScheduler,
        HunyuanVideoTransformer3DModel,
    )
    from transformers import (
        CLIPTextModel,
        LlamaConfig,
        LlamaModel,
        LlavaForConditionalGeneration,
        PreTrainedTokenizerFast,
    )


class TinyHunyuanVideo(TinySizes):
    """Sizes of the tiny instance.

    ``chat_layers`` counts the two last layers of the vision-language model, which nobody reads.
    """

    latent_channels: int = 8
    vae_channels: tuple[int, ...] = (16, 32, 48)
    dual_layers: int = 2
    single_layers: int = 6
    refiner_layers: int = 1
    heads: int = 4
    rotary_dims: tuple[int, int, int] = (8, 12, 12)
    text_dim: int = 64
    chat_layers: int = 4
    pooled_dim: int = 32
    text_length: int = 32
    picture_px: int = 32
    picture_patch_px: int = 4
    condition: Literal["token_replace", "latent_concat", "none"] = "token_replace"

    @property
    def head_dim(self) -> int:
        """Width of a head: what the three rotary axes take together."""
        return sum(self.rotary_dims)

    @property
    def image_tokens(self) -> int:
        """Tokens of the picture in the vision-language model."""
        return (self.picture_px // self.picture_patch_px) ** 2


def build_vae(config: TinyHunyuanVideo) -> AutoencoderKLHunyuanVideo:
    """The untrained autoencoder: 4 x 4 x 4 compression with a causal first frame."""
    from diffusers import AutoencoderKLHunyuanVideo

    stages = len(config.vae_channels)
    return AutoencoderKLHunyuanVideo(
        down_block_types=("HunyuanVideoDownBlock3D",) * stages,
        up_block_types=("HunyuanVideoUpBlock3D",) * stages,
        block_out_channels=config.vae_channels,
        latent_channels=config.latent_channels,
        layers_per_block=1,
        norm_num_groups=8,
        spatial_compression_ratio=2 ** (stages - 1),
        temporal_compression_ratio=4,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )


def build_transformer(config: TinyHunyuanVideo) -> HunyuanVideoTransformer3DModel:
    """The untrained transformer; all released kinds but the one of 33 channels are told their guidance."""
    from diffusers import HunyuanVideoTransformer3DModel

    concatenates = config.condition == "latent_concat"
    return HunyuanVideoTransformer3DModel(
        in_channels=2 * config.latent_channels + 1 if concatenates else config.latent_channels,
        out_channels=config.latent_channels,
        num_attention_heads=config.heads,
        attention_head_dim=config.head_dim,
        num_layers=config.dual_layers,
        num_single_layers=config.single_layers,
        num_refiner_layers=config.refiner_layers,
        guidance_embeds=not concatenates,
        text_embed_dim=config.text_dim,
        pooled_projection_dim=config.pooled_dim,
        rope_axes_dim=config.rotary_dims,
        image_condition_type=None if config.condition == "none" else config.condition,
    )


def build_chat_encoder(config: TinyHunyuanVideo, tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    """The untrained vision-language model; it is trained together with the transformer."""
    from transformers import CLIPVisionConfig, LlavaConfig, LlavaForConditionalGeneration

    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        projection_dim=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=config.picture_px,
        patch_size=config.picture_patch_px,
    )
    return LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=vision,
            text_config=_language_config(config, tokenizer),
            image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
            image_seq_length=config.image_tokens,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def build_language_encoder(config: TinyHunyuanVideo, tokenizer: PreTrainedTokenizerFast) -> LlamaModel:
    """The untrained language model of text-to-video; it is trained together with the transformer."""
    from transformers import LlamaModel

    return LlamaModel(_language_config(config, tokenizer))


def _language_config(config: TinyHunyuanVideo, tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.text_dim,
        intermediate_size=2 * config.text_dim,
        num_hidden_layers=config.chat_layers,
        num_attention_heads=config.text_dim // 16,
        num_key_value_heads=config.text_dim // 16,
        max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def build_pooled_encoder(config: TinyHunyuanVideo, tokenizer: PreTrainedTokenizerFast) -> CLIPTextModel:
    """The untrained encoder of the pooled vector; it is trained together with the transformer."""
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.pooled_dim,
            intermediate_size=2 * config.pooled_dim,
            projection_dim=config.pooled_dim,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=CLIP_TOKENS,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def build_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """The released scheduler, with a shift for few tokens: long videos need more of their steps at high noise."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0)


def build(seed: int, config: TinyHunyuanVideo | None = None) -> HunyuanVideo:
    """An untrained tiny HunyuanVideo whose random weights follow from ``seed``."""
    config = config or TinyHunyuanVideo()
    template = PlainTemplate.stock() if config.condition == "none" else Template.stock(config.image_tokens, 1)
    chat, caption = chat_tokenizer(template.text), caption_tokenizer(template.text)
    with drawn_from(seed, "vae"):
        vae = build_vae(config)
    with quiet(), drawn_from(seed, "denoiser"):
        encoder = build_language_encoder if config.condition == "none" else build_chat_encoder
        parts = {
            "text_encoder": encoder(config, chat).eval(),
            "tokenizer": chat,
            "transformer": build_transformer(config),
            "vae": vae,
            "scheduler": build_scheduler(),
            "text_encoder_2": build_pooled_encoder(config, caption).eval(),
            "tokenizer_2": caption,
        }
        pipeline = _pipeline(config, parts)
    return HunyuanVideo(pipeline, "tiny-hunyuan-video", config.native(config.text_length))


def _pipeline(config: TinyHunyuanVideo, parts: dict[str, Any]) -> Any:
    from diffusers import HunyuanVideoImageToVideoPipeline, HunyuanVideoPipeline
    from transformers import CLIPImageProcessor

    if config.condition == "none":
        return HunyuanVideoPipeline(**parts)
    # The whole picture, squeezed into a square; the released processor crops its middle.
    size = {"height": config.picture_px, "width": config.picture_px}
    return HunyuanVideoImageToVideoPipeline(
        **parts, image_processor=CLIPImageProcessor(size=size, do_center_crop=False)
    )
