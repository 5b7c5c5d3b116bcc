"""Video instance sets in JSON: YouTube-VIS in and out, COCO-style video sets in.

The JSON lists videos, each as frame pictures (``file_names``) or one video file (``file_name``), and per instance an
annotation with a mask for each frame. An instance's noun is the name of its category, its id here ``id1``, ``id2``, ...
in the order of the annotations. How masks and ``null`` are read: :mod:`.tracks`.

These sets know no captions, interactions or sound. What a clip has beyond masks stands, in what we write, under one key
``interplay`` of its video, and other readers pass it over. On the way back masks come from the annotations in any case,
since other tools may have edited them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import PositiveFloat

from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.core.manifest import MANIFEST
from interplay.records.formats.base import DatasetFormat, LocatedClip, Rejected, Written, write_each
from interplay.records.formats.common.naming import Taken, clip_id_from
from interplay.records.formats.ytvis.media import ANNOTATIONS, find_video, name_of
from interplay.records.formats.ytvis.own import KEY, own_of
from interplay.records.formats.ytvis.reading import Found, foreign_clip, own_clip
from interplay.records.formats.ytvis.source import VideoEntry, VideoSet, read_set
from interplay.records.formats.ytvis.writing import YtvisWriter
from interplay.records.media.video import VideoInfo, probe_video

# A look at a file reads no more than this of it.
_LOOK_BYTES = 1 << 16
_FOLDERS = ("", ANNOTATIONS)
# Keys that no other JSON of the field has: any of the first, or both of the second.
_TELLING = (b'"videos"', b'"file_names"', b'"segmentations"')
_TELLING_TOGETHER = (b'"video_id"', b'"frame_i')


class YtvisOptions(Config):
    """Where things are when they are not in the usual place, how masks are read, and what is written.

    ``annotations`` names the JSON file in the folder (default: the only one that fits), ``media_root`` the folder that
    file names start from, seen from the JSON (default: its own, or ``JPEGImages``, ``images``, ``videos`` there; the
    same beside ``annotations``, and in the folder ``train`` where the JSON's name says so).
    ``null``: frames without a mask are gaps of the track, or frames in which the instance is not seen (``empty``).
    ``fps`` is the rate of frame pictures (default: the entry's ``fps``, else 6 as in YouTube-VIS). ``follow_links``
    admits links that lead out of the set.

    ``pictures`` writes every video as frame pictures, which most readers of these sets need.
    """

    annotations: str | None = None
    media_root: str | None = None
    null: Literal["gap", "empty"] = "gap"
    fps: PositiveFloat | None = None
    follow_links: bool = False
    pictures: bool = False


class YtvisFormat(DatasetFormat[YtvisOptions]):
    """YouTube-VIS: ``instances.json`` and ``JPEGImages/<video>/NNNNN.jpg``; reads COCO-style video JSON, too."""

    name = "ytvis"
    summary = "YouTube-VIS and COCO-style video JSON: a mask per instance and frame, as RLE or polygons"
    options_type = YtvisOptions

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """A JSON file that begins like one of these sets, or a folder that holds one."""
        return bool(_candidates(source))

    def read(self, source: Path) -> Iterator[LocatedClip | Rejected]:
        """Every video, then a verdict on annotations that belong to none."""
        path = self._json(source)
        whole, taken = read_set(path), Taken()
        for entry in whole.videos:
            yield self._verdict(entry, whole, path, taken)
        for number, error in enumerate(whole.orphans):
            yield Rejected.because(f"annotations-{number}", error)

    def write(self, clips: Iterable[LocatedClip], out: Path) -> Iterator[Written | Rejected]:
        """Write ``instances.json``, and the videos or their frames beside it."""
        with YtvisWriter(out, pictures=self.options.pictures) as writer:
            yield from write_each(clips, writer.add)
            writer.finish()

    def _json(self, source: Path) -> Path:
        if source.is_file():
            return source
        if self.options.annotations is not None:
            return source / self.options.annotations
        found = _candidates(source)
        if len(found) != 1:
            names = ", ".join(str(path.relative_to(source)) for path in found)
            problem = f"holds {names}" if found else "holds no JSON file of videos and annotations"
            raise InputError(problem, where=source, cure="name the file: --set annotations=FILE")
        return found[0]

    def _verdict(self, entry: VideoEntry, whole: VideoSet, path: Path, taken: Taken) -> LocatedClip | Rejected:
        clip_id = clip_id_from(PurePosixPath(f"video-{entry.key}"))
        try:
            if entry.error is not None:
                raise entry.error
            own = own_of(entry.entry.get(KEY), entry.where)
            clip_id = clip_id_from(name_of(entry)) if own is None else own.clip.clip_id
            taken.take(clip_id, entry.where)
            found = self._found(entry, path)
            return foreign_clip(found, clip_id, whole) if own is None else own_clip(own, found, whole)
        except InputError as error:
            return Rejected.because(clip_id, error)

    def _found(self, entry: VideoEntry, path: Path) -> Found:
        options = self.options
        video = find_video(entry, path, options.media_root, follow_links=options.follow_links)
        info = probe_video(video)
        _check_declared(entry, info)
        return Found(entry, video, info, path.parent, options.null, options.fps, options.follow_links)


def _check_declared(entry: VideoEntry, info: VideoInfo) -> None:
    actual = {"height": info.size_hw[0], "width": info.size_hw[1], "length": info.num_frames}
    for name, value in actual.items():
        if entry.entry.get(name, value) != value:
            problem = f"is {str(entry.entry[name])[:40]}, and the video has {value}"
            cure = "give the video that the masks were made for"
            raise InputError(problem, where=f"{entry.where}, {name}", cure=cure)


def _candidates(source: Path) -> list[Path]:
    if source.is_file():
        return [source] if _looks_right(source) else []
    files = [path for folder in _FOLDERS for path in sorted((source / folder).glob("*.json"))]
    # A conversion's manifest names formats and folders, so it can look like a set.
    return [path for path in files if path.name != MANIFEST and _looks_right(path)]


def _looks_right(path: Path) -> bool:
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    with path.open("rb") as stream:
        beginning = stream.read(_LOOK_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    telling = any(key in beginning for key in _TELLING) or all(key in beginning for key in _TELLING_TOGETHER)
    return beginning.startswith(b"{") and telling
