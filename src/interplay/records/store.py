"""A folder of clips: Parquet rows in ``clips/part-00000.parquet`` ..., frames in ``videos/<clip_id>.mp4``.

The rows are described in :mod:`interplay.records.rows`. A clip counts as stored when its row is in a finished part, so
a crash loses at most the rows that were not flushed yet; their videos are written again on the next run.

Shapes: f frames, h and w pixels.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.core.files import full_disk_named
from interplay.records.check import check_clip
from interplay.records.clip import RECORD_VERSION, Clip
from interplay.records.rows import SCHEMA, from_row, to_row
from interplay.records.video import read_video, write_video

ROWS_FOLDER, VIDEOS_FOLDER, MEDIA_FOLDER = "clips", "videos", "media"
# A part is written in milliseconds at this size, and a crash loses no more than this many clips.
CLIPS_PER_PART = 256
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def video_path(clip_id: str) -> str:
    """Where a clip's frames lie, relative to the store."""
    return f"{VIDEOS_FOLDER}/{clip_id}.mp4"


class StoreWriter:
    """Adds clips to a folder; on a folder that has some already, it goes on after them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        parts = _parts(folder)
        self._next_part = 1 + max((int(part.stem.removeprefix("part-")) for part in parts), default=-1)
        self._done = {clip_id for part in parts for clip_id in _read(part, ["clip_id"])["clip_id"].to_pylist()}
        self._pending: list[dict[str, Any]] = []
        for name in (ROWS_FOLDER, VIDEOS_FOLDER):
            (folder / name).mkdir(parents=True, exist_ok=True)

    @property
    def done(self) -> frozenset[str]:
        """Ids of the clips that are stored or waiting for the next flush; they need not be made again."""
        return frozenset(self._done)

    def add(self, clip: Clip, *, frames: UInt8[ndarray, "f h w 3"]) -> None:
        """Check the clip, write its frames losslessly and queue its row. ``clip.video`` must be :func:`video_path`."""
        self._check(clip, frames)
        write_video(self.folder / clip.video, frames, clip.fps)
        self._done.add(clip.clip_id)
        self._pending.append(to_row(clip))
        if len(self._pending) >= CLIPS_PER_PART:
            self.flush()

    def flush(self) -> None:
        """Write the queued rows as one part, atomically."""
        if not self._pending:
            return
        path = self.folder / ROWS_FOLDER / f"part-{self._next_part:05d}.parquet"
        temporary = path.with_name(f".{path.name}.tmp")
        with full_disk_named(path.parent):
            pq.write_table(pa.Table.from_pylist(self._pending, schema=SCHEMA), temporary)
            os.replace(temporary, path)
        self._next_part += 1
        self._pending = []

    def close(self) -> None:
        """Flush what is queued. Needed once at the end; ``with StoreWriter(folder) as writer`` does it."""
        self.flush()

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Also after an error or Ctrl-C: the queued rows are whole clips, and the next run need not make them again.
        self.close()

    def _check(self, clip: Clip, frames: UInt8[ndarray, "f h w 3"]) -> None:
        where = f"clip {clip.clip_id}"
        if not _SAFE_ID.fullmatch(clip.clip_id):
            cure = "use letters, digits, '.', '_' and '-', starting with a letter or digit"
            raise InputError("the clip id cannot be a file name", where=where, cure=cure)
        if clip.clip_id in self._done:
            raise InputError("the clip id is taken already", where=where, cure="give every clip its own id")
        if clip.video != video_path(clip.clip_id) or frames.shape != (clip.num_frames, *clip.size_hw, 3):
            told = (clip.num_frames, *clip.size_hw, 3)
            raise ValueError(f"{where}: video {clip.video}, frames {frames.shape} against {told}")
        check_clip(clip, where=where)


class ClipStore:
    """Reads the clips of a folder that :class:`StoreWriter` wrote, in the order in which they were added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        parts = _parts(folder)
        if not parts:
            problem = "holds no clips (clips/part-*.parquet)" if folder.is_dir() else "there is no such folder"
            cure = "give a folder made by `interplay world make` or `interplay curate`"
            raise InputError(problem, where=folder, cure=cure)
        self._table = pa.concat_tables([_read(part) for part in parts])
        self._row_of = {clip_id: row for row, clip_id in enumerate(self._table["clip_id"].to_pylist())}

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[Clip]:
        for batch in self._table.to_batches(max_chunksize=CLIPS_PER_PART):
            yield from (from_row(row) for row in batch.to_pylist())

    @property
    def ids(self) -> tuple[str, ...]:
        """Every clip's id."""
        return tuple(self._row_of)

    def get(self, clip_id: str) -> Clip:
        """The clip with this id."""
        if clip_id not in self._row_of:
            cure = "see its ids with `interplay data show`"
            raise InputError(f"there is no clip {clip_id!r}", where=self.folder, cure=cure)
        return from_row(self._table.slice(self._row_of[clip_id], 1).to_pylist()[0])

    def frames(self, clip: Clip) -> UInt8[ndarray, "f h w 3"]:
        """The clip's frames, exactly as they were added."""
        return read_video(self.folder / clip.video).frames

    def path(self, clip: Clip, medium: str) -> Path:
        """Where one of the clip's other media lies; ``KeyError`` when the clip has none of this name."""
        return self.folder / clip.media[medium]

    def select(self, split: str | None = None, limit: int | None = None) -> list[Clip]:
        """Clips of a split (all when ``None``), the first ``limit`` of them."""
        splits = self._table["split"].to_pylist()
        rows = [row for row, name in enumerate(splits) if split is None or name == split]
        if split is not None and not rows:
            cure = f"use one of: {', '.join(sorted(set(splits)))}"
            raise InputError(f"no clip is in the split {split!r}", where=self.folder, cure=cure)
        return [from_row(row) for row in self._table.take(rows[:limit]).to_pylist()]


def _parts(folder: Path) -> list[Path]:
    return sorted((folder / ROWS_FOLDER).glob("part-*.parquet"))


def _read(part: Path, columns: list[str] | None = None) -> pa.Table:
    cure = "make the folder of clips again with this version of Interplay"
    try:
        schema = pq.read_schema(part)
        if missing := [name for name in SCHEMA.names if name not in schema.names]:
            raise InputError(f"has no column {missing[0]!r}, so it holds no clips", where=part, cure=cure)
        table = pq.read_table(part, columns=columns, partitioning=None)
    except pa.ArrowInvalid as error:
        raise InputError(f"is not a readable Parquet file ({error})", where=part, cure=cure) from error
    versions = set() if columns is not None else set(table["record_version"].to_pylist()) - {RECORD_VERSION}
    if versions:
        raise InputError(f"has records of version {versions.pop()}, not {RECORD_VERSION}", where=part, cure=cure)
    return table
