"""Writing the layout of MATRIX, clip by clip; table and sidecar come last, so that a table means a whole set."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from interplay.core.errors import InputError
from interplay.core.files import write_json
from interplay.records.caption import foreign_markup, is_instance_id, is_label, marked_text, parse_caption
from interplay.records.check import check_clip
from interplay.records.clip import Clip, Instance
from interplay.records.formats.base import LocatedClip, Written
from interplay.records.formats.common.losses import lost_of_video, lost_parts
from interplay.records.formats.common.media_files import copy_video
from interplay.records.formats.common.naming import clip_id_from
from interplay.records.formats.common.tables import write_table
from interplay.records.formats.matrix.layout import (
    MASKS,
    METADATA,
    OFFICIAL_IDS,
    SIDECAR,
    VIDEOS,
    ClipSidecar,
    MatrixOptions,
    Sidecar,
    colour_of,
    tables_in,
)
from interplay.records.formats.matrix.tracks import number_of, write_tracks
from interplay.records.masks import MaskTrack

_COLUMNS = ("video", "prompt")


class MatrixWriter:
    """Adds clips to a folder; written again over the same folder, the same clips give the same files."""

    def __init__(self, out: Path, options: MatrixOptions) -> None:
        self._out, self._options = out, options
        self._table = out / f"{METADATA}.{options.metadata_format}"
        self._rows: list[dict[str, Any]] = []
        self._clips: dict[str, ClipSidecar] = {}
        self._ids: set[str] = set()
        others = [path.name for path in tables_in(out) if path != self._table]
        if others:
            problem = f"holds {' and '.join(others)}, and {self._table.name} would be a second table of the same clips"
            raise InputError(problem, where=out, cure="give an empty folder, or write that kind of table")
        for name in (VIDEOS, MASKS):
            (out / name).mkdir(parents=True, exist_ok=True)

    def add(self, located: LocatedClip) -> Written:
        """Write the clip's video and masks, and queue its row; a clip that cannot be written leaves nothing."""
        clip, stem = located.clip, _stem(located.clip)
        self._check(clip, stem)
        tracks = self._chosen(clip.tracks)
        prompt = _prompt(clip)
        caption = None if _reread(prompt, clip) == clip.caption else clip.caption
        lost = self._lost(located, tracks)
        video = self._files(located, stem, tracks)
        self._clips[stem] = ClipSidecar(caption=caption, gaps=_gaps(tracks))
        self._ids.update(tracks)
        self._rows.append({"video": _named(video, clip), "prompt": prompt} | _further_columns(clip))
        return Written(clip.clip_id, lost)

    def finish(self) -> None:
        """Write the table and the sidecar, and take away what killed runs left."""
        for unfinished in (self._out / MASKS).glob(".*.tmp"):
            shutil.rmtree(unfinished, ignore_errors=True)
        columns = dict.fromkeys(column for row in self._rows for column in row)
        write_table(self._table, self._rows, [*_COLUMNS, *(name for name in columns if name not in _COLUMNS)])
        sidecar = Sidecar(
            palette={
                instance_id: colour_of(number_of(instance_id)) for instance_id in sorted(self._ids, key=number_of)
            },
            clips={stem: clip for stem, clip in self._clips.items() if clip != ClipSidecar()},
        )
        write_json(self._out / SIDECAR, sidecar.model_dump(mode="json", exclude_defaults=True) | {"version": 1})

    def _check(self, clip: Clip, stem: str) -> None:
        where = f"clip {clip.clip_id}"
        check_clip(clip, where=where)
        if not clip.caption.strip():
            cure = "caption the clip first, or choose a format that does without"
            raise InputError("has no caption, and this layout is one of videos and prompts", where=where, cure=cure)
        if stem in self._clips:
            raise InputError(f"the name {stem} is taken already", where=where, cure="give every clip its own id")
        if odd := [name for name in clip.tracks if not (is_label(name) and is_instance_id(name))]:
            cure = "call the instances id1, id2, ..."
            raise InputError(f"the track {odd[0]!r} cannot have a folder <idN>", where=where, cure=cure)

    def _files(self, located: LocatedClip, stem: str, tracks: Mapping[str, MaskTrack]) -> str:
        masks = self._out / MASKS / stem
        try:
            write_tracks(masks, tracks, merged=self._options.write_merged)
            return copy_video(located.video, self._out / VIDEOS, stem, located.clip.fps)
        except BaseException:
            shutil.rmtree(masks, ignore_errors=True)  # masks of no video would be a damaged set
            raise

    def _chosen(self, tracks: Mapping[str, MaskTrack]) -> dict[str, MaskTrack]:
        chosen = sorted(tracks, key=number_of)[: self._options.max_ids]
        return {instance_id: tracks[instance_id] for instance_id in chosen}

    def _lost(self, located: LocatedClip, tracks: Mapping[str, MaskTrack]) -> tuple[str, ...]:
        clip, lost = located.clip, []
        if left := [name for name in clip.tracks if name not in tracks]:
            lost.append(f"the tracks {', '.join(left)} are beyond max_ids = {self._options.max_ids}: not written")
        if beyond := list(tracks)[OFFICIAL_IDS:]:
            lost.append(f"the official loader reads {OFFICIAL_IDS} ids; {', '.join(beyond)} are written and beyond it")
        implied = implied_instances(clip.caption, tracks)
        if [instance.id for instance in clip.instances] != [instance.id for instance in implied]:
            lost.append("the order of the instances is that of their ids")
        by_id = {instance.id: instance for instance in implied}
        parts = lost_parts(clip, holds=("tracks", "gaps"), own="matrix", instances=by_id)
        return (*lost, *lost_of_video(located), *parts)


