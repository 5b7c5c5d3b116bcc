"""Time: when each frame of a video is shown, and which frames stand for a clip of another rate.

A frame is shown from its presentation time until the next one's. Time 0 is the first frame, whatever clock the file
keeps. All arithmetic is exact (whole ticks of the file's clock, fractions), so that a rate such as 30000/1001 never
drifts; times given as floats are told apart to a microsecond.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from os import PathLike

from interplay.core.errors import InputError

# NTSC rates (30000/1001) are the finest fractions in use.
_FINEST_RATE = 1001
# A float such as 0.12 lies a hair below 3/25; no video shows a frame for so short a time.
_MICROSECOND = Fraction(1, 1_000_000)


@dataclass(frozen=True)
class Timeline:
    """When the frames of a video are shown.

    ``ticks`` are their presentation times in units of ``tick_s`` seconds: ascending, the first one 0. ``end`` is the
    tick at which the last frame ends.
    """

    ticks: tuple[int, ...]
    end: int
    tick_s: Fraction

    @property
    def num_frames(self) -> int:
        """How many frames are shown."""
        return len(self.ticks)

    @property
    def duration_s(self) -> float:
        """From the first frame to the end of the last one."""
        return float(self.end * self.tick_s)

    @property
    def mean_fps(self) -> Fraction:
        """Frames per second on average."""
        return len(self.ticks) / (self.end * self.tick_s)

    def start_s(self, index: int) -> float:
        """When frame ``index`` begins; for ``index == num_frames``, when the last frame ends."""
        return float((self.ticks[index] if index < len(self.ticks) else self.end) * self.tick_s)

    def keeps_rate(self, fps: Fraction) -> bool:
        """Whether every frame lies where that constant rate puts it, to one tick of the clock."""
        step = 1 / (fps * self.tick_s)
        ticks, parts = step.numerator, step.denominator
        return all(abs(tick * parts - number * ticks) <= parts for number, tick in enumerate(self.ticks))

    def index_at(self, time_s: float, *, where: str | PathLike[str]) -> int:
        """The frame that is shown at ``time_s``: the last one whose presentation time is not later.

        Outside of the video nothing is shown, which is an InputError about ``where``.
        """
        time = as_time(time_s)
        if time < 0 or time >= self.end * self.tick_s:
            problem = f"shows nothing at {time_s:g} s, it lasts {self.duration_s:g} s"
            raise InputError(problem, where=where, cure=f"ask for times from 0 to below {self.duration_s:g} s")
        return bisect_right(self.ticks, (time + _MICROSECOND) / self.tick_s) - 1

    def nearest(self, time: Fraction) -> int:
        """The frame whose presentation time is nearest; of two that are equally near, the earlier one."""
        tick = time / self.tick_s
        after = bisect_right(self.ticks, tick)
        if after == 0:
            return 0
        if after == len(self.ticks) or tick - self.ticks[after - 1] <= self.ticks[after] - tick:
            return after - 1
        return after


@dataclass(frozen=True)
class Choice:
    """The source frame of every frame of a clip, and which of the clip's frames repeat the one before them."""

    indices: tuple[int, ...]
    repeats: tuple[int, ...]


def as_rate(fps: float) -> Fraction:
    """A rate as the fraction that is meant: 29.97 is 2997/100, 29.97002997 is 30000/1001."""
    return Fraction(fps).limit_denominator(_FINEST_RATE)


def as_time(time_s: float) -> Fraction:
    """A time to the microsecond."""
    return Fraction(time_s).limit_denominator(_MICROSECOND.denominator)


def even_timeline(num_frames: int, fps: float) -> Timeline:
    """The timeline of ``num_frames`` frames at a constant rate."""
    return Timeline(tuple(range(num_frames)), num_frames, 1 / as_rate(fps))


def choose_frames(
    timeline: Timeline, *, num_frames: int, fps: float, where: str | PathLike[str], start_s: float = 0.0
) -> Choice:
    """Which source frames stand for a clip of ``num_frames`` frames at ``fps`` that starts at ``start_s``.

    Frame k of the clip is the source frame whose presentation time is nearest to ``start_s + k / fps``; of two equally
    near ones the earlier. A clip faster than its source repeats frames, which :attr:`Choice.repeats` lists. A clip
    that starts before the source, or has a frame at or after its end, is an InputError about ``where``.
    """
    start, step = as_time(start_s), 1 / as_rate(fps)
    if start < 0 or start + (num_frames - 1) * step >= timeline.end * timeline.tick_s:
        _refuse(timeline, num_frames, fps, start_s, where)
    indices = tuple(timeline.nearest(start + number * step) for number in range(num_frames))
    return Choice(indices, _repeats(indices))


def _repeats(indices: Sequence[int]) -> tuple[int, ...]:
    return tuple(number for number in range(1, len(indices)) if indices[number] == indices[number - 1])


def _refuse(timeline: Timeline, num_frames: int, fps: float, start_s: float, where: str | PathLike[str]) -> None:
    problem = (
        f"lasts {timeline.duration_s:g} s, and {num_frames} frames at {fps:g} fps reach from {start_s:g}"
        f" to {start_s + (num_frames - 1) / fps:g} s"
    )
    rest = timeline.end * timeline.tick_s - as_time(start_s)
    fitting = ceil(rest * as_rate(fps)) if start_s >= 0 else 0
    cure = f"take {fitting} frames or fewer, or a higher rate" if fitting > 0 else "start inside of it"
    raise InputError(problem, where=where, cure=cure)
