"""Where the videos of a video instance set lie: a folder of frame pictures each, or a video file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from interplay.core.errors import InputError
from interplay.records.formats.common.media_files import VIDEO_SUFFIXES
from interplay.records.formats.common.paths import inside
from interplay.records.formats.ytvis.source import VideoEntry
from interplay.records.media.pictures import picture_files

PICTURES, VIDEOS, ANNOTATIONS = "JPEGImages", "videos", "annotations"
# The folders that file names start from: none, the official one, and those of the COCO style.
_BASES = ("", PICTURES, "images", VIDEOS)
_FILE_KEYS = ("file_name", "video")
_WORD = re.compile(r"[A-Za-z0-9]+")


def name_of(video: VideoEntry) -> PurePosixPath:
    """What the set calls the video: the folder of its frames, its file without the suffix, its ``name``, or its id."""
    file = _file_of(video)
    if file is not None:
        path = PurePosixPath(file.strip())
        path = path.relative_to(VIDEOS) if path.parts[:1] == (VIDEOS,) else path
        return path.with_suffix("") if path.name else path
    folder = PurePosixPath(video.names[0].strip()).parent if video.names else PurePosixPath()
    name = video.entry.get("name")
    told = name if isinstance(name, str) and name.strip() else f"video-{video.key}"
    return folder if folder.name else PurePosixPath(told)


def find_video(video: VideoEntry, json_path: Path, media_root: str | None, *, follow_links: bool) -> Path:
    """The video's file, or the folder that holds its frames and nothing else; :class:`InputError` about its entry."""
    file, where = _file_of(video), video.where
    if file is None and not video.names:
        cure = "name its frames as file_names, or its video as file_name"
        raise InputError("names no files", where=where, cure=cure)
    bases = _bases(json_path) if media_root is None else [json_path.parent / media_root]
    first = file or video.names[0]
    base = next((base for base in bases if os.path.lexists(base / first.strip())), bases[0])
    if file is not None:
        return _checked_file(inside(base, file, where=where, follow_links=follow_links), where)
    return _folder(base, video.names, where, follow_links)


def _bases(json_path: Path) -> list[Path]:
    """The folders that file names may start from.

    The JSON's own, or that of the set; in these the part of the set that the JSON's name tells (``train.json`` or
    ``annotations/instances_train.json`` beside ``train/JPEGImages``); and the usual ones in each.
    """
    roots = [json_path.parent]
    if json_path.parent.name == ANNOTATIONS:
        roots.append(json_path.parent.parent)
    parts = dict.fromkeys(_WORD.findall(json_path.stem))
    roots += [root / part for root in roots for part in parts]
    return [root / name for root in roots for name in _BASES]


def _file_of(video: VideoEntry) -> str | None:
    if len(video.names) == 1 and PurePosixPath(video.names[0]).suffix.lower() in VIDEO_SUFFIXES:
        return video.names[0]
    return None if video.names else next((video.entry[key] for key in _FILE_KEYS if _is_text(video.entry, key)), None)


def _is_text(entry: object, key: str) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get(key), str) and bool(entry[key].strip())


def _checked_file(path: Path, where: str) -> Path:
    if not path.is_file():
        raise InputError(f"{path} is no file", where=where, cure="name a video file")
    return path


def _folder(base: Path, names: Sequence[str], where: str, follow_links: bool) -> Path:
    parents = {PurePosixPath(name.strip()).parent.as_posix() for name in names}
    if len(parents) > 1:
        raise InputError("its frames lie in several folders", where=where, cure="put them into one folder")
    inside(base, names[0], where=where, follow_links=follow_links)
    folder = inside(base, parents.pop(), where=where, follow_links=follow_links)
    there = [path.name for path in _pictures(folder, where, follow_links)]
    listed = [PurePosixPath(name.strip()).name for name in names]
    if missing := [name for name in listed if name not in set(there)]:
        problem = f"there is no frame {folder / missing[0]} ({len(missing)} of {len(listed)} are missing)"
        raise InputError(problem, where=where, cure="add the frames, or take them out of file_names")
    if there != listed:
        problem = f"lists {len(listed)} frames, and {folder} holds {len(there)} pictures in another order or number"
        cure = "keep just the listed frames in the folder, numbered in their order"
        raise InputError(problem, where=where, cure=cure)
    return folder


def _pictures(folder: Path, where: str, follow_links: bool) -> Iterator[Path]:
    for path in picture_files(folder) or ():
        if path.is_symlink():
            inside(folder, path.name, where=where, follow_links=follow_links)
        yield path
