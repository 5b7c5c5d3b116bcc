"""The training table of CoInteract, row by row: one row per clip, media beside it, boxes as JSON in a cell.

Source: the official repository's training README, demo ``data.csv`` and loader. Where these disagree:

- The demo's column is ``depth_video``, the loader reads ``hoi_video``: both name the structure video here.
- The README calls cells optional, the loader does not: here every cell but the prompt and the video may be empty.
- Boxes: see :mod:`.boxes`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.records.formats.cointeract.boxes import BoxCells, read_box_cells
from interplay.records.formats.common.paths import inside
from interplay.records.formats.common.tables import TABLE_SUFFIXES, columns_of, table_rows

# The official videos are 25 fps; the demo's files carry other tags (24), while its audio confirms 25 (81 / 25 s).
FORMAT_FPS = 25.0
REQUIRED_COLUMNS = ("prompt", "input_video")
ALIASES = {"depth_video": "hoi_video"}
# Medium of a clip -> column; the columns of the official table in its order are these and the ones in the writer.
MEDIA_COLUMNS = {
    "motion_video": "motion_video",
    "audio": "audio",
    "person_image": "person_image",
    "product_image": "product_image",
    "structure_video": "hoi_video",
    "pose_video": "pose_video",
    "origin_video": "origin_video",
}
# Far beyond any video; beyond it a typing error would turn into boxes far below a pixel.
_LARGEST_SIDE = 1 << 16


class PathOptions(Config):
    """How the paths in a table are understood.

    They are relative to ``base_path`` (the official ``--dataset_base_path`` and ``--data_base_path``), by default the
    table's own folder. ``follow_links`` admits links that lead out of it, ``allow_absolute`` absolute paths.
    """

    base_path: str | None = None
    follow_links: bool = False
    allow_absolute: bool = False

    def file(self, named: Any, table: Path, *, where: str) -> Path:
        """The existing file that a cell names; :class:`InputError` when it is none, or lies where it may not."""
        if not isinstance(named, str):
            raise InputError(f"{str(named)[:80]!r} is no path", where=where, cure="write the path of a file")
        base = table.parent if self.base_path is None else Path(self.base_path)
        if Path(named.strip()).is_absolute():
            path = self._absolute(Path(named.strip()), where)
        else:
            path = self._relative(base, named, where)
        if not path.is_file():
            raise InputError(f"{path} is no file", where=where, cure="name a file")
        return path

    def _relative(self, base: Path, named: str, where: str) -> Path:
        try:
            return inside(base, named, where=where, follow_links=self.follow_links)
        except InputError as error:
            cure = f"{error.cure}; paths are relative to {base}, unless base_path is set"
            raise InputError(error.problem, where=where, cure=cure) from error

    def _absolute(self, path: Path, where: str) -> Path:
        if not self.allow_absolute:
            cure = "name it relative to the table's folder, or allow it with allow_absolute=true"
            raise InputError(f"'{path}' is an absolute path", where=where, cure=cure)
        return inside(path.parent, path.name, where=where, follow_links=self.follow_links)


@dataclass(frozen=True)
class Row:
    """One row: ``where`` names it in messages, ``media`` holds the files it names besides the video.

    ``boxes`` is what its box cells say, in pixels of ``boxes_hw`` (``None`` when the row does not give it). ``scale``
    is the reference image's relative size. ``cells`` is the row as it stands in the table.
    """

    index: int
    where: str
    prompt: str
    video: Path
    media: Mapping[str, Path]
    boxes: BoxCells
    boxes_hw: tuple[int, int] | None
    scale: float
    cells: Mapping[str, Any]


def find_table(source: Path, columns: Collection[str] = ()) -> Path:
    """The table itself, or the one in a folder: ``data.csv``, else the only table that has all of ``columns``."""
    if source.is_file():
        return source
    if not source.is_dir():
        raise InputError("there is no such folder or table", where=source, cure="check the path of the data")
    tables = _tables_in(source)
    fitting = [path for path in tables if set(columns) <= _named(columns_of(path))]
    named = [path for path in fitting if path.name == "data.csv"] or fitting or tables
    if len(named) != 1:
        problem = f"holds {len(named) or 'no'} tables ({', '.join(TABLE_SUFFIXES)}), none of them data.csv"
        raise InputError(problem, where=source, cure="name the table itself")
    return named[0]


def has_table(source: Path, columns: Collection[str], without: Collection[str] = ()) -> bool:
    """Whether ``source`` is, or holds, a table with all of ``columns`` and none of ``without``: a cheap look."""
    try:
        tables = _tables_in(source) if source.is_dir() else [source]
    except InputError:
        return False
    found = [_named(columns_of(table)) for table in tables]
    return any(set(columns) <= names and not names & set(without) for names in found)


def _tables_in(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=folder, cure="check its permissions") from error
    return [path for path in entries if path.suffix.lower() in TABLE_SUFFIXES and os.path.isfile(path)]


def _named(columns: Collection[str]) -> set[str]:
    return {ALIASES.get(name, name) for name in columns}


def read_rows(source: Path, paths: PathOptions | None = None) -> list[Row]:
    """Every row of a table (or of the folder's table); :class:`InputError` about the first one that is wrong."""
    rows = []
    for row in each_row(find_table(source, REQUIRED_COLUMNS), paths or PathOptions()):
        if isinstance(row, InputError):
            raise row
        rows.append(row)
    return rows


def each_row(table: Path, paths: PathOptions) -> Iterator[Row | InputError]:
    """Every row of a table, in its order; a row that is wrong is the error that says why.

    Columns, texts, numbers and boxes are checked, and that the files are there. A table without rows or without a
    required column is an :class:`InputError` that is raised.
    """
    records = table_rows(table)
    check_columns(records, REQUIRED_COLUMNS, table)
    for index, record in enumerate(records):
        try:
            yield record if isinstance(record, InputError) else _row(index, record, table, paths)
        except InputError as error:
            yield error


def check_columns(records: list[dict[str, Any] | InputError], columns: Collection[str], table: Path) -> None:
    """The table must have rows, and one of them must have each column; else an :class:`InputError`."""
    if not records:
        raise InputError("holds no rows", where=table, cure="add a row per clip")
    present = {name for record in records if not isinstance(record, InputError) for name in record}
    for column in columns:
        if present and column not in present:
            found = ", ".join(sorted(present))
            raise InputError(f"has no column {column!r} (it has: {found})", where=table, cure=f"add {column!r}")


def filled_cells(record: Mapping[str, Any]) -> dict[str, Any]:
    """The cells that are not empty, under the names that the loader knows."""
    filled = {name: value for name, value in record.items() if value is not None and str(value).strip() != ""}
    return {ALIASES.get(name, name): value for name, value in filled.items() if ALIASES.get(name) not in filled}


def text_cell(record: Mapping[str, Any], field: str, where: str) -> str:
    """The text of a cell that must not be empty."""
    if field not in record:
        raise InputError("the cell is empty", where=f"{where}, field {field}", cure="fill it or remove the row")
    value = record[field]
    if not isinstance(value, str):
        raise InputError("is no text", where=f"{where}, field {field}", cure="write text in quotes")
    return value.strip()


def number_cell(record: Mapping[str, Any], field: str, where: str) -> float:
    """The number above 0 in a cell that must not be empty."""
    place, cure = f"{where}, field {field}", "write a number above 0"
    if field not in record:
        raise InputError("the cell is empty", where=place, cure=cure)
    value = record[field]
    try:
        number = None if isinstance(value, bool | list | dict) else float(value)
    except (ValueError, OverflowError):
        number = None
    if number is None:
        raise InputError(f"{str(value)[:80]!r} is no number", where=place, cure=cure)
    if not 0 < number < float("inf"):
        raise InputError(f"{number} is out of range", where=place, cure=cure)
    return number


def boxes_hw_of(record: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    """Height and width of the picture in which a row's boxes lie; ``None`` when both cells are empty."""
    if not {"height", "width"} & record.keys():
        return None
    height, width = (number_cell(record, field, where) for field in ("height", "width"))
    if max(height, width) > _LARGEST_SIDE or min(height, width) < 1:
        problem = f"{height:g}x{width:g} is no size of a picture"
        raise InputError(problem, where=f"{where}, fields height and width", cure="write pixels")
    return (int(height), int(width))


def _row(index: int, cells: Mapping[str, Any], table: Path, paths: PathOptions) -> Row:
    where = f"{table}, row {index + 1}"
    record = filled_cells(cells)
    prompt = text_cell(record, "prompt", where)
    text_cell(record, "input_video", where)
    media = {
        name: paths.file(record[field], table, where=f"{where}, field {field}")
        for name, field in MEDIA_COLUMNS.items()
        if field in record
    }
    return Row(
        index=index,
        where=where,
        prompt=prompt,
        video=paths.file(record["input_video"], table, where=f"{where}, field input_video"),
        media=media,
        boxes=read_box_cells(record, where),
        boxes_hw=boxes_hw_of(record, where),
        scale=number_cell(record, "scale", where) if "scale" in record else 1.0,
        cells=cells,
    )
