"""What a report is made of, apart from the artifacts."""

from __future__ import annotations

from pydantic import Field

from interplay.core.config import Config


class ReportConfig(Config):
    """How much is shown, and the seed of the intervals.

    ``command`` is the line that reproduces the run, for the reader to copy; ``notes`` are sentences that stand
    under the verdict. ``best``, ``worst`` and ``typical`` count
    the clips that are shown of each sort. Videos are enlarged by the whole factor that brings them nearest to
    ``video_width_px``. ``words`` counts the words per kind whose scores are shown, ``films`` the clips whose attention
    is; films wider than ``film_width_px`` are made smaller.
    """

    title: str = "Interplay report"
    command: str | None = None
    notes: tuple[str, ...] = ()
    seed: int = 0
    resamples: int = Field(default=10_000, ge=100)
    best: int = Field(default=3, ge=0)
    worst: int = Field(default=3, ge=0)
    typical: int = Field(default=3, ge=0)
    words: int = Field(default=8, ge=1)
    films: int = Field(default=2, ge=0)
    film_width_px: int = Field(default=1440, ge=64)
    video_width_px: int = Field(default=320, ge=16)
    strip_frames: int = Field(default=5, ge=1)
