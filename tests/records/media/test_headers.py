"""Boxes, and where a file says that it ends."""

import struct

import pytest

from interplay.core.errors import InputError
from interplay.records.media.boxes import is_mp4, top_boxes, walk
from interplay.records.media.headers import breaks_off, check_header
from media_files import encode, numbered


def box(kind, content=b"", *, large=False, size=None):
    if large:
        return struct.pack(">I4sQ", 1, kind, len(content) + 16) + content
    return struct.pack(">I4s", len(content) + 8 if size is None else size, kind) + content


def test_boxes_of_all_three_sizes(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(box(b"ftyp", b"isom") + box(b"moov", box(b"mvhd", b"x" * 9), large=True) + box(b"mdat", size=0))
    kinds = [(found.kind, found.start, found.end) for found in top_boxes(path)]
    size = path.stat().st_size
    assert kinds == [(b"ftyp", 8, 12), (b"moov", 28, 45), (b"mdat", 53, size)]
    assert list(walk(path)) == [(b"mvhd", b"x" * 9)]
    assert is_mp4(path)
    assert not breaks_off(path)


@pytest.mark.parametrize("size", [2, 7])
def test_a_box_smaller_than_its_head_ends_the_walk(tmp_path, size):
    path = tmp_path / "a.mp4"
    path.write_bytes(box(b"ftyp") + box(b"free", size=size) + box(b"moov"))
    assert [found.kind for found in top_boxes(path)] == [b"ftyp"]
    with pytest.raises(InputError, match="has no header"):
        check_header(path)


def test_boxes_inside_each_other_end_somewhere(tmp_path):
    content = b""
    for _ in range(1000):
        content = box(b"moov", content)
    path = tmp_path / "a.mp4"
    path.write_bytes(box(b"ftyp") + content)
    assert len(list(walk(path))) == 1


def test_declared_samples_are_summed(tmp_path):
    path = tmp_path / "a.mp4"
    run = box(b"moof", box(b"traf", box(b"trun", struct.pack(">II", 0, 300))))
    path.write_bytes(box(b"ftyp") + box(b"moov") + run + box(b"mdat", bytes(300)))
    check_header(path)
    path.write_bytes(box(b"ftyp") + box(b"moov") + run * 100 + box(b"mdat", bytes(300)))
    with pytest.raises(InputError, match="declares 30000 samples, and the file has 3524 bytes"):
        check_header(path)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.mp4", {}),
        ("a.mov", {}),
        ("a.mkv", {}),
        ("a.webm", {"codec": "libvpx"}),
        ("a.avi", {"codec": "mpeg4"}),
        ("a.gif", {"codec": "gif", "pixels": "rgb8", "rate": 10}),
    ],
)
def test_every_cut_is_seen_and_no_whole_file_is_suspected(tmp_path, name, how):
    path = tmp_path / name
    encode(path, numbered(4), **how)
    whole = path.read_bytes()
    assert not breaks_off(path)
    for length in (len(whole) - 1, len(whole) * 3 // 4, 60):
        path.write_bytes(whole[:length])
        assert breaks_off(path), length


@pytest.mark.parametrize("declared", [0, 0xFFFFFFFF])
def test_a_recorder_that_could_not_go_back_leaves_the_size_unknown(tmp_path, declared):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", declared) + b"WAVE")
    assert not breaks_off(path)


def test_matroska_of_unknown_length(tmp_path):
    path = tmp_path / "a.mkv"
    path.write_bytes(b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67" + b"\x01" + b"\xff" * 7)
    assert not breaks_off(path)
    path.write_bytes(b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67" + b"\x85" + b"1234")
    assert breaks_off(path)
