"""Writing InterGenEval folders, clip by clip; ``meta.json`` comes last, so that it means a whole folder.

What a clip's own item said (``extra["intergeneval"]``) is written back as it was, as long as a reader makes the same
caption and instances of it; then only what the layout has no place for is put beside it. Otherwise, and for a clip of
another origin, the item is made anew: prompt, objects, and an eval_meta with the colours of the official overlay.
Questions are about one prompt and its objects and are never invented. Pictures and videos keep their bytes and suffix.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from interplay.core.errors import InputError
from interplay.core.files import write_json
from interplay.records.caption import foreign_markup, parse_caption
from interplay.records.clip import Clip, Instance
from interplay.records.formats.base import LocatedClip, Rejected, Written, write_each
from interplay.records.formats.common.losses import lost_of_video, lost_parts
from interplay.records.formats.common.mask_files import replaced_folder, write_mask, write_mask_track
from interplay.records.formats.common.media_files import PICTURE_SUFFIXES, copy_once, copy_video
from interplay.records.formats.intergeneval.items import (
    FORMAT,
    OWN_KEY,
    Beside,
    Labels,
    Said,
    labels_of,
    official_prompt,
    said,
)
from interplay.records.formats.intergeneval.layout import EVAL_METAS, IMAGES, MASKS, META, QUESTIONS, TRACKS, VIDEOS
from interplay.records.formats.intergeneval.masks import apart_from_json
from interplay.records.masks import MaskTrack
from interplay.records.media.video import stream_video, write_image

FIRST_FRAME = "first_frame"
# The official overlay's order, and further names for objects that it has no colour for.
_COLOURS = ("red", "green", "blue", "yellow", "magenta", "cyan", "orange", "purple", "white", "black", "brown", "pink")


def item_name(number: int) -> str:
    """What the files of an item are called."""
    return f"{number:03d}"


@dataclass(frozen=True)
class _Texts:
    """The JSON of one item as it will be written, and what a reader makes of it."""

    item: Said
    labels: Labels
    anew: bool


class InterGenEvalWriter:
    """Adds clips to a folder; written again over the same folder, the same clips give the same files."""

    def __init__(self, out: Path, first: int) -> None:
        self._out, self._first = out, first
        self._items: list[dict[str, Any]] = []

    def add_each(self, clips: Iterable[LocatedClip]) -> Iterator[Written | Rejected]:
        """Write the clips; one that cannot be written takes no number."""
        yield from write_each(clips, self._add)

    def finish(self) -> None:
        """Write ``meta.json``."""
        write_json(self._out / META, self._items)

    def _add(self, located: LocatedClip) -> Written:
        clip, name = located.clip, item_name(self._first + len(self._items))
        apart = apart_from_json(_own(clip).get("masks"), where=f"clip {clip.clip_id}, extra {FORMAT}.masks")
        texts = _texts(clip, name)
        lost = _write_pictures(located, self._out, name)
        _write_masks(clip, apart, self._out, name)
        _write_or_remove(self._out / EVAL_METAS / f"{name}.json", texts.item.eval_meta)
        _write_or_remove(self._out / QUESTIONS / f"{name}.json", texts.item.questions)
        self._items.append(_with_own_key(texts.item.meta, texts.item.beside))
        return Written(clip.clip_id, (*lost, *_losses(clip, texts)))


def _own(clip: Clip) -> Mapping[str, Any]:
    own = clip.extra.get(FORMAT)
    return own if isinstance(own, Mapping) else {}


# --- texts -----------------------------------------------------------------------------------------------------------


def _texts(clip: Clip, name: str) -> _Texts:
    kept = _as_it_was(clip, name)
    return _made_anew(clip, name) if kept is None else kept


def _as_it_was(clip: Clip, name: str) -> _Texts | None:
    """The clip's own JSON, when there is any and it still says what the clip does."""
    own = _own(clip)
    meta, eval_meta, questions = own.get("meta"), own.get("eval_meta"), own.get("questions")
    if not isinstance(meta, Mapping):
        return None
    try:
        number = len(labels_of(said(dict(meta), eval_meta, questions, where=name)).ids)
        beside = _beside(clip, name, meta["video_text_prompt"], clip.instances[:number])
        item = said(_with_own_key(meta, beside), _numbered(eval_meta, name), questions, where=name)
        labels = labels_of(item)
    except InputError:
        return None
    described, rest = clip.instances[: len(labels.instances)], clip.instances[len(labels.instances) :]
    same = labels.caption == clip.caption and _plain(labels.instances) == _plain(described)
    return _Texts(item, labels, anew=False) if same and not any(one.noun or one.appearance for one in rest) else None


