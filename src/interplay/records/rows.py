"""A clip as one Parquet row, and back.

Everything nested is a native Parquet list of structs, so pandas, DuckDB and ``datasets`` read it without our code.
Only what has no fixed shape is a JSON string: ``truth`` and each provenance's ``settings``. COCO run-length counts are
ASCII and stand as strings; a ``null`` among them is a gap of the track, a ``null`` box a part that is not in the frame.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, TypeVar

import pyarrow as pa

from interplay.core.errors import InputError
from interplay.records.caption import parse_caption
from interplay.records.clip import READABLE_VERSIONS, RECORD_VERSION, Boxes, Clip, Instance, Interaction, Provenance
from interplay.records.masks import Box, MaskTrack, check_tracks

PartT = TypeVar("PartT", Instance, Interaction)
ValueT = TypeVar("ValueT")

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

# Columns, and fields inside structs, that rows of version 1 do not have.
ADDED_IN_VERSION_2 = frozenset({"extra", "role", "category", "direction", "made_at"})
REQUIRED = ("clip_id", "split", "video", "num_frames", "height", "width", "fps", "caption")
_DIRECTIONS = (None, "unidirectional", "bidirectional")
_CURE = "mend the row, or leave the clip out and make it again"


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
        "instances": [dict(vars(instance)) for instance in clip.instances],
        "interactions": [dict(vars(interaction)) for interaction in clip.interactions],
        "tracks": [_track_row(name, track) for name, track in clip.tracks.items()],
        "boxes": [_boxes_row(name, boxes) for name, boxes in clip.boxes.items()],
        "media": [{"name": name, "path": path} for name, path in clip.media.items()],
        "truth": None if clip.truth is None else _json_text(clip.truth, f"clip {clip.clip_id}, truth"),
        "provenance": [_provenance_row(label, made, f"clip {clip.clip_id}") for label, made in clip.provenance.items()],
        "extra": _json_text(clip.extra, f"clip {clip.clip_id}, extra"),
        "record_version": RECORD_VERSION,
    }


def from_row(row: Mapping[str, Any], *, where: str = "row") -> Clip:
    """The clip of a row that :func:`to_row` made, of this version or an earlier one.

    A row is somebody else's word: :class:`InputError` about ``where`` when a value is missing or out of range, a name
    is listed twice, text is no JSON, counts are no masks of the track's size, or a path leaves the store.
    """
    where = f"{where}, clip {row.get('clip_id')}"
    _check_version(row, where)
    for name in REQUIRED:
        if row.get(name) is None:
            raise InputError(f"the column {name!r} is empty", where=where, cure=_CURE)
    return Clip(
        clip_id=row["clip_id"],
        video=_path(row["video"], f"{where}, video"),
        caption=row["caption"],
        num_frames=_at_least_one(row["num_frames"], f"{where}, num_frames"),
        size_hw=(_at_least_one(row["height"], f"{where}, height"), _at_least_one(row["width"], f"{where}, width")),
        fps=_rate(row["fps"], f"{where}, fps"),
        split=row["split"],
        instances=tuple(_struct(Instance, instance, f"{where}, instances") for instance in row["instances"] or ()),
        interactions=tuple(_struct(Interaction, item, f"{where}, interactions") for item in row["interactions"] or ()),
        tracks=_tracks(row["tracks"], f"{where}, tracks"),
        boxes=_named(row["boxes"], "name", _boxes, f"{where}, boxes"),
        media=_named(row["media"], "name", _medium, f"{where}, media"),
        truth=None if row["truth"] is None else _json_object(row["truth"], f"{where}, truth"),
        provenance=_named(row["provenance"], "label", _provenance, f"{where}, provenance"),
        extra=_json_object(row.get("extra") or "{}", f"{where}, extra"),
    )


def _check_version(row: Mapping[str, Any], where: str) -> None:
    version = row.get("record_version")
    if version not in READABLE_VERSIONS:
        problem = f"is a record of version {version}, and this Interplay reads versions up to {RECORD_VERSION}"
        raise InputError(problem, where=where, cure="use the version of Interplay that wrote it, or a newer one")


def _at_least_one(number: int | None, where: str) -> int:
    if number is None or number < 1:
        raise InputError(f"is {number}, and must be 1 or more", where=where, cure=_CURE)
    return number


def _rate(number: float, where: str) -> float:
    if not 0 < number < math.inf:
        raise InputError(f"is {number}, and must be above 0", where=where, cure=_CURE)
    return float(number)


def _path(path: str | None, where: str) -> str:
    parts = () if not path else PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts or "\0" in str(path):
        raise InputError(f"{path!r} is no path inside the store", where=where, cure="name files relative to the store")
    return str(path)


def _json_text(value: Mapping[str, Any], where: str) -> str:
    try:
        return json.dumps(dict(value), allow_nan=False)
    except ValueError as error:
        cure = "leave such numbers out, or write null"
        raise InputError("holds NaN or infinity, which JSON does not know", where=where, cure=cure) from error


def _json_object(text: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not valid JSON ({error})", where=where, cure=_CURE) from error
    if not isinstance(value, dict):
        raise InputError("is no JSON object", where=where, cure=_CURE)
    return value


def _finite(text: str) -> float:
    """Python reads what is no JSON: NaN, Infinity and 1e999."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number of JSON")
    return number


