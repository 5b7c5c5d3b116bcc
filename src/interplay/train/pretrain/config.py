"""What a pretraining run is made of. The defaults are the run that made the shipped weights."""

from __future__ import annotations

from interplay.core.config import Config


class AutoencoderConfig(Config):
    """One phase of training the video autoencoder on random crops of world clips (more scenes for the same work).

    ``kl_weight`` keeps the latents near unit scale without blurring them. ``motion_weight`` counts pixels that change
    during the crop this much more: they are few, and they are what the world is about.
    """

    steps: int
    batch_size: int
    crop_frames: int
    crop_px: int = 32
    learning_rate: float
    kl_weight: float = 1e-5
    motion_weight: float = 0.0


class DenoiserConfig(Config):
    """One phase of training transformer and text encoder on cached latents.

    ``caption_dropout`` is the share of clips trained with the empty caption, which guidance needs.
    """

    steps: int
    learning_rate: float
    final_learning_rate: float
    warmup_steps: int
    batch_size: int = 16
    weight_decay: float = 0.01
    clip_grad_norm: float = 1.0
    caption_dropout: float = 0.1
    ema_decay: float = 0.999


class PretrainConfig(Config):
    """One pretraining run of one tiny backbone."""

    backbone: str = "tiny-cogvideox"
    seed: int = 0
    save_every: int = 200
    autoencoder: AutoencoderConfig = AutoencoderConfig(steps=2400, batch_size=8, crop_frames=9, learning_rate=2e-3)
    # The VAE works through a clip in chunks of 8 frames; crops of a whole clip's length teach it the seam.
    refinement: AutoencoderConfig = AutoencoderConfig(
        steps=600, batch_size=6, crop_frames=17, learning_rate=1e-3, motion_weight=4.0
    )
    # So many distinct clips are encoded once and seen again and again by both phases of the denoiser.
    clips: int = 8000
    denoiser: DenoiserConfig = DenoiserConfig(
        steps=4400, learning_rate=1e-3, final_learning_rate=2e-5, warmup_steps=200
    )
    # A warm restart from the first phase's average at half the rate: it sharpens what already moves in the right place.
    restart: DenoiserConfig = DenoiserConfig(steps=2200, learning_rate=5e-4, final_learning_rate=1e-5, warmup_steps=100)
