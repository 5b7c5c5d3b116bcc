"""The clip and its parts: what every stage reads and writes.

An *instance* is a noun in the caption and a region in every frame. A clip binds the two by one key, the instance id
(``id1``, ``id2``, ...): the caption's markup, the mask tracks, the interactions and the boxes all use it. Everything
but the video, the caption and the frame geometry is optional, and absent means absent: ``None`` or an empty mapping,
never a made-up value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from interplay.records.masks import MaskTrack

# 2: role of an instance, category and direction of an interaction, date of a provenance, and ``extra``.
RECORD_VERSION = 2
READABLE_VERSIONS = frozenset({1, RECORD_VERSION})
# A picture has no rate; one frame per second is what this project calls it.
STILL_FPS = 1.0


@dataclass(frozen=True)
class Provenance:
    """Who or what made a label, when, and with which settings.

    ``settings`` is JSON-able; ``made_at`` is ISO 8601 in UTC (``2026-11-21T04:30:00+00:00``), ``None`` where nobody
    wrote it down or where the label is a pure function of its settings.
    """

    maker: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    made_at: str | None = None


@dataclass(frozen=True)
class Instance:
    """One person or thing: ``noun`` names its class ("man"), ``appearance`` tells it apart ("in a red shirt").

    ``role`` is what a source calls it apart from any interaction, such as TAViD's ``target``.
    """

    id: str
    noun: str
    appearance: str = ""
    role: str | None = None


@dataclass(frozen=True)
class Interaction:
    """Who does what to whom: ids of instances, the verb as it stands in the caption, and the time span in seconds.

    ``contact`` and ``dynamism`` are the 1 to 5 scores of MATRIX (paper A.1); ``category`` is a source's name for the
    kind of interaction (InterGenEval: contact, force, transport, manipulation, social). ``None`` means nobody said.
    """

    subject: str
    verb: str
    object: str | None = None
    recipient: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    contact: int | None = None
    dynamism: int | None = None
    category: str | None = None
    direction: Literal["unidirectional", "bidirectional"] | None = None


@dataclass(frozen=True)
class Boxes:
    """Boxes of one kind of part over time: pixel frame -> ``(x1, y1, x2, y2)`` in the clip's own pixels.

    A frame that is listed with ``None`` was looked at and holds no such part; a frame that is not listed is unknown.
    """

    by_frame: Mapping[int, tuple[float, float, float, float] | None]


@dataclass(frozen=True)
class Clip:
    """A video with its caption and everything known about who does what to whom in it.

    ``video`` and the other media are paths relative to the store's folder. A still picture is a video of one frame at
    :data:`STILL_FPS`. ``caption`` carries the markup of :mod:`interplay.records.caption`. Names of ``media`` in use:
    ``audio``, ``person_image``, ``product_image``, ``structure_video``, ``pose_video``, ``motion_video``.

    ``truth`` is the exact truth of a procedural source (JSON-able). ``provenance`` maps a label's name (``tracks``, or
    ``tracks/id1`` for one of them, ``caption``, ``boxes``, ...) to who made it. ``extra`` maps the name of a foreign
    format to what that format says and a clip has no place for (JSON-able), so that it can be written back.
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
    extra: Mapping[str, Any] = field(default_factory=dict)

    def instance(self, instance_id: str) -> Instance:
        """The instance with this id; ``KeyError`` when the clip has none."""
        for instance in self.instances:
            if instance.id == instance_id:
                return instance
        raise KeyError(f"clip {self.clip_id} has no instance {instance_id}")

    def made_by(self, label: str) -> Provenance | None:
        """Who made a label: its own entry (``tracks/id1``), else that of its group (``tracks``), else ``None``."""
        return self.provenance.get(label, self.provenance.get(label.partition("/")[0]))
