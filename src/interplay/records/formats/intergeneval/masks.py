"""Masks and tracks of one InterGenEval item: a picture per object of the first frame, and per object and frame.

A track of the whole video goes before a mask of the first frame, which comes from another predictor and may differ;
then both are kept. An object with a mask alone is known in frame 0 and nowhere else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interplay.core.errors import InputError
from interplay.records.formats.base import Note
from interplay.records.formats.common.mask_files import numbered_pictures, read_mask, read_mask_track
from interplay.records.formats.common.mask_values import MaskOptions
from interplay.records.formats.common.naming import relative
from interplay.records.formats.common.paths import inside
from interplay.records.formats.intergeneval.items import Beside
from interplay.records.formats.intergeneval.layout import MASKS, TRACKS, Layout
from interplay.records.masks import MaskTrack
from interplay.records.media.video import VideoInfo
from interplay.records.sizes import size_text

_OBJECT = re.compile(r"<?id(?P<number>[1-9][0-9]{0,8})>?(?P<suffix>\.(?:png|jpg|jpeg))?", re.IGNORECASE)


@dataclass
class ReadMasks:
    """What was found: tracks by instance id, first-frame masks that are no part of them, and notes."""

    tracks: dict[str, MaskTrack] = field(default_factory=dict)
    apart: dict[str, MaskTrack] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


def read_masks(
    layout: Layout, number: int, ids: Sequence[str], info: VideoInfo, beside: Beside, options: MaskOptions
) -> ReadMasks:
    """Everything under the item's number, in the order of the objects; ``info`` is the clip's video or picture."""
    read = ReadMasks()
    for name, folder in _objects(layout, TRACKS, number, ids):
        _add_track(read, name, folder, layout, info, beside, options)
    for name, path in _objects(layout, MASKS, number, ids):
        _add_mask(read, name, path, info, options)
    order = {name: place for place, name in enumerate(ids)}
    read.tracks = dict(sorted(read.tracks.items(), key=lambda item: order.get(item[0], len(order))))
    return read


def apart_as_json(apart: Mapping[str, MaskTrack]) -> dict[str, Any]:
    """First-frame masks as COCO encodings, for a clip's ``extra``."""
    return {
        name: {"size": list(mask.size_hw), "counts": (mask.frames[0] or b"").decode("ascii")}
        for name, mask in apart.items()
    }


def apart_from_json(value: Any, *, where: str) -> dict[str, MaskTrack]:
    """The inverse of :func:`apart_as_json`, checked; :class:`InputError` about ``where``."""
    if value is None:
        return {}
    masks = value.values() if isinstance(value, Mapping) else [None]
    if not all(isinstance(mask, Mapping) and mask.get("counts") is not None for mask in masks):
        cure = 'write {"id1": {"size": [height, width], "counts": "..."}}, or remove it'
        raise InputError("is no mapping of masks", where=where, cure=cure)
    return {
        name: MaskTrack.checked(mask.get("size"), [mask["counts"]], where=f"{where}, {name}")
        for name, mask in value.items()
    }


def _objects(layout: Layout, folder: str, number: int, ids: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Every object's mask or folder of masks: its instance id and its path, by the object's number."""
    root = layout.entry(folder, number)
    if root is None:
        return
    found: dict[int, Path] = {}
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        match = _OBJECT.fullmatch(entry.name)
        if match is None or (match["suffix"] is None) != (folder == TRACKS):
            continue
        place = int(match["number"])
        if place in found:
            told = f"has two entries for object {place} ({found[place].name} and {entry.name})"
            raise InputError(told, where=root, cure="keep one")
        found[place] = Path(entry.path)
    for place, path in sorted(found.items()):
        named = relative(path, layout.root).as_posix()
        inside(layout.root, named, where=str(path), follow_links=layout.follow_links)
        yield (ids[place - 1] if place <= len(ids) else f"id{place}"), path


def _add_track(
    read: ReadMasks, name: str, folder: Path, layout: Layout, info: VideoInfo, beside: Beside, options: MaskOptions
) -> None:
    if not folder.is_dir():
        raise InputError("is no folder", where=folder, cure="put one mask per frame into a folder")
    if info.num_frames > 1:
        found = read_mask_track(
            folder,
            num_frames=info.num_frames,
            size_hw=info.size_hw,
            options=options,
            gaps=beside.unknown(name, info.num_frames),
            follow_links=layout.follow_links,
        )
        read.tracks[name] = found.track
        read.notes += found.notes
        return
    pictures, notes = numbered_pictures(folder, follow_links=layout.follow_links)
    if pictures:
        first = next(iter(pictures.values()))
        mask, met = read_mask(first, size_hw=info.size_hw, options=options)
        read.tracks[name] = MaskTrack.from_array(mask[None])
        read.notes += [*notes, *met]
    if len(pictures) != 1:
        told = f"holds masks of {len(pictures)} frames, and there is no video, only its first picture"
        read.notes.append(Note(str(folder), told, "the mask of the first frame was read"))


def _add_mask(read: ReadMasks, name: str, path: Path, info: VideoInfo, options: MaskOptions) -> None:
    mask, notes = read_mask(path, options=options)
    read.notes += notes
    alone = MaskTrack.from_array(mask[None])
    track = read.tracks.get(name)
    if track is None and alone.size_hw == info.size_hw:
        read.tracks[name] = MaskTrack(alone.size_hw, (*alone.frames, *[None] * (info.num_frames - 1)))
        return
    if track is not None and track.select([0]) == alone:
        return
    read.apart[name] = alone
    if track is None:
        told = f"the mask is {size_text(alone.size_hw)}, and the video {size_text(info.size_hw)}"
        done = "it is kept apart, and is no track"
    else:
        told = f"the mask is not frame 0 of the track ({_difference(track, alone)})"
        done = "the track was taken, the mask is kept apart"
    read.notes.append(Note(str(path), told, done))


def _difference(track: MaskTrack, mask: MaskTrack) -> str:
    if track.frames[0] is None:
        return "which is unknown there"
    if track.size_hw != mask.size_hw:
        return f"it is {size_text(mask.size_hw)}, the track {size_text(track.size_hw)}"
    first = track.select([0])
    different = first.union(mask).areas()[0] - first.intersection(mask).areas()[0]
    return f"{different} pixels differ"
