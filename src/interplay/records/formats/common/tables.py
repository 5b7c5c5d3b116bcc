"""Tables that datasets come with: CSV, JSON and JSON Lines, read and written with the same care for each.

A table is somebody else's word. Whatever is wrong with it is an :class:`InputError` that names the place, and what is
wrong with one row is the verdict on that row alone: :func:`table_rows` gives it in the row's place, so that the others
go on and the numbers add up. :func:`read_table` is for those who want every row or none.

Rules: text is UTF-8, with or without a byte order mark; a cell that is absent, ``null`` or ``NaN`` (which is how pandas
writes an empty cell to JSON) is ``None``; cells of CSV are text, cells of JSON are any JSON value but infinity.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from interplay.core.errors import InputError
from interplay.core.files import atomic_write_text
from interplay.records.formats.common.paths import check_regular

TABLE_SUFFIXES = (".csv", ".json", ".jsonl")
# A look at the columns reads no more than this: the first row of a JSON table, boxes and all, is far shorter.
_LOOK_BYTES = 1 << 20

Record = dict[str, Any]


def read_table(path: Path) -> list[Record]:
    """Every row of a table, as column -> cell; :class:`InputError` about the first thing that is wrong in it."""
    rows = table_rows(path)
    for row in rows:
        if isinstance(row, InputError):
            raise row
    return [row for row in rows if not isinstance(row, InputError)]


def table_rows(path: Path) -> list[Record | InputError]:
    """Every row of a table, in its order; a row that cannot be used is the error that says why.

    :class:`InputError` is raised when the table as a whole is unusable: absent, no text, no list of rows.
    """
    if path.suffix.lower() not in _READERS:
        cure = f"name a table ({', '.join(TABLE_SUFFIXES)}), or the folder that holds one"
        raise InputError("is no table that is known", where=path, cure=cure)
    found = _READERS[path.suffix.lower()](_text(path), path)
    return [_checked(row, f"{path}, row {number}") for number, row in enumerate(found, 1)]


def columns_of(path: Path) -> tuple[str, ...]:
    """The columns of a table by a cheap look at its beginning; none when it is no table, whatever else it is."""
    if not os.path.isfile(path):  # a pipe would never end
        return ()
    try:
        with path.open("rb") as stream:
            beginning = stream.read(_LOOK_BYTES).decode("utf-8-sig", errors="ignore")
        return _COLUMNS[path.suffix.lower()](beginning) if path.suffix.lower() in _COLUMNS else ()
    except (OSError, ValueError, RecursionError, csv.Error, StopIteration):
        return ()


def parse_json(text: str, where: str) -> Any:
    """The value of a JSON text; ``NaN`` reads as ``None``. :class:`InputError` about ``where`` when it is none."""
    try:
        return json.loads(text, parse_constant=_CONSTANTS.__getitem__)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, and endless nesting
        raise InputError(f"is not valid JSON ({error})", where=where, cure="mend it or leave it empty") from error


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write ``rows`` atomically as UTF-8, the header first, lines ended as RFC 4180 wants them.

    ``None`` and absent cells are empty; what is neither text nor number (a list, a mapping) is written as JSON. A cell
    in a column that is not in ``columns`` is a ``ValueError``.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(columns))
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    atomic_write_text(path, text.getvalue())


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object per line, atomically, UTF-8."""
    lines = [json.dumps(dict(row), ensure_ascii=False, allow_nan=False) + "\n" for row in rows]
    atomic_write_text(path, "".join(lines))


def write_json(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a list of JSON objects, atomically, UTF-8, one object per line."""
    lines = [json.dumps(dict(row), ensure_ascii=False, allow_nan=False) for row in rows]
    atomic_write_text(path, "[\n" + ",\n".join(lines) + "\n]\n")


def write_table(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write ``rows`` in the layout that the suffix of ``path`` names, with the cells in the order of ``columns``."""
    ordered = [{name: row[name] for name in columns if name in row} for row in rows]
    if path.suffix == ".csv":
        write_csv(path, ordered, columns)
    elif path.suffix == ".jsonl":
        write_jsonl(path, ordered)
    else:
        write_json(path, ordered)


# --- reading ---------------------------------------------------------------------------------------------------------


def _text(path: Path) -> str:
    check_regular(path)
    try:
        # Bytes, because reading as text would turn every "\r\n" inside a cell into "\n".
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise InputError("there is no such table", where=path, cure="check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 text ({error})", where=path, cure="save it as UTF-8") from error
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path, cure="check the path") from error


