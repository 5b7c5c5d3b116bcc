"""The mask folders of one MATRIX clip: ``<id1>``, ``<id2>``, ..., each with a picture per frame."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from interplay.core.errors import InputError
from interplay.records.caption import is_instance_id, is_label
from interplay.records.formats.base import Note
from interplay.records.formats.common.mask_files import (
    frame_name,
    picture_png,
    read_mask_track,
    replaced_folder,
    write_mask_track,
)
from interplay.records.formats.common.paths import inside
from interplay.records.formats.matrix.layout import (
    MERGED,
    OFFICIAL_FRAMES,
    OFFICIAL_IDS,
    ClipSidecar,
    MatrixOptions,
    colour_of,
)
from interplay.records.masks import MaskTrack

# Brackets get lost on the way through shells and object stores.
_FOLDER = re.compile(r"<(?P<bracketed>.+)>|(?P<bare>.+)")
# A palette has 256 places, the first of which is the background.
_LARGEST_INDEX = 255


@dataclass(frozen=True)
class Tracks:
    """The tracks of a clip by instance id, in the order of the ids, and what was met on the way."""

    tracks: Mapping[str, MaskTrack]
    notes: tuple[Note, ...] = ()


def number_of(instance_id: str) -> int:
    """The number in ``id12``."""
    return int(instance_id.removeprefix("id"))


def read_tracks(
    root: Path, stem: str, num_frames: int, size_hw: tuple[int, int], options: MatrixOptions, sidecar: ClipSidecar
) -> Tracks:
    """Every track of the clip ``stem`` in the folder of masks; :class:`InputError` about the first that is unusable."""
    folder = root / stem
    if not os.path.lexists(folder):
        return Tracks({}, (Note(str(folder), "there is no such folder of masks", "the clip has no tracks"),))
    inside(root, stem, where=str(folder), follow_links=options.follow_links)
    folders, notes = _folders(folder, options)
    chosen = list(folders)[: options.max_ids]
    tracks = {}
    for instance_id in chosen:
        read = read_mask_track(
            folders[instance_id],
            num_frames=num_frames,
            size_hw=size_hw,
            options=options.masks,
            gaps=sidecar.frames(instance_id, num_frames),
            follow_links=options.follow_links,
        )
        tracks[instance_id] = read.track
        notes = (*notes, *read.notes)
    return Tracks(tracks, (*notes, *_oddities(folder, list(folders), len(chosen), num_frames)))


def write_tracks(folder: Path, tracks: Mapping[str, MaskTrack], *, merged: bool) -> None:
    """Write each track into its ``<idN>`` folder, and all of them into ``merged``, replacing ``folder`` in one step."""
    if not tracks:
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier run with other options
        return
    with replaced_folder(folder) as temporary:
        for instance_id, track in tracks.items():
            write_mask_track(temporary / f"<{instance_id}>", track)
        if merged:
            _write_merged(temporary / MERGED, tracks)


def _folders(folder: Path, options: MatrixOptions) -> tuple[dict[str, Path], tuple[Note, ...]]:
    found: dict[str, Path] = {}
    others: list[str] = []
    for path in _below(folder, options.follow_links):
        match = _FOLDER.fullmatch(path.name)
        name = (match["bracketed"] or match["bare"]) if match else ""
        if not (is_label(name) and is_instance_id(name)):
            others += [path.name] if path.name != MERGED else []
        elif name in found:
            problem = f"holds two folders for {name} ({found[name].name} and {path.name})"
            raise InputError(problem, where=folder, cure="remove one of them")
        else:
            found[name] = path
    told = f"{len(others)} entries are no <idN> folders ({', '.join(others[:3])})"
    notes = (Note(str(folder), told, "they were not read"),) if others else ()
    return dict(sorted(found.items(), key=lambda item: number_of(item[0]))), notes


def _below(folder: Path, follow_links: bool) -> Iterator[Path]:
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=folder, cure="make it a folder") from error
    for name in names:
        yield inside(folder, name, where=str(folder / name), follow_links=follow_links)


def _oddities(folder: Path, ids: list[str], taken: int, num_frames: int) -> Iterator[Note]:
    where = str(folder)
    if not ids:
        yield Note(where, "holds no <idN> folders", "the clip has no tracks")
        return
    if taken < len(ids):
        yield Note(where, f"has {len(ids)} ids, and max_ids is {taken}", f"{', '.join(ids[taken:])} were not read")
    if len(ids) > OFFICIAL_IDS:
        yield Note(where, f"has {len(ids)} ids; the official loader reads {OFFICIAL_IDS}", "they are legal here")
    if ids != [f"id{place}" for place in range(1, len(ids) + 1)]:
        told = f"the ids have holes ({', '.join(ids)}); the official loader would confuse them"
        yield Note(where, told, "each is read by its name")
    if num_frames > OFFICIAL_FRAMES:
        told = f"has {num_frames} masks per id; the official loader reads {OFFICIAL_FRAMES}"
        yield Note(where, told, "all were read")


def _write_merged(folder: Path, tracks: Mapping[str, MaskTrack]) -> None:
    """One picture per frame with every id in its colour; where ids overlap, the higher number is on top."""
    ids = sorted(tracks, key=number_of)
    indices = _indices(ids)
    num_frames, size_hw = len(tracks[ids[0]]), tracks[ids[0]].size_hw
    folder.mkdir()
    for frame in range(num_frames):
        picture = np.zeros(size_hw, dtype=np.uint8)
        for instance_id in ids:
            picture[tracks[instance_id].select([frame]).to_array()[0]] = indices[instance_id]
        image = Image.fromarray(picture)
        image.putpalette(_palette(indices))
        (folder / frame_name(frame, num_frames)).write_bytes(picture_png(image))


def _indices(ids: list[str]) -> dict[str, int]:
    """The palette index of each id: its number, so that the index means the same everywhere, as long as numbers fit."""
    if number_of(ids[-1]) <= _LARGEST_INDEX:
        return {instance_id: number_of(instance_id) for instance_id in ids}
    if len(ids) > _LARGEST_INDEX:
        cure = "write them without (--set write_merged=false)"
        raise InputError(f"{len(ids)} ids do not fit into one palette", where=MERGED, cure=cure)
    return {instance_id: place for place, instance_id in enumerate(ids, 1)}


def _palette(indices: Mapping[str, int]) -> list[int]:
    colours = [(0, 0, 0)] * (max(indices.values()) + 1)
    for instance_id, index in indices.items():
        colours[index] = colour_of(number_of(instance_id))
    return [channel for colour in colours for channel in colour]


def binding_notes(marked: Iterable[str], tracked: Iterable[str], where: str) -> Iterator[Note]:
    """Markers without masks and masks without a marker: both are legal, and neither is passed over in silence."""
    marked, tracked = list(marked), list(tracked)
    for instance_id in marked:
        if tracked and instance_id not in tracked:
            yield Note(where, f"the marker <{instance_id}> has no masks", "the instance has no track")
    for instance_id in tracked:
        if instance_id not in marked:
            yield Note(where, f"the masks <{instance_id}> have no marker in the prompt", "the instance has no noun")
