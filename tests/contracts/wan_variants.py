"""Very small Wans of every layout that is published: the tiny one, two experts, first frame in place, image tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from diffusers import WanImageToVideoPipeline, WanPipeline, WanTransformer3DModel
from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModel

from interplay.backbones.native import Native
from interplay.backbones.wan.adapter import Wan
from interplay.backbones.wan.tiny import TinyWan, build

CONFIG = TinyWan(num_frames=9, size_hw=(32, 48), layers=2, heads=2, head_dim=16, text_dim=16, text_layers=1)
BOUNDARY = 0.9
# The stock attention processor has this number built in.
TEXT_LENGTH_WITH_IMAGE_TOKENS = 512


def plain() -> Wan:
    """Mask and first-frame latents beside the noise, one transformer."""
    return build(0, CONFIG)


def experts() -> Wan:
    """Wan 2.2 A14B: the same, and a second transformer for the cleaner nine tenths of the timesteps."""
    base = plain()
    return _variant(base, transformer_2=_transformer(base, seed=1), boundary_ratio=BOUNDARY)


def in_place() -> Wan:
    """Wan 2.2 TI2V: the first latent frame stands where its noise would be."""
    base = plain()
    return _variant(base, transformer=_transformer(base, in_channels=base.latent_channels), expand_timesteps=True)


def image_tokens() -> Wan:
    """Wan 2.1: a CLIP image encoder whose tokens are attended to beside the text."""
    base = plain()
    torch.manual_seed(2)
    encoder = CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=28,
            patch_size=14,
        )
    ).eval()
    return _variant(
        base,
        text_length=TEXT_LENGTH_WITH_IMAGE_TOKENS,
        transformer=_transformer(
            base, image_dim=16, added_kv_proj_dim=base.transformer.config.num_attention_heads * 16
        ),
        image_encoder=encoder,
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}),
    )


def text_to_video() -> Wan:
    """Wan 2.1 T2V: no first frame."""
    base = plain()
    return _text_to_video(base, transformer=_transformer(base, in_channels=base.latent_channels))


def text_to_video_experts() -> Wan:
    """Wan 2.2 T2V A14B: no first frame, two experts."""
    base = plain()
    channels = base.latent_channels
    experts = (_transformer(base, seed, in_channels=channels) for seed in (0, 1))
    return _text_to_video(base, **dict(zip(("transformer", "transformer_2"), experts, strict=True)), boundary_ratio=0.9)


TEXT_TO_VIDEO = {"text_to_video": text_to_video, "text_to_video_experts": text_to_video_experts}
VARIANTS: dict[str, Callable[[], Wan]] = {
    "plain": plain,
    "experts": experts,
    "in_place": in_place,
    "image_tokens": image_tokens,
}


def _transformer(base: Wan, seed: int = 0, **changes: Any) -> WanTransformer3DModel:
    torch.manual_seed(seed)
    settings = {name: value for name, value in base.transformer.config.items() if not name.startswith("_")}
    return WanTransformer3DModel(**settings | changes).eval()


def _variant(base: Wan, text_length: int = CONFIG.text_length, **parts: Any) -> Wan:
    pipeline = WanImageToVideoPipeline(**{**base.pipeline.components, **parts})
    return Wan(pipeline, "variant", Native(CONFIG.num_frames, CONFIG.size_hw, text_length))


def _text_to_video(base: Wan, **parts: Any) -> Wan:
    names = ("tokenizer", "text_encoder", "vae", "scheduler")
    pipeline = WanPipeline(**{name: base.pipeline.components[name] for name in names}, **parts)
    return Wan(pipeline, "variant", Native(CONFIG.num_frames, CONFIG.size_hw, CONFIG.text_length))
