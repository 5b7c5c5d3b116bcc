"""What was answered, line by line: an append-only file in which no finished answer is ever lost or asked for twice.

A row is a JSON object with a ``key`` (the content of everything its answer depends on) and a ``clip_id``. A process
that dies while writing leaves half a line; it is dropped when the file is opened again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from interplay.core.errors import InputError
from interplay.core.files import atomic_write_bytes, full_disk_named

Row = Mapping[str, Any]


class Ledger:
    """The rows of one file, and new ones behind them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._by_key: dict[str, Row] = {}
        self._by_clip: set[tuple[str, str]] = set()
        self._load()

    def find(self, key: str) -> Row | None:
        """The row with this key, of whatever clip."""
        return self._by_key.get(key)

    def append(self, rows: Iterable[Row]) -> None:
        """Add the rows that are not there yet; they are on disk when this returns."""
        fresh = [row for row in rows if (row["clip_id"], row["key"]) not in self._by_clip]
        if not fresh:
            return
        text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in fresh)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with full_disk_named(self.path.parent), self.path.open("a", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        for row in fresh:
            self._remember(row)

    def _remember(self, row: Row) -> None:
        self._by_key.setdefault(str(row["key"]), row)
        self._by_clip.add((str(row["clip_id"]), str(row["key"])))

    def _load(self) -> None:
        if not self.path.is_file():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()
            return
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            atomic_write_bytes(self.path, whole)
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                self._remember(json.loads(line))
            except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
                cure = "remove the file; the judge is asked again"
                raise InputError("is not a row of a ledger", where=f"{self.path}, line {number}", cure=cure) from error
