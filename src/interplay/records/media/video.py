"""The front door of moving pictures: whatever shows frames is read here, and videos are written.

A *video* is a video file (mp4 or any other container), a GIF, a still picture (one frame at
:data:`~interplay.records.clip.STILL_FPS`), or a folder of numbered pictures. Frames and sizes are as displayed, that
is, turned as the file asks for; frame i is the i-th picture that is shown, whatever the header counts.

Shapes: f frames, h and w pixels, 3 channels RGB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.records.clip import STILL_FPS
from interplay.records.media.decoding import decode_frames
from interplay.records.media.frames import frame_table
from interplay.records.media.images import read_image, write_image
from interplay.records.media.pictures import picture_files, size_of_pictures, stream_pictures
from interplay.records.media.timeline import Timeline, even_timeline
from interplay.records.media.writing import write_video

__all__ = [
    "Video",
    "VideoInfo",
    "probe_video",
    "read_image",
    "read_video",
    "read_video_at",
    "stream_video",
    "timeline_of",
    "write_image",
    "write_video",
]


@dataclass(frozen=True)
class Video:
    """Frames in RGB and their rate."""

    frames: UInt8[ndarray, "f h w 3"]
    fps: float


@dataclass(frozen=True)
class VideoInfo:
    """What a video holds, found without decoding it (but for its first frame).

    ``size_hw`` is as displayed; ``fps`` is the average where ``variable_rate``. ``rotation`` (0, 90, 180, 270 degrees
    clockwise) and ``mirrored`` are what was done to the stored pictures. ``has_rate`` is false for pictures and
    folders of pictures, whose ``fps`` is STILL_FPS for want of one. ``pixel_aspect`` is a pixel's width over its
    height. ``declared_frames`` is the header's count where it is another than ``num_frames``: an edit list hides
    frames, or shows some twice. ``codec`` is ``picture`` for pictures.
    """

    num_frames: int
    size_hw: tuple[int, int]
    fps: float
    duration_s: float
    rotation: int
    mirrored: bool
    variable_rate: bool
    has_rate: bool
    has_audio: bool
    codec: str
    pixel_aspect: float
    declared_frames: int | None


def read_video(path: Path, *, indices: Sequence[int] | None = None) -> Video:
    """All frames, or those at ``indices`` in that order (repeats allowed).

    A file that breaks off is an :class:`InputError` that says how far it can be read; up to there ``indices`` work.
    """
    fps = _fps(path)
    wanted = range(probe_video(path).num_frames) if indices is None else indices
    if not wanted:
        raise ValueError("no frame is asked for")
    places = {index: place for place, index in enumerate(sorted(set(wanted)))}
    frames = _stack(stream_video(path, list(places)), len(places), path)
    if list(places) == list(wanted):
        return Video(frames, fps)
    return Video(frames[[places[index] for index in wanted]], fps)


def read_video_at(path: Path, times_s: Sequence[float]) -> Video:
    """The frames that are shown at ``times_s`` seconds after the first one's beginning; see :class:`.Timeline`."""
    timeline = timeline_of(path)
    return read_video(path, indices=[timeline.index_at(time_s, where=path) for time_s in times_s])


def stream_video(path: Path, indices: Iterable[int] | None = None) -> Iterator[UInt8[ndarray, "h w 3"]]:
    """The frames at ascending ``indices`` (all when ``None``), one at a time: for videos that are large."""
    if indices is None:
        indices = range(probe_video(path).num_frames)
    files = picture_files(path)
    yield from decode_frames(path, indices) if files is None else stream_pictures(files, indices)


def probe_video(path: Path) -> VideoInfo:
    """What the video holds; :class:`InputError` when it is none or breaks off."""
    files = picture_files(path)
    if files is not None:
        return _info_of_pictures(files)
    table = frame_table(path)
    table.check_whole(path)
    facts = table.facts
    return VideoInfo(
        num_frames=table.num_frames,
        size_hw=table.orientation.size_hw(table.stored_hw),
        fps=float(table.fps),
        duration_s=table.timeline.duration_s,
        rotation=table.orientation.rotation,
        mirrored=table.orientation.mirrored,
        variable_rate=not table.even,
        has_rate=True,
        has_audio=facts.has_audio,
        codec=facts.codec,
        pixel_aspect=float(facts.pixel_aspect),
        declared_frames=None if facts.declared == table.num_frames else facts.declared,
    )


def timeline_of(path: Path) -> Timeline:
    """When each frame of the video is shown."""
    files = picture_files(path)
    if files is not None:
        return even_timeline(len(files), STILL_FPS)
    table = frame_table(path)
    table.check_whole(path)
    return table.timeline


def _fps(path: Path) -> float:
    # Not from the probe: the first frames of a file that breaks off can be read.
    return STILL_FPS if picture_files(path) is not None else float(frame_table(path).fps)


def _info_of_pictures(files: Sequence[Path]) -> VideoInfo:
    return VideoInfo(
        num_frames=len(files),
        size_hw=size_of_pictures(files),
        fps=STILL_FPS,
        duration_s=len(files) / STILL_FPS,
        rotation=0,
        mirrored=False,
        variable_rate=False,
        has_rate=False,
        has_audio=False,
        codec="picture",
        pixel_aspect=1.0,
        declared_frames=None,
    )


def _stack(pictures: Iterator[UInt8[ndarray, "h w 3"]], count: int, path: Path) -> UInt8[ndarray, "f h w 3"]:
    first = next(pictures)
    try:
        frames = np.empty((count, *first.shape), dtype=np.uint8)
    except MemoryError as error:
        problem = f"its {count} frames of {first.shape[0]}x{first.shape[1]} do not fit into memory"
        raise InputError(problem, where=path, cure="read fewer frames at a time") from error
    frames[0] = first
    for place, picture in enumerate(pictures, start=1):
        frames[place] = picture
    return frames
