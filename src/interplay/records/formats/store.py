"""This project's own layout as a dataset format: a store that somebody gives away, and one that is being made.

Unlike :class:`interplay.records.store.reader.ClipStore`, which trusts a folder or refuses it, this goes through a store
row by row and lets the good ones pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.records.check import check_clip
from interplay.records.clip import Clip
from interplay.records.formats.base import DatasetFormat, LocatedClip, Note, Rejected, Written, write_each
from interplay.records.formats.common.paths import inside
from interplay.records.rows import SCHEMA, from_row, to_row
from interplay.records.store.layout import check_id, is_own_place, media_path, parts_of, video_path
from interplay.records.store.parts import Part, column_names, open_part, read_group
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter


class StoreOptions(Config):
    """``follow_links`` allows a store whose media are links to files elsewhere."""

    follow_links: bool = False


class StoreFormat(DatasetFormat[StoreOptions]):
    """Parquet rows and media in a folder."""

    name: ClassVar[str] = "store"
    summary: ClassVar[str] = "Parquet rows in clips/, videos/ and media/: the layout that all stages read"
    options_type: ClassVar[type[Config]] = StoreOptions

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """A folder ``clips`` that holds Parquet files."""
        return source.is_dir() and bool(parts_of(source))

    def read(self, source: Path) -> Iterator[LocatedClip | Rejected]:
        """Every row of every part; a part that cannot be read is one verdict, named after the file."""
        parts = parts_of(source)
        if not parts:
            problem = "holds no clips (clips/*.parquet)" if source.is_dir() else "there is no such folder"
            raise InputError(problem, where=source, cure="name the folder of a store")
        seen: set[str] = set()
        for path in parts:
            try:
                part = open_part(path)
            except InputError as error:
                yield Rejected.because(path.name, error)
                continue
            yield from self._read_part(source, part, seen)

    def write(self, clips: Iterable[LocatedClip], out: Path) -> Iterator[Written | Rejected]:
        """Add the clips to the store ``out``; what is there already, from a run that was broken off, stays."""
        with StoreWriter(out) as writer:
            before = frozenset(writer.done)
            there = ClipStore(out) if before else None

            def add(located: LocatedClip) -> Written:
                placed = _in_layout(located)
                if there is None or placed.clip.clip_id not in before:
                    writer.add_files(placed)
                else:
                    _check_same(placed.clip, there.get(placed.clip.clip_id), out)
                return Written(placed.clip.clip_id, lost=_lost(located))

            yield from write_each(clips, add)

    def _read_part(self, source: Path, part: Part, seen: set[str]) -> Iterator[LocatedClip | Rejected]:
        unknown = tuple(_unknown_columns(part.path))
        ids, first = part.light["clip_id"].to_pylist(), 0
        for group, length in enumerate(part.groups):
            names = [
                clip_id or f"{part.path.name} row {first + k}" for k, clip_id in enumerate(ids[first : first + length])
            ]
            first += length
            try:
                rows = read_group(part, group)
            except InputError as error:
                yield from (Rejected.because(name, error) for name in names)
                continue
            for name, row in zip(names, rows, strict=True):
                try:
                    yield replace(self._located(source, part.path, row, seen), notes=unknown)
                except InputError as error:
                    yield Rejected.because(name, error)
                seen.add(name)

    def _located(self, source: Path, part: Path, row: Mapping[str, Any], seen: AbstractSet[str]) -> LocatedClip:
        clip = from_row(row, where=str(part))
        where = f"{part}, clip {clip.clip_id}"
        check_id(clip.clip_id, where=where)
        if clip.clip_id in seen:
            raise InputError("the clip is listed twice", where=where, cure="give every clip its own id")
        check_clip(clip, where=where)
        follow = self.options.follow_links
        paths = dict.fromkeys((clip.video, *clip.media.values()))
        return LocatedClip(clip, {path: inside(source, path, where=where, follow_links=follow) for path in paths})


def _unknown_columns(part: Path) -> Iterator[Note]:
    for name in column_names(part):
        if name not in SCHEMA.names:
            yield Note(str(part), f"the column {name!r} is not one of a clip's", "left out")


def _in_layout(located: LocatedClip) -> LocatedClip:
    """The clip with its files in the places that a store has for them, wherever they were before."""
    clip = located.clip
    places = {path: _place(clip, path, located.files[path]) for path in (*clip.media.values(), clip.video)}
    moved = replace(clip, video=places[clip.video], media={name: places[path] for name, path in clip.media.items()})
    return replace(located, clip=moved, files={places[path]: source for path, source in located.files.items()})


def _place(clip: Clip, path: str, source: Path) -> str:
    suffix = ".mp4" if source.is_dir() else PurePosixPath(path).suffix
    if is_own_place(clip.clip_id, path) and path.endswith(suffix):
        return path
    if path == clip.video:
        return video_path(clip.clip_id, suffix or ".mp4")
    name = next(name for name, named in clip.media.items() if named == path)
    return media_path(clip.clip_id, name, suffix)


def _check_same(clip: Clip, stored: Clip, out: Path) -> None:
    """A run that goes on finds its own clips; another clip under the same id must not pass for one of them."""
    # As rows, since JSON knows no tuples; and who made a label, and when, may be written anew by each run.
    if to_row(replace(clip, provenance={})) != to_row(replace(stored, provenance={})):
        cure = "give every clip its own id, or convert into another folder"
        raise InputError("another clip of this id is there", where=f"{out}, clip {clip.clip_id}", cure=cure)


def _lost(located: LocatedClip) -> tuple[str, ...]:
    folders = [source for source in located.files.values() if source.is_dir()]
    return tuple(f"the picture files of {folder.name} (their pixels stand in a lossless video)" for folder in folders)
