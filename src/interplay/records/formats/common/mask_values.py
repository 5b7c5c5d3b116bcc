"""What the values of mask pictures mean: which pixels are the mask.

The rule, for all pictures of one track together:

- one value beside 0 (255, 1, a palette index, a colour): that value is the mask. Other than 255, it is noted.
- greys near black and near white with few between them, as smoothing and JPEG leave them: the mask is what is at least
  half white, and it is noted. :func:`_is_soft` is the exact rule.
- several values else: a map of several instances, or no mask at all. It is refused, unless :class:`MaskOptions` say
  which value, colour or threshold is meant.

A palette of greys alone is a grey picture that some tool stored in another way, and is read as one; in any other
palette the index counts and 0 is the background. An RGB picture whose channels agree is grey, too.

Shapes: h and w pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, UInt8, UInt16, UInt32
from numpy import ndarray
from PIL import Image
from pydantic import Field, model_validator

from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.records.formats.base import Note
from interplay.records.masks import MaskTrack

# A grey within an eighth of the range counts as near black or near white: JPEG at quality 75 strays less than that.
_NEAR = 1 / 8
# Soft edges of a compact mask are a tenth of its pixels; a soft map (depth, heat) is mostly between.
_MOST_BETWEEN = 1 / 4
# Ids of instances are a handful of values; smoothing and compression leave many.
_FEWEST_SOFT_VALUES = 8
# More colours than this are a photograph.
_MOST_COLOURS = 256
_SHOWN_VALUES = 6
# The official MATRIX loader maps greys to [-1, 1] and thresholds at 0.5, three quarters of the range.
_OFFICIAL_THRESHOLD = 3 / 4
_CHOOSE = "name the one that is meant: --set masks.value=N, --set masks.colour=[R,G,B] or --set masks.threshold=N"

Colour = tuple[int, int, int]


class MaskOptions(Config):
    """How mask pictures are read; ``None`` throughout: the values must speak for themselves.

    At most one of: ``value``, a grey value or palette index, is the mask; ``colour``, RGB, is the mask; greys of
    ``threshold`` (of 255) and above are the mask. ``missing``: a frame without a picture makes the track unreadable
    (``refuse``) or is unknown (``gap``).
    """

    value: int | None = Field(default=None, ge=0, le=65535)
    colour: Colour | None = None
    threshold: int | None = Field(default=None, ge=1, le=255)
    missing: Literal["refuse", "gap"] = "refuse"

    @model_validator(mode="after")
    def _one_choice(self) -> MaskOptions:
        if sum(choice is not None for choice in (self.value, self.colour, self.threshold)) > 1:
            raise ValueError("value, colour and threshold exclude each other")
        return self

    @property
    def chooses(self) -> bool:
        """Whether they say which pixels are the mask."""
        return (self.value, self.colour, self.threshold) != (None, None, None)


@dataclass(frozen=True)
class Levels:
    """The values of a picture: greys up to ``white``, palette indices, or colours packed as ``0xRRGGBB``.

    ``palette`` holds the colour of each index; it is empty for the other kinds. ``lossy`` pictures (JPEG) have values
    that nobody put there.
    """

    kind: Literal["grey", "palette", "colour"]
    codes: UInt8[ndarray, "h w"] | UInt16[ndarray, "h w"] | UInt32[ndarray, "h w"]
    white: int
    palette: tuple[Colour, ...] = ()
    lossy: bool = False

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width."""
        return (self.codes.shape[0], self.codes.shape[1])

    @property
    def told(self) -> str:
        """The kind in words."""
        return "16-bit grey" if self.kind == "grey" and self.white > 255 else self.kind

    def without_pixels(self) -> Levels:
        """The kind alone, to remember it without the picture."""
        return replace(self, codes=self.codes[:0, :0])

    def counts(self) -> dict[int, int]:
        """How many pixels have each value that occurs."""
        top = int(self.codes.max())
        filled, full = np.count_nonzero(self.codes), np.count_nonzero(self.codes == top)
        if filled in (0, full):  # nothing but 0 and one value, as in almost every mask: found ten times as fast
            return {value: int(n) for value, n in ((0, self.codes.size - filled), (top, filled)) if n}
        values, numbers = np.unique(self.codes, return_counts=True)
        return {int(value): int(number) for value, number in zip(values, numbers, strict=True)}


