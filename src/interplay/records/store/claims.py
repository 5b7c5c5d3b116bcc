"""Several writers of one store: who is adding which clip.

While writers are at work, the hidden folder of the store holds two kinds of files, and none when they are done:

- ``log``: one line ``writer id`` per claimed clip. A writer appends to it, and publishes a part, only while it holds
  the file's lock, and reads what others appended first. So the same id is claimed by one writer only.
- ``*.alive``: one per writer, locked as long as its process lives. The locks are the kernel's (``flock``), so a killed
  writer holds nothing: its claims are void, except for the clips whose rows it had finished.

A claim costs a lock, a look at the file's length and one short write, some ten microseconds in all.
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from interplay.core.errors import InputError
from interplay.core.files import full_disk_named
from interplay.core.manifest import SCRATCH

_FOLDER, _LOG, _ALIVE = "writers", "log", ".alive"
# The log can vanish between its opening and its locking once per writer that leaves just then; never this often.
_ATTEMPTS = 1000


class Claims:
    """The claims of one writer on clip ids, and its view of those of the others.

    A writer that finds itself alone has ``clean_up(store, ids)`` done, with the ids that dead writers had claimed: half
    of their media may lie about. Nobody else can begin to write meanwhile.
    """

    def __init__(self, store: Path, clean_up: Callable[[Path, frozenset[str]], None]) -> None:
        self._folder = store / SCRATCH / _FOLDER
        self._holders: dict[str, str] = {}
        self._read_to = 0
        self._log = _locked_log(self._folder)
        try:
            if not self._others_live():
                clean_up(store, self._start_anew())
            self._me = tempfile.NamedTemporaryFile(dir=self._folder, suffix=_ALIVE, delete=False)  # noqa: SIM115
            fcntl.flock(self._me, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._log, fcntl.LOCK_UN)
        self._name = Path(self._me.name).stem

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other writer claims or publishes anything inside; what they claimed so far is known."""
        fcntl.flock(self._log, fcntl.LOCK_EX)
        try:
            self._read_on()
            yield
        finally:
            # Ctrl-C can fall between taking the lock and entering the block; this runs after `close` then.
            if not self._log.closed:
                fcntl.flock(self._log, fcntl.LOCK_UN)

    def was_held(self, clip_id: str) -> bool:
        """Whether another writer claimed the id and is gone: its row may be finished, so look before you claim it.

        :class:`InputError` while that writer is still at work. Call it inside :meth:`alone`.
        """
        holder = self._holders.get(clip_id)
        if holder is None:
            return False
        if self._lives(self._folder / f"{holder}{_ALIVE}"):
            cure = "give every clip its own id, and every writer clips of its own"
            raise InputError("another writer is adding it at this moment", where=f"clip {clip_id}", cure=cure)
        return True

    def claim(self, clip_id: str) -> None:
        """Note the id as this writer's. Call it inside :meth:`alone`."""
        line = f"{self._name} {clip_id}\n".encode("ascii")
        with full_disk_named(self._folder):
            if self._log.write(line) != len(line):  # whoever reads on next removes the torn line
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._read_to += len(line)
        self._holders.pop(clip_id, None)

    def close(self) -> None:
        """Leave. The claims of this writer are void from now on, so its rows must be finished."""
        with self._log, self._me:
            fcntl.flock(self._log, fcntl.LOCK_EX)
            Path(self._me.name).unlink(missing_ok=True)
            if not self._others_live():
                (self._folder / _LOG).unlink(missing_ok=True)
                with suppress(OSError):  # not empty: a writer is just coming, or an artifact keeps its notes there
                    self._folder.rmdir()
                    self._folder.parent.rmdir()

    def _others_live(self) -> bool:
        living = [path for path in self._folder.glob(f"*{_ALIVE}") if self._lives(path)]
        return bool(living)

    def _lives(self, alive: Path) -> bool:
        """Whether the writer of this file lives; the file of a dead one is removed."""
        try:
            with alive.open("rb") as stream:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        alive.unlink(missing_ok=True)
        return False

    def _start_anew(self) -> frozenset[str]:
        self._read_on()
        abandoned = frozenset(self._holders)
        self._log.truncate(0)
        self._holders, self._read_to = {}, 0
        return abandoned

    def _read_on(self) -> None:
        size = os.fstat(self._log.fileno()).st_size
        if size == self._read_to:
            return
        lines = os.pread(self._log.fileno(), size - self._read_to, self._read_to).splitlines(keepends=True)
        if not lines[-1].endswith(b"\n"):  # its writer died, or its disk was full, in the middle of the line
            size -= len(lines.pop())
            self._log.truncate(size)
        for line in lines:
            name, _, clip_id = line.decode("ascii", errors="replace").strip().partition(" ")
            self._holders[clip_id] = name
        self._read_to = size


def _locked_log(folder: Path) -> IO[bytes]:
    for _ in range(_ATTEMPTS):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            log = (folder / _LOG).open("ab+", buffering=0)
        except FileNotFoundError:
            continue  # the last writer removed the folder between our two calls
        fcntl.flock(log, fcntl.LOCK_EX)
        if _is_still_at(log, folder / _LOG):
            return log
        log.close()
    raise InputError("cannot be opened and locked", where=folder / _LOG, cure=f"remove the folder {folder}")


def _is_still_at(log: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(log.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
