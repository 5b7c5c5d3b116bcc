"""Very small CogVideoXs of every layout that is published, with the settings that tell them apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from diffusers import (
    CogVideoXDDIMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
)

from interplay.backbones.cogvideox.adapter import CogVideoX
from interplay.backbones.cogvideox.tiny import TinyCogVideoX, build
from interplay.backbones.native import Native

CONFIG = TinyCogVideoX(num_frames=9, size_hw=(32, 48), layers=2, heads=2, text_dim=16, text_layers=1)


def image_to_video() -> CogVideoX:
    """CogVideoX 1.0 I2V with rotary embeddings alone, as the tiny one."""
    return build(0, CONFIG)


def learned_positions() -> CogVideoX:
    """CogVideoX-5B-I2V as released: learned positions beside the rotary ones."""
    return _variant(True, use_learned_positional_embeddings=True)


def sinusoidal() -> CogVideoX:
    """CogVideoX-2B: text-to-video, sinusoidal positions, the DDIM solver."""
    return _variant(False, use_rotary_positional_embeddings=False, scheduler=_ddim())


def still_clip() -> CogVideoX:
    """CogVideoX-2B made image-to-video by others: shown a clip of the picture that stands still."""
    channels = 2 * CONFIG.latent_channels
    return _variant(False, use_rotary_positional_embeddings=False, in_channels=channels, scheduler=_ddim())


def text_to_video() -> CogVideoX:
    """CogVideoX-5B: text-to-video, rotary embeddings."""
    return _variant(False)


def text_to_video_15() -> CogVideoX:
    """CogVideoX1.5-5B: temporal patches, a corner of a large grid of positions."""
    return _variant(False, **_LATER)


def image_to_video_15() -> CogVideoX:
    """CogVideoX1.5-5B-I2V: the same, with a condition, the "ofs" embedding and a latent scale that is divided by."""
    backbone = _variant(True, **_LATER, ofs_embed_dim=CONFIG.time_embed_dim)
    backbone.vae.register_to_config(invert_scale_latents=True, scaling_factor=0.7)
    backbone.pipeline.vae_scaling_factor_image = 0.7
    return backbone


_LATER = {"patch_size_t": 2, "patch_bias": False, "sample_height": 30, "sample_width": 30}
TEXT_TO_VIDEO: dict[str, Callable[[], CogVideoX]] = {
    "sinusoidal": sinusoidal,
    "text_to_video": text_to_video,
    "text_to_video_15": text_to_video_15,
}
IMAGE_TO_VIDEO: dict[str, Callable[[], CogVideoX]] = {
    "image_to_video": image_to_video,
    "learned_positions": learned_positions,
    "image_to_video_15": image_to_video_15,
}


def _variant(shown: bool, scheduler: CogVideoXDDIMScheduler | None = None, **changes: Any) -> CogVideoX:
    base = build(0, CONFIG)
    settings = {name: value for name, value in base.transformer.config.items() if not name.startswith("_")}
    torch.manual_seed(0)
    channels = CONFIG.latent_channels * (2 if shown else 1)
    parts = {**base.pipeline.components, **({"scheduler": scheduler} if scheduler else {})}
    parts["transformer"] = CogVideoXTransformer3DModel(**settings | {"in_channels": channels} | changes).eval()
    pipeline = (CogVideoXImageToVideoPipeline if shown else CogVideoXPipeline)(**parts)
    return CogVideoX(pipeline, "variant", Native(CONFIG.num_frames, CONFIG.size_hw, CONFIG.text_length))


def _ddim() -> CogVideoXDDIMScheduler:
    """As CogVideoX-2B has it."""
    return CogVideoXDDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        snr_shift_scale=3.0,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
    )
