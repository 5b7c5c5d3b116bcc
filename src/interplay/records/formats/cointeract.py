"""The training table of CoInteract: one row per clip, media beside it, boxes as JSON in a cell.

Source: the official repository's training README, demo ``data.csv`` and loader. Where these disagree:

- The demo's column is ``depth_video``, the loader reads ``hoi_video``: both name the structure video here.
- Keys of boxes are pixel frames (2, 6, ... 78, the centre of each latent's four frames) in the demo and latent indices
  (0 ... 19) in the README. The largest key of a row decides: 19 or less means latent indices. Rows come out in pixel
  frames, and say which convention they had.
- The README calls cells optional, the loader does not: here every cell but the prompt and the video may be empty.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from interplay.core.errors import InputError
from interplay.records.masks import Box

# The official videos are 25 fps; the demo's files carry other tags (24), while its audio confirms 25 (81 / 25 s).
FORMAT_FPS = 25.0
# A latent covers four pixel frames and is keyed by its second: key k stands for the frames k - 1 to k + 2.
FRAMES_OF_A_KEY = range(-1, 3)
_LATENT_STRIDE, _FIRST_PIXEL_KEY, _LARGEST_LATENT_KEY = 4, 2, 19

REQUIRED_COLUMNS = ("prompt", "input_video")
_ALIASES = {"depth_video": "hoi_video"}
_MEDIA_FIELDS = {
    "structure_video": "hoi_video",
    "pose_video": "pose_video",
    "motion_video": "motion_video",
    "audio": "audio",
    "person_image": "person_image",
    "product_image": "product_image",
}
_PARTS = {"l_h": "left_hand", "r_h": "right_hand", "obj": "object"}
_KEY = re.compile(r"frame_(\d+)")
_SUFFIXES = (".csv", ".json", ".jsonl")

PartBoxes = Mapping[str, Mapping[int, Box | None]]


@dataclass(frozen=True)
class Row:
    """One row: ``where`` names it in messages, ``media`` holds the files it names besides the video.

    ``boxes`` is part (``face``, ``left_hand``, ``right_hand``, ``object``) -> pixel frame -> box in pixels of
    ``boxes_hw``, or ``None`` for a part that is not in that frame. ``scale`` is the reference image's relative size.
    """

    index: int
    where: str
    prompt: str
    video: Path
    media: Mapping[str, Path]
    boxes: PartBoxes
    boxes_hw: tuple[int, int] | None
    box_keys: Literal["pixel", "latent"] | None
    scale: float


def find_table(source: Path) -> Path:
    """The table itself, or the one in a folder: ``data.csv``, else the only CSV, JSON or JSONL file."""
    if source.is_file():
        return source
    if not source.is_dir():
        raise InputError("there is no such folder or table", where=source, cure="check the path of the data")
    tables = sorted(path for path in source.iterdir() if path.suffix in _SUFFIXES)
    named = [path for path in tables if path.name == "data.csv"] or tables
    if len(named) != 1:
        problem = f"holds {len(named) or 'no'} tables ({', '.join(_SUFFIXES)}), none of them data.csv"
        raise InputError(problem, where=source, cure="name the table itself")
    return named[0]


def read_rows(source: Path) -> list[Row]:
    """Every row of a table (or of the folder's table), checked: columns, numbers, boxes and the presence of files."""
    table = find_table(source)
    records = _RECORDS[table.suffix](table) if table.suffix in _RECORDS else _no_table(table)
    if not records:
        raise InputError("holds no rows", where=table, cure="add a row per clip")
    for column in REQUIRED_COLUMNS:
        if column not in records[0]:
            found = ", ".join(sorted(records[0]))
            raise InputError(f"has no column {column!r} (it has: {found})", where=table, cure=f"add {column!r}")
    return [_row(index, _renamed(record), table) for index, record in enumerate(records)]


# --- tables ----------------------------------------------------------------------------------------------------------


def _no_table(table: Path) -> list[dict[str, Any]]:
    cure = "name a CSV, JSON or JSONL table, or the folder that holds one"
    raise InputError("is no table that this format knows", where=table, cure=cure)


def _text(table: Path) -> str:
    try:
        return table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 text ({error})", where=table, cure="save it as UTF-8") from error


def _csv_records(table: Path) -> list[dict[str, Any]]:
    _text(table)
    with table.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        try:
            records = list(reader)
        except csv.Error as error:
            where = f"{table}, line {reader.line_num}"
            raise InputError(f"is not valid CSV ({error})", where=where, cure="mend the line") from error
    for number, record in enumerate(records):
        if None in record:
            where = f"{table}, row {number + 1}"
            raise InputError("has more cells than the header", where=where, cure="quote cells that contain commas")
    return records


def _json_records(table: Path) -> list[dict[str, Any]]:
    return _checked_records(_json(_text(table), str(table)), table)


def _jsonl_records(table: Path) -> list[dict[str, Any]]:
    lines = [(number, line) for number, line in enumerate(_text(table).splitlines(), 1) if line.strip()]
    return _checked_records([_json(line, f"{table}, line {number}") for number, line in lines], table)


_RECORDS = {".csv": _csv_records, ".json": _json_records, ".jsonl": _jsonl_records}


def _checked_records(records: Any, table: Path) -> list[dict[str, Any]]:
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise InputError("is not a list of objects", where=table, cure="give one JSON object per clip")
    return records


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"is not valid JSON ({error})", where=where, cure="mend it or leave it empty") from error