# --- pictures --------------------------------------------------------------------------------------------------------


def levels_of(image: Image.Image, path: Path) -> Levels:
    """The values of a decoded picture of any mode; :class:`InputError` for transparency and for photographs."""
    if image.mode in ("LA", "PA", "RGBA"):
        image = _opaque(image, path)
    lossy = image.format == "JPEG"
    if image.mode in ("1", "L") or lossy:
        return Levels("grey", np.asarray(image.convert("L")), 255, lossy=lossy)
    if image.mode.startswith("I;16"):
        return Levels("grey", np.asarray(image).astype(np.uint16), 65535)
    if image.mode == "P":
        return _of_palette(image)
    if image.mode == "RGB":
        return _of_rgb(image, path)
    raise InputError(f"pictures of mode {image.mode} hold no masks", where=path, cure="save it as 8-bit grey")


def _opaque(image: Image.Image, path: Path) -> Image.Image:
    lowest, _ = image.getchannel("A").getextrema()
    if lowest != 255:
        cure = "save the mask without an alpha channel, as 0 and 255 in 8-bit grey"
        raise InputError("is partly transparent, so where its mask is stays open", where=path, cure=cure)
    return image.convert({"LA": "L", "PA": "P", "RGBA": "RGB"}[image.mode])


def _of_palette(image: Image.Image) -> Levels:
    codes = np.asarray(image)
    flat = image.getpalette("RGB") or []
    palette = tuple((flat[i], flat[i + 1], flat[i + 2]) for i in range(0, len(flat) - 2, 3))
    used = [int(code) for code in np.flatnonzero(np.bincount(codes.ravel()))]
    inside = max(used) < len(palette)
    greys = all(red == green == blue for red, green, blue in palette)
    distinct = inside and len({palette[code] for code in used}) == len(used)
    if greys and distinct:
        table = np.array([colour[0] for colour in palette], dtype=np.uint8)
        return Levels("grey", table[codes], 255)
    return Levels("palette", codes, 255, palette)


def _of_rgb(image: Image.Image, path: Path) -> Levels:
    channels = np.asarray(image)
    red = channels[..., 0]
    if np.array_equal(red, channels[..., 1]) and np.array_equal(red, channels[..., 2]):
        return Levels("grey", red, 255)
    if image.getcolors(_MOST_COLOURS) is None:
        problem = f"has more than {_MOST_COLOURS} colours, so it is a photograph and no mask"
        raise InputError(problem, where=path, cure="give the mask instead")
    wide = channels.astype(np.uint32)
    return Levels("colour", wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2], 0xFFFFFF)


# --- a track of them -------------------------------------------------------------------------------------------------


