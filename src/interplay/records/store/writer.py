"""Writing a folder of clips.

A clip counts as stored when its row is in a finished part. Its media are whole by then, so a writer that is killed
loses at most the rows that were not flushed yet; a repeated run makes these clips again. Several processes may add to
one store, each clips of its own.

What a power cut may cost is more: media are left to the system to write back. The digests of an artifact find that.

Shapes: f frames, h and w pixels.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import pyarrow as pa
from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.core.files import FULL_DISK_ERRNOS, full_disk_named
from interplay.core.manifest import MANIFEST
from interplay.records.check import check_clip
from interplay.records.clip import Clip
from interplay.records.formats.base import LocatedClip
from interplay.records.media.video import write_video
from interplay.records.store.card import write_card
from interplay.records.store.claims import Claims
from interplay.records.store.files import place_files, remove_leftovers
from interplay.records.store.layout import (
    ROWS_FOLDER,
    VIDEOS_FOLDER,
    check_id,
    is_own_place,
    part_number,
    part_path,
    parts_of,
    video_path,
)
from interplay.records.store.parts import encode_row, read_ids, write_part

# A part is written in milliseconds at this size, and a crash loses no more than this many clips.
CLIPS_PER_PART = 256


class StoreWriter:
    """Adds clips to a folder; on a folder that has some already, it goes on after them.

    Use it in a ``with`` statement, or call :meth:`close` at the end. It touches the folder with the first clip.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: set[Path] = set()
        self._done: set[str] = set()
        self._pending: dict[str, pa.StructArray] = {}
        self._claims: Claims | None = None
        self._look_for_finished_rows()

    @property
    def done(self) -> AbstractSet[str]:
        """Ids of the clips that are stored or waiting for the next flush; they need not be made again."""
        return self._done

    def add(self, clip: Clip, *, frames: UInt8[ndarray, "f h w 3"]) -> None:
        """Check the clip, write its frames losslessly and queue its row.

        ``clip.video`` must be :func:`video_path`, and the files of ``clip.media`` must lie in their places already.
        """
        check_id(clip.clip_id, where=f"clip {clip.clip_id}")
        told = (clip.num_frames, *clip.size_hw, 3)
        if clip.video != video_path(clip.clip_id) or frames.shape != told:
            raise ValueError(f"clip {clip.clip_id}: video {clip.video}, frames {frames.shape} against {told}")
        for path in clip.media.values():
            if not is_own_place(clip.clip_id, path) or not (self.folder / path).is_file():
                raise ValueError(f"clip {clip.clip_id}: there is no {path} in the clip's own places")
        row = self._take(clip)
        write_video(self.folder / clip.video, frames, clip.fps)
        self._queue(clip, row)

    def add_files(self, located: LocatedClip) -> None:
        """Check the clip, copy its files to the places that it names, byte for byte, and queue its row.

        A folder of frames becomes a lossless mp4. :class:`InputError` when a file cannot be read; then nothing of the
        clip is left in the store.
        """
        clip = located.clip
        check_id(clip.clip_id, where=f"clip {clip.clip_id}")
        named = {clip.video, *clip.media.values()}
        if named != set(located.files) or not all(is_own_place(clip.clip_id, path) for path in named):
            raise ValueError(f"clip {clip.clip_id}: names {sorted(named)}, files are {sorted(located.files)}")
        row = self._take(clip)
        place_files(located, self.folder)
        self._queue(clip, row)

    def flush(self) -> None:
        """Write the queued rows as one part, atomically."""
        if not self._pending:
            return
        claims = self._at_work()
        with _writable(self.folder):
            write_card(self.folder)
            temporary = self.folder / ROWS_FOLDER / f".part.{os.getpid()}.{id(self)}.tmp"
            write_part(list(self._pending.values()), temporary)
            with claims.alone():
                path = self._next_part()
                os.replace(temporary, path)
        self._seen.add(path)
        self._pending.clear()

    def close(self) -> None:
        """Flush what is queued and leave the store to others; the next :meth:`add` would join them anew.

        When the rows cannot be written their clips are not stored: without a claim another writer may make them now.
        """
        try:
            self.flush()
        finally:
            self._done.difference_update(self._pending)
            self._pending.clear()
            if self._claims is not None:
                self._claims.close()
                self._claims = None

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Also after an error or Ctrl-C: the queued rows are whole clips, and the next run need not make them again.
        self.close()

    def _take(self, clip: Clip) -> pa.StructArray:
        """The clip's row, when the clip may be stored and no other writer stores one of this name."""
        where = f"clip {clip.clip_id}"
        check_clip(clip, where=where)
        row = encode_row(clip)
        claims = self._at_work()
        with claims.alone():
            if claims.was_held(clip.clip_id):
                self._look_for_finished_rows()
            if clip.clip_id in self._done:
                raise InputError("the clip id is taken already", where=where, cure="give every clip its own id")
            claims.claim(clip.clip_id)
        return row

    def _queue(self, clip: Clip, row: pa.StructArray) -> None:
        self._done.add(clip.clip_id)
        self._pending[clip.clip_id] = row
        if len(self._pending) >= CLIPS_PER_PART:
            self.flush()

    def _at_work(self) -> Claims:
        """This writer's claims; with the first clip it joins the others at work."""
        if self._claims is not None:
            return self._claims
        if (self.folder / MANIFEST).is_file():
            cure = "write into a new folder, or add clips with `interplay data convert DATA --append --out FOLDER`"
            raise InputError("is a finished artifact", where=self.folder, cure=cure)
        with _writable(self.folder):
            for name in (ROWS_FOLDER, VIDEOS_FOLDER):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            claims = Claims(self.folder, remove_leftovers)
        self._look_for_finished_rows()  # since the last look another writer may have finished rows and gone
        self._claims = claims
        return claims

    def _look_for_finished_rows(self) -> None:
        for part in parts_of(self.folder):
            if part not in self._seen:
                self._done.update(read_ids(part))
                self._seen.add(part)

    def _next_part(self) -> Path:
        return part_path(self.folder, 1 + max(map(part_number, parts_of(self.folder)), default=-1))


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    with full_disk_named(folder):
        try:
            yield
        except OSError as error:
            if error.errno in FULL_DISK_ERRNOS:
                raise
            cure = "choose a folder that you may write to"
            raise InputError(f"cannot be written ({error.strerror})", where=folder, cure=cure) from error
