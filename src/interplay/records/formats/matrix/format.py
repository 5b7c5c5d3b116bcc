"""The training set of MATRIX: videos, a folder of mask pictures per instance, and a table of prompts.

What lies where: :mod:`.layout`. A clip's instances are the markers of its prompt (``a <id1> woman ...``: the
noun is the word behind the marker) and its mask folders. A marker without masks, masks without a marker, holes in the
ids, more than five of them and more than 81 frames are legal, and each is noted.

A row whose video or masks cannot be used is rejected and the others go on. So is a video that no row names, since
without its prompt it cannot be used either, and a mask folder of no video: each is a clip that somebody meant to be
there, and no clip would carry a note about it. Where the table was chosen by hand (``metadata``, or the table itself as
the source), it is taken for a choice of clips, and what it does not name is none of its business.

Prompts are written the official way: ``<idN>`` before the noun and no other markup. What our markup says beyond that
(verbs, nouns of several words), and gaps, which no picture can show, go into the sidecar; with it, they come back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from interplay.core.errors import InputError
from interplay.records.caption import foreign_markup, parse_caption
from interplay.records.clip import Clip
from interplay.records.formats.base import DatasetFormat, LocatedClip, Note, Rejected, Written, write_each
from interplay.records.formats.common.naming import Taken, clip_id_from, placed
from interplay.records.formats.common.tables import Record, columns_of, table_rows
from interplay.records.formats.matrix.layout import (
    MASKS,
    METADATA,
    VIDEOS,
    ClipSidecar,
    Layout,
    MatrixOptions,
    find_video,
    named_stem,
    open_layout,
    stem_of,
    tables_in,
    videos_in,
)
from interplay.records.formats.matrix.tracks import binding_notes, read_tracks
from interplay.records.formats.matrix.writing import MatrixWriter, implied_instances, official_prompt
from interplay.records.media.video import probe_video

_REQUIRED = ("video", "prompt")


class MatrixFormat(DatasetFormat[MatrixOptions]):
    """``videos/``, ``mask_annotation/<video>/<idN>/NNN.png`` and ``metadata.csv`` (or ``.json``, ``.jsonl``)."""

    name = "matrix"
    summary = "MATRIX training set: videos, mask_annotation/<video>/<idN>/NNN.png, metadata.csv|json|jsonl"
    options_type = MatrixOptions

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """A metadata table (or the folder that holds it) with masks beside it, or at least videos and the columns."""
        tables = [source] if source.stem == METADATA and source.is_file() else tables_in(source)
        root = source.parent if source.is_file() else source
        named = any(set(_REQUIRED) <= set(columns_of(table)) for table in tables)
        return bool(tables) and ((root / MASKS).is_dir() or ((root / VIDEOS).is_dir() and named))

    def read(self, source: Path) -> Iterator[LocatedClip | Rejected]:
        """Every row of the table, then the videos and the masks that no row names."""
        layout = open_layout(source, self.options)
        rows = table_rows(layout.table)
        if not rows:
            raise InputError("holds no rows", where=layout.table, cure="add a row per clip: video, prompt")
        taken, named = Taken(), set[str]()
        for number, row in enumerate(rows, 1):
            yield self._verdict(row, number, layout, taken, named)
        if layout.whole:
            yield from _unnamed(layout, named)

    def write(self, clips: Iterable[LocatedClip], out: Path) -> Iterator[Written | Rejected]:
        """Write the layout; videos are copied as they are, a folder of frames becomes a lossless mp4."""
        writer = MatrixWriter(out, self.options)
        yield from write_each(clips, writer.add)
        writer.finish()

    def _verdict(
        self, row: Record | InputError, number: int, layout: Layout, taken: Taken, named: set[str]
    ) -> LocatedClip | Rejected:
        where = f"{layout.table}, row {number}"
        clip_id = f"row-{number}"
        try:
            if isinstance(row, InputError):
                raise row
            cell = _text(row, "video", where)
            stem = named_stem(cell, layout)
            named.add(stem)
            clip_id = clip_id_from(PurePosixPath(stem))
            video, stem = find_video(layout, cell, where=where, follow_links=self.options.follow_links)
            taken.take(clip_id, where)
            return self._clip(_Row(clip_id, row, video, stem, where), layout)
        except InputError as error:
            return Rejected.because(clip_id, error)

    def _clip(self, row: _Row, layout: Layout) -> LocatedClip:
        beside = layout.sidecar.clips.get(row.stem, ClipSidecar())
        markup, notes = _caption(_text(row.cells, "prompt", row.where), beside, row.where)
        caption = parse_caption(markup, where=row.where)
        info = probe_video(row.video)
        read = read_tracks(layout.masks, row.stem, info.num_frames, info.size_hw, self.options, beside)
        video, _, files = placed(row.clip_id, row.video, {})
        clip = Clip(
            clip_id=row.clip_id,
            video=video,
            caption=markup,
            num_frames=info.num_frames,
            size_hw=info.size_hw,
            fps=info.fps,
            instances=implied_instances(markup, read.tracks),
            tracks=read.tracks,
            extra=_extra(row, markup, PurePosixPath(video).name),
        )
        unbound = binding_notes(caption.instance_ids, read.tracks, row.where)
        return LocatedClip(clip, files, (*notes, *read.notes, *unbound))


@dataclass(frozen=True)
class _Row:
    """A row of the table: its cells, its video, and the stem that its masks are filed under."""

    clip_id: str
    cells: Mapping[str, Any]
    video: Path
    stem: str
    where: str


def _caption(prompt: str, beside: ClipSidecar, where: str) -> tuple[str, tuple[Note, ...]]:
    """The prompt as markup: the sidecar's as long as it says the same, else what the prompt says."""
    if beside.caption is None:
        return foreign_markup(prompt, where=f"{where}, field prompt"), ()
    if official_prompt(beside.caption, where=f"{where}, sidecar") == prompt:
        return beside.caption, ()
    note = Note(where, "the prompt is not the one that the sidecar belongs to", "the prompt was taken")
    return foreign_markup(prompt, where=f"{where}, field prompt"), (note,)


