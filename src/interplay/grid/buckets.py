"""Buckets: the few sizes that clips of many sizes are trained at, listed or generated.

A bucket is written ``480x720x49``: width x height x frames, the order of the trainers in use (pixels elsewhere in this
project are height first; only this notation is not). Which clip goes where is decided in :mod:`.assignment`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.grid.token_grid import TokenGrid

_NOTATION = re.compile(r"([1-9][0-9]*)x([1-9][0-9]*)x([1-9][0-9]*)")
_ASPECT = re.compile(r"([1-9][0-9]*):([1-9][0-9]*)")
_ORDER = "write width x height x frames, such as 480x720x49"
_WHERE = "buckets"


@dataclass(frozen=True, order=True)
class Bucket:
    """One size of training clips, in pixels and frames; as text ``{width}x{height}x{frames}``."""

    width: int
    height: int
    frames: int

    @classmethod
    def parse(cls, text: str) -> Bucket:
        """The bucket of ``480x720x49`` (width x height x frames)."""
        match = _NOTATION.fullmatch(text.strip().lower())
        if match is None:
            raise InputError(f"{text!r} is no bucket", where=_WHERE, cure=_ORDER)
        return cls(*map(int, match.groups()))

    @property
    def size_hw(self) -> tuple[int, int]:
        """Pixel height and width."""
        return self.height, self.width

    @property
    def volume(self) -> int:
        """Pixels of all frames."""
        return self.width * self.height * self.frames

    def __str__(self) -> str:
        return f"{self.width}x{self.height}x{self.frames}"


class BucketConfig(Config):
    """Which buckets there are, and what may be done to a clip so that it fits into one.

    Buckets are listed (``sizes``: ``480x720x49`` is width x height x frames) or generated: for each of ``aspects``
    (``16:9`` is width:height) the size nearest to that shape and to ``area`` pixels per frame, never above ``area``,
    that is legal for the model; at each of the ``frames`` counts.

    ``fps`` is the rate at which clips are sampled (``None``: each at its own); ``max_crop`` the share of a picture's
    area that may be cut off; ``max_upscale`` how many times larger a picture may be made; ``take`` which part of a clip
    that is longer than its bucket is used.
    """

    sizes: tuple[str, ...] = ()
    area: PositiveInt | None = None
    aspects: tuple[str, ...] = ()
    frames: tuple[PositiveInt, ...] = ()
    fps: PositiveFloat | None = None
    max_crop: float = Field(0.25, ge=0, lt=1)
    max_upscale: float = Field(1.25, gt=0)
    take: Literal["start", "middle"] = "start"

    @field_validator("sizes")
    @classmethod
    def _readable(cls, sizes: tuple[str, ...]) -> tuple[str, ...]:
        for text in sizes:
            if not _NOTATION.fullmatch(text.strip().lower()):
                raise ValueError(f"{text!r} is no bucket: {_ORDER}")
        return sizes

    @field_validator("aspects")
    @classmethod
    def _shapes(cls, aspects: tuple[str, ...]) -> tuple[str, ...]:
        for text in aspects:
            if not _ASPECT.fullmatch(text.strip()):
                raise ValueError(f"{text!r} is no aspect ratio: write width:height, such as 16:9")
        return aspects


def make_buckets(config: BucketConfig, like: TokenGrid | None = None) -> tuple[Bucket, ...]:
    """The buckets of ``config``, each once, in the order listed or generated.

    ``like`` is any grid of the model that will see them: it knows which sizes and frame counts are legal, and any other
    is an :class:`InputError`. Without it listed buckets are taken as they are, and none can be generated.
    """
    if bool(config.sizes) == (config.area is not None):
        cure = "give either sizes, or area with aspects and frames"
        raise InputError("must be listed or generated, one of the two", where=_WHERE, cure=cure)
    made = _generated(config, like) if config.area is not None else map(Bucket.parse, config.sizes)
    buckets = tuple(dict.fromkeys(made))
    for bucket in buckets:
        _check_legal(bucket, like)
    return buckets


# --- generating -----------------------------------------------------------------------------------------------------


def _generated(config: BucketConfig, like: TokenGrid | None) -> Iterable[Bucket]:
    if like is None:
        cure = "name the model, or list the sizes"
        raise InputError(
            "sizes can be generated only for a model, whose patches they must fit", where=_WHERE, cure=cure
        )
    if not config.aspects or not config.frames:
        cure = "give aspects such as 16:9, and frames such as 49"
        raise InputError("an area alone makes no buckets", where=_WHERE, cure=cure)
    for aspect, frames in product(config.aspects, config.frames):
        across, down = map(int, aspect.strip().split(":"))
        width, height = _nearest_size(config.area or 0, across / down, like)
        yield Bucket(width, height, frames)


def _nearest_size(area: int, aspect: float, like: TokenGrid) -> tuple[int, int]:
    """Width and height nearest to the aspect ratio and to the area; off by a factor counts the same for both."""
    unit_h, unit_w = (like.spatial_stride * patch for patch in like.patch[1:])
    ideal = math.sqrt(area / aspect)
    heights = {max(1, math.floor(ideal / unit_h)) * unit_h, math.ceil(ideal / unit_h) * unit_h}
    widths = {max(1, math.floor(ideal * aspect / unit_w)) * unit_w, math.ceil(ideal * aspect / unit_w) * unit_w}
    legal = [(width, height) for height in sorted(heights) for width in sorted(widths) if width * height <= area]
    if not legal:
        cure = f"give an area of at least {min(widths) * min(heights)}"
        raise InputError(f"no legal size has {area} pixels or fewer", where=f"{_WHERE}, field area", cure=cure)
    return min(legal, key=lambda size: abs(math.log(size[0] / size[1] / aspect)) + math.log(area / size[0] / size[1]))


def _check_legal(bucket: Bucket, like: TokenGrid | None) -> None:
    if like is None:
        return
    try:
        replace(like, frames=bucket.frames, height=bucket.height, width=bucket.width)
    except InputError as error:
        where = f"bucket {bucket} (width x height x frames), {error.where}"
        raise InputError(error.problem, where=where, cure=error.cure) from error
