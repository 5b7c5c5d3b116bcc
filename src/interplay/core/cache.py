"""A folder of results that are dear to make and a pure function of their key: latents, embeddings, pooled masks.

An entry lies at ``{kind}/{first two digits}/{digest of its key}``; the key is everything that the result depends on, so
nothing in a cache is ever out of date, and runs may share one. The promises:

- An entry is whole or absent: it is written beside its place and renamed. There are no locks; two processes that make
  the same entry at once write the same bytes, and the later one wins.
- A damaged entry (a power cut, a bad disk) is noticed by its checksum, told on standard error, and made again.
- Whatever is deleted from a cache, also under a running process, only costs the time to make it again.

The folder carries a ``CACHEDIR.TAG`` (https://bford.info/cachedir/), by which backup programs leave it out and by which
:class:`Cache` knows what it may delete from.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interplay.core.config import jsonable
from interplay.core.errors import InputError
from interplay.core.files import FULL_DISK_ERRNOS, full_disk_named

# The head of an entry: a mark with the version of this layout, then the sha256 of what follows.
_MARK = b"interplay-cache1"
_HEAD = len(_MARK) + hashlib.sha256().digest_size
_TAG = "CACHEDIR.TAG"
_TAG_TEXT = "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of Interplay: deleting it costs only time.\n"
_KIND = re.compile(r"[a-z][a-z0-9-]*")
_UNFINISHED = ".tmp"
# A file that is still being written is younger than this; older ones belonged to a process that died.
_ABANDONED_S = 3600.0
# Reading an entry renews its date at most this often: the date orders them by last use.
_RENEW_S = 24 * 3600.0


@dataclass(frozen=True)
class KindSize:
    """How much of one kind there is: ``entries``, and their ``bytes`` on disk."""

    kind: str
    entries: int
    bytes: int


@dataclass(frozen=True)
class _Entry:
    path: Path
    bytes: int
    used_s: float


class Cache:
    """The cache in ``folder``, which is made with the first entry; a folder that holds anything else is an InputError.

    ``rebuild`` disregards what is there: every entry that this object is asked for is made anew once.
    """

    def __init__(self, folder: Path, *, rebuild: bool = False) -> None:
        self.folder = folder
        self._rebuild = rebuild
        self._remade: set[Path] = set()
        _check_ours(folder)

    def has(self, kind: str, key: Any) -> bool:
        """Whether there is an entry (its content is not looked at)."""
        path = self._path(kind, key)
        return path.is_file() and not self._is_stale(path)

    def get(self, kind: str, key: Any) -> bytes | None:
        """The entry, or ``None`` when it is absent or damaged."""
        path = self._path(kind, key)
        return None if self._is_stale(path) else _read(path)

    def put(self, kind: str, key: Any, data: bytes) -> None:
        """Write the entry, in the place of one that may be there."""
        if not is_cache(self.folder):
            self._write(self.folder / _TAG, _TAG_TEXT.encode("ascii"))
        path = self._path(kind, key)
        self._write(path, _MARK + hashlib.sha256(data).digest(), data)
        self._remade.add(path)

    def get_or_make(self, kind: str, key: Any, make: Callable[[], bytes]) -> bytes:
        """The entry, made by ``make()`` when it is absent or damaged. ``key`` is JSON-able, or a config."""
        found = self.get(kind, key)
        if found is not None:
            return found
        made = make()
        self.put(kind, key, made)
        return made

    def sizes(self) -> tuple[KindSize, ...]:
        """How much there is of every kind, in alphabetical order."""
        return tuple(self._size(kind) for kind in self._kinds())

    def clear(self, kind: str | None = None) -> int:
        """Delete all entries, or those of one kind; returns how many bytes that frees."""
        if kind is not None and kind not in self._kinds():
            cure = f"choose one of: {', '.join(self._kinds())}" if self._kinds() else "it is empty already"
            raise InputError(f"holds nothing of the kind {kind!r}", where=self.folder, cure=cure)
        return sum(_delete(entry) for name in self._kinds() if kind in (None, name) for entry in self._entries(name))

    def prune(self, max_bytes: int) -> int:
        """Delete the entries that were not used for longest until ``max_bytes`` are left; returns the bytes freed."""
        entries = sorted((e for kind in self._kinds() for e in self._entries(kind)), key=lambda e: (e.used_s, e.path))
        excess = sum(entry.bytes for entry in entries) - max_bytes
        freed = 0
        for entry in entries:
            if freed >= excess:
                break
            freed += _delete(entry)
        return freed

    # --- inside -----------------------------------------------------------------------------------------------------

    def _path(self, kind: str, key: Any) -> Path:
        if not _KIND.fullmatch(kind):
            raise ValueError(f"the kind {kind!r} must be of the letters a-z, digits and '-'")
        canonical = json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False, default=jsonable)
        name = hashlib.sha256(canonical.encode("ascii")).hexdigest()
        return self.folder / kind / name[:2] / name

    def _is_stale(self, path: Path) -> bool:
        return self._rebuild and path not in self._remade

    def _write(self, path: Path, *parts: bytes) -> None:
        # A name of its own, also among machines that share a disk. Not synced: what a power cut tears, the checksum
        # finds, and waiting for the disk at every entry would take longer than making many of them.
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}{_UNFINISHED}")
        with full_disk_named(self.folder), _unwritable_named(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("xb") as stream:
                    stream.writelines(parts)
                os.replace(temporary, path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise

    def _kinds(self) -> list[str]:
        listed = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted(entry.name for entry in listed if entry.is_dir() and _KIND.fullmatch(entry.name))

    def _entries(self, kind: str) -> Iterator[_Entry]:
        """The entries of a kind; what processes that died left unfinished is deleted on the way."""
        for path in (self.folder / kind).glob("??/*"):
            with suppress(FileNotFoundError):  # deleted by somebody else since it was listed
                stat = path.stat()
                if not path.name.endswith(_UNFINISHED):
                    yield _Entry(path, stat.st_size, stat.st_mtime)
                elif time.time() - stat.st_mtime > _ABANDONED_S:
                    path.unlink()

    def _size(self, kind: str) -> KindSize:
        sizes = [entry.bytes for entry in self._entries(kind)]
        return KindSize(kind, len(sizes), sum(sizes))


def is_cache(folder: Path) -> bool:
    """Whether ``folder`` is a cache."""
    return (folder / _TAG).is_file()


def open_cache(folder: Path) -> Cache:
    """The cache that is there; :class:`InputError` where there is none."""
    if not is_cache(folder):
        raise InputError("is no cache", where=folder, cure="name the folder that was given as --cache")
    return Cache(folder)


def _check_ours(folder: Path) -> None:
    if not folder.exists() or is_cache(folder):
        return
    foreign = not folder.is_dir() or any(not entry.name.startswith(f".{_TAG}") for entry in folder.iterdir())
    # Asked again: another process may have made it a cache, and written into it, since we looked.
    if foreign and not is_cache(folder):
        raise InputError("exists and is no cache", where=folder, cure="name another folder, or an empty one")


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as stream:
            _renew(path, os.fstat(stream.fileno()).st_mtime)
            head, data = stream.read(_HEAD), stream.read()
    except FileNotFoundError:
        return None
    if head == _MARK + hashlib.sha256(data).digest():
        return data
    print(f"{path}: damaged cache entry, made again", file=sys.stderr, flush=True)
    return None


def _renew(path: Path, used_s: float) -> None:
    if time.time() - used_s > _RENEW_S:
        # Reading somebody else's cache is fine; its dates are then not ours to change.
        with suppress(PermissionError, FileNotFoundError):
            os.utime(path)


def _delete(entry: _Entry) -> int:
    entry.path.unlink(missing_ok=True)
    return entry.bytes


@contextmanager
def _unwritable_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL_DISK_ERRNOS:
            raise
        cure = "choose a folder that you may write to, with --cache"
        raise InputError(f"the cache cannot be written ({error.strerror})", where=folder, cure=cure) from error
