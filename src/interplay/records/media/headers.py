"""Doubting what a file declares, before anything is allocated for it and before its data is read.

Two questions: does the header declare more than a file of this size can hold (:func:`check_header`; a table of two
thousand million frames makes a library reserve gigabytes for a file of one kilobyte), and does the file end where its
own structure says that it ends (:func:`breaks_off`).
"""

from __future__ import annotations

import struct
from pathlib import Path

from interplay.core.errors import InputError
from interplay.records.media.boxes import is_mp4, top_boxes, walk

# Where the number of samples stands in the boxes that declare one: sample sizes, compact sizes, and a fragment's run.
_COUNT_AT = {b"stsz": 8, b"stz2": 8, b"trun": 4}
# A sample of video has a byte at least; old QuickTime counts each tone value of a compressed sound (IMA4: 2 per byte).
_SAMPLES_PER_BYTE = 8
# Identifiers of Matroska (RFC 9559): the EBML header and the segment that holds everything else.
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_GIF_PICTURE, _GIF_EXTENSION, _GIF_END = 0x2C, 0x21, 0x3B


def check_header(path: Path) -> None:
    """:class:`InputError` when an mp4 has no header, or one that declares more samples than the file has bytes."""
    if not is_mp4(path):
        return
    boxes, size = top_boxes(path), path.stat().st_size
    whole = [box for box in boxes if box.end <= size]
    if not any(box.kind == b"moov" for box in whole):
        told = "has no header" if len(whole) == len(boxes) else "breaks off before its header ends"
        raise InputError(f"{told} (moov), so nothing of it can be read", where=path, cure="fetch or write it again")
    count = sum(_count(kind, content) for kind, content in walk(path))
    if count > size * _SAMPLES_PER_BYTE:
        problem = f"its header declares {count} samples, and the file has {size} bytes"
        raise InputError(problem, where=path, cure="replace the file")


def breaks_off(path: Path) -> bool:
    """Whether the file ends before the place where its own structure says that it does.

    Known for mp4 and QuickTime, Matroska and WebM, AVI and WAV, and GIF; other formats have no such mark, and a live
    recording says "unknown": these count as whole.
    """
    with path.open("rb") as stream:
        head = stream.read(4)
    if is_mp4(path):
        return any(box.end > path.stat().st_size for box in top_boxes(path))
    if head == b"RIFF":
        return _riff_breaks_off(path)
    if head == _EBML:
        return _matroska_breaks_off(path)
    return head == b"GIF8" and not _gif_ends(path.read_bytes())


def _count(kind: bytes, content: bytes) -> int:
    at = _COUNT_AT.get(kind)
    return 0 if at is None or len(content) < at + 4 else int(struct.unpack_from(">I", content, at)[0])


def _riff_breaks_off(path: Path) -> bool:
    with path.open("rb") as stream:
        size = int.from_bytes(stream.read(8)[4:], "little")
    # A recorder that cannot go back to fill in the size leaves 0 or all ones.
    return size not in (0, 0xFFFFFFFF) and size + 8 > path.stat().st_size


def _matroska_breaks_off(path: Path) -> bool:
    with path.open("rb") as stream:
        data = stream.read(4096)
    header, at = _ebml_size(data, 4)
    segment = at + header
    if data[segment : segment + 4] != _SEGMENT:
        return False
    length, start = _ebml_size(data, segment + 4)
    return length >= 0 and start + length > path.stat().st_size


def _ebml_size(data: bytes, at: int) -> tuple[int, int]:
    """The variable-length number at ``at`` (-1 for "unknown", which is all ones) and where it ends."""
    width = 9 - data[at].bit_length() if at < len(data) else 9
    value = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    return (-1 if value == (1 << 7 * width) - 1 or width > 8 else value), at + width


def _gif_ends(data: bytes) -> bool:
    """Walk the blocks of a GIF (GIF89a, section 12 on) to its end mark."""
    at = 13 + _palette_bytes(data[10]) if len(data) > 13 else len(data)
    while at < len(data):
        mark = data[at]
        if mark == _GIF_END:
            return True
        if mark == _GIF_PICTURE and at + 10 < len(data):
            at = _after_sub_blocks(data, at + 11 + _palette_bytes(data[at + 9]))
        elif mark == _GIF_EXTENSION:
            at = _after_sub_blocks(data, at + 2)
        else:
            return False
    return False


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_sub_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1
