"""Sound in step with the picture: a sound file or a video's sound track as mono samples on the picture's clock.

Time 0 is the first frame that a video shows (the first tone value of a file without pictures), and sample j of a track
read at some rate lies at ``j / rate`` seconds: the same place in whatever piece it is read. So that this holds to the
bit, a track is always decoded and resampled from its start.

Shapes: n samples.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.core.files import atomic_write_bytes
from interplay.records.media.soundtrack import stretches
from interplay.records.media.timeline import as_rate, as_time

# What the speech encoders of the field hear (wav2vec 2.0 and its kin), and what CoInteract's files hold.
SPEECH_RATE = 16_000


@dataclass(frozen=True)
class Sound:
    """Mono sound: values from -1 to 1, ``rate`` of them per second.

    ``gaps`` are the samples for which the source holds no sound: they are 0, and here is where.
    """

    samples: Float32[ndarray, " n"]
    rate: int
    gaps: tuple[range, ...] = ()


def read_audio(
    path: Path, *, start_s: float = 0.0, duration_s: float | None = None, rate: int = SPEECH_RATE
) -> Float32[ndarray, " n"]:
    """Mono sound from ``start_s`` on, ``round(duration_s * rate)`` samples of it (to its end when ``None``).

    Stereo and more are mixed down evenly. Where the track begins late or pauses there is silence; a range that reaches
    over its end is an :class:`InputError`, as is a file without sound.
    """
    sound, end = _read(path, start_s, duration_s, rate)
    begin = round(as_time(start_s) * rate)
    if end < begin + len(sound.samples) or end <= begin:
        problem = f"its sound ends at {end / rate:g} s, and more is asked for"
        raise InputError(problem, where=path, cure="ask for less, or use the frames' sound with its gaps marked")
    return sound.samples


def sound_of_frames(path: Path, *, num_frames: int, fps: float, start_s: float = 0.0, rate: int = SPEECH_RATE) -> Sound:
    """The sound of ``num_frames`` frames at ``fps`` from ``start_s`` on: exactly ``round(num_frames / fps * rate)``.

    ``path`` is the video itself or a sound file that begins with it. What the file has no sound for is 0 and stands in
    :attr:`Sound.gaps`.
    """
    return _read(path, start_s, num_frames / as_rate(fps), rate)[0]


def write_wav(path: Path, sound: Sound) -> int:
    """Write 16-bit mono in one step; returns how many samples lay outside of -1 to 1 and were clipped to it."""
    scaled = np.round(sound.samples.astype(np.float64) * 32768)
    buffer = BytesIO()
    with wave.open(buffer, "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(sound.rate)
        stream.writeframes(np.clip(scaled, -32768, 32767).astype("<i2").tobytes())
    atomic_write_bytes(path, buffer.getvalue())
    return int((np.abs(sound.samples) > 1).sum())


def _read(path: Path, start_s: float, duration: float | Fraction | None, rate: int) -> tuple[Sound, int]:
    """The sound of a range, and at which sample the track ends (as far as it was followed)."""
    if start_s < 0 or (duration is not None and duration < 0):
        raise InputError(f"sound from {start_s:g} s on is asked for", where=path, cure="begin at 0 or later")
    begin = round(as_time(start_s) * rate)
    length = None if duration is None else round(Fraction(duration) * rate)
    pieces = list(stretches(path, rate, None if length is None else Fraction(begin + length, rate)))
    end = max(at + len(samples) for at, samples in pieces)
    count = max(0, end - begin) if length is None else length
    samples, given = np.zeros(count, dtype=np.float32), np.zeros(count, dtype=bool)
    for at, piece in pieces:
        first, last = max(at, begin), min(at + len(piece), begin + count)
        if first < last:
            samples[first - begin : last - begin] = piece[first - at : last - at]
            given[first - begin : last - begin] = True
    return Sound(samples, rate, _gaps(given)), end


def _gaps(given: Bool[ndarray, " n"]) -> tuple[range, ...]:
    edges = np.flatnonzero(np.diff(given, prepend=True, append=True))
    return tuple(range(int(start), int(end)) for start, end in edges.reshape(-1, 2))
