"""Generated clips with their structure video or expert maps beside them: files told apart by the end of their names.

``case1.mp4`` is a clip; ``case1_hoi.mp4`` is its structure video (often of another size, and a frame longer),
``case1_person.png`` and ``case1_product.png`` are its reference pictures, and ``case1_base.mp4``, ``case1_hand.mp4``,
``case1_head.mp4`` show where each expert was active. This is how CoInteract's project page lays out its examples. They
lie in one folder, or in one folder per case; every video of the tree is read. There are no captions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar

from interplay.core.errors import InputError
from interplay.records.clip import Clip
from interplay.records.formats.base import DatasetFormat, LocatedClip, Note, Rejected, Written, write_each
from interplay.records.formats.common.folders import check_inside, files_below
from interplay.records.formats.common.losses import Part, lost_of_video, lost_parts
from interplay.records.formats.common.media_files import (
    PICTURE_SUFFIXES,
    VIDEO_SUFFIXES,
    check_media,
    copy_once,
    copy_video,
)
from interplay.records.formats.common.naming import Taken, clip_id_from, placed, relative
from interplay.records.formats.common.structure_media import (
    INSTANCES,
    MAKER,
    StructureOptions,
    StructureReading,
    lost_tracks,
    read_structure,
    structure_provenance,
    tracks_are_its_own,
)
from interplay.records.media.video import VideoInfo, probe_video

NAME = "cogeneration"
# End of a file's name -> medium of the clip.
VIDEO_ENDS = {
    "_hoi": "structure_video",
    "_base": "expert_base",
    "_hand": "expert_hand",
    "_head": "expert_head",
}
PICTURE_ENDS = {"_person": "person_image", "_product": "product_image"}
_ENDS = {medium: end for end, medium in {**VIDEO_ENDS, **PICTURE_ENDS}.items()}
_VIDEO = "video"


class CogenerationOptions(StructureOptions):
    """How such folders are read: the structure videos, and whether links may lead out of the folder."""

    follow_links: bool = False
    split: str = "train"


@dataclass
class _Case:
    """The files of one clip by what they are of it; ``twice`` is a second one for the same part."""

    name: PurePosixPath
    files: dict[str, Path] = field(default_factory=dict)
    twice: Path | None = None


class CogenerationFormat(DatasetFormat[CogenerationOptions]):
    """Clips with ``_hoi``, ``_person``, ``_product`` and expert maps beside them."""

    name: ClassVar[str] = NAME
    summary: ClassVar[str] = "generated clips with structure videos or expert maps (<clip>_hoi.mp4, <clip>_head.mp4)"
    options_type: ClassVar[type[CogenerationOptions]] = CogenerationOptions

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether a video has a structure video or expert map beside it, here or one folder down."""
        if not source.is_dir():
            return False
        found = files_below(source, follow_links=False, depth=1)
        cases = _cases((item for item in found if isinstance(item, Path)), source).values()
        return any(_VIDEO in case.files and case.files.keys() & VIDEO_ENDS.values() for case in cases)

    def read(self, source: Path) -> Iterator[LocatedClip | Rejected]:
        """A clip per video that is no companion of another one."""
        if not source.is_dir():
            raise InputError("there is no such folder", where=source, cure="name the folder of the clips")
        found = list(files_below(source, follow_links=self.options.follow_links))
        yield from (item for item in found if isinstance(item, Rejected))
        taken = Taken()
        for case in _cases([item for item in found if isinstance(item, Path)], source).values():
            clip_id = _clip_id(case.name)
            try:
                taken.take(clip_id, str(source / case.name))
                yield self._clip(case, clip_id, source)
            except InputError as error:
                yield Rejected.because(clip_id, error)

    def write(self, clips: Iterable[LocatedClip], out: Path) -> Iterator[Written | Rejected]:
        """All files side by side in ``out``, under the clips' ids."""

        def add(located: LocatedClip) -> Written:
            clip = located.clip
            copy_video(located.video, out, clip.clip_id, clip.fps)
            for medium, path in clip.media.items():
                if medium in _ENDS:
                    source = located.files[path]
                    copy_once(source, out / f"{clip.clip_id}{_ENDS[medium]}{source.suffix.lower()}")
            return Written(clip.clip_id, tuple(_lost(located, self.options)))

        return write_each(clips, add)

    def _clip(self, case: _Case, clip_id: str, source: Path) -> LocatedClip:
        _check_case(case, source)
        for path in case.files.values():
            check_inside(path, source, follow_links=self.options.follow_links)
        own = case.files[_VIDEO]
        companions = {name: path for name, path in case.files.items() if name != _VIDEO}
        info = probe_video(own)
        check_media(companions)
        structure = self._structure(own, info, companions)
        video, media, files = placed(clip_id, own, companions)
        clip = Clip(
            clip_id=clip_id,
            video=video,
            caption="",
            num_frames=info.num_frames,
            size_hw=info.size_hw,
            fps=info.fps,
            split=self.options.split,
            instances=() if structure is None else structure.instances,
            tracks={} if structure is None else structure.tracks,
            media=media,
            provenance={} if structure is None else structure_provenance(structure, self.options),
        )
        notes = () if structure is None else structure.notes
        return LocatedClip(clip, files, (*notes, *_map_notes(companions, info)))

    def _structure(self, video: Path, info: VideoInfo, media: Mapping[str, Path]) -> StructureReading | None:
        if "structure_video" not in media:
            return None
        return read_structure(video, info, media["structure_video"], self.options)


