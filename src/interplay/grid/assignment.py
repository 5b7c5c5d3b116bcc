"""Which clip goes into which bucket, and what is left out and why.

A clip goes into the bucket that shows most of it, scaled to cover the bucket and cropped at its centre, at the wanted
frame rate. Every clip is assigned or dropped with a reason; nothing is dropped silently.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from interplay.grid.buckets import Bucket, BucketConfig
from interplay.records.clip import Clip
from interplay.records.geometry import Fit
from interplay.records.media.timeline import as_rate, choose_frames, even_timeline

# Rates nearer than this are one rate: NTSC's 23.976 and 29.97 are 0.1 % off 24 and 30.
_SAME_RATE = 0.005
# Two buckets that show nearly as much of a clip are equally good for it, and the larger one wins.
_AS_MUCH = 0.98

DropReason = Literal["low fps", "too short", "too much cropped", "too small"]


@dataclass(frozen=True)
class ClipShape:
    """What decides about a clip's bucket: its size in pixels, its length in frames, its rate."""

    clip_id: str
    size_hw: tuple[int, int]
    num_frames: int
    fps: float

    @classmethod
    def of(cls, clip: Clip) -> ClipShape:
        """The shape of a clip."""
        return cls(clip.clip_id, clip.size_hw, clip.num_frames, clip.fps)


@dataclass(frozen=True)
class Assignment:
    """A clip's bucket, the ``fit`` of its pictures, and the source frame of each of the bucket's frames.

    ``fps`` is the rate of the frames taken, ``cut`` the share of the picture that the crop takes away, ``unused_s`` how
    much of the clip's time is not shown.
    """

    clip_id: str
    bucket: Bucket
    fit: Fit
    frames: tuple[int, ...]
    fps: float
    cut: float
    unused_s: float


@dataclass(frozen=True)
class Drop:
    """A clip that fits no bucket: a kind of ``reason``, what exactly is the matter, and what would let it in."""

    clip_id: str
    reason: DropReason
    problem: str
    cure: str


