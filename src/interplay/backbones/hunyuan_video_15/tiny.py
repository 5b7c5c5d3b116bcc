"""A tiny HunyuanVideo-1.5: small instances of the real classes, untrained, in the standard pipeline layout.

Like the released models it reads prompts with a language model and spells what they quote. The autoencoder turns 17 x
48 x 80 pixels into 5 x 6 x 10 latents of 16 channels, each of which is a token (300 video tokens) and predicts 16
values at width 48. The width is small because three quarters of all weights are a layer of fixed size in the stock
class (the projection of glyphs, 2048 x 2048), and the whole is to stay below 12 MB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from interplay.backbones.hunyuan_video_15.adapter import HunyuanVideo15
from interplay.backbones.hunyuan_video_15.words import chat_tokenizer
from interplay.backbones.quiet import quiet
from interplay.backbones.untrained import TinySizes, drawn_from, t5_sizes

if TYPE_CHECKING:
    from diffusers import (
        AutoencoderKLHunyuanVideo15,
        FlowMatchEulerDiscreteScheduler,
        HunyuanVideo15Transformer3DModel,
    )
    from transformers import PreTrainedTokenizerFast, Qwen2_5_VLTextModel, SiglipVisionModel, T5EncoderModel


class TinyHunyuanVideo15(TinySizes):
    """Sizes of the tiny instance.

    ``chat_layers`` counts the two last layers of the language model, which nobody reads.
    """

    latent_channels: int = 16
    vae_channels: tuple[int, ...] = (8, 8, 16, 32)
    layers: int = 6
    refiner_layers: int = 1
    heads: int = 2
    rotary_dims: tuple[int, int, int] = (4, 10, 10)
    text_dim: int = 64
    chat_layers: int = 4
    glyph_dim: int = 16
    glyph_tokens: int = 16
    prompt_tokens: int = 40
    picture_dim: int = 32
    picture_px: int = 32
    picture_patch_px: int = 8
    task: Literal["i2v", "t2v"] = "i2v"

    @property
    def head_dim(self) -> int:
        """Width of a head: what the three rotary axes take together."""
        return sum(self.rotary_dims)


def build_vae(config: TinyHunyuanVideo15) -> AutoencoderKLHunyuanVideo15:
    """The untrained autoencoder: 4 x 8 x 8 compression with a causal first frame."""
    from diffusers import AutoencoderKLHunyuanVideo15

    return AutoencoderKLHunyuanVideo15(
        latent_channels=config.latent_channels,
        block_out_channels=config.vae_channels,
        layers_per_block=1,
        spatial_compression_ratio=2 ** (len(config.vae_channels) - 1),
        temporal_compression_ratio=4,
        scaling_factor=1.0,
    )


def build_transformer(config: TinyHunyuanVideo15) -> HunyuanVideo15Transformer3DModel:
    """The untrained transformer."""
    from diffusers import HunyuanVideo15Transformer3DModel

    return HunyuanVideo15Transformer3DModel(
        in_channels=2 * config.latent_channels + 1,
        out_channels=config.latent_channels,
        num_attention_heads=config.heads,
        attention_head_dim=config.head_dim,
        num_layers=config.layers,
        num_refiner_layers=config.refiner_layers,
        text_embed_dim=config.text_dim,
        text_embed_2_dim=config.glyph_dim,
        image_embed_dim=config.picture_dim,
        rope_axes_dim=config.rotary_dims,
        task_type=config.task,
    )


def build_language_encoder(config: TinyHunyuanVideo15, tokenizer: PreTrainedTokenizerFast) -> Qwen2_5_VLTextModel:
    """The untrained language model; it is trained together with the transformer."""
    from transformers import Qwen2_5_VLTextModel

    heads = config.text_dim // 16
    return Qwen2_5_VLTextModel(
        Qwen2_5_VLTextModel.config_class(
            vocab_size=len(tokenizer),
            hidden_size=config.text_dim,
            intermediate_size=2 * config.text_dim,
            num_hidden_layers=config.chat_layers,
            max_window_layers=config.chat_layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=512,
            # Time, height and width of a picture share a head's eight frequencies.
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]},
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def build_glyph_encoder(config: TinyHunyuanVideo15, vocabulary_size: int) -> T5EncoderModel:
    """The untrained encoder of glyphs; it is trained together with the transformer."""
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(T5Config(**t5_sizes(vocabulary_size, width=config.glyph_dim, layers=1, head_dim=8)))


def build_image_encoder(config: TinyHunyuanVideo15) -> SiglipVisionModel:
    """The untrained image encoder, which stays as it is."""
    from transformers import SiglipVisionConfig, SiglipVisionModel

    return SiglipVisionModel(
        SiglipVisionConfig(
            hidden_size=config.picture_dim,
            intermediate_size=2 * config.picture_dim,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=config.picture_px,
            patch_size=config.picture_patch_px,
            vision_use_head=False,
        )
    )


def build_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """The released scheduler, with a shift for few tokens: long videos need more of their steps at high noise."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0)


def build(seed: int, config: TinyHunyuanVideo15 | None = None) -> HunyuanVideo15:
    """An untrained tiny HunyuanVideo-1.5 whose random weights follow from ``seed``."""
    config = config or TinyHunyuanVideo15()
    with drawn_from(seed, "vae"):
        vae = build_vae(config).eval()
    with quiet(), drawn_from(seed, "denoiser"):
        from diffusers import ClassifierFreeGuidance
        from transformers import ByT5Tokenizer

        speller = ByT5Tokenizer(model_max_length=config.glyph_tokens)
        chat = chat_tokenizer(_system_message())
        parts = {
            "text_encoder": build_language_encoder(config, chat).eval(),
            "tokenizer": chat,
            "transformer": build_transformer(config),
            "vae": vae,
            "scheduler": build_scheduler(),
            "text_encoder_2": build_glyph_encoder(config, len(speller)).eval(),
            "tokenizer_2": speller,
            "guider": ClassifierFreeGuidance(guidance_scale=6.0),
        }
        pipeline = _pipeline(config, parts)
    text_length = config.glyph_tokens + config.prompt_tokens
    return HunyuanVideo15(pipeline, "tiny-hunyuan-video-15", config.native(text_length))


def _system_message() -> str:
    """What the stock pipelines tell the language model."""
    import inspect

    from diffusers import HunyuanVideo15Pipeline

    stock = inspect.signature(HunyuanVideo15Pipeline._get_mllm_prompt_embeds)
    return str(stock.parameters["system_message"].default)


def _pipeline(config: TinyHunyuanVideo15, parts: dict[str, Any]) -> Any:
    from diffusers import HunyuanVideo15ImageToVideoPipeline, HunyuanVideo15Pipeline
    from transformers import SiglipImageProcessor

    if config.task == "t2v":
        return HunyuanVideo15Pipeline(**parts)
    return HunyuanVideo15ImageToVideoPipeline(
        **parts,
        image_encoder=build_image_encoder(config).eval(),
        feature_extractor=SiglipImageProcessor(size={"height": config.picture_px, "width": config.picture_px}),
    )
