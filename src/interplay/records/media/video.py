"""Video and picture files: reading, probing and writing through PyAV and Pillow.

Shapes: f frames, h and w pixels, 3 channels RGB. Two ways of writing: *lossless* (H.264 in RGB, quantiser 0: what is
read equals what was written, which the exact judge needs) and *for browsers* (H.264 in yuv420p).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, UnidentifiedImageError

from interplay.core.errors import InputError
from interplay.core.files import full_disk_named

_LOSSLESS = ("libx264rgb", "rgb24", {"qp": "0", "preset": "ultrafast", "threads": "1"})
# crf 18 is x264's own mark for "visually lossless".
# Without mbtree=0 the same frames give different bytes from run to run.
_FOR_BROWSERS = (
    "libx264",
    "yuv420p",
    {"crf": "18", "preset": "veryfast", "threads": "1", "movflags": "+faststart", "x264-params": "mbtree=0"},
)
# NTSC rates (30000/1001) are the finest fractions in use.
_FINEST_RATE = 1001


@dataclass(frozen=True)
class Video:
    """Frames in RGB and their rate."""

    frames: UInt8[ndarray, "f h w 3"]
    fps: float


@dataclass(frozen=True)
class VideoInfo:
    """What a file holds, found without decoding it."""

    num_frames: int
    size_hw: tuple[int, int]
    fps: float


def read_video(path: Path, *, indices: Sequence[int] | None = None) -> Video:
    """All frames, or those at ``indices`` in that order (repeats allowed); decoding stops at the last one needed."""
    with _open(path) as (container, stream):
        fps = _fps(stream, path)
        if indices is None:
            frames = [_rgb(frame) for frame in container.decode(video=0)]
        else:
            found = dict(_frames_at(container, sorted(set(indices)), path))
            frames = [found[index] for index in indices]
    if not frames:
        raise InputError("the video holds no frames", where=path, cure="replace the file")
    return Video(np.stack(frames), fps)


def stream_video(path: Path, indices: Sequence[int]) -> Iterator[UInt8[ndarray, "h w 3"]]:
    """The frames at ascending ``indices``, one at a time: for videos that are large and about to be made small."""
    with _open(path) as (container, _):
        for _, frame in _frames_at(container, indices, path):
            yield frame


def probe_video(path: Path) -> VideoInfo:
    """Number of frames, size and rate of a video file."""
    with _open(path) as (container, stream):
        size_hw, fps = (stream.height, stream.width), _fps(stream, path)
        num_frames = stream.frames or sum(1 for packet in container.demux(stream) if packet.size)
    if num_frames == 0:
        raise InputError("the video holds no frames", where=path, cure="replace the file")
    return VideoInfo(num_frames, size_hw, fps)


def write_video(path: Path, frames: UInt8[ndarray, "f h w 3"], fps: float, *, lossless: bool = True) -> None:
    """Write an mp4 in one step: under a temporary name first, then renamed onto ``path``."""
    _check_writable(frames, path, lossless)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with full_disk_named(path.parent):
        try:
            with av.open(str(temporary), "w", format="mp4") as container:
                _encode(container, frames, fps, lossless)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def read_image(path: Path) -> UInt8[ndarray, "h w 3"]:
    """A picture file in RGB."""
    _check_present(path)
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"is not a picture ({error})", where=path, cure="give a PNG or JPEG file") from error


def write_image(path: Path, image: UInt8[ndarray, "h w 3"]) -> None:
    """Write a PNG in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with full_disk_named(path.parent):
        try:
            Image.fromarray(image).save(temporary, format="PNG")
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _check_present(path: Path) -> None:
    if not path.is_file():
        problem = "is a folder, not a file" if path.is_dir() else "there is no such file"
        raise InputError(problem, where=path, cure="check the path")
    if path.stat().st_size == 0:
        raise InputError("the file is empty", where=path, cure="replace the file")


@contextmanager
def _open(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    _check_present(path)
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError("holds no video stream", where=path, cure="give a video file, such as an mp4")
            stream = container.streams.video[0]
            if _size_hw(stream) is None:
                raise InputError("its video stream cannot be decoded", where=path, cure="replace the file")
            stream.codec_context.thread_count = 1  # small clips decode faster than threads start
            yield container, stream
    except av.error.FFmpegError as error:
        cure = "give a video file that a player opens, such as an mp4"
        raise InputError(f"is not a readable video ({error.strerror})", where=path, cure=cure) from error


def _size_hw(stream: VideoStream) -> tuple[int, int] | None:
    try:
        return (stream.height, stream.width) if stream.height and stream.width else None
    except AttributeError:  # PyAV's stream without a decoder, as in a file that breaks off, has no such attributes
        return None


def _fps(stream: VideoStream, path: Path) -> float:
    rate = stream.average_rate or stream.guessed_rate
    if not rate:
        raise InputError("the video has no frame rate", where=path, cure="write it again with a constant frame rate")
    return float(rate)


def _rgb(frame: VideoFrame) -> UInt8[ndarray, "h w 3"]:
    # Planar RGB is what our own lossless files hold; PyAV reads it as RGB directly, without a conversion pass.
    return frame.to_ndarray() if frame.format.name == "gbrp" else frame.to_ndarray(format="rgb24")


def _frames_at(
    container: InputContainer, ascending: Sequence[int], path: Path
) -> Iterator[tuple[int, UInt8[ndarray, "h w 3"]]]:
    wanted, count = iter(ascending), 0
    index = next(wanted, None)
    for frame in container.decode(video=0) if index is not None else ():
        if count == index:
            yield count, _rgb(frame)
            index = next(wanted, None)
        count += 1
        if index is None:
            return
    if index is not None:
        cure = f"ask for frames 0 to {count - 1}" if count else "replace the file"
        raise InputError(f"has {count} frames, and frame {index} is asked for", where=path, cure=cure)


def _check_writable(frames: UInt8[ndarray, "f h w 3"], path: Path, lossless: bool) -> None:
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or frames.shape[0] == 0:
        raise ValueError(f"frames must be uint8 [f, h, w, 3] with f >= 1, not {frames.dtype} {frames.shape}")
    if not lossless and (frames.shape[1] % 2 or frames.shape[2] % 2):
        problem = f"yuv420p needs an even height and width, not {frames.shape[1]}x{frames.shape[2]}"
        raise InputError(problem, where=path, cure="choose an even size or write it lossless")


def _encode(container: OutputContainer, frames: UInt8[ndarray, "f h w 3"], fps: float, lossless: bool) -> None:
    codec, pixel_format, options = _LOSSLESS if lossless else _FOR_BROWSERS
    stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(_FINEST_RATE), options=dict(options))
    assert isinstance(stream, VideoStream)
    stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], pixel_format
    for picture in frames:
        container.mux(stream.encode(VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
    container.mux(stream.encode(None))