@dataclass(frozen=True)
class BucketReport:
    """Where every clip of a dataset went; ``buckets`` also names those that stayed empty."""

    buckets: tuple[Bucket, ...]
    assigned: tuple[Assignment, ...]
    dropped: tuple[Drop, ...]

    @property
    def total(self) -> int:
        """Clips altogether."""
        return len(self.assigned) + len(self.dropped)

    @property
    def counts(self) -> Mapping[Bucket, int]:
        """Clips per bucket, empty buckets included."""
        found = Counter(assignment.bucket for assignment in self.assigned)
        return {bucket: found[bucket] for bucket in self.buckets}

    @property
    def reasons(self) -> Mapping[DropReason, int]:
        """Dropped clips per reason, the most frequent first."""
        return dict(Counter(drop.reason for drop in self.dropped).most_common())

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values: counts, and each clip with its bucket or the reason why it has none."""
        return {
            "clips": self.total,
            "assigned": len(self.assigned),
            "dropped": len(self.dropped),
            "buckets": {str(bucket): count for bucket, count in self.counts.items()},
            "reasons": dict(self.reasons),
            "assignments": [
                {
                    "clip_id": a.clip_id,
                    "bucket": str(a.bucket),
                    "cut": round(a.cut, 4),
                    "unused_s": round(a.unused_s, 3),
                }
                for a in self.assigned
            ],
            "drops": [
                {"clip_id": d.clip_id, "reason": d.reason, "problem": d.problem, "cure": d.cure} for d in self.dropped
            ],
        }

    def table(self) -> str:
        """The counts as lines of text, then every dropped clip with its reason."""
        width = max([len(str(bucket)) for bucket in self.buckets] + [len("dropped")])
        rows = [(str(bucket), count) for bucket, count in self.counts.items()] + [("dropped", len(self.dropped))]
        lines = [f"{self.total} clips in buckets of width x height x frames"]
        lines += [f"  {name:<{width}}  {count:>7}" for name, count in rows]
        lines += [f"  dropped {drop.clip_id}: {drop.reason}: {drop.problem}; {drop.cure}" for drop in self.dropped]
        return "\n".join(lines)


def assign(clip: ClipShape, buckets: Sequence[Bucket], config: BucketConfig) -> Assignment | Drop:
    """The bucket that shows most of ``clip`` within the limits of ``config``, or why there is none.

    What is shown is the share of the picture times the length in time. Among buckets that show within 2 % of the best,
    the one with most pixels wins, then the one listed first. A still picture (one frame) has no rate to miss.
    """
    rate = _rate(clip, config)
    if rate > clip.fps:
        return _too_slow(clip, rate)
    usable = usable_frames(clip, rate)
    long_enough = [_Candidate(bucket, clip.size_hw) for bucket in buckets if bucket.frames <= usable]
    if not long_enough:
        return _too_short(clip, buckets, usable, rate)
    whole = [one for one in long_enough if one.cut <= config.max_crop]
    if not whole:
        return _too_much_cropped(clip, min(long_enough, key=lambda one: one.cut), config)
    sharp = [one for one in whole if one.scale <= config.max_upscale]
    if not sharp:
        return _too_small(clip, min(whole, key=lambda one: one.scale), config)
    most = max(one.shown for one in sharp)
    chosen = max((one for one in sharp if one.shown >= _AS_MUCH * most), key=lambda one: one.bucket.volume)
    return _assigned(clip, chosen, rate, config)


def assign_all(clips: Iterable[ClipShape], buckets: Sequence[Bucket], config: BucketConfig) -> BucketReport:
    """:func:`assign` for every clip of a dataset."""
    decided = [assign(clip, buckets, config) for clip in clips]
    return BucketReport(
        buckets=tuple(buckets),
        assigned=tuple(one for one in decided if isinstance(one, Assignment)),
        dropped=tuple(one for one in decided if isinstance(one, Drop)),
    )


def own_bucket(clip: ClipShape) -> Assignment:
    """A clip as it is, in a bucket of its own geometry: what happens where no buckets are configured."""
    bucket = Bucket(clip.size_hw[1], clip.size_hw[0], clip.num_frames)
    return Assignment(
        clip_id=clip.clip_id,
        bucket=bucket,
        fit=Fit(clip.size_hw, clip.size_hw),
        frames=tuple(range(clip.num_frames)),
        fps=clip.fps,
        cut=0.0,
        unused_s=0.0,
    )


def as_they_are(clips: Iterable[ClipShape]) -> BucketReport:
    """:func:`own_bucket` for every clip of a dataset; the buckets in order of first appearance."""
    assigned = tuple(own_bucket(clip) for clip in clips)
    return BucketReport(tuple(dict.fromkeys(one.bucket for one in assigned)), assigned, ())


# --- deciding -------------------------------------------------------------------------------------------------------


class _Candidate:
    """A bucket for pictures of one size: what share of them is ``cut`` off, and how many times larger they become."""

    def __init__(self, bucket: Bucket, size_hw: tuple[int, int]) -> None:
        # Fractions, so that a clip exactly at a limit is not on its other side by a rounding error.
        ratios = [Fraction(to, of) for of, to in zip(size_hw, bucket.size_hw, strict=True)]
        seen = min(ratios) / max(ratios)
        self.bucket = bucket
        self.scale, self.cut = float(max(ratios)), float(1 - seen)
        # The time shown is proportional to the bucket's frames, for any one clip.
        self.shown = float(seen * bucket.frames)


def _rate(clip: ClipShape, config: BucketConfig) -> float:
    wanted = config.fps
    if wanted is None or clip.num_frames == 1 or abs(wanted / clip.fps - 1.0) <= _SAME_RATE:
        return clip.fps
    return wanted


def usable_frames(clip: ClipShape, rate: float) -> int:
    """How many frames a clip gives at ``rate``: those whose time is before its end."""
    return clip.num_frames if rate == clip.fps else math.ceil(clip.num_frames * as_rate(rate) / as_rate(clip.fps))


def _assigned(clip: ClipShape, chosen: _Candidate, rate: float, config: BucketConfig) -> Assignment:
    bucket = chosen.bucket
    seconds = clip.num_frames / clip.fps
    unused_s = max(0.0, seconds - bucket.frames / rate)
    start = int(unused_s * clip.fps / 2) if config.take == "middle" else 0
    return Assignment(
        clip_id=clip.clip_id,
        bucket=bucket,
        fit=Fit(clip.size_hw, bucket.size_hw),
        frames=_source_frames(clip, start, bucket.frames, rate),
        fps=rate,
        cut=chosen.cut,
        unused_s=unused_s,
    )


def _source_frames(clip: ClipShape, start: int, count: int, rate: float) -> tuple[int, ...]:
    if rate == clip.fps:
        return tuple(range(start, start + count))
    timeline = even_timeline(clip.num_frames - start, clip.fps)
    chosen = choose_frames(timeline, num_frames=count, fps=rate, where=f"clip {clip.clip_id}")
    return tuple(start + index for index in chosen.indices)


def _too_slow(clip: ClipShape, rate: float) -> Drop:
    problem = f"has {clip.fps:g} frames per second and {rate:g} are wanted: frames would repeat"
    return Drop(clip.clip_id, "low fps", problem, f"lower fps to {clip.fps:g}, or leave the clip out")


def _too_short(clip: ClipShape, buckets: Sequence[Bucket], usable: int, rate: float) -> Drop:
    shortest = min(bucket.frames for bucket in buckets)
    problem = f"has {usable} frames at {rate:g} fps and the shortest bucket wants {shortest}"
    return Drop(clip.clip_id, "too short", problem, f"add a bucket of at most {usable} frames")


def _too_much_cropped(clip: ClipShape, least: _Candidate, config: BucketConfig) -> Drop:
    width, height = clip.size_hw[1], clip.size_hw[0]
    problem = f"{least.cut:.0%} of the {width}x{height} picture would be cut off for {least.bucket}"
    cure = (
        f"add a bucket of the shape of {width}x{height}, or set max_crop to {_up(least.cut)} (now {config.max_crop:g})"
    )
    return Drop(clip.clip_id, "too much cropped", problem, cure)


def _too_small(clip: ClipShape, least: _Candidate, config: BucketConfig) -> Drop:
    width, height = clip.size_hw[1], clip.size_hw[0]
    problem = f"the {width}x{height} picture would become {least.scale:.2f} times larger for {least.bucket}"
    cure = f"add a smaller bucket, or set max_upscale to {_up(least.scale)} (now {config.max_upscale:g})"
    return Drop(clip.clip_id, "too small", problem, cure)


def _up(limit: float) -> str:
    """A limit that just lets this value pass, in two decimals."""
    return f"{math.ceil(limit * 100) / 100:g}"
