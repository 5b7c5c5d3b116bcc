"""Where things lie in a store: Parquet rows in ``clips/``, the videos in ``videos/``, everything else in ``media/``.

All paths in a clip are relative to the store's folder and begin with the clip's own id, so that two clips never share a
file and two writers that hold different ids never touch each other's.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from interplay.core.errors import InputError

ROWS_FOLDER, VIDEOS_FOLDER, MEDIA_FOLDER = "clips", "videos", "media"
# Room is left for a suffix and for the names of unfinished files: 255 bytes is the limit of file systems.
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_NUMBERED = re.compile(r"part-(\d+)")


def video_path(clip_id: str, suffix: str = ".mp4") -> str:
    """Where a clip's video lies, relative to the store; ``suffix`` is the file's own (``.gif``, ``.png``, ...)."""
    return f"{VIDEOS_FOLDER}/{clip_id}{suffix}"


def media_path(clip_id: str, name: str, suffix: str) -> str:
    """Where the clip's medium ``name`` (``audio``, ``structure_video``, ...) lies, relative to the store."""
    return f"{MEDIA_FOLDER}/{clip_id}/{name}{suffix}"


def is_own_place(clip_id: str, path: str) -> bool:
    """Whether ``path`` is one of the places that belong to the clip: its video's, or a file in its media folder."""
    parts = PurePosixPath(path).parts
    if str(PurePosixPath(path)) != path or ".." in parts:
        return False
    if len(parts) == 2 and parts[0] == VIDEOS_FOLDER:
        return PurePosixPath(parts[1]).stem == clip_id  # not "begins with": a.b.mp4 is the video of a.b and not of a
    return len(parts) > 2 and parts[:2] == (MEDIA_FOLDER, clip_id)


def check_id(clip_id: str, *, where: str) -> None:
    """An id is the stem of file names; :class:`InputError` when it cannot be."""
    if not _SAFE_ID.fullmatch(clip_id):
        cure = "use up to 200 letters, digits, '.', '_' and '-', starting with a letter or digit"
        raise InputError("the clip id cannot be a file name", where=where, cure=cure)


def part_path(folder: Path, number: int) -> Path:
    """The file of part ``number``."""
    return folder / ROWS_FOLDER / f"part-{number:05d}.parquet"


def part_number(part: Path) -> int:
    """The number in a part's name; -1 for a Parquet file that another tool put among the parts."""
    numbered = _NUMBERED.fullmatch(part.stem)
    return -1 if numbered is None else int(numbered.group(1))


def parts_of(folder: Path) -> list[Path]:
    """The parts of a store: Parquet files of other tools first, by name, then ours in the order of writing."""
    found = [path for path in (folder / ROWS_FOLDER).glob("*.parquet") if not path.name.startswith(".")]
    return sorted(found, key=lambda path: (part_number(path), path.name))
