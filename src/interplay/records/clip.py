"""The clip and its parts: what every stage reads and writes.

An *instance* is a noun in the caption and a region in every frame. A clip binds the two by one key, the instance id
(``id1``, ``id2``, ...): the caption's markup, the mask tracks, the interactions and the boxes all use it. Everything
but the video, the caption and the frame geometry is optional, and absent means absent: ``None`` or an empty mapping,
never a made-up value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from interplay.records.masks import MaskTrack

RECORD_VERSION = 1


@dataclass(frozen=True)
class Provenance:
    """Who or what made a label, and with which settings (``settings`` is JSON-able)."""

    maker: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Instance:
    """One person or thing: ``noun`` names its class ("man"), ``appearance`` tells it apart ("in a red shirt")."""

    id: str
    noun: str
    appearance: str = ""


@dataclass(frozen=True)
class Interaction:
    """Who does what to whom: ids of instances, the verb as it stands in the caption, and the time span in seconds.

    ``contact`` and ``dynamism`` are the 1 to 5 scores of MATRIX (paper A.1); ``None`` means nobody scored them.
    """

    subject: str
    verb: str
    object: str | None = None
    recipient: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    contact: int | None = None
    dynamism: int | None = None


@dataclass(frozen=True)
class Boxes:
    """Boxes of one kind of part over time: pixel frame -> ``(x1, y1, x2, y2)`` in the clip's own pixels.

    A frame that is listed with ``None`` was looked at and holds no such part; a frame that is not listed is unknown.
    """

    by_frame: Mapping[int, tuple[float, float, float, float] | None]


@dataclass(frozen=True)
class Clip:
    """A video with its caption and everything known about who does what to whom in it.

    ``video`` and the other media are paths relative to the store's folder. ``caption`` carries the markup of
    :mod:`interplay.records.caption`. ``truth`` is the exact truth of a procedural source (JSON-able), ``provenance``
    maps a label's name ("tracks", "caption", ...) to who made it.
    """

    clip_id: str
    video: str
    caption: str
    num_frames: int
    size_hw: tuple[int, int]
    fps: float
    split: str = "train"
    instances: tuple[Instance, ...] = ()
    interactions: tuple[Interaction, ...] = ()
    tracks: Mapping[str, MaskTrack] = field(default_factory=dict)
    boxes: Mapping[str, Boxes] = field(default_factory=dict)
    media: Mapping[str, str] = field(default_factory=dict)
    truth: Mapping[str, Any] | None = None
    provenance: Mapping[str, Provenance] = field(default_factory=dict)

    def instance(self, instance_id: str) -> Instance:
        """The instance with this id; ``KeyError`` when the clip has none."""
        for instance in self.instances:
            if instance.id == instance_id:
                return instance
        raise KeyError(f"clip {self.clip_id} has no instance {instance_id}")
