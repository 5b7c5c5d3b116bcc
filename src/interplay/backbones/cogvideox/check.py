"""Which checkpoints of the CogVideoX family this adapter understands, said before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from interplay.core.errors import InputError

if TYPE_CHECKING:
    from diffusers import CogVideoXImageToVideoPipeline, CogVideoXPipeline


# What stands beside the noise: nothing, the first frame's latent and zeros, or the latents of a clip that stands still.
Shown = Literal["nothing", "first frame", "still clip"]


def check_pipeline(pipeline: CogVideoXPipeline | CogVideoXImageToVideoPipeline, where: str) -> Shown:
    """What the model is shown of a picture; :class:`InputError` for parts that do not fit each other."""
    from diffusers import CogVideoXImageToVideoPipeline

    config, latents = pipeline.transformer.config, int(pipeline.vae.config.latent_channels)
    shown: Shown = "first frame" if isinstance(pipeline, CogVideoXImageToVideoPipeline) else "nothing"
    # The 2B was made image-to-video by others (NimVideo/cogvideox-2b-img2vid) under the class of text-to-video, whose
    # stock pipeline has no channels for a picture; their own repeats the picture over all frames.
    if shown == "nothing" and not config.use_rotary_positional_embeddings and config.in_channels == 2 * latents:
        shown = "still clip"
    expected = latents * (1 if shown == "nothing" else 2)
    problem = ""
    if config.in_channels != expected:
        kind = "text" if shown == "nothing" else "image"
        problem = f"reads {config.in_channels} channels, {kind}-to-video has {expected}"
    if pipeline.scheduler.config.prediction_type != "v_prediction":
        problem = f"predicts {pipeline.scheduler.config.prediction_type}, CogVideoX predicts v"
    if problem:
        cure = "use a complete CogVideoX 1.0 or 1.5 checkpoint in the diffusers layout (text- or image-to-video)"
        raise InputError(problem, where=where, cure=cure)
    return shown