def _made_anew(clip: Clip, name: str) -> _Texts:
    prompt = official_prompt(parse_caption(clip.caption), [instance.id for instance in clip.instances])
    old = _own(clip).get("meta")
    meta = {
        "video_text_prompt": prompt,
        "image_text_prompt": "",
        "interaction_direction": "",
        "num_objects": len(clip.instances),
        "interaction_type": "",
        "objects": [{"class": one.noun, "appearance": one.appearance} for one in clip.instances],
    }
    if isinstance(old, Mapping):
        meta |= {key: value for key, value in old.items() if key not in ("video_text_prompt", "num_objects", "objects")}
    meta |= {key: kind for key, kind in _kind(clip).items() if str(meta.get(key)).strip().lower() != kind.lower()}
    beside = _beside(clip, name, prompt, clip.instances)
    item = said(_with_own_key(meta, beside), _eval_meta(prompt, clip, name), None, where=f"clip {clip.clip_id}")
    return _Texts(item, labels_of(item), anew=True)


def _beside(clip: Clip, name: str, prompt: str, objects: Sequence[Instance]) -> Beside:
    """What must stand beside the official fields for a reader to make this clip of them."""
    ids = tuple(instance.id for instance in objects)
    usual = tuple(f"id{number}" for number, _ in enumerate(objects, 1))
    gaps = {one: tuple((gap.start, gap.stop) for gap in track.gaps()) for one, track in clip.tracks.items()}
    return Beside(
        clip_id=None if clip.clip_id == name else clip.clip_id,
        caption=None if ids == usual and _reads_as(prompt, clip.caption) else clip.caption,
        ids=None if ids == usual else ids,
        gaps={one: ranges for one, ranges in gaps.items() if ranges and _has_folder(clip.tracks[one])},
    )


def _reads_as(prompt: str, caption: str) -> bool:
    try:
        return foreign_markup(prompt, where="prompt") == caption
    except InputError:
        return False


def _with_own_key(meta: Mapping[str, Any], beside: Beside) -> dict[str, Any]:
    own = beside.model_dump(mode="json", exclude_defaults=True)
    return {**meta, OWN_KEY: own} if own else dict(meta)


def _plain(instances: Iterable[Instance]) -> list[Instance]:
    return [replace(instance, role=None) for instance in instances]


def _kind(clip: Clip) -> dict[str, str]:
    """Type and direction, where all interactions of the clip agree on them."""
    named: dict[str, set[str]] = {
        "interaction_type": {one.category or "" for one in clip.interactions},
        "interaction_direction": {one.direction or "" for one in clip.interactions},
    }
    return {key: values.pop() for key, values in named.items() if len(values) == 1 and "" not in values}


def _eval_meta(prompt: str, clip: Clip, name: str) -> dict[str, Any]:
    return {
        "video_id": name,
        "prompt": prompt,
        "entity": [instance.noun for instance in clip.instances],
        "appearance": [instance.appearance for instance in clip.instances],
        "colors": [_colour(number) for number, _ in enumerate(clip.instances)],
    }


def _colour(number: int) -> str:
    return _COLOURS[number] if number < len(_COLOURS) else f"colour {number + 1}"


