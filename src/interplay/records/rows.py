"""A clip as one Parquet row, and back.

Everything nested is a native Parquet list of structs, so pandas, DuckDB and ``datasets`` read it without our code.
Only what has no fixed shape is a JSON string: ``truth`` and each provenance's ``settings``. COCO run-length counts are
ASCII and stand as strings; a ``null`` among them is a gap of the track, a ``null`` box a part that is not in the frame.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from interplay.records.caption import parse_caption
from interplay.records.clip import RECORD_VERSION, Boxes, Clip, Instance, Interaction, Provenance
from interplay.records.masks import MaskTrack

_TEXT, _INT, _REAL = pa.string(), pa.int32(), pa.float64()
_INSTANCE = pa.struct({"id": _TEXT, "noun": _TEXT, "appearance": _TEXT, "role": _TEXT})
_INTERACTION = pa.struct(
    {
        "subject": _TEXT,
        "verb": _TEXT,
        "object": _TEXT,
        "recipient": _TEXT,
        "start_s": _REAL,
        "end_s": _REAL,
        "contact": _INT,
        "dynamism": _INT,
        "category": _TEXT,
        "direction": _TEXT,
    }
)
_TRACK = pa.struct({"id": _TEXT, "height": _INT, "width": _INT, "counts": pa.list_(_TEXT)})
_BOX = pa.struct({"frame": _INT, "box_px": pa.list_(_REAL)})
SCHEMA = pa.schema(
    {
        "clip_id": _TEXT,
        "split": _TEXT,
        "video": _TEXT,
        "num_frames": _INT,
        "height": _INT,
        "width": _INT,
        "fps": _REAL,
        "caption": _TEXT,
        "text": _TEXT,
        "instances": pa.list_(_INSTANCE),
        "interactions": pa.list_(_INTERACTION),
        "tracks": pa.list_(_TRACK),
        "boxes": pa.list_(pa.struct({"name": _TEXT, "frames": pa.list_(_BOX)})),
        "media": pa.list_(pa.struct({"name": _TEXT, "path": _TEXT})),
        "truth": _TEXT,
        "provenance": pa.list_(pa.struct({"label": _TEXT, "maker": _TEXT, "settings": _TEXT, "made_at": _TEXT})),
        "extra": _TEXT,
        "record_version": _INT,
    }
)

# Columns that rows of version 1 do not have; what is added inside a struct is simply absent there.
ADDED_IN_VERSION_2 = ("extra",)


def to_row(clip: Clip) -> dict[str, Any]:
    """The clip as plain values in the columns of :data:`SCHEMA`; ``text`` is the caption without its markup."""
    return {
        "clip_id": clip.clip_id,
        "split": clip.split,
        "video": clip.video,
        "num_frames": clip.num_frames,
        "height": clip.size_hw[0],
        "width": clip.size_hw[1],
        "fps": clip.fps,
        "caption": clip.caption,
        "text": parse_caption(clip.caption).text,
        "instances": [asdict(instance) for instance in clip.instances],
        "interactions": [asdict(interaction) for interaction in clip.interactions],
        "tracks": [_track_row(name, track) for name, track in clip.tracks.items()],
        "boxes": [_boxes_row(name, boxes) for name, boxes in clip.boxes.items()],
        "media": [{"name": name, "path": path} for name, path in clip.media.items()],
        "truth": None if clip.truth is None else json.dumps(clip.truth),
        "provenance": [_provenance_row(label, maker) for label, maker in clip.provenance.items()],
        "extra": json.dumps(dict(clip.extra)),
        "record_version": RECORD_VERSION,
    }


def from_row(row: Mapping[str, Any]) -> Clip:
    """The clip of a row that :func:`to_row` made."""
    return Clip(
        clip_id=row["clip_id"],
        video=row["video"],
        caption=row["caption"],
        num_frames=row["num_frames"],
        size_hw=(row["height"], row["width"]),
        fps=row["fps"],
        split=row["split"],
        instances=tuple(Instance(**instance) for instance in row["instances"]),
        interactions=tuple(Interaction(**interaction) for interaction in row["interactions"]),
        tracks={track["id"]: _track(track) for track in row["tracks"]},
        boxes={boxes["name"]: _boxes(boxes) for boxes in row["boxes"]},
        media={medium["name"]: medium["path"] for medium in row["media"]},
        truth=None if row["truth"] is None else json.loads(row["truth"]),
        provenance={made["label"]: _provenance(made) for made in row["provenance"]},
        extra=json.loads(row.get("extra") or "{}"),
    )


def _track_row(name: str, track: MaskTrack) -> dict[str, Any]:
    counts = [None if counts is None else counts.decode("ascii") for counts in track.frames]
    return {"id": name, "height": track.size_hw[0], "width": track.size_hw[1], "counts": counts}


def _track(row: Mapping[str, Any]) -> MaskTrack:
    frames = tuple(None if counts is None else counts.encode("ascii") for counts in row["counts"])
    return MaskTrack((row["height"], row["width"]), frames)


def _boxes_row(name: str, boxes: Boxes) -> dict[str, Any]:
    frames = [{"frame": frame, "box_px": None if box is None else list(box)} for frame, box in boxes.by_frame.items()]
    return {"name": name, "frames": frames}


def _boxes(row: Mapping[str, Any]) -> Boxes:
    return Boxes({item["frame"]: None if item["box_px"] is None else tuple(item["box_px"]) for item in row["frames"]})


def _provenance_row(label: str, made: Provenance) -> dict[str, Any]:
    return {"label": label, "maker": made.maker, "settings": json.dumps(dict(made.settings)), "made_at": made.made_at}


def _provenance(row: Mapping[str, Any]) -> Provenance:
    return Provenance(row["maker"], json.loads(row["settings"]), row.get("made_at"))
