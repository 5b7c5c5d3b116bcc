"""Reading a folder of clips that :class:`interplay.records.store.writer.StoreWriter` wrote.

Shapes: f frames, h and w pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.records.clip import Clip
from interplay.records.media.video import read_video
from interplay.records.rows import from_row
from interplay.records.store.layout import parts_of, read_part

# How many rows are turned into clips at a time when a store is read from end to end.
_BATCH = 256


class ClipStore:
    """Reads the clips of a folder that :class:`.StoreWriter` wrote, in the order in which they were added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        parts = parts_of(folder)
        if not parts:
            problem = "holds no clips (clips/part-*.parquet)" if folder.is_dir() else "there is no such folder"
            cure = "give a folder made by `interplay world make` or `interplay curate`"
            raise InputError(problem, where=folder, cure=cure)
        self._table = pa.concat_tables([read_part(part) for part in parts])
        self._row_of = {clip_id: row for row, clip_id in enumerate(self._table["clip_id"].to_pylist())}

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[Clip]:
        for batch in self._table.to_batches(max_chunksize=_BATCH):
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
