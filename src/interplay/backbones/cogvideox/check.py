"""Which checkpoints of the CogVideoX family this adapter understands, said before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interplay.core.errors import InputError

if TYPE_CHECKING:
    from diffusers import CogVideoXImageToVideoPipeline, CogVideoXPipeline


def check_pipeline(pipeline: CogVideoXPipeline | CogVideoXImageToVideoPipeline, where: str) -> bool:
    """Whether the model is shown a first frame; :class:`InputError` for parts that do not fit each other."""
    from diffusers import CogVideoXImageToVideoPipeline

    shown = isinstance(pipeline, CogVideoXImageToVideoPipeline)
    config, latents = pipeline.transformer.config, int(pipeline.vae.config.latent_channels)
    expected = latents * (2 if shown else 1)
    problem = ""
    if config.in_channels != expected:
        problem = f"reads {config.in_channels} channels, {'image' if shown else 'text'}-to-video has {expected}"
    if pipeline.scheduler.config.prediction_type != "v_prediction":
        problem = f"predicts {pipeline.scheduler.config.prediction_type}, CogVideoX predicts v"
    if problem:
        cure = "use a complete CogVideoX 1.0 or 1.5 checkpoint in the diffusers layout (text- or image-to-video)"
        raise InputError(problem, where=where, cure=cure)
    return shown
