"""What the data commands can be asked: how strictly to check, how to convert, what to show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, PositiveFloat, PositiveInt

from interplay.core.config import Config
from interplay.grid.buckets import BucketConfig


class CheckConfig(Config):
    """What a clip is measured against.

    ``fps`` is the rate that is expected (``None``: any usual one). A frame count should be ``temporal_stride * n + 1``
    (a causal video VAE: 4 in CogVideoX and Wan) and both sides a multiple of ``multiple`` (VAE stride 8 times patch 2).
    A mask is tiny below ``token_px`` squared pixels or ``min_share`` of the frame. Tracks overlap strongly from an
    intersection over union of ``overlap`` on. ``decode`` decodes every frame instead of reading containers only.

    ``tokenizer`` is a ``tokenizer.json`` (or the folder that holds one); with ``max_tokens`` it finds captions that are
    too long. ``buckets`` are those of the training that the clips are meant for.
    """

    fps: PositiveFloat | None = None
    temporal_stride: PositiveInt = 4
    multiple: PositiveInt = 16
    token_px: PositiveInt = 16
    min_share: float = Field(0.0005, ge=0.0, lt=1.0)
    overlap: float = Field(0.5, gt=0.0, le=1.0)
    decode: bool = False
    tokenizer: Path | None = None
    max_tokens: PositiveInt | None = None
    buckets: BucketConfig | None = None


class FormatChoice(Config):
    """A dataset format by name, with its options."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


class ConvertConfig(Config):
    """From which format, into which."""

    source: FormatChoice
    target: FormatChoice = FormatChoice(name="store")


class ShowConfig(Config):
    """How many clips are shown (``None``: all), how many on a page, and how many frames of each."""

    source: FormatChoice
    limit: PositiveInt | None = None
    page_size: PositiveInt = 48
    frames: int = Field(4, ge=1, le=64)
    check: CheckConfig = CheckConfig()
