"""What lies where in a folder of InterGenEval: files called by the number of their item in ``meta.json``.

    meta.json                a list with one object per item
    images/NNN.png           the first frame            videos/NNN.mp4    the generated video
    masks/NNN/idK.png        object K in the first frame
    tracks/NNN/idK/FFF.png   object K in every frame of the video
    eval_metas/NNN.json      what the judge is told      questions/NNN.json    what it is asked

Only ``meta.json`` is required. The benchmark's own files are not published, so these are our choices where the
released code leaves one: numbers count from 0 with three digits; any count of digits is read, and so are numbers from
1, where the files prove it. ``eval_metas`` and ``questions`` may also be one JSON (``eval_metas.json``, or the only
file in the folder): a list whose entries have a ``video_id`` or are as many as the items, or an object keyed by the
number. JSON may stand in a code fence, and a list may be wrapped in an object.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interplay.core.errors import InputError
from interplay.records.formats.base import Note, Rejected
from interplay.records.formats.common.loose_json import read_loose_json, unwrapped
from interplay.records.formats.common.media_files import PICTURE_SUFFIXES, VIDEO_SUFFIXES
from interplay.records.formats.common.naming import clip_id_from, relative
from interplay.records.formats.common.paths import inside

META = "meta.json"
IMAGES, VIDEOS, MASKS, TRACKS, EVAL_METAS, QUESTIONS = "images", "videos", "masks", "tracks", "eval_metas", "questions"
FOLDERS = (IMAGES, VIDEOS, MASKS, TRACKS, EVAL_METAS, QUESTIONS)
# The suffixes of what a folder holds, "" for folders.
_KINDS: Mapping[str, frozenset[str]] = {
    IMAGES: PICTURE_SUFFIXES,
    VIDEOS: VIDEO_SUFFIXES,
    MASKS: frozenset({""}),
    TRACKS: frozenset({""}),
    EVAL_METAS: frozenset({".json"}),
    QUESTIONS: frozenset({".json"}),
}
_NUMBER = re.compile(r"[0-9]{1,9}")
_LAST_NUMBER = re.compile(r"([0-9]{1,9})\D*")
_META_CURE = "give a list with one object per item, each with its video_text_prompt"

Entries = Mapping[int, tuple[Path, ...]]


@dataclass(frozen=True)
class Layout:
    """A folder, opened: the items of ``meta.json``, the number of the first, and what lies under which number.

    ``shared`` holds the JSON values of files that speak of all items at once, by folder and number. ``strange`` are
    files that are called by no number; ``notes`` are about ``meta.json`` itself.
    """

    root: Path
    items: tuple[Any, ...]
    first: int
    entries: Mapping[str, Entries]
    shared: Mapping[str, Mapping[int, Any]]
    strange: tuple[Path, ...]
    notes: tuple[Note, ...]
    follow_links: bool

    def entry(self, folder: str, number: int) -> Path | None:
        """The one file or folder of this number, checked to lie inside; ``None`` when there is none."""
        found = self.entries[folder].get(number, ())
        if not found:
            return None
        if len(found) > 1:
            names = " and ".join(path.name for path in found[:2])
            raise InputError(f"has two entries of number {number} ({names})", where=found[0].parent, cure="keep one")
        name = relative(found[0], self.root).as_posix()
        path = inside(self.root, name, where=str(found[0]), follow_links=self.follow_links)
        if path.is_dir() != (folder in (MASKS, TRACKS)):
            wanted = "folder" if folder in (MASKS, TRACKS) else "file"
            raise InputError(f"is no {wanted}", where=path, cure=f"replace it by a {wanted}")
        return path

    def json(self, folder: str, number: int) -> Any:
        """What ``eval_metas`` or ``questions`` say about an item; ``None`` when they say nothing."""
        path = self.entry(folder, number)
        return self.shared[folder].get(number) if path is None else read_loose_json(path)

    def leftovers(self) -> Iterator[Rejected]:
        """What is of no item in ``meta.json``: numbers beyond it, and names that are no numbers."""
        known = range(self.first, self.first + len(self.items))
        for folder in FOLDERS:
            for number, paths in sorted(self.entries[folder].items()):
                if number not in known:
                    yield _leftover(paths[0], self.root)
        yield from (_leftover(path, self.root) for path in self.strange)


def open_layout(source: Path, *, first_number: int | None, follow_links: bool) -> Layout:
    """Look at a folder (or at its ``meta.json``); :class:`InputError` when it is unusable as a whole."""
    root = source.parent if source.name == META and source.is_file() else source
    meta = inside(root, META, where=str(root), follow_links=follow_links)
    wrapped = read_loose_json(meta)
    items = unwrapped(wrapped)
    if not isinstance(items, list) or not items:
        raise InputError("is no list of items", where=meta, cure=_META_CURE)
    listed = {folder: _listed(root / folder, _KINDS[folder]) for folder in FOLDERS}
    entries = {folder: _by_number(paths) for folder, paths in listed.items()}
    whole = {folder: _whole(root, folder, entries[folder], follow_links) for folder in (EVAL_METAS, QUESTIONS)}
    ids = {number for path, value in whole.values() for number in _ids(value)}
    first = _first({number for found in entries.values() for number in found} | ids, len(items), first_number, root)
    shared = {folder: _shared(path, value, first, len(items)) for folder, (path, value) in whole.items()}
    told = {path for path, value in whole.values() if value is not None}
    unnamed = [path for paths in listed.values() for path in paths if not _NUMBER.fullmatch(path.stem)]
    strange = tuple(path for path in unnamed if path not in told)
    return Layout(root, tuple(items), first, entries, shared, strange, tuple(_beside(wrapped, meta)), follow_links)


def _beside(wrapped: Any, meta: Path) -> Iterator[Note]:
    others = [key for key, value in wrapped.items() if not isinstance(value, list)] if isinstance(wrapped, dict) else []
    if others:
        told = f"beside the list of items stands {', '.join(others[:5])}"
        yield Note(str(meta), told, "only the list is read")


def looks_like_intergeneval(source: Path) -> bool:
    """A ``meta.json`` beside at least one of the layout's folders, or one that speaks of video prompts early on."""
    meta = source if source.name == META else source / META
    try:
        if not meta.is_file():
            return False
        with meta.open("rb") as stream:
            beginning = stream.read(4096)
    except OSError:
        return False
    return b"video_text_prompt" in beginning or any((meta.parent / folder).is_dir() for folder in FOLDERS)


