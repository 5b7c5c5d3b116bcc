"""What only shows when all clips are seen together: mixed sizes, rates and lengths, and what occurs twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from interplay.core.config import digest
from interplay.data.codes import Finding, found
from interplay.grid.assignment import Assignment, Drop
from interplay.records.clip import Clip

_MOST_NAMED = 6


@dataclass
class Survey:
    """Counts over the clips that were added; no clip is kept."""

    clips: int = 0
    sizes: Counter[str] = field(default_factory=Counter)
    frames: Counter[int] = field(default_factory=Counter)
    rates: Counter[float] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    buckets: Counter[str] = field(default_factory=Counter)
    _ids: Counter[str] = field(default_factory=Counter)
    _captions: dict[str, list[str]] = field(default_factory=dict)

    def add(self, clip: Clip, bucket: Assignment | Drop | None = None) -> None:
        """Count one clip, and the bucket that takes it."""
        self.clips += 1
        self.sizes[f"{clip.size_hw[1]}x{clip.size_hw[0]}"] += 1
        self.frames[clip.num_frames] += 1
        self.rates[round(clip.fps, 3)] += 1
        self.splits[clip.split] += 1
        if bucket is not None:
            self.buckets["dropped" if isinstance(bucket, Drop) else str(bucket.bucket)] += 1
        self._ids[clip.clip_id] += 1
        if text := clip.caption.strip():
            self._captions.setdefault(digest(text), []).append(clip.clip_id)

    def findings(self) -> Iterator[Finding]:
        """What the clips have in common, or have not."""
        for clip_id, count in self._ids.items():
            if count > 1:
                yield found("id-duplicate", clip_id, f"clip {clip_id}", f"occurs {count} times")
        for ids in self._captions.values():
            if len(ids) > 1:
                yield found("caption-duplicate", None, "captions", f"{len(ids)} clips have one caption: {_some(ids)}")
        for name in ("sizes", "frames", "fps"):
            counts = self.to_json()[name]
            if len(counts) > 1:
                yield found(f"{name}-mixed", None, name, f"there are {len(counts)}: {_common(counts)}")

    def to_json(self) -> Mapping[str, Mapping[str, int]]:
        """The counts, most frequent first."""
        counted: dict[str, Counter[Any]] = {
            "sizes": self.sizes,
            "frames": self.frames,
            "fps": self.rates,
            "splits": self.splits,
        }
        if self.buckets:
            counted["buckets"] = self.buckets
        return {name: {str(key): n for key, n in counts.most_common()} for name, counts in counted.items()}


def _some(ids: list[str]) -> str:
    more = f" and {len(ids) - _MOST_NAMED} more" if len(ids) > _MOST_NAMED else ""
    return ", ".join(ids[:_MOST_NAMED]) + more


def _common(counts: Mapping[str, int]) -> str:
    shown = [f"{value} ({count} {'clip' if count == 1 else 'clips'})" for value, count in counts.items()]
    more = f" and {len(shown) - _MOST_NAMED} more" if len(shown) > _MOST_NAMED else ""
    return ", ".join(shown[:_MOST_NAMED]) + more