def _struct(kind: type[PartT], values: Mapping[str, Any] | None, where: str) -> PartT:
    """An instance or interaction; fields that are null mean what the class gives where nothing is said."""
    told = {name: value for name, value in (values or {}).items() if value is not None}
    if told.get("direction") not in _DIRECTIONS:
        cure = "write unidirectional, bidirectional or null"
        raise InputError(f"the direction is {told['direction']!r}", where=where, cure=cure)
    try:
        return kind(**told)
    except TypeError as error:
        raise InputError(f"an entry is not whole or not known ({error})", where=where, cure=_CURE) from error


def _named(
    rows: Sequence[Mapping[str, Any] | None] | None,
    key: str,
    read: Callable[[Mapping[str, Any], str], ValueT],
    where: str,
) -> dict[str, ValueT]:
    found: dict[str, ValueT] = {}
    for row in rows or ():
        name = None if row is None else row.get(key)
        if row is None or name is None:
            raise InputError("an entry has no name", where=where, cure=_CURE)
        if name in found:
            raise InputError(f"{name!r} is listed twice", where=where, cure=_CURE)
        found[name] = read(row, f"{where} {name}")
    return found


def _track_row(name: str, track: MaskTrack) -> dict[str, Any]:
    counts = [None if counts is None else counts.decode("ascii") for counts in track.frames]
    return {"id": name, "height": track.size_hw[0], "width": track.size_hw[1], "counts": counts}


def _tracks(rows: Sequence[Mapping[str, Any] | None] | None, where: str) -> dict[str, MaskTrack]:
    tracks = _named(rows, "id", _track, where)
    check_tracks(tracks, where=where)
    return tracks


def _track(row: Mapping[str, Any], where: str) -> MaskTrack:
    """Not yet checked, and as it stands, byte for byte."""
    size_hw = (_at_least_one(row["height"], where), _at_least_one(row["width"], where))
    encoded = [None if counts is None else counts.encode("utf-8") for counts in row["counts"] or ()]
    return MaskTrack(size_hw, tuple(encoded))


def _boxes_row(name: str, boxes: Boxes) -> dict[str, Any]:
    frames = [{"frame": frame, "box_px": None if box is None else list(box)} for frame, box in boxes.by_frame.items()]
    return {"name": name, "frames": frames}


def _boxes(row: Mapping[str, Any], where: str) -> Boxes:
    by_frame: dict[int, Box | None] = {}
    for item in row["frames"] or ():
        if item is None or item["frame"] is None or item["frame"] in by_frame:
            raise InputError("a frame is empty or listed twice", where=where, cure=_CURE)
        by_frame[item["frame"]] = None if item["box_px"] is None else _box(item["box_px"], where)
    return Boxes(by_frame)


def _box(sides: Sequence[float | None], where: str) -> Box:
    if len(sides) != 4 or any(side is None for side in sides):
        raise InputError(f"{sides} is no box", where=where, cure="write [x1, y1, x2, y2], or null when it is unseen")
    x1, y1, x2, y2 = (float(side) for side in sides if side is not None)
    return (x1, y1, x2, y2)


def _medium(row: Mapping[str, Any], where: str) -> str:
    return _path(row["path"], where)


def _provenance_row(label: str, made: Provenance, where: str) -> dict[str, Any]:
    settings = _json_text(made.settings, f"{where}, provenance {label}")
    return {"label": label, "maker": made.maker, "settings": settings, "made_at": made.made_at}


def _provenance(row: Mapping[str, Any], where: str) -> Provenance:
    if row["maker"] is None:
        raise InputError("names no maker", where=where, cure=_CURE)
    return Provenance(row["maker"], _json_object(row["settings"] or "{}", where), row.get("made_at"))
