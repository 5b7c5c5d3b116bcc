"""The recipe of a fine-tuning run: which backbone, which method, what is trained, how long, and what is measured.

A recipe is a YAML file of these fields; recipes that ship with the package lie in ``interplay/recipes``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from interplay.core.config import Config
from interplay.grid.buckets import BucketConfig
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.layers import LayerListsField
from interplay.train.loop import ScheduleShape, WarmupShape
from interplay.train.optimizers import BETAS, Betas, OptimizerName
from interplay.train.precision import Precision


class LoraConfig(Config):
    """Low-rank adapters on query, key, value and output of the chosen layers.

    Sources: paper rank 128 and alpha 64 (MATRIX D.2); released code rank 16 and alpha = rank. ``layers`` empty means
    the layers that the method aligns; a model with several experts takes one list for all or one for each.
    """

    rank: int = Field(16, ge=1)
    alpha: float = Field(16.0, gt=0)
    layers: LayerListsField = ()


class ValidationConfig(Config):
    """What is measured while training, on clips that are not trained on.

    These are the first ``limit`` clips of each of the ``splits``. ``timesteps`` are parts of the noise schedule, from 0
    (clean) to 1; each clip has the same noise at each of them every time. ``samples`` of these clips, from the splits
    in turn, are generated, for people to look at and, with a ``judge``, for interaction fidelity; ``sample_every`` so
    many steps, a multiple of ``every`` (``null``: whenever something is measured), and after the last one. ``aas``
    measures the attention alignment score.
    """

    every: int = Field(100, ge=1)
    splits: tuple[str, ...] = Field(("test",), min_length=1)
    limit: int = Field(8, ge=1)
    timesteps: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field((0.1, 0.3, 0.5, 0.7, 0.9), min_length=1)
    samples: int = Field(0, ge=0)
    sample_every: int | None = Field(None, ge=1)
    sample_steps: int = Field(20, ge=1)
    guidance_scale: float = Field(1.0, ge=1.0)
    aas: bool = False
    judge: str | None = None

    @model_validator(mode="after")
    def _samples_are_taken_when_measured(self) -> ValidationConfig:
        if self.sample_every is not None and self.sample_every % self.every:
            raise ValueError(f"sample_every: {self.sample_every} is no multiple of every: {self.every}")
        return self

    @model_validator(mode="after")
    def _samples_are_among_what_is_measured(self) -> ValidationConfig:
        if self.samples > self.limit * len(self.splits):
            told = f"{self.limit} of each split, {self.limit * len(self.splits)} in all"
            raise ValueError(f"samples: {self.samples} are more than the clips that limit leaves ({told})")
        return self


class TrainConfig(Config):
    """One fine-tuning run.

    ``text_to_video`` trains a model that may be shown a first frame (LTX-Video, Wan 2.2 TI2V) without it: every frame
    is noised and counts in the loss.
    ``matrix`` absent trains on the plain objective (the papers' baseline). ``buckets`` absent takes the clips as they
    are, each size and length in a bucket of its own. ``also_train`` are patterns of parameter names below the
    transformer that are trained in full (``time_embedding.*``) beside the LoRA, which may be ``null``. ``weights:
    random`` begins with random weights in the place of the transformer's own and trains all of them: pretraining, with
    the backbone's autoencoder and text encoder as they are. ``compile`` fuses the transformer's blocks, all but those
    in which attention is observed (:mod:`interplay.train.compiled_blocks`).
    ``timestep_shift`` is how far the noise levels that training draws are moved towards noise (flow matching; ``null``:
    as far as the model's own schedule moves them); held-out clips have the same noise with any.
    It trains on the first ``limit`` clips of each of the ``splits`` (``null``: all); one step sees ``batch_size`` x
    ``gradient_accumulation`` x processes clips.
    """

    backbone: str
    text_to_video: bool = False
    matrix: MatrixConfig | None = None
    weights: Literal["trained", "random"] = "trained"
    lora: LoraConfig | None = LoraConfig()
    also_train: tuple[str, ...] = ()
    buckets: BucketConfig | None = None
    splits: tuple[str, ...] = ("train",)
    limit: int | None = Field(None, ge=1)
    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    gradient_accumulation: int = Field(1, ge=1)
    gradient_checkpointing: bool = False
    precision: Precision = "float32"
    compile: bool = False
    optimizer: OptimizerName = "adamw"
    betas: Betas = BETAS
    learning_rate: float = Field(gt=0)
    final_learning_rate: float = Field(0.0, ge=0)
    schedule: ScheduleShape = "cosine"
    warmup: WarmupShape = "linear"
    warmup_steps: int = Field(10, ge=0)
    weight_decay: float = Field(0.01, ge=0)
    clip_grad_norm: float = Field(1.0, gt=0)
    timestep_shift: float | None = Field(None, gt=0)
    ema_decay: float = Field(0.0, ge=0, lt=1)
    caption_dropout: float = Field(0.1, ge=0, lt=1)
    spike_factor: float | None = Field(50.0, gt=1)
    save_every: int = Field(50, ge=1)
    keep_checkpoints: int = Field(2, ge=1)
    validation: ValidationConfig | None = None
    seed: int = 0

    @model_validator(mode="after")
    def _random_weights_are_trained(self) -> TrainConfig:
        if self.weights == "random" and self.lora is not None:
            raise ValueError("weights: random trains the whole transformer, write lora: null")
        return self

    @property
    def trained_parts(self) -> tuple[str, ...]:
        """Patterns of all names that are trained in full."""
        return ("*",) if self.weights == "random" else self.also_train
