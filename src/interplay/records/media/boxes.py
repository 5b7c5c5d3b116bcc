"""The boxes of an mp4 or QuickTime file (ISO/IEC 14496-12): just enough to doubt a header.

A box is ``size (4 bytes), type (4 bytes), content``; size 1 puts the true size into 8 more bytes, size 0 means "to the
end of the file". Only the few boxes below are looked into, nothing is believed, and nothing of the media data is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# The boxes that hold the boxes of interest.
_PARENTS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"})
# What an mp4 or QuickTime file begins with.
_FIRST = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"})
_DEEPEST = 8


@dataclass(frozen=True)
class Box:
    """One box: its type, where its content begins, and where it says that it ends (perhaps after the file's end)."""

    kind: bytes
    start: int
    end: int


def is_mp4(path: Path) -> bool:
    """Whether the file begins as an mp4 or QuickTime file does."""
    with path.open("rb") as stream:
        return stream.read(8)[4:] in _FIRST


def top_boxes(path: Path) -> list[Box]:
    """The outermost boxes in their order; the last one may end after the file does."""
    with path.open("rb") as stream:
        return list(_boxes(stream, 0, path.stat().st_size))


def walk(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """``(type, first bytes)`` of every box inside ``moov`` and ``moof``, at whatever depth."""
    with path.open("rb") as stream:
        yield from _walk(stream, 0, path.stat().st_size, 0)


def _walk(stream: BinaryIO, start: int, end: int, depth: int) -> Iterator[tuple[bytes, bytes]]:
    for box in _boxes(stream, start, end):
        if box.kind in _PARENTS and depth < _DEEPEST:
            yield from _walk(stream, box.start, min(box.end, end), depth + 1)
        elif depth:
            stream.seek(box.start)
            # A sample description holds width and height within its first 44 bytes; counts come sooner.
            yield box.kind, stream.read(min(64, box.end - box.start))


def _boxes(stream: BinaryIO, start: int, end: int) -> Iterator[Box]:
    while start + 8 <= end:
        stream.seek(start)
        head = stream.read(16)
        size, kind = struct.unpack_from(">I4s", head)
        length = 8
        if size == 1 and len(head) == 16:
            size, length = struct.unpack_from(">Q", head, 8)[0], 16
        elif size == 0:
            size = end - start
        if size < length:
            return  # no box: what follows cannot be told apart
        yield Box(kind, start + length, start + size)
        start += size
