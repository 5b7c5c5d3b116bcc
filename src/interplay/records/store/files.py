"""The media of a clip: put into their places in a store, and what a killed writer left there taken away."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from pathlib import Path

from interplay.core.errors import InputError
from interplay.core.files import atomic_copy
from interplay.records.clip import Clip
from interplay.records.formats.base import LocatedClip
from interplay.records.media.video import probe_video, stream_video, write_video
from interplay.records.sizes import shape_text
from interplay.records.store.layout import MEDIA_FOLDER, ROWS_FOLDER, VIDEOS_FOLDER

# How every writer of the house names a file that is not whole yet: .name.process.tmp
_UNFINISHED = ".*.tmp"


def place_files(located: LocatedClip, folder: Path) -> None:
    """Copy the clip's files to the places in ``folder`` that it names; after an error none of them is there."""
    placed: list[Path] = []
    try:
        for path, source in located.files.items():
            target = folder / path
            if not (target.exists() and source.exists() and target.samefile(source)):
                placed.append(target)
                _place(source, target, located.clip)
    except BaseException:
        for target in placed:
            target.unlink(missing_ok=True)
        raise


def remove_leftovers(folder: Path, abandoned: AbstractSet[str]) -> None:
    """Remove unfinished files of writers that are gone; ``abandoned`` are the ids of the clips they worked at.

    Only for a writer that is alone: the unfinished files of a living one look the same.
    """
    if not abandoned:
        return
    own = [folder / MEDIA_FOLDER / clip_id for clip_id in sorted(abandoned)]
    for place in (folder / ROWS_FOLDER, folder / VIDEOS_FOLDER, *own):
        for path in place.glob(_UNFINISHED):
            path.unlink(missing_ok=True)


def _place(source: Path, target: Path, clip: Clip) -> None:
    if source.is_dir():
        _place_frames(source, target, clip)
    elif source.is_file():
        atomic_copy(source, target)
    else:
        problem = "is no ordinary file" if source.exists() else "there is no such file"
        raise InputError(problem, where=source, cure=f"correct what clip {clip.clip_id} names, or add the file")


def _place_frames(source: Path, target: Path, clip: Clip) -> None:
    if target.suffix != ".mp4":
        raise ValueError(f"clip {clip.clip_id}: {source} is a folder of frames, so it becomes .mp4, not {target.name}")
    found = probe_video(source)
    if target.stem == clip.clip_id and (found.num_frames, found.size_hw) != (clip.num_frames, clip.size_hw):
        told = shape_text(clip.num_frames, clip.size_hw)
        problem = f"holds {shape_text(found.num_frames, found.size_hw)}, and the clip says {told}"
        raise InputError(problem, where=source, cure="read the folder again; it was changed since")
    write_video(target, stream_video(source), clip.fps)
