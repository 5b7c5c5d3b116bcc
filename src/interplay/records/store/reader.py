"""Reading a store: random access and streams over its parts, holding no more than a few numbers of every clip.

Opening reads the light columns of all rows (ids, splits, frames, sizes, rates). A clip's captions and tracks are read
when it is asked for, with the group of rows that it lies in; the last such group is kept for its neighbours.

Shapes: f frames, h and w pixels, n clips.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Int, UInt8
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.records.clip import READABLE_VERSIONS, RECORD_VERSION, Clip
from interplay.records.formats.base import LocatedClip
from interplay.records.formats.common.paths import inside
from interplay.records.media.video import read_video
from interplay.records.rows import from_row
from interplay.records.store.layout import parts_of
from interplay.records.store.parts import Part, open_part, read_columns, read_group


class ClipStore:
    """Reads the clips of a folder that :class:`.StoreWriter` wrote, in the order in which they were added.

    It shows the parts that were there when it was opened; clips that a writer adds later are seen by a new one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        paths = parts_of(folder)
        if not paths:
            problem = "holds no clips (clips/part-*.parquet)" if folder.is_dir() else "there is no such folder"
            cure = "give a folder made by `interplay world make`, `interplay curate` or `interplay data convert`"
            raise InputError(problem, where=folder, cure=cure)
        self._parts = [open_part(path) for path in paths]
        _check_parts(self._parts)
        self._light = pa.concat_tables([part.light for part in self._parts])
        self._groups = [(part, group) for part in self._parts for group in range(len(part.groups))]
        self._first_rows = np.cumsum([0, *(rows for part in self._parts for rows in part.groups)])
        self._last_read: tuple[int, list[dict[str, Any]]] = (-1, [])
        self._set_rows(np.arange(self._light.num_rows))

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Clip]:
        return self._clips(self._rows)

    @property
    def ids(self) -> tuple[str, ...]:
        """Every clip's id."""
        return tuple(self._row_of)

    def get(self, clip_id: str) -> Clip:
        """The clip with this id."""
        if clip_id not in self._row_of:
            cure = "see its ids with `interplay data show`"
            raise InputError(f"there is no clip {clip_id!r}", where=self.folder, cure=cure)
        return next(self._clips(np.array([self._row_of[clip_id]])))

    def select(self, split: str | None = None, limit: int | None = None) -> list[Clip]:
        """Clips of a split (all when ``None``), the first ``limit`` of them."""
        splits = np.array(self._light["split"].to_pylist(), dtype=object)
        if split is not None and split not in splits:
            cure = f"use one of: {', '.join(sorted(set(splits)))}"
            raise InputError(f"no clip is in the split {split!r}", where=self.folder, cure=cure)
        rows = self._rows if split is None else self._rows[splits[self._rows] == split]
        return list(self._clips(rows[:limit]))

    def shard(self, index: int, count: int) -> ClipStore:
        """The share ``index`` of ``count``: every clip is in exactly one share, and each split is shared out evenly.

        The share of a split is a run of neighbours in the order of the store, so that every process reads files of its
        own.
        """
        if not 0 <= index < count:
            raise ValueError(f"share {index} of {count}")
        splits = np.array(self._light["split"].to_pylist(), dtype=object)[self._rows]
        of_splits = [self._rows[splits == split] for split in dict.fromkeys(splits)]
        shares = [rows[len(rows) * index // count : len(rows) * (index + 1) // count] for rows in of_splits]
        part = copy.copy(self)
        part._set_rows(np.sort(np.concatenate(shares)) if shares else self._rows)
        return part

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Columns of all clips as a table, without reading the others.

        Names are those of :data:`interplay.records.rows.SCHEMA`; ``interactions.verb`` takes one field out of a list of
        structs, so that ``tracks.id`` says who is tracked without reading a mask.
        """
        table = pa.concat_tables([read_columns(part.path, names) for part in self._parts], promote_options="permissive")
        return table if len(self) == self._light.num_rows else table.take(self._rows)

    def frames(self, clip: Clip) -> UInt8[ndarray, "f h w 3"]:
        """The clip's frames, exactly as they were added."""
        return read_video(self.folder / clip.video).frames

    def path(self, clip: Clip, medium: str) -> Path:
        """Where one of the clip's other media lies; ``KeyError`` when the clip has none of this name."""
        return self.folder / clip.media[medium]

    def located(self, clip: Clip, *, follow_links: bool = False) -> LocatedClip:
        """The clip with its files, all of them present; ``follow_links`` allows links that lead out of the store."""
        where = f"{self.folder}, clip {clip.clip_id}"
        paths = dict.fromkeys((clip.video, *clip.media.values()))
        return LocatedClip(
            clip, {path: inside(self.folder, path, where=where, follow_links=follow_links) for path in paths}
        )

    def _set_rows(self, rows: Int[ndarray, " n"]) -> None:
        self._rows = rows
        self._row_of = dict(zip(self._light["clip_id"].take(rows).to_pylist(), rows.tolist(), strict=True))

    def _clips(self, rows: Int[ndarray, " n"]) -> Iterator[Clip]:
        """The clips of ascending rows; each group of rows is read once."""
        groups = np.searchsorted(self._first_rows, rows, side="right") - 1
        for group, members in groupby(zip(groups.tolist(), rows.tolist(), strict=True), key=lambda pair: pair[0]):
            table, first = self._group(group), int(self._first_rows[group])
            for _, row in members:
                yield from_row(table[row - first], where=str(self._groups[group][0].path))

    def _group(self, group: int) -> list[dict[str, Any]]:
        last_group, rows = self._last_read  # one look: another thread may read on meanwhile
        if last_group != group:
            rows = read_group(*self._groups[group])
            self._last_read = (group, rows)
        return rows


def _check_parts(parts: Sequence[Part]) -> None:
    seen: set[str] = set()
    for part in parts:
        _check_versions(part)
        for clip_id in part.light["clip_id"].to_pylist():
            if clip_id is None or clip_id in seen:
                problem = "has a row without a clip id" if clip_id is None else f"the clip {clip_id} is listed twice"
                cure = "read it with `interplay data convert --from store`, which leaves such rows out and says so"
                raise InputError(problem, where=part.path, cure=cure)
            seen.add(clip_id)


def _check_versions(part: Part) -> None:
    for clip_id, version in zip(*(part.light[name].to_pylist() for name in ("clip_id", "record_version")), strict=True):
        if version not in READABLE_VERSIONS:
            problem = f"is a record of version {version}, and this Interplay reads versions up to {RECORD_VERSION}"
            cure = "use the version of Interplay that wrote it, or a newer one"
            raise InputError(problem, where=f"{part.path}, clip {clip_id}", cure=cure)
