"""One part of a store: a Parquet file of rows, written once and never changed.

A part that comes from elsewhere is somebody else's word: whatever is wrong with it as a whole is an
:class:`InputError` that names the file. What is wrong inside one row is found where the row becomes a clip, in
:mod:`interplay.records.rows`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from interplay.core.errors import InputError
from interplay.records.clip import Clip
from interplay.records.rows import ADDED_IN_VERSION_2, SCHEMA, to_row

# A row is read together with its group. At this size that takes milliseconds, and the table of groups stays small.
ROWS_PER_GROUP = 64
# What a store knows of every clip from the start: some 60 bytes of a row whose tracks take thousands.
LIGHT_SCHEMA = pa.schema(
    [SCHEMA.field(name) for name in ("clip_id", "split", "num_frames", "height", "width", "fps", "record_version")]
)
_ROW = pa.struct(list(SCHEMA))
# The names that :func:`read_columns` knows: the columns, and in lists of structs their fields.
_KNOWN = frozenset(SCHEMA.names) | frozenset(
    f"{column.name}.{field.name}"
    for column in SCHEMA
    if pa.types.is_list(column.type)
    for field in column.type.value_type
)
_CURE = "make or copy this file again; the clips of the other parts can be saved with `data convert --from store`"


@dataclass(frozen=True)
class Part:
    """Where a part lies, how many rows each of its groups has, and the light columns of them all."""

    path: Path
    groups: tuple[int, ...]
    light: pa.Table


def encode_row(clip: Clip) -> pa.StructArray:
    """The row of a clip, as :func:`write_part` wants it.

    Each clip is encoded by itself, so that a value which Parquet cannot hold (half a character, as JSON files have
    them, or a number beyond 32 bits) is an :class:`InputError` about this clip and not about a part full of them.
    """
    try:
        return pa.array([to_row(clip)], type=_ROW)
    except (pa.ArrowException, UnicodeError, OverflowError) as error:
        cure = "correct the label that holds this value"
        raise InputError(f"cannot be stored ({error})", where=f"clip {clip.clip_id}", cure=cure) from error


def write_part(rows: Sequence[pa.StructArray], path: Path) -> None:
    """Write rows as a part, and see them safe on the disk. The same rows give the same bytes."""
    batch = pa.RecordBatch.from_struct_array(pa.concat_arrays(rows))
    try:
        pq.write_table(
            pa.Table.from_batches([batch], SCHEMA),
            path,
            row_group_size=ROWS_PER_GROUP,
            compression="zstd",
            # Smallest and largest values help a query to skip groups; those of mask encodings only fill the footer.
            write_statistics=["clip_id", "split", "num_frames", "height", "width", "fps"],
            write_page_checksum=True,
        )
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def open_part(path: Path) -> Part:
    """Look at a part's description and its light columns; :class:`InputError` when it is no part of a store."""
    with _opened(path) as file:
        _check_schema(file.schema_arrow, path)
        groups = tuple(file.metadata.row_group(k).num_rows for k in range(file.num_row_groups))
        light = file.read(columns=LIGHT_SCHEMA.names).cast(LIGHT_SCHEMA)
        light.validate(full=True)  # finds text that is no UTF-8, which would else fail wherever it is first read
        return Part(path, groups, light)


def read_group(part: Part, group: int) -> list[dict[str, Any]]:
    """The rows of one group, all columns."""
    with _opened(part.path) as file:
        return list(file.read_row_group(group).to_pylist())


def read_columns(path: Path, names: Sequence[str]) -> pa.Table:
    """Columns of a part; ``tracks.id`` is the field ``id`` of the structs in the list ``tracks``, and nothing else.

    What this version of a clip has and the part's version had not is null.
    """
    with _opened(path) as file:
        leaves = {name: _leaves(file, name) for name in names}
        table = file.read(columns=[leaf for found in leaves.values() for leaf in found])
        table.validate(full=True)
        for name in [name for name, found in leaves.items() if not found]:
            column = name.partition(".")[0]
            if name not in _KNOWN:
                raise InputError(f"has no column {name!r}", where=path, cure=f"use some of: {', '.join(SCHEMA.names)}")
            if column not in table.column_names:
                table = table.append_column(column, pa.nulls(file.metadata.num_rows))
        return table.select(list(dict.fromkeys(name.partition(".")[0] for name in names)))


def column_names(path: Path) -> list[str]:
    """The columns of a part, whatever they are."""
    with _opened(path) as file:
        return list(file.schema_arrow.names)


def read_ids(path: Path) -> list[str]:
    """The ids of a part's clips."""
    return [clip_id for clip_id in read_columns(path, ["clip_id"])["clip_id"].to_pylist() if clip_id is not None]


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"is not a readable Parquet file ({error})", where=path, cure=_CURE) from error


def _leaves(file: pq.ParquetFile, name: str) -> list[str]:
    """The Parquet names of a column's leaves: in a file ``tracks.id`` is ``tracks.list.element.id``, or ``item``."""
    leaves = [file.schema.column(k).path for k in range(len(file.schema))]
    return [leaf for leaf in leaves if f"{_without_lists(leaf)}.".startswith(f"{name}.")]


def _without_lists(leaf: str) -> str:
    return leaf.replace(".list.element", "").replace(".list.item", "")


def _check_schema(found: pa.Schema, path: Path) -> None:
    for field in SCHEMA:
        if field.name not in found.names:
            if field.name in ADDED_IN_VERSION_2:
                continue
            raise InputError(f"has no column {field.name!r}, so it holds no clips", where=path, cure=_CURE)
        kind = found.field(field.name).type
        if not _fits(kind, field.type):
            problem = f"the column {field.name!r} holds {kind}, not {field.type}"
            raise InputError(problem, where=path, cure=_CURE)


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether values of one type are values of the other. Tools change widths, and leave out what is always empty."""
    if pa.types.is_null(found):
        return True
    if pa.types.is_struct(wanted):
        return pa.types.is_struct(found) and all(_has(found, field) for field in wanted)
    if _is_list(wanted):
        return _is_list(found) and _fits(found.value_type, wanted.value_type)
    return any(test(found) and test(wanted) for test in (_is_text, pa.types.is_integer)) or (
        pa.types.is_floating(wanted) and (pa.types.is_floating(found) or pa.types.is_integer(found))
    )


def _has(found: pa.StructType, field: pa.Field) -> bool:
    if found.get_field_index(field.name) < 0:
        return field.name in ADDED_IN_VERSION_2
    return _fits(found.field(field.name).type, field.type)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