def _check_case(case: _Case, source: Path) -> None:
    where = source / case.name
    if case.twice is not None:
        raise InputError(f"{case.twice.name} is there in two formats", where=where, cure="keep one of them")
    if _VIDEO not in case.files:
        cure = f"add {case.name.name}.mp4, or move the companions away"
        raise InputError("there is no video of this name, only companions of it", where=where, cure=cure)


def _cases(files: Iterable[Path], root: Path) -> dict[PurePosixPath, _Case]:
    """The files by the clip that they belong to, in their order."""
    cases: dict[PurePosixPath, _Case] = {}
    for path in files:
        role = _role(path)
        if role is None:
            continue
        stem, medium = role
        name = relative(path.with_name(stem), root)
        case = cases.setdefault(name, _Case(name))
        if medium in case.files:
            case.twice = path
        case.files[medium] = path
    return cases


def _role(path: Path) -> tuple[str, str] | None:
    """The clip's name and what the file is of it; ``None`` for a file of another kind."""
    suffix = path.suffix.lower()
    ends = VIDEO_ENDS if suffix in VIDEO_SUFFIXES else PICTURE_ENDS if suffix in PICTURE_SUFFIXES else {}
    for end, medium in ends.items():
        if path.stem.endswith(end) and path.stem != end:
            return path.stem.removesuffix(end), medium
    return (path.stem, _VIDEO) if suffix in VIDEO_SUFFIXES else None


def _clip_id(name: PurePosixPath) -> str:
    """``case1/case1`` and ``case1`` are both ``case1``."""
    repeated = name.parts[:1] == name.parts[1:]
    return clip_id_from(PurePosixPath(name.name) if repeated else name)


def _map_notes(media: Mapping[str, Path], info: VideoInfo) -> Iterator[Note]:
    """Expert maps are at half size, and may count frames in another way."""
    for name, path in media.items():
        if name.startswith("expert_"):
            own = probe_video(path)
            if own.num_frames != info.num_frames:
                problem = f"has {own.num_frames} frames, and the video {info.num_frames}"
                yield Note(str(path), problem, "kept as it is")


def _lost(located: LocatedClip, options: CogenerationOptions) -> Iterator[str]:
    clip = located.clip
    yield from lost_of_video(located)
    yield from lost_tracks(clip)
    if clip.caption:
        yield "the caption: not kept"
    if any(clip.clip_id.endswith(end) for end in VIDEO_ENDS):
        yield f"the clip itself, for a reader: a name that ends like {clip.clip_id} is a companion's"
    if others := [name for name in clip.media if name not in _ENDS]:
        yield f"media {', '.join(others)}: not kept"
    if foreign := [name for name, made in clip.provenance.items() if made.maker != MAKER]:
        yield f"provenance of {', '.join(foreign)}: not kept"
    if clip.split != options.split:
        yield f"the split {clip.split!r}: not kept"
    implied = {instance.id: instance for instance in INSTANCES if tracks_are_its_own(clip)}
    holds: tuple[Part, ...] = ("split", "tracks", "gaps", "media", "provenance")
    yield from lost_parts(clip, holds=holds, own=NAME, instances=implied)
