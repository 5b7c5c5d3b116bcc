"""From one row of CoInteract's training table to a clip: time, labels, and notes on what was repaired.

Three things are repaired, each with a note: videos tagged with another rate than the format's 25 fps, labels that run
ahead of their video (``docs/decisions/0004``), and a structure video of another size or length than the video.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import PositiveFloat

from interplay.core.errors import InputError
from interplay.records.caption import foreign_markup
from interplay.records.clip import Boxes, Clip, Provenance
from interplay.records.formats.base import LocatedClip, Note
from interplay.records.formats.cointeract.boxes import (
    LARGEST_LATENT_KEY,
    BoxCells,
    KeyConvention,
    boxes_in_clip,
    latest_frame,
)
from interplay.records.formats.cointeract.rows import FORMAT_FPS, PathOptions, Row
from interplay.records.formats.common.media_files import audio_length_s, check_media
from interplay.records.formats.common.naming import clip_id_from, placed
from interplay.records.formats.common.structure_media import (
    StructureOptions,
    StructureReading,
    read_structure,
    structure_provenance,
)
from interplay.records.formats.common.written_captions import CaptionStyle, instances_of
from interplay.records.masks import MaskTrack
from interplay.records.media.video import VideoInfo, probe_video
from interplay.records.sizes import size_text
from interplay.records.structure.labels import (
    lead_settings,
)
from interplay.records.structure.lag import Lead

NAME = "cointeract"
TABLE_MAKER = "cointeract table"
# Sound and picture of one clip end within a frame of each other.
_FRAMES_OF_SLACK = 1.5


class CoInteractOptions(PathOptions, StructureOptions):
    """How a training table is read and written.

    ``fps`` is the videos' rate, whatever their files are tagged with. ``labels_lead`` is by how many frames the
    structure video, the pose video and the boxes run ahead of the video. ``box_keys`` overrides the detection of what
    the keys of the boxes count. ``ids`` names clips after their video or, where rows share videos, after their row.

    Written: ``table`` is the table's layout, and ``captions`` says whether prompts keep the markers of instances.
    """

    fps: PositiveFloat = FORMAT_FPS
    box_keys: Literal["detect", "pixel", "latent"] = "detect"
    ids: Literal["video", "row"] = "video"
    split: str = "train"
    table: Literal["csv", "json", "jsonl"] = "csv"
    captions: CaptionStyle = "plain"


@dataclass
class _Reading:
    """What is known of a clip so far; the steps below fill it."""

    row: Row
    options: CoInteractOptions
    info: VideoInfo
    structure: StructureReading | None = None
    boxes: Mapping[str, Boxes] = field(default_factory=dict)
    convention: KeyConvention | None = None
    notes: list[Note] = field(default_factory=list)

    @property
    def tracks(self) -> Mapping[str, MaskTrack]:
        return {} if self.structure is None else self.structure.tracks

    @property
    def lead(self) -> Lead | None:
        return None if self.structure is None else self.structure.lead

    @property
    def label_frames(self) -> int:
        """How many frames the boxes may count: those of the structure video where it is the longer one."""
        own = self.info.num_frames
        return own if self.structure is None else max(own, self.structure.info.num_frames)

    def note(self, field_name: str, problem: str, done: str) -> None:
        self.notes.append(Note(f"{self.row.where}, field {field_name}", problem, done))


def row_id(row: Row, options: CoInteractOptions) -> str:
    """The clip's id: after its video's path without the folder ``input_video``, or after its row."""
    if options.ids == "row":
        return f"row-{row.index + 1:05d}"
    named = PurePosixPath(str(row.cells["input_video"]).strip())
    return clip_id_from(named.with_suffix(""), dropped="input_video")


def read_clip(row: Row, clip_id: str, options: CoInteractOptions) -> LocatedClip:
    """The clip of a row; :class:`InputError` about the first thing of it that cannot be used."""
    caption = foreign_markup(row.prompt, where=f"{row.where}, field prompt")
    reading = _Reading(row, options, probe_video(row.video))
    check_media(row.media)
    _note_names(reading)
    _note_rate(reading)
    _read_structure(reading)
    _read_boxes(reading)
    video, media, files = placed(clip_id, row.video, row.media)
    clip = Clip(
        clip_id=clip_id,
        video=video,
        caption=caption,
        num_frames=reading.info.num_frames,
        size_hw=reading.info.size_hw,
        fps=options.fps,
        split=options.split,
        instances=instances_of(caption, () if reading.structure is None else reading.structure.instances),
        tracks=reading.tracks,
        boxes=reading.boxes,
        media=media,
        provenance=_provenance(reading),
        extra={NAME: _extra(reading)},
    )
    return LocatedClip(clip, files, tuple(reading.notes))


def clip_boxes(
    cells: BoxCells,
    boxes_hw: tuple[int, int],
    convention: KeyConvention,
    clip_hw: tuple[int, int],
    lead: int,
    num_frames: int,
    where: str,
) -> tuple[dict[str, Boxes], int]:
    """The boxes of a row as a clip has them, and how many are cut: the one way from cells to clip."""
    parts = cells.in_pixel_frames(convention)
    return boxes_in_clip(parts, boxes_hw, clip_hw, lead, num_frames, where=f"{where}, fields height and width")


# --- steps -----------------------------------------------------------------------------------------------------------


def _note_names(reading: _Reading) -> None:
    cells = reading.row.cells
    old, new = (str(cells.get(name) or "").strip() for name in ("depth_video", "hoi_video"))
    if old and not new:
        reading.note("depth_video", "the official loader reads the column hoi_video", "read as hoi_video")
    elif old and old != new:
        reading.note("depth_video", "names another file than hoi_video", "hoi_video is used")


def _note_rate(reading: _Reading) -> None:
    tagged, fps, row = reading.info.fps, reading.options.fps, reading.row
    if abs(tagged - fps) < 1e-3:
        return
    problem = f"the file is tagged {tagged:g} fps and the format says {fps:g}"
    if "audio" in row.media:
        length_s = audio_length_s(row.media["audio"])
        frames = reading.info.num_frames
        agreeing = [rate for rate in (fps, tagged) if abs(length_s * rate - frames) <= _FRAMES_OF_SLACK]
        problem += f"; its {frames} frames and {length_s:.2f} s of sound agree with {_rates(agreeing)}"
    reading.note("input_video", problem, f"read as {fps:g} fps (option fps)")


def _rates(rates: list[float]) -> str:
    return " and ".join(f"{rate:g}" for rate in rates) or "neither"


def _read_structure(reading: _Reading) -> None:
    row = reading.row
    if "structure_video" in row.media:
        path, wanted = row.media["structure_video"], bool(row.boxes.parts)
        reading.structure = read_structure(row.video, reading.info, path, reading.options, lead_wanted=wanted)
        reading.notes += reading.structure.notes


def _read_boxes(reading: _Reading) -> None:
    row, info, options = reading.row, reading.info, reading.options
    if row.boxes.unread:
        sides = ", ".join(row.boxes.unread)
        reading.note("hand_object", f"the sides {sides} are not known", "kept in the row, and not read")
    detected = row.boxes.convention(info.num_frames)
    if detected is None:
        return
    reading.convention = detected if options.box_keys == "detect" else options.box_keys
    _check_latest(reading)
    _note_keys(reading)
    if row.boxes_hw is None:
        reading.note("height", "height and width are empty", "the boxes are taken as pixels of the video")
    boxes_hw = row.boxes_hw or info.size_hw
    if boxes_hw != info.size_hw:
        sizes = f"boxes of {size_text(boxes_hw)} pixels and a video of {size_text(info.size_hw)}"
        reading.note("height", sizes, "the boxes are scaled to the video")
    lead = _lead_frames(reading)
    reading.boxes, cut = clip_boxes(
        row.boxes, boxes_hw, reading.convention, info.size_hw, lead, info.num_frames, row.where
    )
    if cut:
        reading.note("hand_object", f"{cut} of the boxes belong to frames that the video does not have", "left out")


def _lead_frames(reading: _Reading) -> int:
    if reading.lead is not None:
        return reading.lead.frames
    return 0 if reading.options.labels_lead == "measure" else reading.options.labels_lead


def _check_latest(reading: _Reading) -> None:
    assert reading.convention is not None
    latest = latest_frame(reading.row.boxes.in_pixel_frames(reading.convention))
    if latest >= reading.label_frames:
        problem = f"a box is at frame {latest} and the video {reading.row.video} has {reading.info.num_frames} frames"
        cure = "key boxes by pixel frames (2, 6, 10, ...) or all by latent frames (0 to 19)"
        raise InputError(problem, where=f"{reading.row.where}, fields face and hand_object", cure=cure)


def _note_keys(reading: _Reading) -> None:
    largest = reading.row.boxes.largest_key
    if reading.convention == "latent":
        problem = f"the keys of the boxes end at {largest}, so they count latent frames (0 to {LARGEST_LATENT_KEY})"
        reading.note("hand_object", problem, "key k is read as pixel frame 4 k + 2 (option box_keys)")
    elif largest is not None and largest <= LARGEST_LATENT_KEY:
        problem = f"the keys of the boxes end at {largest}, and latent frames would lie beyond the video"
        reading.note("hand_object", problem, "the keys are read as pixel frames (option box_keys)")


# --- the record ------------------------------------------------------------------------------------------------------


def _provenance(reading: _Reading) -> dict[str, Provenance]:
    row, options = reading.row, reading.options
    lead = {} if reading.lead is None else {"lead": lead_settings(reading.lead, options.labels_lead)}
    provenance = {
        "caption": Provenance(TABLE_MAKER),
        "video": Provenance(TABLE_MAKER, {"tagged_fps": reading.info.fps}),
    }
    if reading.structure is not None:
        provenance |= structure_provenance(reading.structure, options)
    if reading.boxes:
        sizes = {"size_hw": list(row.boxes_hw or reading.info.size_hw)}
        provenance["boxes"] = Provenance(TABLE_MAKER, {"keys": reading.convention, **sizes, **lead})
    if "pose_video" in row.media and lead:
        provenance["pose_video"] = Provenance(TABLE_MAKER, lead)  # locked to the labels, and so ahead with them
    return provenance


def _extra(reading: _Reading) -> dict[str, Any]:
    """The row as it stands, and by which reading of it the clip's labels came about."""
    extra: dict[str, Any] = {"cells": dict(reading.row.cells), "labels_lead": _lead_frames(reading)}
    if reading.convention is not None:
        extra["box_keys"] = reading.convention
    return extra
