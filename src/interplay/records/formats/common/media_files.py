"""The files that a foreign clip names: whether they can be opened, and copies of them where a layout wants them."""

from __future__ import annotations

import filecmp
from collections.abc import Mapping
from pathlib import Path

import av

from interplay.core.errors import InputError
from interplay.core.files import atomic_copy
from interplay.records.media.containers import audio_stream, open_container
from interplay.records.media.video import probe_video, stream_video, write_video

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".gif", ".mpg", ".mpeg", ".ts", ".h264", ".wmv", ".flv", ".3gp"}
)
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})
SOUND_SUFFIXES = frozenset({".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus"})


def check_media(media: Mapping[str, Path]) -> None:
    """Look into the head of every file; :class:`InputError` about the first that holds no picture or no sound."""
    for name, path in media.items():
        if name == "audio":
            audio_length_s(path)
        else:
            probe_video(path)


def audio_length_s(path: Path) -> float:
    """How long a file sounds, in seconds, as its head says; :class:`InputError` when it holds no sound."""
    with open_container(path) as container:
        stream = audio_stream(container)
        if stream is None:
            raise InputError("holds no sound", where=path, cure="give a sound file, such as a wav, or none")
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        return 0.0 if container.duration is None else container.duration / av.time_base


def copy_once(source: Path, target: Path) -> None:
    """Copy a file byte for byte; one that is there already with the same bytes stays, so repeating costs a look."""
    if not (target.is_file() and filecmp.cmp(source, target, shallow=False)):
        atomic_copy(source, target)


def copy_video(source: Path, folder: Path, stem: str, fps: float) -> str:
    """Put a clip's video into ``folder`` under ``stem``; its name there.

    A video file is copied byte for byte. A still picture or a folder of frames becomes a lossless mp4 of ``fps``.
    """
    if source.is_file() and source.suffix.lower() in VIDEO_SUFFIXES:
        name = stem + source.suffix.lower()
        copy_once(source, folder / name)
    else:
        name = stem + ".mp4"
        write_video(folder / name, stream_video(source), fps)
    return name
