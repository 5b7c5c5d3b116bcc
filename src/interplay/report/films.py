"""Attention on the frames: films of a few clips that an analysis drew, no wider than the page can show.

Shapes: h and w pixels of a frame, hh and ww of the same frame made smaller.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from interplay.core.artifacts import Artifact, scratch
from interplay.core.files import read_json
from interplay.records.media.video import VideoInfo, probe_video, stream_video, write_video
from interplay.report.absent import Absent
from interplay.report.config import ReportConfig
from interplay.report.reading import field, member
from interplay.report.videos import data_uri

_POSTER_QUALITY = 85

Outcome = Literal["success", "failure", ""]


@dataclass(frozen=True)
class Film:
    """Attention of or on one term of a clip: the clip with its mask, and the map of every step beside it.

    ``poster_uri`` is its middle frame: the first one is often the condition, which no layer has to look up.
    """

    uri: str
    poster_uri: str
    width_px: int
    height_px: int
    num_frames: int
    clip_id: str
    outcome: Outcome
    variant: str
    layer: int
    words: str
    timesteps: tuple[int, ...]


@dataclass(frozen=True)
class Films:
    """The films of each variant, in the order of the story; ``rule`` says which were taken of how many."""

    by_variant: Mapping[str, tuple[Film, ...]]
    rule: str


def read_films(analysis: Artifact, preferred: Sequence[str], config: ReportConfig, folder: Path) -> Films | Absent:
    """One film per variant of a few clips: a success, a failure and so on, the ``preferred`` clips first.

    ``folder`` is the artifact under construction, whose scratch place is used.
    """
    path = member(analysis, "overlays.json")
    entries = read_json(path)
    if not entries or not config.films:
        return Absent("films of attention", "The analysis drew none." if not entries else "None were asked for.")
    outcome_of = _outcomes(analysis)
    drawn = dict.fromkeys(str(field(entry, "clip_id", path)) for entry in entries)
    clips = _choose(list(drawn), outcome_of, preferred, config.films)
    first: dict[tuple[str, str], Any] = {}
    for entry in entries:
        first.setdefault((str(field(entry, "variant", path)), entry["clip_id"]), entry)
    by_variant: dict[str, tuple[Film, ...]] = {}
    for variant in dict.fromkeys(variant for variant, _ in first):
        of_variant = [first[variant, clip_id] for clip_id in clips if (variant, clip_id) in first]
        if of_variant:
            by_variant[variant] = tuple(_film(analysis, entry, outcome_of, config, folder) for entry in of_variant)
    shown = sum(map(len, by_variant.values()))
    return Films(by_variant, f"{_who(clips, outcome_of)}, the first noun of each: {shown} of the {len(entries)} films.")


def _outcomes(analysis: Artifact) -> Mapping[str, Outcome]:
    path = member(analysis, "layers.json")
    content = read_json(path)
    found: dict[str, Outcome] = dict.fromkeys(field(content, "success", path), "success")
    return found | dict.fromkeys(field(content, "failure", path), "failure")


def _choose(
    drawn: Sequence[str], outcome_of: Mapping[str, Outcome], preferred: Sequence[str], count: int
) -> tuple[str, ...]:
    """Successes and failures in turn, of each sort the clips that the page shows anyway first."""
    rank = {clip_id: place for place, clip_id in enumerate(preferred)}
    ordered = sorted(drawn, key=lambda clip_id: rank.get(clip_id, len(rank)))
    sorts = [[c for c in ordered if outcome_of.get(c, "") == sort] for sort in ("success", "failure", "")]
    in_turn = [of_sort[place] for place in range(len(ordered)) for of_sort in sorts[:2] if place < len(of_sort)]
    return tuple([*in_turn, *sorts[2]][:count])


def _who(clips: Sequence[str], outcome_of: Mapping[str, Outcome]) -> str:
    words = {"success": "a success", "failure": "a failure", "": "a clip without a label"}
    return "Shown: " + ", ".join(f"{clip_id} ({words[outcome_of.get(clip_id, '')]})" for clip_id in clips)


def _film(
    analysis: Artifact, entry: Mapping[str, Any], outcome_of: Mapping[str, Outcome], config: ReportConfig, folder: Path
) -> Film:
    index = member(analysis, "overlays.json")
    path = member(analysis, str(field(entry, "video", index)))
    info = probe_video(path)
    height, width = fitting(info.size_hw, config.film_width_px)
    clip_id = str(entry["clip_id"])
    return Film(
        uri=data_uri("video/mp4", _sized(path, info, (height, width), folder)),
        poster_uri=data_uri("image/jpeg", _poster(path, info.num_frames // 2, (height, width))),
        width_px=width,
        height_px=height,
        num_frames=info.num_frames,
        clip_id=clip_id,
        outcome=outcome_of.get(clip_id, ""),
        variant=str(entry["variant"]),
        layer=int(field(entry, "layer", index)),
        words=str(field(entry, "words", index) or field(entry, "label", index)),
        timesteps=tuple(map(int, field(entry, "timesteps", index))),
    )


def fitting(size_hw: tuple[int, int], width_px: int) -> tuple[int, int]:
    """The size in the same proportions that is at most so wide; sides stay even, as browsers' videos must be."""
    height, width = size_hw
    if width <= width_px:
        return size_hw
    return max(2, 2 * round(height * width_px / width / 2)), width_px - width_px % 2


def _sized(path: Path, info: VideoInfo, size_hw: tuple[int, int], folder: Path) -> bytes:
    """The film as it is, or made smaller: four panels of a real model's clip are wider than any page."""
    if size_hw == info.size_hw:
        return path.read_bytes()
    small = scratch(folder) / "film.mp4"
    write_video(small, (_small(frame, size_hw) for frame in stream_video(path)), info.fps, lossless=False)
    return small.read_bytes()


def _poster(path: Path, index: int, size_hw: tuple[int, int]) -> bytes:
    frame = next(stream_video(path, [index]))
    stream = io.BytesIO()
    Image.fromarray(_small(frame, size_hw)).save(stream, format="JPEG", quality=_POSTER_QUALITY)
    return stream.getvalue()


def _small(frame: UInt8[ndarray, "h w 3"], size_hw: tuple[int, int]) -> UInt8[ndarray, "hh ww 3"]:
    if frame.shape[:2] == size_hw:
        return frame
    return np.asarray(Image.fromarray(frame).resize(size_hw[::-1], Image.Resampling.LANCZOS))
