"""Writing an mp4: frames one after the other, with or without sound, whole or not at all.

Two ways: *lossless* (H.264 in RGB, quantiser 0: what is read equals what was written, at any size) and *for browsers*
(H.264 in yuv420p, which needs an even height and width; an odd one is refused, for padding would make another
picture). The same frames give the same bytes.

Shapes: f frames, h and w pixels, 3 channels RGB.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.core.files import full_disk_named
from interplay.records.media.audio import Sound
from interplay.records.media.timeline import as_rate

_LOSSLESS = ("libx264rgb", "rgb24", {"qp": "0", "preset": "ultrafast", "threads": "1"})
# crf 18 is x264's own mark for "visually lossless".
# Without mbtree=0 the same frames give different bytes from run to run.
_FOR_BROWSERS = (
    "libx264",
    "yuv420p",
    {"crf": "18", "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"},
)
# The header before the data: a page plays such a file while it loads.
_LAYOUT_FOR_BROWSERS = {"movflags": "+faststart"}
# What AAC encoders call transparent for one channel.
_AAC_BIT_RATE = 128_000


def write_video(
    path: Path,
    frames: UInt8[ndarray, "f h w 3"] | Iterable[UInt8[ndarray, "h w 3"]],
    fps: float,
    *,
    lossless: bool = True,
    sound: Sound | None = None,
) -> None:
    """Write an mp4 in one step: under a temporary name first, then renamed onto ``path``.

    ``frames`` may be an iterator: only one of them is held at a time. ``sound`` becomes an AAC track (which is not
    lossless); it must last as long as the frames do, to one sample.
    """
    pictures = iter(frames)
    first = _checked_first(next(pictures, None), path, lossless)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with full_disk_named(path.parent):
        try:
            layout = {} if lossless else dict(_LAYOUT_FOR_BROWSERS)
            with av.open(f"file:{temporary}", "w", format="mp4", options=layout) as container:
                _encode(container, chain([first], pictures), fps, lossless, sound)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _checked_first(first: UInt8[ndarray, "h w 3"] | None, path: Path, lossless: bool) -> UInt8[ndarray, "h w 3"]:
    if first is None or first.dtype != np.uint8 or first.ndim != 3 or first.shape[-1] != 3:
        told = "none" if first is None else f"{first.dtype} {first.shape}"
        raise ValueError(f"frames must be uint8 [h, w, 3], at least one, not {told}")
    if not lossless and (first.shape[0] % 2 or first.shape[1] % 2):
        problem = f"yuv420p needs an even height and width, not {first.shape[0]}x{first.shape[1]}"
        raise InputError(problem, where=path, cure="choose an even size or write it lossless")
    return first


def _encode(
    container: OutputContainer,
    pictures: Iterable[UInt8[ndarray, "h w 3"]],
    fps: float,
    lossless: bool,
    sound: Sound | None,
) -> None:
    rate = as_rate(fps)
    video = _video_track(container, rate, lossless)
    track = None if sound is None else _SoundTrack(container, sound)
    count, shape = 0, None
    for picture in pictures:
        if shape is None:
            shape = picture.shape
            video.height, video.width = shape[0], shape[1]
        if picture.shape != shape:
            raise ValueError(f"frame {count} is {picture.shape}, and the first frame {shape}")
        container.mux(video.encode(VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        count += 1
        if track is not None:
            track.write_until(count / rate)
    container.mux(video.encode(None))
    if track is not None:
        track.finish(count / rate)


def _video_track(container: OutputContainer, rate: Fraction, lossless: bool) -> VideoStream:
    codec, pixel_format, options = _LOSSLESS if lossless else _FOR_BROWSERS
    stream = container.add_stream(codec, rate=rate, options=dict(options))
    assert isinstance(stream, VideoStream)
    stream.pix_fmt = pixel_format
    return stream


class _SoundTrack:
    """The AAC track, written alongside the pictures so that a player finds both at the same place of the file."""

    def __init__(self, container: OutputContainer, sound: Sound) -> None:
        self._container, self._sound, self._done = container, sound, 0
        stream = container.add_stream("aac", rate=sound.rate, layout="mono")
        assert isinstance(stream, AudioStream)
        stream.bit_rate = _AAC_BIT_RATE
        self._stream = stream

    def write_until(self, time: Fraction) -> None:
        """Encode the samples up to ``time``."""
        end = min(round(time * self._sound.rate), len(self._sound.samples))
        if end == self._done:
            return
        chunk = np.ascontiguousarray(self._sound.samples[None, self._done : end], dtype=np.float32)
        frame = AudioFrame.from_ndarray(chunk, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = self._sound.rate, self._done, Fraction(1, self._sound.rate)
        self._container.mux(self._stream.encode(frame))
        self._done = end

    def finish(self, time: Fraction) -> None:
        """End the track; it must be as long as the pictures, which end at ``time``."""
        needed = round(time * self._sound.rate)
        if abs(len(self._sound.samples) - needed) > 1:
            raise ValueError(f"the sound has {len(self._sound.samples)} samples, and the frames last {needed}")
        self._container.mux(self._stream.encode(None))
