"""The JSON of YouTube-VIS and of COCO-style video sets, in one shape: videos, and their annotations per frame.

YouTube-VIS (``videos`` with ``file_names``, ``annotations`` with one entry per frame) is that shape already. In the
COCO style every frame is an ``image`` with ``video_id`` and ``frame_id``, and every mask an annotation of one image
with an ``instance_id`` or ``track_id``: these are gathered by video and instance, and frames without an entry hold
``null``. What the gathered entries say beyond masks, boxes and categories (ids of their own, areas) is not kept.

All of it is somebody else's word: nothing here is believed to have the type that it should have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from interplay.core.errors import InputError
from interplay.records.formats.common.paths import check_regular
from interplay.records.formats.common.tables import parse_json

_FRAME_KEYS, _TRACK_KEYS = ("frame_id", "frame_index"), ("instance_id", "track_id")
_CURE = "correct it, or take the entry out"


@dataclass(frozen=True)
class Annotation:
    """One instance of a video: masks (``segmentations``) and boxes, one entry or ``None`` per frame.

    ``rest`` is everything else that the source says about it.
    """

    key: Hashable
    category: Hashable
    segmentations: Sequence[Any]
    bboxes: Sequence[Any]
    rest: Mapping[str, Any]
    where: str


@dataclass(frozen=True)
class VideoEntry:
    """One video: ``names`` are its frames' files (none when ``entry`` names a video file), in order.

    ``error`` says why it cannot be used, when already its entry tells.
    """

    key: Hashable
    entry: Mapping[str, Any]
    names: tuple[str, ...]
    where: str
    annotations: Sequence[Annotation] = ()
    error: InputError | None = None


@dataclass(frozen=True)
class VideoSet:
    """A whole JSON file: its videos in their order, its categories, and annotations that belong to no video."""

    videos: Sequence[VideoEntry]
    categories: Mapping[Hashable, Mapping[str, Any]]
    orphans: Sequence[InputError] = ()
    info: Mapping[str, Any] = field(default_factory=dict)


def read_set(path: Path) -> VideoSet:
    """The videos of a JSON file; :class:`InputError` when it is none of this kind as a whole."""
    check_regular(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read as text ({error})", where=path, cure="check the file") from error
    data = parse_json(text, str(path))
    if not isinstance(data, dict):
        cure = "give a JSON object with videos, annotations and categories"
        raise InputError("is no JSON object", where=path, cure=cure)
    styled_as_coco = bool(_list(data, "images", path))
    found = _coco(data, path) if styled_as_coco else _youtube(data, path)
    kept = {name: data[name] for name in ("info", "licenses") if data.get(name)}
    return VideoSet(found[0], _categories(data, path), found[1], kept)


# --- YouTube-VIS -----------------------------------------------------------------------------------------------------


def _youtube(data: Mapping[str, Any], path: Path) -> tuple[list[VideoEntry], list[InputError]]:
    videos = _list(data, "videos", path)
    if not videos:
        raise InputError("holds no videos", where=path, cure="give a JSON file with a list `videos`")
    grouped, orphans = _grouped(data, path)
    entries = [_entry(number, video, grouped, path) for number, video in enumerate(videos)]
    entries = list(_told_apart(entries))
    orphans += _of_no_video(grouped, path)
    return entries, orphans


def _entry(number: int, video: Any, grouped: dict[Hashable, list[Any]], path: Path) -> VideoEntry:
    where = f"{path}, videos[{number}]"
    try:
        key = _key(_object(video, where), "id", where)
        taken = grouped.pop(key, [])
        annotations = [_annotation(item, place) for place, item in taken]
        return VideoEntry(key, video, _names(video, where), where, annotations)
    except InputError as error:
        if isinstance(video, dict):
            grouped.pop(_hashable(video.get("id")), None)
        return VideoEntry(f"video-{number}", {}, (), where, error=error)


def _told_apart(entries: Sequence[VideoEntry]) -> Iterator[VideoEntry]:
    seen: set[Hashable] = set()
    for entry in entries:
        if entry.key in seen and entry.error is None:
            error = InputError(f"the id {entry.key!r} is taken already", where=entry.where, cure="give it its own id")
            entry = replace(entry, annotations=(), error=error)
        seen.add(entry.key)
        yield entry


def _names(video: Mapping[str, Any], where: str) -> tuple[str, ...]:
    names = video.get("file_names", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError("is no list of file names", where=f"{where}, file_names", cure=_CURE)
    return tuple(names)


def _grouped(data: Mapping[str, Any], path: Path) -> tuple[dict[Hashable, list[Any]], list[InputError]]:
    grouped: dict[Hashable, list[Any]] = defaultdict(list)
    errors: list[InputError] = []
    for number, item in enumerate(_list(data, "annotations", path)):
        where = f"{path}, annotations[{number}]"
        try:
            grouped[_key(_object(item, where), "video_id", where)].append((where, item))
        except InputError as error:
            errors.append(error)
    return grouped, errors


def _of_no_video(grouped: Mapping[Hashable, list[Any]], path: Path) -> list[InputError]:
    cure = "restore the video's entry, or remove its annotations"
    return [
        InputError(f"{len(items)} annotations are of the video {key!r}, which is not listed", where=path, cure=cure)
        for key, items in grouped.items()
    ]


def _annotation(item: Mapping[str, Any], where: str) -> Annotation:
    masks, boxes = item.get("segmentations"), item.get("bboxes")
    for name, value in (("segmentations", masks), ("bboxes", boxes)):
        if value is not None and not isinstance(value, list):
            raise InputError("is no list with one entry per frame", where=f"{where}, {name}", cure=_CURE)
    known = ("id", "category_id", "video_id", "segmentations", "bboxes", "areas", "height", "width", "length")
    rest = {name: value for name, value in item.items() if name not in known}
    return Annotation(
        key=_key(item, "id", where),
        category=_hashable(item.get("category_id")),
        segmentations=masks or [],
        bboxes=boxes or [],
        rest=rest,
        where=where,
    )


# --- COCO style ------------------------------------------------------------------------------------------------------


def _coco(data: Mapping[str, Any], path: Path) -> tuple[list[VideoEntry], list[InputError]]:
    images, errors = _images(data, path)
    of_image, more = _by_image(data, path)
    entries = _entries(data, path)
    videos = []
    for key in dict.fromkeys([*entries, *images]):
        where, entry = f"{path}, video {key!r}", entries.get(key, {})
        try:
            frames = _in_order(images.get(key, []), where)
            videos.append(_coco_video(key, entry, frames, of_image, where))
        except InputError as error:
            videos.append(VideoEntry(key, entry, (), where, error=error))
        for image in images.get(key, []):
            of_image.pop(_hashable(image.get("id")), None)
    lost = sum(map(len, of_image.values()))
    if lost:
        cure = "restore the images, or remove their annotations"
        more.append(InputError(f"{lost} annotations are of images that are not listed", where=path, cure=cure))
    return videos, errors + more


def _entries(data: Mapping[str, Any], path: Path) -> dict[Hashable, Mapping[str, Any]]:
    """What the list of videos says, where there is one; a fault in it is one of the whole file."""
    places = [(video, f"{path}, videos[{number}]") for number, video in enumerate(_list(data, "videos", path))]
    return {_key(_object(video, where), "id", where): video for video, where in places}


def _images(data: Mapping[str, Any], path: Path) -> tuple[dict[Hashable, list[Any]], list[InputError]]:
    grouped: dict[Hashable, list[Any]] = defaultdict(list)
    errors: list[InputError] = []
    for number, image in enumerate(_list(data, "images", path)):
        where = f"{path}, images[{number}]"
        try:
            _key(_object(image, where), "id", where)
            if not isinstance(image.get("file_name"), str):
                raise InputError("names no file", where=f"{where}, file_name", cure=_CURE)
            grouped[_key(image, "video_id", where)].append(image)
        except InputError as error:
            errors.append(error)
    return grouped, errors


def _by_image(data: Mapping[str, Any], path: Path) -> tuple[dict[Hashable, list[Any]], list[InputError]]:
    grouped: dict[Hashable, list[Any]] = defaultdict(list)
    errors: list[InputError] = []
    for number, item in enumerate(_list(data, "annotations", path)):
        where = f"{path}, annotations[{number}]"
        try:
            grouped[_key(_object(item, where), "image_id", where)].append((where, item))
        except InputError as error:
            errors.append(error)
    return grouped, errors


def _in_order(images: Sequence[Mapping[str, Any]], where: str) -> list[Mapping[str, Any]]:
    by_number: dict[int, Mapping[str, Any]] = {}
    for image in images:
        number = next((image[key] for key in _FRAME_KEYS if key in image), None)
        if type(number) is not int or number in by_number:
            problem = f"its images have no frame numbers ({' or '.join(_FRAME_KEYS)}), or share one"
            raise InputError(problem, where=where, cure="number the images of each video")
        by_number[number] = image
    return [by_number[number] for number in sorted(by_number)]


def _coco_video(
    key: Hashable,
    entry: Mapping[str, Any],
    frames: Sequence[Mapping[str, Any]],
    of_image: Mapping[Hashable, list[Any]],
    where: str,
) -> VideoEntry:
    tracks: dict[Hashable, list[tuple[int, str, Mapping[str, Any]]]] = defaultdict(list)
    for index, image in enumerate(frames):
        for place, item in of_image.get(_hashable(image["id"]), []):
            tracks[_track_key(item, place)].append((index, place, item))
    sizes = {name: frames[0][name] for name in ("height", "width") if frames and name in frames[0]}
    annotations = [_gathered(track, items, len(frames)) for track, items in tracks.items()]
    names = tuple(str(image["file_name"]) for image in frames)
    return VideoEntry(key, {**sizes, "length": len(frames), **entry}, names, where, annotations)


def _track_key(item: Mapping[str, Any], where: str) -> Hashable:
    name = next((name for name in _TRACK_KEYS if name in item), None)
    if name is None:
        cure = "say which instance it is of, the same in all frames"
        raise InputError(f"has no {' or '.join(_TRACK_KEYS)}", where=where, cure=cure)
    return _key(item, name, where)


def _gathered(key: Hashable, items: Sequence[tuple[int, str, Mapping[str, Any]]], num_frames: int) -> Annotation:
    masks, boxes = [None] * num_frames, [None] * num_frames
    for index, where, item in items:
        if masks[index] is not None or boxes[index] is not None:
            raise InputError(f"the instance {key!r} has two masks in one image", where=where, cure="keep one of them")
        masks[index], boxes[index] = item.get("segmentation"), item.get("bbox")
    _, where, first = items[0]
    category = _hashable(first.get("category_id"))
    if any(_hashable(item.get("category_id")) != category for _, _, item in items):
        raise InputError(
            f"the instance {key!r} changes its category", where=where, cure="give each instance its own id"
        )
    rest = {name: first[name] for name in ("iscrowd", "occlusion") if name in first}
    return Annotation(key, category, masks, boxes, rest, where)


# --- anything --------------------------------------------------------------------------------------------------------


def _categories(data: Mapping[str, Any], path: Path) -> dict[Hashable, Mapping[str, Any]]:
    found = {}
    for number, category in enumerate(_list(data, "categories", path)):
        where = f"{path}, categories[{number}]"
        key = _key(_object(category, where), "id", where)
        if not isinstance(category.get("name"), str):
            raise InputError("is no text", where=f"{where}, name", cure="name the category")
        found[key] = category
    return found


def _list(data: Mapping[str, Any], name: str, path: Path) -> list[Any]:
    value = data.get(name)
    if value is not None and not isinstance(value, list):
        raise InputError("is no list", where=f"{path}, {name}", cure=f"give {name} as a list of objects")
    return value or []


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError("is no object", where=where, cure=_CURE)
    return value


def _key(item: Mapping[str, Any], name: str, where: str) -> Hashable:
    key = _hashable(item.get(name))
    if key is None:
        raise InputError("is missing, or neither a number nor text", where=f"{where}, {name}", cure=_CURE)
    return key


def _hashable(value: Any) -> Hashable:
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None