def _text(cells: Mapping[str, Any], column: str, where: str) -> str:
    if column not in cells:
        cure = f"add the columns {' and '.join(_REQUIRED)}"
        raise InputError(f"has no column {column!r} (it has: {', '.join(map(str, cells))})", where=where, cure=cure)
    value = cells[column]
    if value is None or value == "":
        raise InputError("the cell is empty", where=f"{where}, field {column}", cure="fill it or remove the row")
    if not isinstance(value, str) or not value.strip():
        problem = f"is {str(value)[:60]!r}, not text"
        raise InputError(problem, where=f"{where}, field {column}", cure="write it as text")
    return value


def _extra(row: _Row, markup: str, usual_name: str) -> dict[str, Any]:
    """What the row says and a clip has no place for: how it names the video, further columns, another spelling."""
    own: dict[str, Any] = {}
    if row.cells["video"] != usual_name:
        own["video"] = row.cells["video"]
    # In a CSV every row has every column; an empty cell says nothing.
    columns = {name: cell for name, cell in row.cells.items() if name not in _REQUIRED and cell not in (None, "")}
    if columns:
        own["columns"] = columns
    if official_prompt(markup, where=row.where) != row.cells["prompt"]:
        own["prompt"] = row.cells["prompt"]
    return {"matrix": own} if own else {}


def _unnamed(layout: Layout, named: set[str]) -> Iterator[Rejected]:
    present = set(named)
    for path in videos_in(layout):
        stem = stem_of(path, layout)
        present.add(stem)
        if stem not in named:
            problem, cure = f"has no row in {layout.table.name}", "add a row with its prompt, or remove the video"
            error = InputError(problem, where=path, cure=cure)
            yield Rejected.because(clip_id_from(PurePosixPath(stem)), error)
    parents = {str(parent) for stem in present for parent in PurePosixPath(stem).parents}
    for folder in sorted(layout.masks.iterdir()):
        if folder.name not in present | parents and not folder.name.startswith("."):
            error = InputError("holds masks of no video", where=folder, cure="restore the video, or remove the masks")
            yield Rejected.because(clip_id_from(PurePosixPath(folder.name)), error)
