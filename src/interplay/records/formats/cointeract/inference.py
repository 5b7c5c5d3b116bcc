"""CoInteract's inference tables (``demos.csv``, ``posedriven.csv``): a row asks for a video, it does not hold one.

So its clip is the person's picture as a video of one frame, with the prompt as its caption and the sound, the
product's picture and the pose video as media. Everything else of the row (further prompts, scale) stays in
``clip.extra``, and the row is written back as it stands. Clips are named after their rows: the official code names its
results after the sound file, and rows that share one overwrite each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal

from interplay.core.errors import InputError
from interplay.records.caption import foreign_markup
from interplay.records.clip import STILL_FPS, Clip, Provenance
from interplay.records.formats.base import DatasetFormat, LocatedClip, Rejected, Written, write_each
from interplay.records.formats.cointeract.rows import (
    PathOptions,
    check_columns,
    filled_cells,
    find_table,
    has_table,
    number_cell,
    text_cell,
)
from interplay.records.formats.common.losses import lost_parts
from interplay.records.formats.common.media_files import PICTURE_SUFFIXES, check_media, copy_once
from interplay.records.formats.common.naming import placed
from interplay.records.formats.common.tables import table_rows, write_table
from interplay.records.formats.common.written_captions import (
    CaptionStyle,
    caption_cell,
    implied_instances,
    instances_of,
)
from interplay.records.media.video import VideoInfo, probe_video, read_video, write_image

NAME = "cointeract-inference"
TABLE_MAKER = "cointeract inference table"
REQUIRED_COLUMNS = ("audio", "person_image", "prompt")
# Media besides the person's picture; medium and column have one name.
_MEDIA = ("audio", "product_image", "pose_video")
# The order of the official demos.csv, with what other tables have at its end.
COLUMNS = ("audio", "person_image", "product_image", "prompt", "prompt2", "prompt3", "scale", "pose_video")


class InferenceOptions(PathOptions):
    """How an inference table is read and written.

    Absolute paths of pictures are officially legal; they are refused unless ``allow_absolute``. Written: ``table`` is
    the table's layout, and ``captions`` says whether prompts keep the markers of instances.
    """

    split: str = "test"
    table: Literal["csv", "json", "jsonl"] = "csv"
    captions: CaptionStyle = "plain"


class CoInteractInferenceFormat(DatasetFormat[InferenceOptions]):
    """Both inference tables: with and without a pose video."""

    name: ClassVar[str] = NAME
    summary: ClassVar[str] = "CoInteract's inference tables: person, product, sound and prompts to make videos from"
    options_type: ClassVar[type[InferenceOptions]] = InferenceOptions

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether ``source`` is, or holds, a table with sound, person and prompt per row, and no video."""
        return has_table(source, REQUIRED_COLUMNS, without=("input_video",))

    def read(self, source: Path) -> Iterator[LocatedClip | Rejected]:
        """A clip of one frame per row."""
        table = find_table(source, REQUIRED_COLUMNS)
        rows = table_rows(table)
        check_columns(rows, REQUIRED_COLUMNS, table)
        for number, row in enumerate(rows, 1):
            clip_id = f"row-{number:05d}"
            try:
                yield self._clip(row, clip_id, table, f"{table}, row {number}")
            except InputError as error:
                yield Rejected.because(clip_id, error)

    def write(self, clips: Iterable[LocatedClip], out: Path) -> Iterator[Written | Rejected]:
        """The table and its media: at the paths of its own cells where a clip has them, else in official folders."""
        rows: list[dict[str, Any]] = []
        places: dict[str, Path] = {}

        def add(located: LocatedClip) -> Written:
            if missing := _missing(located.clip):
                where, cure = f"clip {located.clip.clip_id}", "leave the clip out, or add what is missing"
                raise InputError(f"a row needs {missing}", where=where, cure=cure)
            row, lost = _row(located, out, self.options, places)
            rows.append(row)
            return Written(located.clip.clip_id, lost)

        yield from write_each(clips, add)
        columns = dict.fromkeys(name for row in rows for name in row)
        write_table(out / f"data.{self.options.table}", rows, tuple(columns) or COLUMNS)

    def _clip(self, cells: Mapping[str, Any] | InputError, clip_id: str, table: Path, where: str) -> LocatedClip:
        if isinstance(cells, InputError):
            raise cells
        record = filled_cells(cells)
        for column in REQUIRED_COLUMNS:
            text_cell(record, column, where)
        person = self._file(record, "person_image", table, where)
        media = {name: self._file(record, name, table, where) for name in _MEDIA if name in record}
        check_media(media)
        if "scale" in record:
            number_cell(record, "scale", where)
        caption = foreign_markup(text_cell(record, "prompt", where), where=f"{where}, field prompt")
        return self._located(clip_id, caption, person, media, cells, _picture(person))

    def _located(
        self,
        clip_id: str,
        caption: str,
        person: Path,
        media: Mapping[str, Path],
        cells: Mapping[str, Any],
        info: VideoInfo,
    ) -> LocatedClip:
        video, media_at, files = placed(clip_id, person, media)
        clip = Clip(
            clip_id=clip_id,
            video=video,
            caption=caption,
            num_frames=1,
            size_hw=info.size_hw,
            fps=STILL_FPS,
            split=self.options.split,
            instances=instances_of(caption),
            media=media_at,
            provenance={"caption": Provenance(TABLE_MAKER)},
            extra={NAME: {"cells": dict(cells)}},
        )
        return LocatedClip(clip, files)

    def _file(self, record: Mapping[str, Any], column: str, table: Path, where: str) -> Path:
        return self.options.file(record[column], table, where=f"{where}, field {column}")


