"""Writing a video instance set in the layout of YouTube-VIS, clip by clip; the JSON comes last and in one step.

Entries and annotations wait in unnamed files, since the masks of a large set do not fit into memory.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Any

from interplay.core.errors import InputError
from interplay.core.files import full_disk_named
from interplay.records.check import check_clip
from interplay.records.clip import Clip
from interplay.records.formats.base import LocatedClip, Written
from interplay.records.formats.common.mask_files import replaced_folder
from interplay.records.formats.common.media_files import copy_once, copy_video
from interplay.records.formats.ytvis.media import PICTURES
from interplay.records.formats.ytvis.own import KEY, own_value
from interplay.records.formats.ytvis.tracks import written_track
from interplay.records.media.images import write_image
from interplay.records.media.pictures import picture_files
from interplay.records.media.video import stream_video
from interplay.records.store.layout import media_path, video_path

JSON_NAME = "instances.json"
# What an instance without a noun is called, since a category must have a name.
_NAMELESS = "object"
_DIGITS = 5
_ABOUT = ("info", "licenses")


class YtvisWriter:
    """Adds clips to a folder; written again over the same folder, the same clips give the same files."""

    def __init__(self, out: Path, *, pictures: bool) -> None:
        self._out, self._pictures = out, pictures
        self._video_ids, self._annotation_ids = _Ids(), _Ids()
        self._categories = _Categories()
        self._names: set[str] = set()
        self._about: dict[str, Any] | None = None
        out.mkdir(parents=True, exist_ok=True)
        self._entries, self._annotations = _spool(out), _spool(out)

    def __enter__(self) -> YtvisWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entries.close()
        self._annotations.close()

    def add(self, located: LocatedClip) -> Written:
        """Copy the clip's media, and queue its entry and its annotations."""
        where = f"clip {located.clip.clip_id}"
        check_clip(located.clip, where=where)
        if located.clip.clip_id in self._names:
            raise InputError("the clip id is taken already", where=where, cure="give every clip its own id")
        clip, files, lost = _copied(located, self._out, self._pictures)
        self._names.add(clip.clip_id)
        told = _own(clip, "video")
        video_id = self._video_ids.take(told.get("id"))
        annotation_of = self._add_annotations(clip, video_id)
        height, width = clip.size_hw
        entry = {**told, "id": video_id, "width": width, "height": height, "length": clip.num_frames, **files}
        _put(self._entries, entry | {KEY: own_value(clip, annotation_of)})
        return Written(clip.clip_id, (*lost, *self._lost_of_set(_own(clip, "set"))))

    def finish(self) -> None:
        """Write the JSON."""
        target = self._out / JSON_NAME
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        with full_disk_named(self._out):
            try:
                with temporary.open("w", encoding="utf-8") as stream:
                    stream.writelines(self._parts())
                os.replace(temporary, target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise

    def _lost_of_set(self, about: dict[str, Any]) -> tuple[str, ...]:
        about = {name: about[name] for name in _ABOUT if name in about}
        if self._about is None:
            self._about = about
        if about == self._about:
            return ()
        return ("info and licences of the set it came from: there is place for those of one set",)

    def _parts(self) -> Iterator[str]:
        about = {"info": {"description": "written by Interplay"}, **(self._about or {})}
        yield json.dumps(about, ensure_ascii=False)[:-1]
        yield f',\n"categories": {json.dumps(self._categories.found, ensure_ascii=False)}'
        for name, spool in (("videos", self._entries), ("annotations", self._annotations)):
            yield f',\n"{name}": [\n'
            spool.seek(0)
            for number, line in enumerate(spool):
                yield f"{',' if number else ''}{line}"
            yield "]"
        yield "}\n"

    def _add_annotations(self, clip: Clip, video_id: int | str) -> dict[str, int | str]:
        nouns = {instance.id: instance.noun for instance in clip.instances}
        annotation_of: dict[str, int | str] = {}
        for instance_id, track in clip.tracks.items():
            told = dict(_own(clip, "annotations").get(instance_id) or {})
            category = told.pop("category", None)
            annotation_id = self._annotation_ids.take(told.pop("id", None))
            annotation_of[instance_id] = annotation_id
            item = {
                "iscrowd": 0,
                **told,
                "id": annotation_id,
                "video_id": video_id,
                "category_id": self._categories.id_of(nouns[instance_id] or _NAMELESS, category),
                "height": clip.size_hw[0],
                "width": clip.size_hw[1],
                "length": clip.num_frames,
            }
            _put(self._annotations, item | written_track(track))
        return annotation_of


class _Ids:
    """Ids, the wished one where it is free."""

    def __init__(self) -> None:
        self._taken: set[int | str] = set()
        self._next = 1

    def take(self, wished: object) -> int | str:
        taken: int | str
        if isinstance(wished, (int, str)) and not isinstance(wished, bool) and wished not in self._taken:
            taken = wished
        else:
            while self._next in self._taken:
                self._next += 1
            taken = self._next
        self._taken.add(taken)
        return taken


class _Categories:
    """The categories of the set: one per noun, with the id that its source had where that is free."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []
        self._ids = _Ids()

    def id_of(self, noun: str, told: object) -> int | str:
        for category in self.found:
            if category["name"] == noun:
                return self._id(category)
        source = told if isinstance(told, dict) and told.get("name") == noun else {}
        category = {**source, "id": self._ids.take(source.get("id")), "name": noun}
        self.found.append(category)
        return self._id(category)

    def _id(self, category: Mapping[str, Any]) -> int | str:
        found: int | str = category["id"]
        return found


def _copied(located: LocatedClip, out: Path, pictures: bool) -> tuple[Clip, dict[str, Any], tuple[str, ...]]:
    """The clip with its media in their places below ``out``, how its entry names them, and what was lost."""
    clip, source = located.clip, located.video
    suffix = ".mp4" if source.is_dir() else source.suffix.lower()
    video = video_path(clip.clip_id, suffix)
    lost: tuple[str, ...] = ()
    if source.is_dir():
        files: dict[str, Any] = {"file_names": _copied_pictures(source, out / PICTURES, clip.clip_id), "fps": clip.fps}
    elif pictures:
        names = _extracted(source, out / PICTURES, clip.clip_id, clip.num_frames)
        files = {"file_names": names, "fps": clip.fps}
        lost = (f"the file {source.name}: its frames are written as pictures",)
    else:
        copy_once(source, out / video)
        files = {"file_name": video}
    media = {name: _copied_medium(located, name, located.files[path], out) for name, path in clip.media.items()}
    return replace(clip, video=video, media=media), files, lost


def _copied_medium(located: LocatedClip, name: str, source: Path, out: Path) -> str:
    clip = located.clip
    if source.is_dir():
        folder = PurePosixPath(media_path(clip.clip_id, name, ""))
        return (folder.parent / copy_video(source, out / folder.parent, folder.name, clip.fps)).as_posix()
    path = media_path(clip.clip_id, name, source.suffix.lower())
    copy_once(source, out / path)
    return path


def _copied_pictures(source: Path, root: Path, clip_id: str) -> list[str]:
    pictures = picture_files(source) or ()
    with replaced_folder(root / clip_id) as temporary:
        for picture in pictures:
            copy_once(picture, temporary / picture.name)
    return [f"{clip_id}/{picture.name}" for picture in pictures]


def _extracted(source: Path, root: Path, clip_id: str, num_frames: int) -> list[str]:
    names = [f"{frame:0{_DIGITS}d}.png" for frame in range(num_frames)]
    with replaced_folder(root / clip_id) as temporary:
        for name, frame in zip(names, stream_video(source, range(num_frames)), strict=True):
            write_image(temporary / name, frame)
    return [f"{clip_id}/{name}" for name in names]


def _own(clip: Clip, part: str) -> dict[str, Any]:
    """A part of what the source of this format said; empty where a store holds something else there."""
    own = clip.extra.get("ytvis")
    told = own.get(part) if isinstance(own, dict) else None
    return dict(told) if isinstance(told, dict) else {}


def _spool(folder: Path) -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8", dir=folder)  # closed by __exit__


def _put(spool: IO[str], value: Mapping[str, Any]) -> None:
    spool.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
