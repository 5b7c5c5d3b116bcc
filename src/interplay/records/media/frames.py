"""The table of a video file's frames: what it really shows and when.

Headers count samples, not pictures: an edit list hides some, a file that breaks off lacks some. The table lists the
pictures that are shown, in the order in which they are shown, so that "frame 7" means the same however it is reached.
It is made from the packets; only the first picture is decoded, which tells how all are turned.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from av.video.frame import VideoFrame

from interplay.core.errors import InputError
from interplay.records.media.containers import check_pixels, open_video
from interplay.records.media.orientation import Orientation, orientation_of
from interplay.records.media.packets import Facts, Packet, scan
from interplay.records.media.timeline import Timeline

# VP8 hides reference pictures in packets of their own, so only decoding tells how many are shown.
_CODECS_THAT_HIDE = frozenset({"vp8"})
# An hour of video is some 10 MB of times.
_TABLES_KEPT = 32


@dataclass(frozen=True)
class FrameTable:
    """What a video file shows.

    ``pts`` are the presentation times of its frames in ticks of the file's clock, ascending; ``None`` where the file
    keeps no clock or a confused one, so that frames can only be counted. ``origin_s`` is the first frame's time on
    that clock, which the file's sound keeps, too. Decoding can start at the frames ``keys``, seeking to ``key_dts``.
    Of a file that breaks off the first ``readable`` frames are whole.
    """

    timeline: Timeline
    fps: Fraction
    even: bool
    pts: tuple[int, ...] | None
    origin_s: Fraction
    keys: tuple[int, ...]
    key_dts: tuple[int, ...]
    readable: int
    stored_hw: tuple[int, int]
    orientation: Orientation
    facts: Facts

    @property
    def num_frames(self) -> int:
        """How many frames the file shows."""
        return self.timeline.num_frames

    def key_before(self, index: int) -> int:
        """Which entry of ``keys`` is the last at or before frame ``index``; -1 when there is none."""
        return bisect_right(self.keys, index) - 1

    def index_of(self, pts: int | None) -> int | None:
        """The frame with this presentation time, ``None`` when no frame of the table has it."""
        if self.pts is None or pts is None:
            return None
        index = bisect_left(self.pts, pts)
        return index if index < len(self.pts) and self.pts[index] == pts else None

    def check_whole(self, where: Path) -> None:
        """:class:`InputError` that says how far the file can be read, when it breaks off."""
        if not self.facts.broken:
            return
        declared = self.facts.declared
        told = "frames can be read, and it says that it goes on"
        if declared is not None:
            told = f"of {declared} declared frames can be read"
        problem = f"breaks off: only the first {self.readable} {told}"
        raise InputError(problem, where=where, cure="fetch or write the file again")


def frame_table(path: Path) -> FrameTable:
    """The table of the video file at ``path``; remembered for as long as the file stays the same."""
    try:
        facts = path.stat()
    except (OSError, ValueError) as error:  # a name may also be one that no file can have
        raise InputError("there is no such file", where=path, cure="check the path") from error
    return _table_of(path, facts.st_size, facts.st_mtime_ns, facts.st_ino)


@lru_cache(maxsize=_TABLES_KEPT)
def _table_of(path: Path, size: int, changed_ns: int, inode: int) -> FrameTable:
    # All but the path are there to be compared: a file that was written anew gets a new table.
    facts, whole = scan(path)
    packets = [packet for packet in whole if packet.shown]
    if not packets:
        problem = "breaks off before its first frame" if facts.broken else "the video holds no frames"
        raise InputError(problem, where=path, cure="replace the file")
    first = _first_frame(path)
    clocked = _in_order(packets, first, _times_decoded(path) if facts.codec in _CODECS_THAT_HIDE else None)
    if clocked is None:
        return _counted(facts, first, len(packets), path)
    return _clocked(facts, first, clocked, whole[-1].dts, path)


def _clocked(
    facts: Facts, first: VideoFrame, packets: Sequence[tuple[int, Packet]], last_dts: int | None, path: Path
) -> FrameTable:
    pts = tuple(time for time, _ in packets)
    timeline = _timeline(pts, packets[-1][1].duration, facts, path)
    fps = next((rate for rate in (*facts.rates, *_mean_rates(timeline)) if timeline.keeps_rate(rate)), None)
    keys = [(index, packet) for index, (_, packet) in enumerate(packets) if packet.key]
    return FrameTable(
        timeline=timeline,
        fps=timeline.mean_fps if fps is None else fps,
        even=fps is not None,
        pts=pts,
        origin_s=pts[0] * facts.tick_s,
        keys=tuple(index for index, _ in keys),
        key_dts=tuple(pts[index] if packet.dts is None else packet.dts for index, packet in keys),
        readable=_readable(facts, pts, last_dts),
        stored_hw=(first.height, first.width),
        orientation=orientation_of(first, where=path),
        facts=facts,
    )


def _counted(facts: Facts, first: VideoFrame, num_frames: int, path: Path) -> FrameTable:
    """The table of a file without a usable clock: its frames follow each other at the rate that it names."""
    if not facts.rates:
        cure = "write it again with a constant frame rate"
        raise InputError("the video has no frame rate", where=path, cure=cure)
    fps = facts.rates[0]
    timeline = Timeline(tuple(range(num_frames)), num_frames, 1 / fps)
    return FrameTable(
        timeline=timeline,
        fps=fps,
        even=True,
        pts=None,
        origin_s=(first.pts or 0) * facts.tick_s,
        keys=(),
        key_dts=(),
        readable=num_frames,
        stored_hw=(first.height, first.width),
        orientation=orientation_of(first, where=path),
        facts=facts,
    )


def _in_order(
    packets: Sequence[Packet], first: VideoFrame, times: frozenset[int | None] | None
) -> list[tuple[int, Packet]] | None:
    """``(pts, packet)`` of the frames in the order in which they are shown; ``None`` when the clock does not tell.

    Left out are packets that show nothing (``times`` are those that were seen to), and frames before the first one
    that can be decoded: they refer to pictures from before the place where the file was cut out of a longer one.
    """
    timed = [(packet.pts, packet) for packet in packets if packet.pts is not None]
    if len(timed) < len(packets) or first.pts is None:
        return None
    key = next((pts for pts, packet in timed if packet.key), timed[0][0])
    kept = [item for item in timed if item[0] >= min(first.pts, key) and (times is None or item[0] in times)]
    kept.sort(key=lambda item: item[0])
    return None if not kept or any(before[0] == after[0] for before, after in pairwise(kept)) else kept


def _timeline(pts: Sequence[int], last_duration: int, facts: Facts, path: Path) -> Timeline:
    ticks = tuple(time - pts[0] for time in pts)
    if last_duration <= 0:
        last_duration = _usual_duration(ticks, facts)
    if last_duration <= 0:
        cure = "write it again with a constant frame rate"
        raise InputError("the video has no frame rate", where=path, cure=cure)
    return Timeline(ticks, ticks[-1] + last_duration, facts.tick_s)


def _usual_duration(ticks: Sequence[int], facts: Facts) -> int:
    if len(ticks) > 1:
        return max(1, round(Fraction(ticks[-1], len(ticks) - 1)))
    return max(1, round(1 / (facts.rates[0] * facts.tick_s))) if facts.rates else 0


def _mean_rates(timeline: Timeline) -> tuple[Fraction, ...]:
    spans = timeline.num_frames - 1
    return (timeline.mean_fps, spans / (timeline.ticks[-1] * timeline.tick_s)) if spans else (timeline.mean_fps,)


def _readable(facts: Facts, pts: Sequence[int], last_dts: int | None) -> int:
    if not facts.broken:
        return len(pts)
    # What is missing is decoded later than the last whole packet, and nothing is shown before it is decoded.
    return 0 if last_dts is None else bisect_right(pts, last_dts)


def _first_frame(path: Path) -> VideoFrame:
    frame = next(_decoded(path), None)
    if frame is None:
        raise InputError("no frame of it can be decoded", where=path, cure="replace the file")
    check_pixels((frame.height, frame.width), path)
    return frame


def _times_decoded(path: Path) -> frozenset[int | None]:
    return frozenset(frame.pts for frame in _decoded(path))


def _decoded(path: Path) -> Iterator[VideoFrame]:
    with open_video(path) as (container, stream):
        yield from container.decode(stream)