def _picture(path: Path) -> VideoInfo:
    info = probe_video(path)
    if info.num_frames != 1:
        raise InputError(
            "is a video, and the person is wanted as a picture", where=path, cure="give a PNG or JPEG file"
        )
    return info


# --- writing ---------------------------------------------------------------------------------------------------------


def _missing(clip: Clip) -> str:
    """What a clip lacks to be a row."""
    lacking = [] if "audio" in clip.media else ["sound"]
    if clip.num_frames > 1 and "person_image" not in clip.media:
        lacking.append("a picture of the person")
    if not clip.caption:
        lacking.append("a prompt")
    return " and ".join(lacking)


def _row(
    located: LocatedClip, out: Path, options: InferenceOptions, places: dict[str, Path]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    clip, cells = located.clip, _own_cells(located.clip)
    prompt, lost = caption_cell(clip.caption, cells.get("prompt"), options.captions)
    row: dict[str, Any] = {**cells, "prompt": prompt}
    for column, source in _sources(located).items():
        row[column], moved = _place(column, source, cells.get(column), clip.clip_id, out, places)
        lost += (f"the path {cells[column]} of {column}: written as {row[column]}",) if moved else ()
    gone = (column for column in _MEDIA if column not in clip.media and str(cells.get(column) or "").strip())
    row |= dict.fromkeys(gone)
    ordered = {name: row[name] for name in (cells or COLUMNS) if name in row}
    return {**ordered, **row}, (*lost, *_lost(clip, prompt, options))


def _own_cells(clip: Clip) -> Mapping[str, Any]:
    own = clip.extra.get(NAME)
    cells = own.get("cells") if isinstance(own, Mapping) else None
    return cells if isinstance(cells, Mapping) else {}


def _sources(located: LocatedClip) -> dict[str, Path]:
    """Column -> the file that goes there; the clip itself is the person's picture where no other one is named."""
    clip = located.clip
    named = {name: located.files[clip.media[name]] for name in ("person_image", *_MEDIA) if name in clip.media}
    return {"person_image": located.video, **named}


def _place(column: str, source: Path, cell: Any, clip_id: str, out: Path, places: dict[str, Path]) -> tuple[str, bool]:
    """Copy a file to where the row's own cell names it, if that is free; the cell, and whether it had to change."""
    named = PurePosixPath(cell.strip()) if isinstance(cell, str) and cell.strip() else None
    own = named is not None and not named.is_absolute() and ".." not in named.parts
    if own and places.setdefault(str(named), source) == source:
        copy_once(source, out / str(named))
        return str(cell), False
    made = f"{column}/{clip_id}{source.suffix.lower()}"
    if column == "person_image" and source.suffix.lower() not in PICTURE_SUFFIXES:
        made = f"{column}/{clip_id}.png"
        write_image(out / made, read_video(source).frames[0])
    else:
        copy_once(source, out / made)
    places[made] = source
    return made, named is not None


def _lost(clip: Clip, prompt: str, options: InferenceOptions) -> Iterator[str]:
    if clip.num_frames > 1 or "person_image" in clip.media:
        yield "the video itself: the layout holds what to make a video from"
    if others := [name for name in clip.media if name not in (*_MEDIA, "person_image")]:
        yield f"media {', '.join(others)}: not kept"
    if foreign := [name for name, made in clip.provenance.items() if made.maker != TABLE_MAKER]:
        yield f"provenance of {', '.join(foreign)}: not kept"
    if clip.split != options.split:
        yield f"the split {clip.split!r}: not kept"
    implied = implied_instances(prompt)
    yield from lost_parts(clip, holds={"split", "media", "provenance"}, own=NAME, instances=implied)
