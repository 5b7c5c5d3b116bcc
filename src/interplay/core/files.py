"""Small files, written whole or not at all, and folders that one process at a time may write.

A reader never sees half a file: data goes to a neighbour with a temporary name, reaches the disk, and is renamed onto
the target. The folder-level counterpart of this is :mod:`interplay.core.artifacts`.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from interplay.core.errors import InputError

FULL_DISK_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT})
_COPY_BYTES = 1 << 20


def atomic_write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` (folders above it are made), replacing what is there in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with full_disk_named(path.parent):
        try:
            with temporary.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
            fsync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def atomic_write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, in the manner of :func:`atomic_write_bytes`."""
    atomic_write_bytes(path, text.encode("utf-8"))


def atomic_copy(source: Path, target: Path) -> None:
    """Copy a file byte for byte, of whatever size, replacing ``target`` in one step (folders above it are made).

    Unlike :func:`atomic_write_bytes` it does not wait for the disk: media are many and large, and a copy that a power
    cut spoilt is found by the digests of the artifact that it belongs to.
    """
    try:
        reading = source.open("rb")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=source, cure="check the path") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    with reading, full_disk_named(target.parent):
        try:
            with temporary.open("wb") as writing:
                shutil.copyfileobj(reading, writing, _COPY_BYTES)
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically.

    NaN and infinity are no JSON, and a missing number is ``null`` here: they raise ``ValueError``.
    """
    atomic_write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file; :class:`InputError` when the file is absent or holds something else."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("there is no such file", where=path, cure="check the path") from error
    except IsADirectoryError as error:
        raise InputError("is a folder, not a JSON file", where=path, cure="name the file inside it") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"is not valid JSON ({error})", where=path, cure="mend the file or make it again") from error


def fsync_folder(folder: Path) -> None:
    """Make renames and new names inside ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """Turn "no space left" of anything inside into an :class:`InputError` that names ``folder``."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_DISK_ERRNOS:
            raise
        cure = "free some space or choose a folder on another disk; a repeated run goes on from what is there"
        raise InputError("the disk is full", where=folder, cure=cure) from error


def is_full_disk(error: InputError) -> bool:
    """Whether this is the error of :func:`full_disk_named`: about the disk, and not about what was to be written."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in FULL_DISK_ERRNOS


@contextmanager
def exclusive(lock_path: Path, *, owner: Path) -> Iterator[None]:
    """Hold the lock file ``lock_path`` alone; :class:`InputError` about ``owner`` when another process holds it.

    The lock is the kernel's (``flock``), so it ends with its process however that dies. The file is removed on the
    way out.
    """
    try:
        lock_path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _acquire(lock_path, owner)
    except OSError as error:
        if error.errno in FULL_DISK_ERRNOS:
            raise
        cure = "choose a folder that you may write to"
        raise InputError(f"cannot be written ({error.strerror})", where=owner, cure=cure) from error
    try:
        yield
    finally:
        lock_path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(lock_path: Path, owner: Path) -> int:
    while True:
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            cure = "wait until it is done or give another --out"
            raise InputError("is being written by another process", where=owner, cure=cure) from error
        if _is_still_at(descriptor, lock_path):
            return descriptor
        os.close(descriptor)  # the previous holder removed the name between our open and our lock


def _is_still_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