def official_prompt(markup: str, *, where: str) -> str:
    """The caption in the official way: ``<idN>`` before each noun, and no other markup."""
    return marked_text(markup, where=where).text


def implied_instances(markup: str, tracked: Mapping[str, MaskTrack]) -> tuple[Instance, ...]:
    """The instances that markers and mask folders imply, by their number; one that no marker names has no noun."""
    caption = parse_caption(markup)
    nouns = dict.fromkeys(tracked, "") | {label: caption.words(label)[0] for label in caption.instance_ids}
    return tuple(Instance(instance_id, nouns[instance_id]) for instance_id in sorted(nouns, key=number_of))


def _prompt(clip: Clip) -> str:
    """The source's own spelling of the prompt as long as it says the same, else the official one."""
    original = _own(clip).get("prompt")
    if isinstance(original, str) and _reread(original, clip) == clip.caption:
        return original
    return official_prompt(clip.caption, where=f"clip {clip.clip_id}, caption")


def _reread(prompt: str, clip: Clip) -> str | None:
    """The caption that a reader makes of a prompt; ``None`` when it would refuse it."""
    try:
        return foreign_markup(prompt, where=clip.clip_id)
    except InputError:
        return None


def _own(clip: Clip) -> Mapping[str, Any]:
    own = clip.extra.get("matrix", {})
    return own if isinstance(own, Mapping) else {}


def _further_columns(clip: Clip) -> dict[str, Any]:
    columns = _own(clip).get("columns", {})
    return {name: cell for name, cell in columns.items() if name not in _COLUMNS} if isinstance(columns, dict) else {}


def _stem(clip: Clip) -> str:
    """What the clip's video and masks are called: as in the source, as long as that means this clip; else its id."""
    named = _source_name(clip)
    if named is not None and clip_id_from(named.with_suffix("")) == clip.clip_id:
        return named.with_suffix("").as_posix()
    return clip.clip_id


def _named(video: str, clip: Clip) -> str:
    """What the table calls the video: as the source's table did, as long as that means this file."""
    if _source_name(clip) == PurePosixPath(video):
        return str(_own(clip)["video"])
    return video


def _source_name(clip: Clip) -> PurePosixPath | None:
    """The video's path below ``videos`` in the source; ``None`` where nobody says, or it is no plain path."""
    named = _own(clip).get("video", "")
    path = PurePosixPath(named.strip() if isinstance(named, str) else "")
    if path.parts[:1] == (VIDEOS,):
        path = path.relative_to(VIDEOS)
    # A store may come from anybody: a name out of it must not lead out of the folder.
    plain = path.name and not path.is_absolute() and ".." not in path.parts and "\0" not in str(path)
    return path if plain else None


def _gaps(tracks: Mapping[str, MaskTrack]) -> dict[str, tuple[tuple[int, int], ...]]:
    gaps = {name: tuple((gap.start, gap.stop) for gap in track.gaps()) for name, track in tracks.items()}
    return {name: ranges for name, ranges in gaps.items() if ranges}