class MaskValues:
    """Collects the pictures of one track, frame by frame, and decides at the end which of their pixels are the mask.

    Until then each frame is kept as two encodings: what is not 0, and what is at least half white.
    """

    def __init__(self, options: MaskOptions, where: Path) -> None:
        self._options, self._where = options, where
        self._counts: Counter[int] = Counter()
        self._like: Levels | None = None  # the first picture that is not blank: all others must be of its kind
        self._frames: list[tuple[bytes, bytes]] = []
        self._chosen_px = 0

    def add(self, levels: Levels, path: Path) -> None:
        """The next frame's picture; :class:`InputError` when it is of another kind than those before it."""
        counts = levels.counts()
        self._counts.update(counts)
        if set(counts) != {0}:
            self._like = self._like or levels.without_pixels()
            self._check_alike(levels, path)
        if self._options.chooses:
            chosen = _chosen(levels, self._options, path)
            self._chosen_px += int(chosen.sum())
            self._frames.append((_encoded(chosen),) * 2)
            return
        filled = _encoded(levels.codes != 0)
        clear = levels.kind != "grey" or set(counts) <= {0, levels.white}
        self._frames.append((filled, filled if clear else _encoded(levels.codes > levels.white // 2)))

    def encoded(self) -> tuple[bytes, ...]:
        """The mask of every frame; :class:`InputError` when the values leave open what the mask is."""
        values = self._values()
        told = f"the masks hold {self._listed(values)} beside 0"
        if self._options.chooses:
            if values and not self._chosen_px:
                raise InputError(f"{told}, and not what was chosen", where=self._where, cure="correct the choice")
        elif len(values) > 1:
            if not self._is_soft():
                raise InputError(f"{told}, so what the mask is stays open", where=self._where, cure=_CHOOSE)
            return tuple(half for _, half in self._frames)
        return tuple(filled for filled, _ in self._frames)

    def notes(self) -> tuple[Note, ...]:
        """What was odd about the values, once they are decided."""
        values = self._values()
        if self._like is None or (self._like.kind == "grey" and values == [self._like.white]):
            return ()
        told = f"the masks hold {self._listed(values)} beside 0"
        if self._options.chooses:
            done = "what was chosen is the mask"
        elif len(values) > 1:
            done = "they are soft edges: what is at least half white is the mask"
        else:
            done = "it is the mask"
            if self._like.kind == "grey" and values[0] <= _OFFICIAL_THRESHOLD * self._like.white:
                told += ", which the official loader takes for empty masks"
        return (Note(str(self._where), told, done),)

    def _values(self) -> list[int]:
        return sorted(value for value in self._counts if value != 0)

    def _check_alike(self, levels: Levels, path: Path) -> None:
        assert self._like is not None
        if (levels.kind, levels.white) != (self._like.kind, self._like.white):
            problem = f"is a {levels.told} picture, and the masks before it are {self._like.told}"
            raise InputError(problem, where=path, cure="save all masks of a track alike, as 0 and 255 in 8-bit grey")

    def _is_soft(self) -> bool:
        like = self._like
        return like is not None and like.kind == "grey" and _is_soft(self._counts, like.white, lossy=like.lossy)

    def _listed(self, values: list[int]) -> str:
        like = self._like
        kind = "grey" if like is None else like.kind
        names = [f"0x{value:06X}" if kind == "colour" else str(value) for value in values[:_SHOWN_VALUES]]
        more = f" and {len(values) - _SHOWN_VALUES} more" if len(values) > _SHOWN_VALUES else ""
        what = {"grey": "the value", "palette": "the palette index", "colour": "the colour"}[kind]
        plural = what.replace("index", "indice") + "s" if len(values) > 1 else what
        return f"{plural} {', '.join(names)}{more}"


def _is_soft(counts: Mapping[int, int], white: int, *, lossy: bool) -> bool:
    """Whether several greys are one mask with soft edges.

    They are when some pixels are near white, at most a quarter as many lie between near black and near white, and what
    is neither 0 nor near white is many values or none: a handful could be the ids of several instances, unless the
    pictures are lossy, which no map of ids survives.
    """
    near_white = {value for value in counts if value >= (1 - _NEAR) * white}
    others = [value for value in counts if value != 0 and value not in near_white]
    between = sum(counts[value] for value in others if value > _NEAR * white)
    many = lossy or not others or len(others) >= _FEWEST_SOFT_VALUES
    return many and 0 < sum(counts[value] for value in near_white) * _MOST_BETWEEN >= between


def _chosen(levels: Levels, options: MaskOptions, path: Path) -> Bool[ndarray, "h w"]:
    if options.colour is not None:
        red, green, blue = options.colour
        if levels.kind == "palette":
            meant = [index for index, colour in enumerate(levels.palette) if colour == options.colour]
            return np.isin(levels.codes, meant)
        packed = red << 16 | green << 8 | blue
        grey = red if red == green == blue and levels.white == 255 else -1
        return np.asarray(levels.codes == (packed if levels.kind == "colour" else grey))
    if levels.kind == "colour" or (options.threshold is not None and levels.kind != "grey"):
        raise InputError(f"is a {levels.told} picture", where=path, cure="choose by --set masks.colour=[R,G,B] instead")
    if options.threshold is not None:
        return np.asarray(levels.codes >= options.threshold * (levels.white // 255))
    return np.asarray(levels.codes == options.value)


def _encoded(mask: Bool[ndarray, "h w"]) -> bytes:
    counts = MaskTrack.from_array(mask[None]).frames[0]
    assert counts is not None
    return counts
