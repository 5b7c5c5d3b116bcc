"""Somebody's dataset, opened: which format it is in, its clips one by one, and a fingerprint of what it holds."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interplay.core.config import from_overrides
from interplay.core.errors import InputError
from interplay.data.config import FormatChoice
from interplay.records.formats.base import DatasetFormat, LocatedClip, Rejected
from interplay.records.formats.registry import FORMATS, detect
from interplay.records.store.layout import parts_of
from interplay.records.store.parts import open_part

STORE = "store"

# Edited by hand, and often without a change of size: these count by content, everything else by name and size.
_TEXT = frozenset({".csv", ".json", ".jsonl", ".txt", ".yaml", ".yml"})


@dataclass(frozen=True)
class Source:
    """A dataset at ``path``, read as ``choice`` says."""

    path: Path
    choice: FormatChoice
    format: DatasetFormat[Any]

    @property
    def root(self) -> Path:
        """The dataset's folder: that of its table, when the table is what was named."""
        return self.path if self.path.is_dir() else self.path.parent

    def count(self) -> int | None:
        """How many clips there are, where that is known before they are read (in a whole store): for estimates."""
        if self.choice.name != STORE:
            return None
        try:
            return sum(sum(open_part(part).groups) for part in parts_of(self.path))
        except InputError:
            return None

    def __iter__(self) -> Iterator[LocatedClip | Rejected]:
        return self.format.read(self.path)


def choose_format(name: str, overrides: Sequence[str] = ()) -> FormatChoice:
    """The format ``name`` with ``option=value`` overrides; :class:`InputError` for an unknown name or option."""
    options = from_overrides(FORMATS.get(name).options_type, overrides, where=f'options of the format "{name}"')
    return FormatChoice(name=name, options=options.model_dump(mode="json"))


def make_format(choice: FormatChoice) -> DatasetFormat[Any]:
    """The format that was chosen."""
    dataset_format = FORMATS.get(choice.name)
    return dataset_format(dataset_format.options_type.model_validate(choice.options))


def open_source(path: Path, name: str | None = None, overrides: Sequence[str] = ()) -> Source:
    """The dataset at ``path`` in the format ``name``, or in the one that its names look like."""
    if not path.exists():
        raise InputError("there is no such file or folder", where=path, cure="check the path of the data")
    choice = choose_format(detect(path) if name is None else name, overrides)
    return Source(path, choice, make_format(choice))


def fingerprint(source: Path) -> str:
    """A digest of what a source holds: names and sizes of its files, and the text of its tables.

    Links are not followed (where one points to is what counts), so a loop of links ends and nothing outside is read.
    """
    told = hashlib.sha256()
    for path in _files(source):
        line = f"{path.relative_to(source).as_posix()}\0{_stamp(path)}\n"
        told.update(line.encode("utf-8", "surrogateescape"))
    return told.hexdigest()[:16]


def check_apart(source: Path, out: Path) -> None:
    """``out`` may not lie in ``source`` or hold it: what is written would be read, or what is read be replaced."""
    source, out = source.resolve(), out.resolve()
    if out.is_relative_to(source) or source.is_relative_to(out):
        problem = f"and the source {source} lie in one another"
        raise InputError(problem, where=out, cure="give an --out outside of the source")


def _files(source: Path) -> Iterator[Path]:
    """Every file and every link below ``source``, in an order that does not depend on the disk."""
    if source.is_file():
        yield source
    for folder, names, files in os.walk(source, followlinks=False):
        names.sort()
        links = [name for name in names if os.path.islink(os.path.join(folder, name))]
        yield from (Path(folder, name) for name in sorted((*files, *links)))


def _stamp(path: Path) -> str:
    if path.is_symlink():
        return f"-> {os.readlink(path)}"
    try:
        if path.suffix.lower() in _TEXT and path.is_file():  # a pipe would never end
            with path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        return str(path.stat().st_size)
    except OSError as error:  # what cannot be read is for the reader to reject, clip by clip
        return f"unreadable ({error.strerror})"
