"""The labels that a structure video gives the video it belongs to: two tracks, at that video's frames and pixels.

A structure video may have another size than its video (a scaled copy of the same picture), some frames more or fewer,
and may run ahead of it (see :mod:`.lag`). Label frame i belongs to video frame i + lead. A video frame without a label
is a gap of the track: nobody looked. A label without a video frame is cut.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from interplay.records.geometry import Fit
from interplay.records.masks import MaskTrack
from interplay.records.media.video import VideoInfo, probe_video, stream_video
from interplay.records.structure.config import StructureVideoConfig
from interplay.records.structure.lag import Lead, measure_lead
from interplay.records.structure.tracks import read_tracks

# The two instances of every structure video, under the ids that curation gives them, too.
PERSON_ID, PRODUCT_ID = "id1", "id2"
# Five seconds tell the lead; decoding more only costs.
FRAMES_TO_MEASURE = 128

GivenLead = int | Literal["measure"]


def find_lead(video: Path, structure: Path, given: GivenLead) -> Lead:
    """By how many frames ``structure`` runs ahead of ``video``: what is ``given``, or measured over some seconds.

    Sizes that cannot be one picture are an :class:`~interplay.core.errors.InputError`.
    """
    if given != "measure":
        return Lead(given, float("nan"), float("nan"))
    infos = probe_video(video), probe_video(structure)
    Fit(infos[0].size_hw, infos[0].size_hw).for_source(infos[1].size_hw, where=str(structure))
    seen, labelled = (range(min(info.num_frames, FRAMES_TO_MEASURE)) for info in infos)
    return measure_lead(stream_video(video, seen), stream_video(structure, labelled))


def lead_settings(lead: Lead, given: GivenLead) -> dict[str, Any]:
    """The lead and whence it is known, as a provenance keeps it."""
    if given != "measure":
        return {"frames": lead.frames, "by": "config"}
    return {"by": "measured", **asdict(lead)}


def structure_labels(
    structure: Path, video: VideoInfo, lead: int, config: StructureVideoConfig
) -> dict[str, MaskTrack]:
    """The tracks of person and product in a video, by instance id, out of its structure video.

    A structure video that cannot be the same picture, or shows no body or no product, is an
    :class:`~interplay.core.errors.InputError`.
    """
    info = probe_video(structure)
    Fit(video.size_hw, video.size_hw).for_source(info.size_hw, where=str(structure))
    measured = read_tracks(stream_video(structure, range(info.num_frames)), config, where=str(structure))
    fit = Fit(measured.person.size_hw, video.size_hw)
    pairs = {PERSON_ID: measured.person, PRODUCT_ID: measured.product}
    return {name: in_step(fit.track(track), lead, video.num_frames) for name, track in pairs.items()}


def in_step(track: MaskTrack, lead: int, num_frames: int) -> MaskTrack:
    """The track of a video of ``num_frames`` whose frame i + ``lead`` the mask i belongs to; the rest is gaps."""
    labels = (frame - lead for frame in range(num_frames))
    return MaskTrack(track.size_hw, tuple(track.frames[label] if 0 <= label < len(track) else None for label in labels))
