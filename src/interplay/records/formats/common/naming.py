"""Clip ids out of a source's own names, and the places that its files get in a clip."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from interplay.core.errors import InputError
from interplay.records.store.layout import media_path, video_path

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_SAFE_SUFFIX = re.compile(r"\.[a-z0-9]+")
# File names end at 255 bytes, and suffixes and temporary names still come on top.
_LONGEST_ID = 150
_DIGEST_LETTERS = 10


def clip_id_from(path: PurePosixPath, *, dropped: str | None = None) -> str:
    """The id for a relative path that has no suffix (any more): its parts joined by ``-``, safe as a file name.

    ``dropped`` is a folder of the layout that says nothing about the clip (``input_video``). Characters that a file
    name cannot hold become ``-``, and a very long name is cut and told apart by a digest; two paths that meet in one
    id are for the reader to refuse, with :class:`Taken`.
    """
    parts = [part for part in path.parts if part not in (dropped, "..", "/")]
    text = _UNSAFE.sub("-", "-".join(parts)).lstrip("-._")
    if not text:
        text = "clip-" + _digest(str(path))
    return text if len(text) <= _LONGEST_ID else f"{text[: _LONGEST_ID - _DIGEST_LETTERS - 1]}-{_digest(str(path))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGEST_LETTERS]


class Taken:
    """The ids that are given away already, and to whom."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}

    def take(self, clip_id: str, owner: str) -> None:
        """Give ``clip_id`` to ``owner`` (a place in the source); :class:`InputError` when another one has it."""
        if clip_id in self._owners:
            problem = f"would be called {clip_id!r}, as {self._owners[clip_id]} is already"
            raise InputError(problem, where=owner, cure="give the files of every clip their own name")
        self._owners[clip_id] = owner


def placed(clip_id: str, video: Path, media: Mapping[str, Path]) -> tuple[str, dict[str, str], dict[str, Path]]:
    """The clip's ``video``, its ``media``, and the ``files`` behind both, in the places of the store's layout."""
    video_at = video_path(clip_id, _suffix(video))
    media_at = {name: media_path(clip_id, name, _suffix(path)) for name, path in media.items()}
    return video_at, media_at, {video_at: video} | {media_at[name]: path for name, path in media.items()}


def _suffix(path: Path) -> str:
    if path.is_dir():
        return ".mp4"  # a store writes a folder of frames as a lossless video
    suffix = path.suffix.lower()
    return suffix if _SAFE_SUFFIX.fullmatch(suffix) else ""


def relative(path: Path, root: Path) -> PurePosixPath:
    """Where ``path`` lies below ``root``, or its own name where that is ``root`` itself."""
    inner = path.relative_to(root).as_posix()
    return PurePosixPath(path.name if inner == "." else inner)
