"""TAViD's inputs: one picture, a mask of the target in it, and a prompt. No dataset layout is published; this is ours.

A pair is a folder with one ``image.*``, one or more ``mask*.png`` (the demo's are ``mask_0.png`` and ``mask_2.png``)
and, if there is one, ``prompt.txt``. A source is such a folder, or a folder of them. The picture is a video of one
frame, the mask the track of an instance whose role is ``target``.

- **Several masks** are alternatives, one clip each, unless the prompt names as many different targets as there are
  masks: then they are one clip, the masks in the order of their numbers and the targets in that of their first mention.
- **Polarity**: white is the target, black the rest; ``--set target=black`` turns it round. What is not 0 and 255 is
  decided by :mod:`..common.mask_values`, and noted or refused. A mask that is empty or covers the
  whole picture is refused; the official code takes both.
- **Size**: any. A mask of another size than the picture's is resized (nearest) when it can be the same picture at
  another resolution, and noted.

Written, every clip is a folder of its own, called by its id: ``image.png`` (a picture file keeps its own suffix and
bytes), ``mask_0.png``, ... and ``prompt.txt``, with the trigger before the noun of every target.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.records.caption import write_markup
from interplay.records.clip import Clip, Instance
from interplay.records.formats.base import DatasetFormat, LocatedClip, Note, Rejected, Written, write_each
from interplay.records.formats.common.mask_files import read_mask
from interplay.records.formats.common.mask_values import MaskOptions
from interplay.records.formats.common.media_files import PICTURE_SUFFIXES
from interplay.records.formats.common.naming import Taken, clip_id_from, placed
from interplay.records.formats.common.paths import inside
from interplay.records.formats.tavid.prompts import BoundPrompt, bind_targets
from interplay.records.formats.tavid.writing import FORMAT, PROMPT_NAME, ROLE, write_pair
from interplay.records.geometry import Fit, same_picture
from interplay.records.masks import MaskTrack
from interplay.records.media.video import probe_video
from interplay.records.sizes import size_text

_MASK_SUFFIXES = (".png", ".jpg", ".jpeg")
_DIGITS = re.compile(r"[0-9]+")


class TavidOptions(Config):
    """How pairs are read: what a mask picture means, which colour is the target, and whether links may lead out."""

    masks: MaskOptions = MaskOptions()
    target: Literal["white", "black"] = "white"
    follow_links: bool = False


@dataclass(frozen=True)
class _Pair:
    """One folder: its picture, its masks in the order of their numbers, and its prompt as it stands in the file."""

    folder: Path
    image: Path
    masks: tuple[Path, ...]
    prompt: str | None


class TavidFormat(DatasetFormat[TavidOptions]):
    """Pairs of a picture and a mask of the target in it."""

    name: ClassVar[str] = FORMAT
    summary: ClassVar[str] = "pictures with a mask of the target: image.*, mask*.png, prompt.txt"
    options_type: ClassVar[type[Config]] = TavidOptions

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether the folder, or most of the folders in it, have an ``image.*`` and a ``mask*``."""
        if not source.is_dir():
            return False
        itself, *inside = [bool(_images(folder) and _masks(folder)) for folder in _folders(source)]
        return itself or sum(inside) > len(inside) / 2

    def read(self, source: Path) -> Iterator[LocatedClip | Rejected]:
        """Every pair: of the folder itself first, then of those in it by name."""
        if not source.is_dir():
            raise InputError("there is no such folder", where=source, cure="name a folder with image.* and mask*.png")
        found, taken = False, Taken()
        for folder in _folders(source):
            if not _images(folder) and not _masks(folder):
                continue
            found = True
            yield from self._read_folder(folder, source, taken)
        if not found:
            cure = "put image.png and mask_0.png into it, or into folders in it"
            raise InputError("holds no picture with a mask", where=source, cure=cure)

    def write(self, clips: Iterable[LocatedClip], out: Path) -> Iterator[Written | Rejected]:
        """A folder per clip, from its first frame; a clip without any usable mask in that frame is rejected."""
        return write_each(clips, lambda located: Written(located.clip.clip_id, write_pair(located, out)))

    def _read_folder(self, folder: Path, source: Path, taken: Taken) -> Iterator[LocatedClip | Rejected]:
        name = folder.resolve().name
        try:
            pair = self._pair(folder, source)
            bound = bind_targets(pair.prompt or "", where=str(folder / PROMPT_NAME))
        except InputError as error:
            yield Rejected.because(_safe(name), error)
            return
        together = len(pair.masks) > 1 and len(bound.nouns) == len(pair.masks)
        for masks in [pair.masks] if together else [(mask,) for mask in pair.masks]:
            alone = together or len(pair.masks) == 1
            clip_id = _safe(name if alone else f"{name}-{masks[0].stem}")
            try:
                taken.take(clip_id, str(masks[0]))
                yield self._clip(clip_id, pair, masks, bound)
            except InputError as error:
                yield Rejected.because(clip_id, error)

    def _pair(self, folder: Path, source: Path) -> _Pair:
        images, masks = _images(folder), _masks(folder)
        if len(images) != 1:
            told = f"holds {len(images)} pictures called image.*" if images else "holds a mask and no image.*"
            raise InputError(told, where=folder, cure="keep one picture, called image.png, beside its masks")
        if not masks:
            raise InputError("holds a picture and no mask", where=folder, cure="add mask_0.png, white on the target")
        for path in (*images, *masks):
            self._check_inside(source, path)
        return _Pair(folder, images[0], masks, self._prompt(folder, source))

    def _prompt(self, folder: Path, source: Path) -> str | None:
        path = folder / PROMPT_NAME
        if not path.exists() and not path.is_symlink():
            return None
        self._check_inside(source, path)
        try:
            # Bytes, because reading as text would turn "\r\n" into "\n", and it is written back as it was.
            return path.read_bytes().decode("utf-8-sig")
        except (UnicodeDecodeError, OSError) as error:
            raise InputError(f"is not UTF-8 text ({error})", where=path, cure="save it as UTF-8") from error

    def _check_inside(self, source: Path, path: Path) -> None:
        inside(source, str(path.relative_to(source)), where=str(path), follow_links=self.options.follow_links)
        if not path.is_file():
            raise InputError("is no regular file", where=path, cure="replace it by a picture")

    def _clip(self, clip_id: str, pair: _Pair, masks: Sequence[Path], bound: BoundPrompt) -> LocatedClip:
        info = probe_video(pair.image)
        # A prompt that names more or fewer targets than the clip has masks does not say which is whose.
        told = len(bound.nouns) == len(masks)
        nouns = bound.nouns if told else {f"id{number}": "" for number, _ in enumerate(masks, 1)}
        caption = bound.caption if told else replace(bound.caption, spans=())
        tracks, notes = {}, list(_prompt_notes(pair, bound, len(masks)))
        for instance_id, path in zip(nouns, masks, strict=True):
            tracks[instance_id], met = self._track(path, info.size_hw)
            notes += met
        video, _, files = placed(clip_id, pair.image, {})
        clip = Clip(
            clip_id=clip_id,
            video=video,
            caption=write_markup(caption),
            num_frames=info.num_frames,
            size_hw=info.size_hw,
            fps=info.fps,
            instances=tuple(Instance(name, noun, role=ROLE) for name, noun in nouns.items()),
            tracks=tracks,
            extra=_extra(pair.prompt, caption.text),
        )
        return LocatedClip(clip, files, tuple(notes))

    def _track(self, path: Path, size_hw: tuple[int, int]) -> tuple[MaskTrack, tuple[Note, ...]]:
        mask, notes = read_mask(path, options=self.options.masks)
        if self.options.target == "black":
            mask = ~mask
        _check_target(mask, path)
        track = MaskTrack.from_array(mask[None])
        if track.size_hw == size_hw:
            return track, notes
        if not same_picture(track.size_hw, size_hw):
            problem = f"the mask is {size_text(track.size_hw)} and the picture {size_text(size_hw)}"
            raise InputError(problem, where=path, cure="give the mask of this very picture, at any resolution")
        fitted = Fit(track.size_hw, size_hw, "stretch").track(track)
        if not fitted.visible().any():
            problem = f"nothing of the target is left at the picture's size, {size_text(size_hw)}"
            raise InputError(problem, where=path, cure="give the mask at the picture's size")
        told = f"the mask is {size_text(track.size_hw)} and the picture {size_text(size_hw)}"
        return fitted, (*notes, Note(str(path), told, "it was resized to the picture, by nearest neighbour"))


