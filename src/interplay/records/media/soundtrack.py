"""From the packets of a sound track to stretches of mono samples on the picture's clock.

A track is followed from its start: the samples of a frame are placed by the clock of the file, not by counting, so that
a late beginning or a pause moves nothing. Between two pauses the samples run through one resampler.

Shapes: n samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from jaxtyping import Float32
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.records.media.containers import audio_stream, open_container, shows_video
from interplay.records.media.frames import frame_table
from interplay.records.media.headers import breaks_off

# Sound cards go from telephone (8 kHz) to 768 kHz; half of the lowest is as far as files go. Other rates are damage.
_RATES = range(4_000, 768_001)
# Clocks of a millisecond jitter by less; half a frame at 50 frames per second, the least that could be seen.
_JITTER_S = Fraction(1, 100)
_LONGEST_PAUSE_S = 3600
# A resampler looks some tens of samples ahead.
_LOOKAHEAD_S = Fraction(1, 4)


def stretches(path: Path, rate: int, until: Fraction | None) -> Iterator[tuple[int, Float32[ndarray, " n"]]]:
    """``(place of the first sample, samples)`` of each stretch without a pause, at ``rate`` samples per second.

    Place 0 is the first frame that the file shows, or its first sample when it shows none. Nothing needed up to
    ``until`` seconds is left out. A file that breaks off before is an :class:`InputError`.
    """
    with open_container(path) as container:
        track = _Track(container, path)
        stretch: _Stretch | None = None
        for start, frame in track.frames(until):
            if stretch is None or abs(start - stretch.end) > _JITTER_S:
                if stretch is not None:
                    yield stretch.finish(track.end)
                stretch = _Stretch(start, frame, rate)
            stretch.add(frame, path)
        if stretch is None:
            raise InputError("its sound track holds nothing", where=path, cure="replace the file")
        yield stretch.finish(track.end)


class _Track:
    """The decoded frames of a file's sound, with their times."""

    def __init__(self, container: InputContainer, path: Path) -> None:
        stream = audio_stream(container)
        if stream is None:
            raise InputError("holds no sound", where=path, cure="give a sound file or a video with a sound track")
        if stream.rate not in _RATES:
            raise InputError(f"declares {stream.rate} samples per second", where=path, cure="replace the file")
        self._container, self._stream, self._path = container, stream, path
        self._origin = frame_table(path).origin_s if shows_video(container) else None
        self._tick_s = Fraction(stream.time_base or Fraction(1, stream.rate))
        # Where one tick is one sample, the packets tell to the sample where the track ends.
        self._exact = self._tick_s == Fraction(1, stream.rate)
        self.end: Fraction | None = None
        self._torn = False

    def frames(self, until: Fraction | None) -> Iterator[tuple[Fraction, AudioFrame]]:
        """``(time, frame)`` in order, until a little after ``until``."""
        reached = Fraction(0)
        for frame in self._decoded():
            start = reached if frame.pts is None else self._time(frame.pts)
            if not -_LONGEST_PAUSE_S < start - reached < _LONGEST_PAUSE_S:
                problem = f"its sound jumps from {float(reached):g} to {float(start):g} s"
                raise InputError(problem, where=self._path, cure="write the file again")
            yield start, frame
            reached = start + Fraction(frame.samples, self._stream.rate)
            if until is not None and reached > until + _LOOKAHEAD_S:
                self.end = None  # the packets seen so far tell nothing about the track's end
                return
        if self._torn or breaks_off(self._path):
            problem = f"breaks off: its sound can be read up to {float(reached):g} s"
            raise InputError(problem, where=self._path, cure="fetch or write the file again")

    def _time(self, pts: int) -> Fraction:
        if self._origin is None:
            self._origin = pts * self._tick_s
        return pts * self._tick_s - self._origin

    def _decoded(self) -> Iterator[AudioFrame]:
        try:
            for packet in self._container.demux(self._stream):
                if packet.is_corrupt:
                    break
                yield from packet.decode()
                if self._exact and self._origin is not None and packet.pts is not None and packet.duration:
                    ends = self._time(packet.pts + packet.duration)
                    self.end = ends if self.end is None else max(self.end, ends)
            else:
                return
        except av.error.FFmpegError:
            pass
        self._torn = True


class _Stretch:
    """Sound without a pause on its way through a resampler."""

    def __init__(self, start: Fraction, first: AudioFrame, rate: int) -> None:
        self._start, self._rate, self._source_rate, self._count = start, rate, first.sample_rate, 0
        self._form = _form(first)
        self._as_floats = AudioResampler(format="fltp")
        self._to_rate = AudioResampler(format="fltp", layout="mono", rate=rate)
        self._pieces: list[Float32[ndarray, " n"]] = []

    @property
    def end(self) -> Fraction:
        """Where the samples so far end, in seconds."""
        return self._start + Fraction(self._count, self._source_rate)

    def add(self, frame: AudioFrame, path: Path) -> None:
        """Take the samples of ``frame``, the mean of its channels."""
        if _form(frame) != self._form:
            problem = f"its sound changes from {self._form} to {_form(frame)} at {float(self.end):g} s"
            raise InputError(problem, where=path, cure="write it again in one form")
        for planar in self._as_floats.resample(frame):
            # The library's own mixing adds 3 dB to two equal channels.
            mono = AudioFrame.from_ndarray(planar.to_ndarray().mean(axis=0, keepdims=True), "fltp", "mono")
            mono.sample_rate, mono.pts, mono.time_base = self._source_rate, self._count, Fraction(1, self._source_rate)
            self._count += mono.samples
            self._take(self._to_rate.resample(mono))

    def finish(self, track_end: Fraction | None) -> tuple[int, Float32[ndarray, " n"]]:
        """Its place and its samples, as many as it lasts; ``track_end`` cuts off an encoder's padding."""
        self._take(self._to_rate.resample(None))
        end = self.end if track_end is None else min(self.end, track_end)
        count = max(0, round((end - self._start) * self._rate))
        samples = np.concatenate(self._pieces)[:count]
        # A resampler may keep back the last sample or two.
        return round(self._start * self._rate), np.pad(samples, (0, count - len(samples)), mode="edge")

    def _take(self, frames: list[AudioFrame]) -> None:
        self._pieces += [frame.to_ndarray()[0] for frame in frames]


def _form(frame: AudioFrame) -> str:
    return f"{frame.sample_rate} Hz {frame.layout.name} {frame.format.name}"
