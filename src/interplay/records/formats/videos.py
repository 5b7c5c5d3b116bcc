"""Any folder of videos: a clip each, with a caption where a text file of the same name lies beside it.

This is the layout in which people keep their own clips for fine-tuning: ``a.mp4`` with ``a.txt``, in folders at
whatever depth. Beside a video, ``a.wav`` is its sound and ``a.png`` its reference picture; ``person.png`` and
``product.png`` (or ``object.png``) are the reference pictures of every clip in their folder.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar

from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.core.files import atomic_write_text
from interplay.records.caption import foreign_markup
from interplay.records.clip import Clip, Provenance
from interplay.records.formats.base import DatasetFormat, LocatedClip, Note, Rejected, Written, write_each
from interplay.records.formats.common.folders import check_inside, files_below
from interplay.records.formats.common.losses import lost_of_video, lost_parts
from interplay.records.formats.common.media_files import (
    PICTURE_SUFFIXES,
    SOUND_SUFFIXES,
    VIDEO_SUFFIXES,
    check_media,
    copy_video,
)
from interplay.records.formats.common.naming import Taken, clip_id_from, placed, relative
from interplay.records.formats.common.written_captions import (
    CaptionStyle,
    implied_instances,
    instances_of,
    written_caption,
)
from interplay.records.media.video import probe_video

NAME = "videos"
FOLDER = "videos"
CAPTION_MAKER = "text file beside the video"
# Names of pictures that show what every clip of their folder shows.
_SHARED_PICTURES = {
    "person": "person_image",
    "human": "person_image",
    "person_image": "person_image",
    "product": "product_image",
    "object": "product_image",
    "product_image": "product_image",
}
_OWN_PICTURE = "reference_image"


class VideosOptions(Config):
    """``follow_links`` admits links that lead out of the folder. Written: whether captions keep their markers."""

    follow_links: bool = False
    split: str = "train"
    captions: CaptionStyle = "plain"


class VideosFormat(DatasetFormat[VideosOptions]):
    """A folder of videos, or a single one."""

    name: ClassVar[str] = NAME
    summary: ClassVar[str] = "any folder of videos, with captions in text files of the same names"
    options_type: ClassVar[type[VideosOptions]] = VideosOptions

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether ``source`` is a video, or holds one at whatever depth."""
        if source.is_file():
            return _is_video(source)
        return any(isinstance(item, Path) and _is_video(item) for item in files_below(source, follow_links=False))

    def read(self, source: Path) -> Iterator[LocatedClip | Rejected]:
        """A clip per video, folder by folder; a video that cannot be read is rejected."""
        root = source.parent if source.is_file() else source
        if not root.is_dir():
            raise InputError("there is no such folder", where=source, cure="name the folder of the videos")
        found = [source] if source.is_file() else files_below(source, follow_links=self.options.follow_links)
        taken = Taken()
        for item in found:
            if isinstance(item, Rejected):
                yield item
            elif _is_video(item):
                yield self._verdict(item, root, taken)

    def write(self, clips: Iterable[LocatedClip], out: Path) -> Iterator[Written | Rejected]:
        """``videos/<id>.mp4`` and ``videos/<id>.txt``."""

        def add(located: LocatedClip) -> Written:
            clip = located.clip
            copy_video(located.video, out / FOLDER, clip.clip_id, clip.fps)
            text, lost = written_caption(clip.caption, self.options.captions)
            if text:
                atomic_write_text(out / FOLDER / f"{clip.clip_id}.txt", text + "\n")
            return Written(clip.clip_id, (*lost, *_lost(located, text, self.options)))

        return write_each(clips, add)

    def _verdict(self, path: Path, root: Path, taken: Taken) -> LocatedClip | Rejected:
        clip_id = _clip_id(relative(path, root))
        try:
            taken.take(clip_id, str(path))
            return self._clip(path, root, clip_id)
        except InputError as error:
            return Rejected.because(clip_id, error)

    def _clip(self, path: Path, root: Path, clip_id: str) -> LocatedClip:
        check_inside(path, root, follow_links=self.options.follow_links)
        info = probe_video(path)
        caption, provenance = self._caption(path.with_suffix(".txt"), root)
        media, notes = self._media(path, root)
        video, media_at, files = placed(clip_id, path, media)
        clip = Clip(
            clip_id=clip_id,
            video=video,
            caption=caption,
            num_frames=info.num_frames,
            size_hw=info.size_hw,
            fps=info.fps,
            split=self.options.split,
            instances=instances_of(caption),
            media=media_at,
            provenance=provenance,
        )
        return LocatedClip(clip, files, notes)

    def _caption(self, path: Path, root: Path) -> tuple[str, dict[str, Provenance]]:
        if not os.path.lexists(path):
            return "", {}
        check_inside(path, root, follow_links=self.options.follow_links)
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"is no UTF-8 text ({error})", where=path, cure="save it as UTF-8") from error
        if "\0" in text:
            raise InputError("holds a NUL byte", where=path, cure="save it as UTF-8 (not UTF-16)")
        return foreign_markup(text.strip(), where=str(path)), {"caption": Provenance(CAPTION_MAKER)}

    def _media(self, video: Path, root: Path) -> tuple[dict[str, Path], tuple[Note, ...]]:
        """What lies beside a video and belongs to it; what cannot be used of that is a note, and no verdict on it."""
        media: dict[str, Path] = {}
        notes = []
        for name, path in _beside(video):
            try:
                check_inside(path, root, follow_links=self.options.follow_links)
                check_media({name: path})
            except InputError as error:
                notes.append(Note(str(path), error.problem, f"left out; {error.cure}"))
                continue
            if name in media:
                notes.append(Note(str(path), f"is another {name} beside {media[name].name}", "left out"))
                continue
            media[name] = path
            if path.stem != video.stem:
                notes.append(Note(str(path), f"shows what the clips of {path.parent.name} show", f"read as {name}"))
        return media, tuple(notes)


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _clip_id(path: PurePosixPath) -> str:
    """After the path, without the folder that :meth:`VideosFormat.write` puts everything into."""
    parts = path.with_suffix("").parts
    return clip_id_from(PurePosixPath(*(parts[1:] if parts[0] == FOLDER and len(parts) > 1 else parts)))


def _beside(video: Path) -> Iterator[tuple[str, Path]]:
    """Medium and file of the sounds and pictures that belong to a video, its own before those of its folder."""
    for name, suffixes in (("audio", SOUND_SUFFIXES), (_OWN_PICTURE, PICTURE_SUFFIXES)):
        yield from ((name, path) for path in _spelt(video.parent, video.stem, suffixes))
    for stem, name in _SHARED_PICTURES.items():
        if stem != video.stem:
            yield from ((name, path) for path in _spelt(video.parent, stem, PICTURE_SUFFIXES))


def _spelt(folder: Path, stem: str, suffixes: Collection[str]) -> Iterator[Path]:
    # Asking for each name keeps a folder of 100,000 videos from being listed 100,000 times.
    candidates = (folder / (stem + suffix) for suffix in sorted(suffixes))
    return (path for path in candidates if path.is_file())


def _lost(located: LocatedClip, text: str, options: VideosOptions) -> Iterator[str]:
    clip = located.clip
    yield from lost_of_video(located)
    if clip.split != options.split:
        yield f"the split {clip.split!r}: not kept"
    if foreign := [name for name, made in clip.provenance.items() if made.maker != CAPTION_MAKER]:
        yield f"provenance of {', '.join(foreign)}: not kept"
    yield from lost_parts(clip, holds=("split", "provenance"), own=NAME, instances=implied_instances(text))
