"""The recipe of a fine-tuning run: which backbone, which method, which LoRA, how long.

A recipe is a YAML file of these fields; recipes that ship with the package lie in ``interplay/recipes``.
"""

from __future__ import annotations

from pydantic import Field

from interplay.core.config import Config
from interplay.grid.buckets import BucketConfig
from interplay.methods.matrix.config import MatrixConfig


class LoraConfig(Config):
    """Low-rank adapters on query, key, value and output of the chosen layers.

    Sources: paper rank 128 and alpha 64 (MATRIX D.2); released code rank 16 and alpha = rank. ``layers`` empty means
    the layers that the method aligns.
    """

    rank: int = Field(16, ge=1)
    alpha: float = Field(16.0, gt=0)
    layers: tuple[int, ...] = ()


class TrainConfig(Config):
    """One fine-tuning run.

    ``matrix`` absent trains the LoRA on the plain objective (the papers' baseline). ``buckets`` absent takes the clips
    as they are, each size and length in a bucket of its own.
    """

    backbone: str
    matrix: MatrixConfig | None = None
    lora: LoraConfig = LoraConfig()
    buckets: BucketConfig | None = None
    splits: tuple[str, ...] = ("train",)
    limit: int | None = Field(None, ge=1)
    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    warmup_steps: int = Field(10, ge=0)
    weight_decay: float = Field(0.01, ge=0)
    clip_grad_norm: float = Field(1.0, gt=0)
    caption_dropout: float = Field(0.1, ge=0, lt=1)
    save_every: int = Field(50, ge=1)
    seed: int = 0
