"""What formats with a structure video have in common: reading it, its two instances, and what is said about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from interplay.core.config import Config, digest
from interplay.records.clip import Clip, Instance, Provenance
from interplay.records.formats.base import Note
from interplay.records.masks import MaskTrack
from interplay.records.media.video import VideoInfo, probe_video
from interplay.records.sizes import size_text
from interplay.records.structure.config import StructureVideoConfig
from interplay.records.structure.labels import (
    PERSON_ID,
    PRODUCT_ID,
    GivenLead,
    find_lead,
    lead_settings,
    structure_labels,
)
from interplay.records.structure.lag import Lead

MAKER = "structure video"
INSTANCES = (Instance(PERSON_ID, "person"), Instance(PRODUCT_ID, "product"))


class StructureOptions(Config):
    """How structure videos are read.

    ``labels_lead`` is how many frames the labels run ahead of the video: a number, or ``measure``. ``tracks`` false
    leaves the structure video undecoded, ``structure`` is how it is told apart.
    """

    labels_lead: GivenLead = "measure"
    tracks: bool = True
    structure: StructureVideoConfig = StructureVideoConfig()


@dataclass(frozen=True)
class StructureReading:
    """What a structure video says about its clip; ``lead`` is ``None`` when nobody needed it."""

    info: VideoInfo
    lead: Lead | None
    tracks: Mapping[str, MaskTrack]
    notes: tuple[Note, ...]

    @property
    def instances(self) -> tuple[Instance, ...]:
        """The instances that have a track."""
        return tuple(instance for instance in INSTANCES if instance.id in self.tracks)


def read_structure(
    video: Path, info: VideoInfo, structure: Path, options: StructureOptions, *, lead_wanted: bool = False
) -> StructureReading:
    """The labels that ``structure`` gives ``video``; decoded only for tracks, or for a lead that is to be measured."""
    own = probe_video(structure)
    lead = find_lead(video, structure, options.labels_lead) if options.tracks or lead_wanted else None
    frames = 0 if lead is None else lead.frames
    tracks = structure_labels(structure, info, frames, options.structure) if options.tracks else {}
    notes = [*_differences(str(structure), info, own)]
    if lead is not None:
        notes += _lead_notes(str(structure), lead, info.num_frames, own.num_frames)
    return StructureReading(own, lead, tracks, tuple(notes))


def structure_provenance(reading: StructureReading, options: StructureOptions) -> dict[str, Provenance]:
    """Who made the tracks, and by how much the structure video itself runs ahead.

    The digest of the tracks' pixels is part of it, so that a writer sees whether they are the structure video's still.
    """
    if reading.lead is None:
        return {}
    lead = {"lead": lead_settings(reading.lead, options.labels_lead)}
    provenance = {"structure_video": Provenance(MAKER, lead)}
    if reading.tracks:
        settings = {**lead, **options.structure.model_dump(mode="json"), "digest": _digest(reading.tracks)}
        provenance["tracks"] = Provenance(MAKER, settings)
    return provenance


def tracks_are_its_own(clip: Clip) -> bool:
    """Whether the clip's tracks are what its structure video gives, so that a copy of this video keeps them."""
    made = clip.made_by("tracks")
    if not clip.tracks or "structure_video" not in clip.media or made is None or made.maker != MAKER:
        return False
    return made.settings.get("digest") == _digest(clip.tracks)


def lost_tracks(clip: Clip) -> tuple[str, ...]:
    """What a layout that holds tracks as a structure video loses of the clip's tracks."""
    if not clip.tracks or tracks_are_its_own(clip):
        return ()
    why = "they differ from its structure video" if "structure_video" in clip.media else "the clip has none"
    return (f"mask tracks {', '.join(clip.tracks)}: the layout has them only as a structure video, and {why}",)


def _digest(tracks: Mapping[str, MaskTrack]) -> str:
    counts = {
        name: [None if frame is None else frame.decode("ascii", "replace") for frame in track.frames]
        for name, track in tracks.items()
    }
    return digest(counts)


def _differences(where: str, video: VideoInfo, structure: VideoInfo) -> list[Note]:
    """Another size, and another length, than the video's."""
    notes = []
    if structure.size_hw != video.size_hw:
        problem = f"is {size_text(structure.size_hw)} pixels, and the video {size_text(video.size_hw)}"
        notes.append(Note(where, problem, "the tracks are brought to the video's size (nearest pixel)"))
    if structure.num_frames != video.num_frames:
        problem = f"has {structure.num_frames} frames, and the video {video.num_frames}"
        more = structure.num_frames > video.num_frames
        done = "the labels beyond the video's end are left out" if more else "the frames behind its end have no mask"
        notes.append(Note(where, problem, done))
    return notes


def _lead_notes(where: str, lead: Lead, num_frames: int, num_labels: int) -> list[Note]:
    """Labels that run ahead of the video, or behind it."""
    if lead.frames == 0:
        return []
    problem = f"runs {abs(lead.frames)} frames {'ahead of' if lead.frames > 0 else 'behind'} the video"
    if math.isnan(lead.correlation):
        problem += ", says the option labels_lead"
    else:
        problem += f" (correlation {lead.correlation:.2f}, unshifted {lead.correlation_unshifted:.2f})"
    first, end = lead.frames, lead.frames + num_labels
    done = f"tracks and boxes are moved by {lead.frames} frames"
    if first > 0:
        done += f"; the video's first {min(first, num_frames)} frames have no labels"
    if end < num_frames:
        done += f"; its last {min(num_frames - end, num_frames)} frames have no labels"
    cut = min(num_labels, max(0, end - num_frames) + max(0, -first))
    return [Note(where, problem, f"{done}; {cut} labels without a frame are left out" if cut else done)]
