"""A clip's other media on its card: reference pictures and companion videos as small pictures, sound as a word."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.data.show.drawing import Picture, draw, keep, reduced
from interplay.data.show.layout import STRIP_WIDTH, arrange, choose_frames
from interplay.records.formats.base import LocatedClip
from interplay.records.media.video import probe_video, read_image, stream_video

_SOUND = frozenset({".wav", ".mp3", ".flac", ".m4a", ".aac", ".ogg", ".opus"})
_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})
_THUMB_HEIGHT = 104.0


@dataclass(frozen=True)
class Thumb:
    """One medium: its name, its picture relative to the page and in CSS pixels, or the ``problem`` with it."""

    name: str
    path: str = ""
    width: float = 0.0
    height: float = 0.0
    problem: str = ""


def thumbs_of(located: LocatedClip, frames: int, folder: Path, stem: str) -> tuple[Thumb, ...]:
    """Small pictures of everything but sound, written to ``folder/stem-<number>.jpg``."""
    shown = {name: path for name, path in located.clip.media.items() if Path(path).suffix.lower() not in _SOUND}
    return tuple(
        _thumb(name.replace("_", " "), located.files.get(path), frames, folder, f"{stem}-{number}.jpg")
        for number, (name, path) in enumerate(shown.items())
    )


def sound_of(located: LocatedClip) -> str:
    """Where the clip's sound is: a file of its own, the video, or nowhere."""
    clip = located.clip
    files = [Path(path).suffix for path in clip.media.values() if Path(path).suffix.lower() in _SOUND]
    try:
        inside = probe_video(located.video).has_audio
    except InputError:
        inside = False  # the strip and the findings say why the video does not open
    return " and ".join([*(["in the video"] if inside else []), *(f"a {suffix} file" for suffix in files)]) or "none"


def _thumb(name: str, source: Path | None, frames: int, folder: Path, path: str) -> Thumb:
    if source is None:
        return Thumb(name, problem="nobody knows where its file lies")
    try:
        pictures = _pictures(source, frames)
    except InputError as error:
        return Thumb(name, problem=error.problem)
    grid = arrange(len(pictures), (pictures[0].shape[0], pictures[0].shape[1]), width=STRIP_WIDTH, height=_THUMB_HEIGHT)
    keep(draw([Picture(picture) for picture in pictures], grid), folder / path)
    return Thumb(name, path, grid.width, grid.height)


def _pictures(source: Path, frames: int) -> list[UInt8[ndarray, "h w 3"]]:
    if source.suffix.lower() in _PICTURES:
        return [reduced(read_image(source))]
    return list(map(reduced, stream_video(source, choose_frames(probe_video(source).num_frames, frames))))