# --- one row ---------------------------------------------------------------------------------------------------------


def _renamed(record: Mapping[str, Any]) -> dict[str, Any]:
    filled = {name: value for name, value in record.items() if value is not None and str(value).strip() != ""}
    return {_ALIASES.get(name, name): value for name, value in filled.items() if _ALIASES.get(name) not in filled}


def _row(index: int, record: Mapping[str, Any], table: Path) -> Row:
    where = f"{table}, row {index + 1}"
    for column in REQUIRED_COLUMNS:
        if column not in record:
            raise InputError("the cell is empty", where=f"{where}, field {column}", cure="fill it or remove the row")
    media = {name: _file(record, field, table, where) for name, field in _MEDIA_FIELDS.items() if field in record}
    boxes, box_keys = _all_boxes(record, where)
    return Row(
        index=index,
        where=where,
        prompt=str(record["prompt"]).strip(),
        video=_file(record, "input_video", table, where),
        media=media,
        boxes=boxes,
        boxes_hw=_boxes_hw(record, where) if boxes else None,
        box_keys=box_keys,
        scale=_number(record, "scale", where) if "scale" in record else 1.0,
    )


def _file(record: Mapping[str, Any], field: str, table: Path, where: str) -> Path:
    path = table.parent / str(record[field]).strip()
    if not path.is_file():
        cure = "correct the cell; paths are relative to the table's folder"
        raise InputError(f"there is no file {path}", where=f"{where}, field {field}", cure=cure)
    return path


def _number(record: Mapping[str, Any], field: str, where: str) -> float:
    try:
        number = float(record[field])
    except (KeyError, ValueError) as error:
        told = f"{record[field]!r} is no number" if field in record else "the cell is empty"
        raise InputError(told, where=f"{where}, field {field}", cure="write a number above 0") from error
    if not 0 < number < float("inf"):
        raise InputError(f"{number} is out of range", where=f"{where}, field {field}", cure="write a number above 0")
    return number


def _boxes_hw(record: Mapping[str, Any], where: str) -> tuple[int, int]:
    return (int(_number(record, "height", where)), int(_number(record, "width", where)))


# --- boxes -----------------------------------------------------------------------------------------------------------


def _all_boxes(record: Mapping[str, Any], where: str) -> tuple[PartBoxes, Literal["pixel", "latent"] | None]:
    face = _keyed(record, "face", where)
    parts = {"face": {key: _box(value, f"{where}, field face, frame_{key}") for key, value in face.items()}}
    for key, value in _keyed(record, "hand_object", where).items():
        place = f"{where}, field hand_object, frame_{key}"
        if not isinstance(value, dict):
            cure = "write an object of l_h, r_h and obj, with [] for unseen parts"
            raise InputError("is no JSON object", where=place, cure=cure)
        for short, part in _PARTS.items():
            if short in value:
                parts.setdefault(part, {})[key] = _box(value[short], f"{place}, {short}")
    keys = [key for boxes in parts.values() for key in boxes]
    if not keys:
        return {}, None
    if max(keys) > _LARGEST_LATENT_KEY:
        return {part: boxes for part, boxes in parts.items() if boxes}, "pixel"
    return {part: _in_pixel_frames(boxes) for part, boxes in parts.items() if boxes}, "latent"


def _in_pixel_frames(boxes: Mapping[int, Box | None]) -> dict[int, Box | None]:
    return {_LATENT_STRIDE * key + _FIRST_PIXEL_KEY: box for key, box in boxes.items()}


def _keyed(record: Mapping[str, Any], field: str, where: str) -> dict[int, Any]:
    if field not in record:
        return {}
    place = f"{where}, field {field}"
    value = _json(record[field], place) if isinstance(record[field], str) else record[field]
    if not isinstance(value, dict):
        raise InputError("is no JSON object", where=place, cure='write {"frame_2": [x1, y1, x2, y2], ...}')
    matches = {key: _KEY.fullmatch(key) for key in value}
    for key, match in matches.items():
        if match is None:
            raise InputError(f"the key {key!r} is not known", where=place, cure="name keys frame_0, frame_1, ...")
    return {int(match.group(1)): value[key] for key, match in matches.items() if match is not None}


def _box(value: Any, where: str) -> Box | None:
    if value in ([], None):
        return None
    if not isinstance(value, list) or len(value) != 4 or not all(_is_number(side) for side in value):
        raise InputError(f"{value!r} is no box", where=where, cure="write [x1, y1, x2, y2], or [] when it is unseen")
    x1, y1, x2, y2 = (float(side) for side in value)
    if x2 <= x1 or y2 <= y1:
        raise InputError(f"the box {value} is empty", where=where, cure="write x1 < x2 and y1 < y2, or [] when unseen")
    return (x1, y1, x2, y2)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