def _listed(folder: Path, kinds: frozenset[str]) -> list[Path]:
    """What lies in a folder and is of its kind; hidden files are what systems leave behind."""
    if not os.path.lexists(folder):
        return []
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"cannot be read as a folder ({error.strerror})", where=folder, cure="check it") from error
    return [path for path in found if path.suffix.lower() in kinds and not path.name.startswith(".")]


def _by_number(paths: Iterable[Path]) -> Entries:
    found: dict[int, tuple[Path, ...]] = {}
    for path in paths:
        if _NUMBER.fullmatch(path.stem):
            found[int(path.stem)] = (*found.get(int(path.stem), ()), path)
    return found


def _first(numbers: set[int], count: int, chosen: int | None, root: Path) -> int:
    """The number of the first item: 0, or 1 where number 0 is nowhere and the files go up to the count of items."""
    if chosen is not None:
        return chosen
    if not numbers or 0 in numbers:
        return 0
    if max(numbers) == count:
        return 1
    problem = f"whether the {count} items are numbered from 0 or from 1 stays open ({min(numbers)} is the first)"
    raise InputError(problem, where=root, cure="say it with --set first_number=0 or --set first_number=1")


# --- one JSON about all items ----------------------------------------------------------------------------------------


def _whole(root: Path, folder: str, numbered: Entries, follow_links: bool) -> tuple[Path, Any]:
    """The file that speaks of all items, and what it says; ``None`` where there is none."""
    path = root / f"{folder}.json"
    if not os.path.lexists(path):
        inner = [] if numbered else _listed(root / folder, _KINDS[folder])
        if len(inner) != 1:
            return path, None
        path = inner[0]
    inside(root, relative(path, root).as_posix(), where=str(path), follow_links=follow_links)
    return path, read_loose_json(path)


def _ids(value: Any) -> Iterator[int]:
    listed = unwrapped(value)
    if isinstance(listed, list):
        yield from (number for entry in listed if (number := _video_id(entry)) is not None)
    elif isinstance(listed, dict):
        yield from (int(key) for key in listed if _NUMBER.fullmatch(key))


def _video_id(entry: Any) -> int | None:
    named = entry.get("video_id") if isinstance(entry, dict) else None
    if isinstance(named, bool) or not isinstance(named, int | str):
        return None
    found = _LAST_NUMBER.findall(str(named))
    return int(found[-1]) if found else None


def _shared(path: Path, value: Any, first: int, count: int) -> Mapping[int, Any]:
    if value is None:
        return {}
    listed = unwrapped(value)
    if isinstance(listed, dict) and listed and all(_NUMBER.fullmatch(key) for key in listed):
        return {int(key): inner for key, inner in listed.items()}
    if isinstance(listed, list):
        numbers = [_video_id(entry) for entry in listed]
        by_id = {number: entry for number, entry in zip(numbers, listed, strict=True) if number is not None}
        if len(by_id) == len(listed):
            return by_id
        if not by_id and len(listed) == count:
            return dict(enumerate(listed, first))
    cure = "give every entry the video_id of its item, once, or write one file per item"
    raise InputError("does not say which entry belongs to which item", where=path, cure=cure)


def _leftover(path: Path, root: Path) -> Rejected:
    error = InputError(f"belongs to no item of {META}", where=path, cure=f"add its item to {META}, or remove the file")
    return Rejected.because(clip_id_from(relative(path, root).with_suffix("")), error)
