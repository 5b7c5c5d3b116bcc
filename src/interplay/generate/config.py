"""What a generation run is made of."""

from __future__ import annotations

from pydantic import Field

from interplay.core.config import Config


class GenerateConfig(Config):
    """``split`` and ``limit`` choose clips of the dataset (per split when ``splits`` names several).

    The defaults of ``steps`` and ``guidance_scale`` suit the tiny backbones, which follow their caption best without
    guidance (a scale of 1 switches it off and halves the work); CogVideoX-5B's own are 50 and 6.
    """

    backbone: str
    splits: tuple[str, ...] = ()
    limit: int | None = Field(default=None, ge=1)
    steps: int = Field(default=20, ge=1)
    guidance_scale: float = Field(default=1.0, ge=1.0)
    seed: int = 0
    batch_size: int = Field(default=8, ge=1)