def _csv_rows(text: str, path: Path) -> Iterator[Record | InputError]:
    # The limit of the csv module guards against memory; the text is in memory already, so its own length will do.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    # Strict: a quote that is never closed would otherwise swallow all rows behind it without a word.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns = _csv_header(reader, path)
    while True:
        where = f"{path}, line {reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield InputError(f"is not valid CSV ({error})", where=where, cure="mend the quotes of this row")
            continue
        if len(cells) > len(columns):
            yield InputError("has more cells than the header", where=where, cure="quote cells that contain commas")
        elif cells:
            yield dict(zip(columns, [*cells, *[None] * (len(columns) - len(cells))], strict=True))


# What spreadsheets put between columns in other countries or on other menus.
_OTHER_MARKS = {";": "semicolons", "\t": "tabs"}


def _csv_header(reader: Any, path: Path) -> list[str]:
    try:
        columns = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        where = f"{path}, line 1"
        raise InputError(f"is not valid CSV ({error})", where=where, cure="mend the quotes of the header") from error
    if any("\0" in name for name in columns):
        raise InputError("the header holds NUL bytes", where=path, cure="save it as UTF-8 (not UTF-16)")
    if len(columns) == 1 and (found := [told for mark, told in _OTHER_MARKS.items() if mark in columns[0]]):
        raise InputError(f"has {found[0]} between its columns", where=path, cure="save it with commas between them")
    for name in columns:
        if name and columns.count(name) > 1:
            raise InputError(f"has the column {name!r} twice", where=path, cure="keep one of them")
    return columns


def _json_rows(text: str, path: Path) -> Iterator[Record | InputError]:
    records = parse_json(text, str(path))
    if not isinstance(records, list):
        raise InputError("is not a list of objects", where=path, cure="give one JSON object per clip")
    for number, record in enumerate(records, 1):
        yield _as_record(record, f"{path}, row {number}")


def _jsonl_rows(text: str, path: Path) -> Iterator[Record | InputError]:
    # Only "\n" and "\r\n" end a line of JSON Lines; str.splitlines also breaks at U+2028, which captions may contain.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where = f"{path}, line {number}"
            try:
                yield _as_record(parse_json(line, where), where)
            except InputError as error:
                yield error


def _as_record(value: Any, where: str) -> Record | InputError:
    if isinstance(value, dict):
        return value
    return InputError("is not an object", where=where, cure="give one JSON object per clip")


_READERS = {".csv": _csv_rows, ".json": _json_rows, ".jsonl": _jsonl_rows}
_CONSTANTS = {"NaN": None, "Infinity": math.inf, "-Infinity": -math.inf}


def _checked(row: Record | InputError, where: str) -> Record | InputError:
    """The row when everything in it can be written again as UTF-8 and JSON."""
    if isinstance(row, InputError):
        return row
    for name, cell in row.items():
        if (problem := _unfit(name) or _unfit(cell)) is not None:
            cure = "remove it from the cell"
            shown = name.encode("ascii", "backslashreplace").decode().replace("\0", "")
            return InputError(f"holds {problem}", where=f"{where}, field {shown}", cure=cure)
    return row


def _unfit(value: Any) -> str | None:
    for part in _parts(value):
        if isinstance(part, float) and not math.isfinite(part):
            return "an infinite number"
        if isinstance(part, str) and "\0" in part:
            return "a NUL byte"
        if isinstance(part, str) and not part.isascii() and any("\ud800" <= letter <= "\udfff" for letter in part):
            return "half a surrogate pair, which is no character"
    return None


def _parts(value: Any) -> Iterator[Any]:
    """Every text, number and key inside a JSON value."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list):
            waiting += part
        else:
            yield part


# --- a cheap look ----------------------------------------------------------------------------------------------------


def _csv_columns(beginning: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in next(csv.reader(io.StringIO(beginning, newline=""))))


def _json_columns(beginning: str) -> tuple[str, ...]:
    opening = beginning.lstrip()
    return _first_object(opening[1:]) if opening.startswith("[") else ()


def _first_object(text: str) -> tuple[str, ...]:
    value, _ = json.JSONDecoder().raw_decode(text.lstrip())
    return tuple(value) if isinstance(value, dict) else ()


_COLUMNS = {".csv": _csv_columns, ".json": _json_columns, ".jsonl": _first_object}


# --- writing ---------------------------------------------------------------------------------------------------------


def _cell(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    return value
