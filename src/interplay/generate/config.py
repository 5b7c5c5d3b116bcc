"""What a generation run is made of."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.grid.buckets import Bucket
from interplay.methods.matrix.guidance import GuidanceConfig
from interplay.records.rates import FrameRate

DType = Literal["float32", "bfloat16", "float16"]
# Small clips go together as far as one clip of about this many video tokens would fill the machine.
_TOKENS_AT_ONCE = 16_384
_MOST_AT_ONCE = 8


def checked_size(text: str | None) -> str | None:
    """A size as people write it, for the validators of configs."""
    try:
        return None if text is None else str(Bucket.parse(text))
    except InputError as error:
        raise ValueError("write width x height x frames, such as 720x480x49") from error


class SamplingConfig(Config):
    """How clips are sampled. ``steps`` and ``guidance_scale`` are those of the model's stock pipeline unless given.

    Classifier-free guidance leads from ``negative_prompt`` to the prompt; a scale of 1 switches it off and halves the
    work. ``guidance`` is that by attention (MATRIX, appendix E).
    """

    steps: int | None = Field(default=None, ge=1)
    guidance_scale: float | None = Field(default=None, ge=1.0)
    negative_prompt: str = ""
    guidance: GuidanceConfig = GuidanceConfig()


class GenerateConfig(SamplingConfig):
    """A run over a dataset or a table of prompts.

    ``splits`` and ``limit`` choose clips of a dataset (``limit`` per split when ``splits`` names several). ``size`` is
    width x height x frames (``720x480x49``) and ``fps`` the rate that videos are written with: a dataset's clips have
    their own unless these are given, prompts those that the model was trained on.

    ``text_to_video`` makes clips of text alone with a model that may be shown a first frame (LTX-Video, Wan 2.2 TI2V);
    prompts without an image are made so by such a model in any case.

    ``batch_size`` follows from the clips' tokens unless it is given. ``dtype`` is what the model computes in.
    ``tiling`` decodes in tiles, which needs less memory and moves pixels near their seams. Lossless videos are what
    judges read best; browsers play the others (``lossless: false``).
    """

    backbone: str
    text_to_video: bool = False
    splits: tuple[str, ...] = ()
    limit: int | None = Field(default=None, ge=1)
    size: str | None = None
    fps: FrameRate | None = None
    seed: int = 0
    batch_size: int | None = Field(default=None, ge=1)
    dtype: DType = "float32"
    tiling: bool = False
    lossless: bool = True

    @field_validator("size")
    @classmethod
    def _is_a_size(cls, size: str | None) -> str | None:
        return checked_size(size)

    def batch_size_for(self, num_tokens: int) -> int:
        """How many clips of so many video tokens are made at once."""
        return self.batch_size or max(1, min(_MOST_AT_ONCE, _TOKENS_AT_ONCE // num_tokens))