# --- reading ---------------------------------------------------------------------------------------------------------


def _folders(source: Path) -> list[Path]:
    try:
        inner = [path for path in source.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=source, cure="check the folder") from error
    return [source, *sorted(inner)]


def _named(folder: Path, prefix: str, suffixes: Collection[str]) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []  # a folder that may not be looked into holds nothing that could be read
    return [path for path in entries if path.name.startswith(prefix) and path.suffix.lower() in suffixes]


def _images(folder: Path) -> tuple[Path, ...]:
    return tuple(path for path in _named(folder, "image", PICTURE_SUFFIXES) if path.stem == "image")


def _masks(folder: Path) -> tuple[Path, ...]:
    def by_number(path: Path) -> tuple[list[int], str]:
        return [int(digits) for digits in _DIGITS.findall(path.stem[:100])], path.name

    return tuple(sorted(_named(folder, "mask", _MASK_SUFFIXES), key=by_number))


def _safe(name: str) -> str:
    return clip_id_from(PurePosixPath(name))


def _check_target(mask: Bool[ndarray, "h w"], path: Path) -> None:
    if not np.any(mask):
        raise InputError("the mask is empty", where=path, cure="draw the target in white, or remove the mask")
    if np.all(mask):
        raise InputError("the mask covers the whole picture", where=path, cure="draw only the target in white")


def _prompt_notes(pair: _Pair, bound: BoundPrompt, num_masks: int) -> Iterator[Note]:
    where = str(pair.folder / PROMPT_NAME)
    if pair.prompt is None:
        yield Note(where, "there is no prompt", "the caption is empty")
        return
    if bound.translated:
        yield Note(where, "the trigger is written [TGT]", "it was translated to the word that the model knows, target")
    if not bound.nouns:
        yield Note(where, "the prompt names no target (target <noun>)", "the mask is bound to no word")
    elif len(bound.nouns) != num_masks:
        named = ", ".join(bound.nouns.values())
        told = f"the prompt names {len(bound.nouns)} targets ({named}) and the folder has {len(pair.masks)} masks"
        yield Note(where, told, "the mask is bound to no word")


def _extra(prompt: str | None, text: str) -> Mapping[str, Mapping[str, str]]:
    """The prompt as it stood, where the caption's text is not the same."""
    return {} if prompt is None or prompt == text else {FORMAT: {"prompt": prompt}}
