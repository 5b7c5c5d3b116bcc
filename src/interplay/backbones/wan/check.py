"""Which checkpoints of the Wan family this adapter understands, said before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interplay.backbones.native import Native
from interplay.backbones.wan.first_frame import FirstFrame
from interplay.core.errors import InputError

if TYPE_CHECKING:
    from diffusers import WanImageToVideoPipeline, WanPipeline

# The stock attention processor takes the last 512 tokens for text wherever there are image tokens.
_TEXT_LENGTH_BEHIND_IMAGE_TOKENS = 512


def check_pipeline(
    pipeline: WanPipeline | WanImageToVideoPipeline, first_frame: FirstFrame, native: Native, where: str
) -> None:
    """:class:`InputError` for a pipeline that is no Wan of a known layout or whose parts do not fit each other."""
    problem = _problem(pipeline, first_frame, native)
    if problem:
        cure = "use a complete Wan 2.1 or 2.2 checkpoint in the diffusers layout (T2V, I2V or TI2V)"
        raise InputError(problem, where=where, cure=cure)


def _problem(pipeline: WanPipeline | WanImageToVideoPipeline, first_frame: FirstFrame, native: Native) -> str:
    if pipeline.transformer is None:
        return "has no transformer for the noisy steps"
    if (pipeline.config.boundary_ratio is None) != (pipeline.transformer_2 is None):
        return "has a second transformer without a boundary_ratio, or a boundary_ratio without a second transformer"
    config, expected = pipeline.transformer.config, first_frame.channels(int(pipeline.vae.config.z_dim))
    if config.in_channels != expected:
        return f"reads {config.in_channels} channels, a first-frame condition of this kind makes {expected}"
    if config.pos_embed_seq_len is not None:
        return "is made for a first and a last frame"
    if config.image_dim is not None:
        return _problem_of_image_tokens(pipeline, native)
    return ""


def _problem_of_image_tokens(pipeline: WanPipeline | WanImageToVideoPipeline, native: Native) -> str:
    parts = pipeline.components
    if parts.get("image_encoder") is None or parts.get("image_processor") is None:
        return "wants image tokens and has no image encoder or image processor"
    if native.text_length != _TEXT_LENGTH_BEHIND_IMAGE_TOKENS:
        return f"wants image tokens beside {native.text_length} text tokens; the stock model fixes these at 512"
    return ""
