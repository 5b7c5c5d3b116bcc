"""Reading the files of artifacts: every surprise is an :class:`InputError` that names the file and the field."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interplay.core.artifacts import Artifact
from interplay.core.errors import InputError

_REMAKE = "make the artifact again with this version of Interplay"


def member(artifact: Artifact, name: str) -> Path:
    """The path of a file that the artifact's manifest lists; nothing outside of an artifact ever gets onto a page."""
    if name not in artifact.manifest["files"]:
        raise InputError(f"the artifact holds no {name}", where=artifact.path, cure=_REMAKE)
    return artifact.path / name


def field(value: Any, key: str, where: Path) -> Any:
    """``value[key]`` of a JSON object."""
    if not isinstance(value, Mapping) or key not in value:
        raise InputError(f'the field "{key}" is missing', where=where, cure=_REMAKE)
    return value[key]


def read_text(path: Path) -> str:
    """A text file."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read as text ({error})", where=path, cure=_REMAKE) from error


def read_jsonl(path: Path) -> list[Mapping[str, Any]]:
    """A file with one JSON object per line."""
    rows: list[Mapping[str, Any]] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"line {number} is not JSON ({error})", where=path, cure=_REMAKE) from error
        if not isinstance(row, dict):
            raise InputError(f"line {number} is no JSON object", where=path, cure=_REMAKE)
        rows.append(row)
    return rows


def read_number_table(path: Path) -> Mapping[str, Sequence[float | None]]:
    """The columns of a CSV file of numbers; an empty cell is ``None``."""
    rows = list(csv.DictReader(read_text(path).splitlines()))
    if not rows:
        raise InputError("holds no rows", where=path, cure=_REMAKE)
    return {name: [_number(row[name], path, name) for row in rows] for name in rows[0] if name}


def _number(cell: str | None, path: Path, column: str) -> float | None:
    if cell is None or not cell.strip():
        return None
    try:
        return float(cell)
    except ValueError as error:
        raise InputError(f'column "{column}" holds "{cell}", no number', where=path, cure=_REMAKE) from error
