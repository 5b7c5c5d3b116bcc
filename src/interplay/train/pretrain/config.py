"""What a pretraining run is made of. The defaults are how tiny backbones are trained today.

The cards of those that are shipped say what theirs was, and docs/decisions/0015 why that is not the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

from pydantic import Field, model_validator

from interplay.core.config import Config
from interplay.train.optimizers import OptimizerName
from interplay.train.precision import Precision


class AutoencoderConfig(Config):
    """One phase of training the video autoencoder on random crops of world clips (more scenes for the same work).

    ``kl_weight`` keeps the latents near unit scale without blurring them. ``motion_weight`` counts pixels that change
    during the crop this much more, and ``moving_share`` of the crops are laid where something moves: such pixels are
    few, and they are what the world is about. ``color_weight`` counts pixels by their colourfulness, because it is by
    colour that the world's people and things are told apart: a fully coloured pixel counts this much more than a grey
    one. ``still_weight`` is what it costs when latents change where no pixel does. A phase that ``trains`` the decoder
    alone leaves the latents as they are, so that a denoiser of these latents stays right. ``precision`` is that of the
    autoencoder's own arithmetic; weights, losses and the optimiser stay in float32. Left open, it is what the machine
    is made for.
    """

    name: str
    steps: int
    batch_size: int
    crop_frames: int
    crop_px: int = 32
    learning_rate: float
    kl_weight: float = 1e-5
    motion_weight: float = 0.0
    moving_share: float = Field(0.0, ge=0.0, le=1.0)
    color_weight: float = Field(0.0, ge=0.0)
    still_weight: float = Field(0.0, ge=0.0)
    trains: Literal["autoencoder", "decoder"] = "autoencoder"
    precision: Precision | None = None


class DenoiserConfig(Config):
    """One phase of training transformer and text encoder on cached latents.

    ``caption_dropout`` is the share of clips trained with the empty caption, which guidance needs. ``precision`` is
    that of the forward and backward pass; weights, losses and the optimiser stay in float32. Left open, it is what the
    machine is made for. ``timestep_shift`` is how far the noise levels that are drawn are moved towards noise (flow
    matching); left open, as far as the model's schedule does.
    """

    name: str
    steps: int
    learning_rate: float
    final_learning_rate: float
    warmup_steps: int
    batch_size: int = 16
    optimizer: OptimizerName = "muon"
    weight_decay: float = 0.01
    clip_grad_norm: float = 1.0
    caption_dropout: float = 0.1
    ema_decay: float = 0.999
    timestep_shift: float | None = Field(None, gt=0)
    precision: Precision | None = None


Phase = TypeVar("Phase", AutoencoderConfig, DenoiserConfig)


class PretrainConfig(Config):
    """One pretraining run of one tiny backbone: phases of the autoencoder, then phases of the denoiser.

    ``seed`` is the root of all draws, those of the clips too. ``compile`` fuses the transformer's blocks
    (:mod:`interplay.train.compiled_blocks`); left open, it does so in bfloat16 alone, because in float32 it is slower
    on CPUs. Without phases of the autoencoder the latents stay what they are: such a run begins with trained weights.
    """

    backbone: str = "tiny-cogvideox"
    seed: int = 0
    save_every: int = 200
    compile: bool | None = None
    # The VAE works through a clip in chunks of 8 frames; crops of a whole clip's length teach it the seam. Most crops
    # of the last phase are laid on what moves: without it, moving limbs and things leave ghosts. Colours count there,
    # because small things took the colour of whoever held them.
    autoencoder: tuple[AutoencoderConfig, ...] = (
        AutoencoderConfig(name="autoencoder", steps=2400, batch_size=8, crop_frames=9, learning_rate=2e-3),
        AutoencoderConfig(
            name="refinement", steps=600, batch_size=6, crop_frames=17, learning_rate=1e-3, motion_weight=4.0
        ),
        AutoencoderConfig(
            name="motion",
            steps=3000,
            batch_size=4,
            crop_frames=17,
            learning_rate=1.5e-3,
            motion_weight=3.0,
            moving_share=0.8,
            color_weight=6.0,
        ),
    )
    # So many distinct clips are encoded once and seen again and again by all phases of the denoiser.
    clips: int = 12000
    denoiser: tuple[DenoiserConfig, ...] = (
        DenoiserConfig(name="denoiser", steps=3600, learning_rate=1e-3, final_learning_rate=2e-5, warmup_steps=200),
        DenoiserConfig(name="restart", steps=3600, learning_rate=5e-4, final_learning_rate=1e-5, warmup_steps=200),
    )

    @property
    def phases(self) -> tuple[AutoencoderConfig | DenoiserConfig, ...]:
        """All of them, in their order."""
        return *self.autoencoder, *self.denoiser

    @model_validator(mode="after")
    def _names_differ(self) -> PretrainConfig:
        names = [phase.name for phase in self.phases]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"several phases are called {min(twice)}, and draws and losses go by the name")
        if not names:
            raise ValueError("there is no phase to train")
        return self

    def in_precision(self, precision: Precision) -> PretrainConfig:
        """The same run with every phase computed in ``precision``."""
        return self._computed(lambda _: precision)

    def resolved(self, native: Precision) -> PretrainConfig:
        """The same run with nothing left open, on a machine that is made for ``native``."""
        run = self._computed(lambda asked: asked or native)
        fuses = any(phase.precision == "bfloat16" for phase in run.denoiser)
        return run.model_copy(update={"compile": fuses if run.compile is None else run.compile})

    def _computed(self, precision: Callable[[Precision | None], Precision]) -> PretrainConfig:
        def computed(phase: Phase) -> Phase:
            return phase.model_copy(update={"precision": precision(phase.precision)})

        autoencoder, denoiser = tuple(map(computed, self.autoencoder)), tuple(map(computed, self.denoiser))
        return self.model_copy(update={"autoencoder": autoencoder, "denoiser": denoiser})
