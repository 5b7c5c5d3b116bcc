"""The ledgers of a conversion: which clips were left out or repaired and why, and what the new layout could not hold.

Both are JSON Lines, a line per verdict, so that a list of any length is read line by line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TextIO

from interplay.core.errors import InputError
from interplay.core.files import full_disk_named
from interplay.records.formats.base import Note, Rejected, Written

QUARANTINE, LOSSES = "quarantine.jsonl", "losses.jsonl"


@dataclass(frozen=True)
class Verdict:
    """A clip that was left out (``cure`` says what to do) or repaired (``done`` says what was done)."""

    clip_id: str
    verdict: Literal["quarantined", "repaired"]
    where: str
    reason: str
    cure: str | None = None
    done: str | None = None

    @classmethod
    def of(cls, item: Rejected) -> Verdict:
        """The verdict about a clip that was left out."""
        return cls(item.clip_id, "quarantined", item.where, item.reason, cure=item.cure)

    @classmethod
    def of_note(cls, clip_id: str, note: Note) -> Verdict:
        """The verdict about something that was repaired in a clip."""
        return cls(clip_id, "repaired", note.where, note.problem, done=note.done)


class Ledger:
    """Writes both lists into a folder, from the beginning: a conversion that goes on decides about every clip again.

    A list without entries is no file, so that a layout has no more files than it needs. ``addition`` names lists of
    their own for clips that are added to a finished dataset.
    """

    def __init__(self, folder: Path, addition: str = "") -> None:
        self._folder = folder
        self._open: dict[Path, TextIO] = {}
        self.quarantine, self.losses = (folder / _named(name, addition) for name in (QUARANTINE, LOSSES))
        for path in (self.quarantine, self.losses):
            path.unlink(missing_ok=True)

    def note(self, verdict: Verdict) -> None:
        """One more verdict."""
        self._write(self.quarantine, {key: value for key, value in asdict(verdict).items() if value is not None})

    def lose(self, written: Written) -> None:
        """What a clip lost on its way, if anything."""
        if written.lost:
            self._write(self.losses, asdict(written))

    def _write(self, path: Path, told: dict[str, Any]) -> None:
        with full_disk_named(self._folder):
            if path not in self._open:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._open[path] = path.open("w", encoding="utf-8")
            self._open[path].write(json.dumps(told, ensure_ascii=False) + "\n")

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with full_disk_named(self._folder):
            for stream in self._open.values():
                stream.close()


def read_quarantine(folder: Path) -> Iterator[Verdict]:
    """The verdicts that conversions left in ``folder``; none when they left no list."""
    name = Path(QUARANTINE)
    for path in sorted(folder.glob(f"{name.stem}*{name.suffix}")):
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                yield _verdict(line, f"{path}, line {number}")


def _named(name: str, addition: str) -> str:
    return f"{Path(name).stem}-{addition}{Path(name).suffix}" if addition else name


def _verdict(line: str, where: str) -> Verdict:
    try:
        return Verdict(**json.loads(line))
    except (json.JSONDecodeError, TypeError) as error:
        cure = "mend the line, or remove the file: it is a list for people"
        raise InputError(f"is no verdict of a conversion ({error})", where=where, cure=cure) from error
