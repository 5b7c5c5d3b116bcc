"""Which checkpoints of the Wan family this adapter understands, said before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interplay.backbones.native import Native
from interplay.core.errors import InputError

if TYPE_CHECKING:
    from diffusers import WanImageToVideoPipeline

# The stock attention processor takes the last 512 tokens for text wherever there are image tokens.
_TEXT_LENGTH_BEHIND_IMAGE_TOKENS = 512


def check_pipeline(pipeline: WanImageToVideoPipeline, native: Native, where: str) -> None:
    """:class:`InputError` for a pipeline that is no image-to-video Wan or whose parts do not fit each other."""
    problem = _problem(pipeline, native)
    if problem:
        cure = "use a complete Wan 2.1 or 2.2 image-to-video checkpoint in the diffusers layout (I2V or TI2V)"
        raise InputError(problem, where=where, cure=cure)


def _problem(pipeline: WanImageToVideoPipeline, native: Native) -> str:
    if pipeline.transformer is None:
        return "has no transformer for the noisy steps"
    if (pipeline.config.boundary_ratio is None) != (pipeline.transformer_2 is None):
        return "has a second transformer without a boundary_ratio, or a boundary_ratio without a second transformer"
    config, latents = pipeline.transformer.config, int(pipeline.vae.config.z_dim)
    beside = 0 if pipeline.config.expand_timesteps else latents + int(pipeline.vae.config.scale_factor_temporal)
    if config.in_channels != latents + beside:
        return f"reads {config.in_channels} channels, a first-frame condition of this kind makes {latents + beside}"
    if config.image_dim is not None:
        return _problem_of_image_tokens(pipeline, native)
    return ""


def _problem_of_image_tokens(pipeline: WanImageToVideoPipeline, native: Native) -> str:
    if pipeline.image_encoder is None or pipeline.image_processor is None:
        return "wants image tokens and has no image encoder or image processor"
    if native.text_length != _TEXT_LENGTH_BEHIND_IMAGE_TOKENS:
        return f"wants image tokens beside {native.text_length} text tokens; the stock model fixes these at 512"
    return ""
