"""CoInteract's training layout as a dataset format: a table, media beside it, tracks out of the structure video.

What a row says, and where the official sources disagree about it: :mod:`.rows` and :mod:`.boxes`.
How a clip comes of a row: :mod:`.clip`. How clips become rows: :mod:`.writing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from interplay.core.errors import InputError
from interplay.records.formats.base import DatasetFormat, LocatedClip, Rejected, Written
from interplay.records.formats.cointeract.clip import NAME, CoInteractOptions, read_clip, row_id
from interplay.records.formats.cointeract.rows import REQUIRED_COLUMNS, Row, each_row, find_table, has_table
from interplay.records.formats.cointeract.writing import write_training_set
from interplay.records.formats.common.naming import Taken


class CoInteractFormat(DatasetFormat[CoInteractOptions]):
    """The training table (CSV, JSON or JSON Lines) and its media folders."""

    name: ClassVar[str] = NAME
    summary: ClassVar[str] = "CoInteract's training table with person, product, structure video and boxes"
    options_type: ClassVar[type[CoInteractOptions]] = CoInteractOptions

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether ``source`` is, or holds, a table with a prompt and an input video per row."""
        return has_table(source, REQUIRED_COLUMNS)

    def read(self, source: Path) -> Iterator[LocatedClip | Rejected]:
        """A clip per row; tracks cost some seconds of decoding at full resolution, when the clip is asked for."""
        taken = Taken()
        for number, row in enumerate(each_row(find_table(source, REQUIRED_COLUMNS), self.options), 1):
            yield self._verdict(number, row, taken)

    def write(self, clips: Iterable[LocatedClip], out: Path) -> Iterator[Written | Rejected]:
        """The official folders and ``data.csv`` (option ``table``); see :mod:`.writing`."""
        return write_training_set(clips, out, self.options)

    def _verdict(self, number: int, row: Row | InputError, taken: Taken) -> LocatedClip | Rejected:
        if isinstance(row, InputError):
            return Rejected.because(f"row-{number:05d}", row)
        clip_id = row_id(row, self.options)
        try:
            taken.take(clip_id, row.where)
            return read_clip(row, clip_id, self.options)
        except InputError as error:
            return Rejected.because(clip_id, error)
