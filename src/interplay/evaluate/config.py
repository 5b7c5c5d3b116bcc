"""What an evaluation is made of."""

from __future__ import annotations

from pydantic import Field

from interplay.core.config import Config


class EvaluateConfig(Config):
    """``judge`` is a name of the registry: "world" (exact, for clips of the embedded world) or "none".

    ``splits`` and ``limit`` (per split) choose among the dataset's own videos; of a generation every video is judged.
    ``seed`` and ``resamples`` belong to the bootstrap intervals.
    """

    judge: str = "world"
    splits: tuple[str, ...] = ()
    limit: int | None = Field(default=None, ge=1)
    seed: int = 0
    resamples: int = Field(default=2000, ge=100)
