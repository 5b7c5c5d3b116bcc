"""Where things lie in a store: Parquet rows in ``clips/``, frames in ``videos/``, everything else in ``media/``.

All paths in a clip are relative to the store's folder.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from interplay.core.errors import InputError
from interplay.records.clip import READABLE_VERSIONS, RECORD_VERSION
from interplay.records.rows import ADDED_IN_VERSION_2, SCHEMA

ROWS_FOLDER, VIDEOS_FOLDER, MEDIA_FOLDER = "clips", "videos", "media"


def video_path(clip_id: str) -> str:
    """Where a clip's frames lie, relative to the store."""
    return f"{VIDEOS_FOLDER}/{clip_id}.mp4"


def parts_of(folder: Path) -> list[Path]:
    """The finished parts of a store, in the order in which they were written."""
    return sorted((folder / ROWS_FOLDER).glob("part-*.parquet"))


def read_part(part: Path, columns: list[str] | None = None) -> pa.Table:
    """The rows of one part; :class:`InputError` when it is no part of a store of this version."""
    cure = "make the folder of clips again with this version of Interplay"
    try:
        schema = pq.read_schema(part)
        if missing := [name for name in SCHEMA.names if name not in (*schema.names, *ADDED_IN_VERSION_2)]:
            raise InputError(f"has no column {missing[0]!r}, so it holds no clips", where=part, cure=cure)
        table = pq.read_table(part, columns=columns, partitioning=None)
    except pa.ArrowInvalid as error:
        raise InputError(f"is not a readable Parquet file ({error})", where=part, cure=cure) from error
    versions = set() if columns is not None else set(table["record_version"].to_pylist()) - READABLE_VERSIONS
    if versions:
        raise InputError(f"has records of version {versions.pop()}, not {RECORD_VERSION}", where=part, cure=cure)
    return table