def _numbered(eval_meta: Any, name: str) -> Any:
    """An eval_meta that names its item by the number that the item's files get."""
    if not isinstance(eval_meta, Mapping) or not isinstance(eval_meta.get("video_id"), str):
        return eval_meta
    digits = "".join(filter(str.isdecimal, eval_meta["video_id"]))
    same = digits.isascii() and digits.lstrip("0") == name.lstrip("0")
    return eval_meta if same else {**eval_meta, "video_id": name}


# --- files -----------------------------------------------------------------------------------------------------------


def _write_pictures(located: LocatedClip, out: Path, name: str) -> tuple[str, ...]:
    """The clip's first frame, and its video unless it is a picture."""
    source, image, video = located.video, None, None
    if source.is_file() and source.suffix.lower() in PICTURE_SUFFIXES:
        image = _copied(source, out / IMAGES, name)
        lost: tuple[str, ...] = ()
    else:
        video = copy_video(source, out / VIDEOS, name, located.clip.fps)
        lost = lost_of_video(located)
        first = _first_frame(located)
        if first is not None:
            image = _copied(first, out / IMAGES, name)
        elif not _own(located.clip):
            image = f"{name}.png"
            for picture in stream_video(source, [0]):
                write_image(out / IMAGES / image, picture)
    for folder, kept in ((IMAGES, image), (VIDEOS, video)):
        for other in (out / folder).glob(f"{name}.*"):
            if other.name != kept:
                other.unlink()
    return lost


def _first_frame(located: LocatedClip) -> Path | None:
    named = located.clip.media.get(FIRST_FRAME)
    path = None if named is None else located.files[named]
    return path if path is not None and path.suffix.lower() in PICTURE_SUFFIXES else None


def _copied(source: Path, folder: Path, name: str) -> str:
    target = folder / f"{name}{source.suffix.lower()}"
    copy_once(source, target)
    return target.name


def _write_masks(clip: Clip, apart: Mapping[str, MaskTrack], out: Path, name: str) -> None:
    masks = {one: track.select([0]) for one, track in clip.tracks.items() if track.frames[0] is not None} | dict(apart)
    numbers = {instance.id: number for number, instance in enumerate(clip.instances, 1)}
    with _replaced_or_removed(out / MASKS / name, bool(masks)) as folder:
        for one, mask in masks.items():
            write_mask(folder / f"id{numbers[one]}.png", mask.to_array()[0])
    tracks = {one: track for one, track in clip.tracks.items() if _has_folder(track)}
    with _replaced_or_removed(out / TRACKS / name, bool(tracks)) as folder:
        for one, track in tracks.items():
            write_mask_track(folder / f"id{numbers[one]}", track)


def _has_folder(track: MaskTrack) -> bool:
    """Whether a track needs a folder: one that is known in frame 0 alone is a mask."""
    return len(track) > 1 and bool(track.known()[1:].any() or not track.known()[0])


@contextmanager
def _replaced_or_removed(folder: Path, wanted: bool) -> Iterator[Path]:
    if wanted:
        with replaced_folder(folder) as temporary:
            yield temporary
        return
    shutil.rmtree(folder, ignore_errors=True)
    yield folder


def _write_or_remove(path: Path, value: Any) -> None:
    if value is None:
        path.unlink(missing_ok=True)
    else:
        write_json(path, value)


# --- losses ----------------------------------------------------------------------------------------------------------


def _losses(clip: Clip, texts: _Texts) -> Iterator[str]:
    if texts.anew and _own(clip).get("questions") is not None:
        yield "the questions, which were asked about another prompt or other objects"
    for one, track in clip.tracks.items():
        if len(track) == 1 and track.frames[0] is None:
            yield f"the mask track of {one}, which is unknown in its only frame"
    rest = replace(
        clip,
        interactions=tuple(one for one in clip.interactions if one not in texts.labels.interactions),
        media={name: path for name, path in clip.media.items() if name != FIRST_FRAME},
    )
    implied = {instance.id: instance for instance in texts.labels.instances}
    spare = {one: Instance(one, "") for one in clip.tracks if one not in implied}
    yield from lost_parts(rest, holds=("tracks", "gaps"), own=FORMAT, instances=implied | spare)
