"""Writing a folder of clips.

A clip counts as stored when its row is in a finished part, so a crash loses at most the rows that were not flushed yet;
their videos are written again on the next run.

Shapes: f frames, h and w pixels.
"""

from __future__ import annotations

import os
import re
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
from interplay.records.clip import Clip
from interplay.records.media.video import write_video
from interplay.records.rows import SCHEMA, to_row
from interplay.records.store.layout import ROWS_FOLDER, VIDEOS_FOLDER, parts_of, read_part, video_path

# A part is written in milliseconds at this size, and a crash loses no more than this many clips.
CLIPS_PER_PART = 256
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class StoreWriter:
    """Adds clips to a folder; on a folder that has some already, it goes on after them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        parts = parts_of(folder)
        self._next_part = 1 + max((int(part.stem.removeprefix("part-")) for part in parts), default=-1)
        self._done = {clip_id for part in parts for clip_id in read_part(part, ["clip_id"])["clip_id"].to_pylist()}
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
