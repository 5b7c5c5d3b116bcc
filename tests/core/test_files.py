from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from pathlib import Path

import pytest

from interplay.core.errors import InputError
from interplay.core.files import atomic_copy, atomic_write_bytes, atomic_write_text, exclusive, read_json, write_json


def test_a_write_makes_its_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    atomic_write_text(path, "grüße")
    assert path.read_text(encoding="utf-8") == "grüße"
    assert [entry.name for entry in path.parent.iterdir()] == ["b.txt"]


def test_a_write_that_fails_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.bin"
    atomic_write_bytes(path, b"old")

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        atomic_write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.bin"]


def test_a_copy_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "source.mov", tmp_path / "a" / "b.mov"
    source.write_bytes(os.urandom(3_000_000))
    atomic_copy(source, target)
    assert target.read_bytes() == source.read_bytes()

    def full(reading: object, writing: object, length: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(InputError, match="the disk is full"):
        atomic_copy(source, tmp_path / "a" / "c.mov")
    assert [entry.name for entry in target.parent.iterdir()] == ["b.mov"]


def test_what_cannot_be_copied_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent: cannot be read \(No such file or directory\)"):
        atomic_copy(tmp_path / "absent", tmp_path / "copy")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"the disk is full; free some space") as caught:
        atomic_write_bytes(tmp_path / "x", b"1")
    assert caught.value.where == str(tmp_path)


def test_another_os_error_passes_unchanged(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file") as caught:
        atomic_write_bytes(tmp_path / "file" / "x", b"1")
    assert not isinstance(caught.value, InputError)


def test_json_goes_round(tmp_path: Path) -> None:
    value = {"é": [1, 2.5, None, True], "nested": {"a": "b"}}
    write_json(tmp_path / "v.json", value)
    assert read_json(tmp_path / "v.json") == value
    assert json.loads((tmp_path / "v.json").read_text(encoding="utf-8")) == value


def test_json_knows_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "v.json", {"score": float("nan")})
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b'{"a": ', "is not valid JSON"), (b"\xff\xfe\x00", "is not valid JSON"), (None, "no such file")],
)
def test_unreadable_json_is_the_users_to_mend(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "v.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=problem) as caught:
        read_json(path)
    assert caught.value.where == str(path)


def test_a_folder_is_no_json_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read_json(tmp_path)


def test_a_lock_is_held_once_and_cleaned_up(tmp_path: Path) -> None:
    lock, owner = tmp_path / "x.lock", tmp_path / "x"
    with exclusive(lock, owner=owner):
        with pytest.raises(InputError, match="is being written by another process"), exclusive(lock, owner=owner):
            pytest.fail("the lock was given away twice")
        assert lock.exists()
    assert not lock.exists()
    with exclusive(lock, owner=owner):
        pass


def test_a_lock_file_that_a_dead_process_left_behind_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    lock.touch()
    with exclusive(lock, owner=tmp_path / "x"):
        assert lock.exists()


def test_a_lock_whose_name_is_gone_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, real, calls = tmp_path / "x.lock", fcntl.flock, 0

    def flock(descriptor: int, operation: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            lock.unlink()  # the previous holder, on its way out between our open and our lock
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with exclusive(lock, owner=tmp_path / "x"):
        assert lock.exists()
        with pytest.raises(InputError), exclusive(lock, owner=tmp_path / "x"):
            pytest.fail("two holders")
