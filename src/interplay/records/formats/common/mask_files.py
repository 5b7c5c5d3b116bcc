"""Mask pictures: one PNG, or a folder with one PNG per frame, and the mask track they mean.

Nobody agrees on what a mask PNG holds: 0 and 255, 0 and 1, palette indices, greys with soft edges, RGB copies of greys.
The official MATRIX loader thresholds at about 191, and so turns 0/1 and palette masks into empty ones without a word.
Here :mod:`.mask_values` decides from all values of a *track*, since a single frame may be
empty, full, or show a part of the values; what is not clear is refused.

Frames are encoded one by one as they are read, so a track costs the memory of one frame. A picture is decoded only
when its header declares the size that is expected, so a header of terabytes costs nothing.

Shapes: h and w pixels.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import struct
import warnings
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from numpy import ndarray
from PIL import Image

from interplay.core.errors import InputError
from interplay.core.files import atomic_write_bytes, full_disk_named
from interplay.records.formats.base import Note
from interplay.records.formats.common.mask_values import Levels, MaskOptions, MaskValues, levels_of
from interplay.records.formats.common.paths import inside
from interplay.records.masks import MaskTrack
from interplay.records.media.containers import check_pixels, check_present
from interplay.records.sizes import size_text

# What Pillow raises for damaged pictures, found by feeding it some 40,000 of them; nothing of it is a defect of ours.
_DAMAGED = (OSError, SyntaxError, ValueError, IndexError, EOFError, struct.error, zlib.error)
_KINDS = ("PNG", "JPEG")
_NAME = re.compile(r"(?P<prefix>.*?)(?P<number>[0-9]{1,9})\.(?:png|jpg|jpeg)", re.IGNORECASE | re.DOTALL)
_DIGITS = 3
# Two pictures with a hole between them do not show a step yet.
_FEWEST_FOR_A_STEP = 3
_MASKS_CURE = "save one mask per frame, an empty one where the instance is not seen, or read what is missing as unknown"
_GAP_CURE = f"{_MASKS_CURE} (--set masks.missing=gap)"


@dataclass(frozen=True)
class ReadTrack:
    """A track that was read from a folder of masks, and what was met on the way."""

    track: MaskTrack
    notes: tuple[Note, ...] = ()


# --- reading ---------------------------------------------------------------------------------------------------------


def read_mask(
    path: Path, *, size_hw: tuple[int, int] | None = None, options: MaskOptions | None = None
) -> tuple[Bool[ndarray, "h w"], tuple[Note, ...]]:
    """The mask in one picture, and what was odd about it.

    ``size_hw`` is the size that it must have. :class:`InputError` about the file for another size, a damaged file, and
    values that leave open what the mask is.
    """
    levels = read_levels(path, size_hw)
    values = MaskValues(options or MaskOptions(), path)
    values.add(levels, path)
    decoded = MaskTrack(levels.size_hw, values.encoded()).to_array()[0]
    return decoded, values.notes()


def read_mask_track(
    folder: Path,
    *,
    num_frames: int,
    size_hw: tuple[int, int],
    options: MaskOptions | None = None,
    gaps: Collection[int] = (),
    follow_links: bool = False,
) -> ReadTrack:
    """The track in a folder of numbered mask pictures, one per frame of a video of ``num_frames`` frames.

    Numbers may have any count of digits and start anywhere (both happen), but their sequence must have no hole and be
    as long as the video; with ``options.missing == "gap"``, frames without a picture are unknown instead. ``gaps`` are
    frames whose picture, an empty one, only holds the place of an unknown mask. :class:`InputError` names the folder or
    the file.
    """
    options = options or MaskOptions()
    pictures, notes = numbered_pictures(folder, follow_links=follow_links)
    by_frame, moved = _frames_of(pictures, num_frames, folder, options)
    values = MaskValues(options, folder)
    for frame in sorted(by_frame):
        values.add(read_levels(by_frame[frame], size_hw), by_frame[frame])
    masks = dict(zip(sorted(by_frame), values.encoded(), strict=True))
    track = MaskTrack(size_hw, tuple(masks.get(frame) for frame in range(num_frames)))
    track, kept = _with_gaps(track, gaps, folder)
    return ReadTrack(track, (*notes, *moved, *values.notes(), *kept))


def numbered_pictures(folder: Path, *, follow_links: bool = False) -> tuple[Mapping[int, Path], tuple[Note, ...]]:
    """The pictures of a folder by their number, ascending, and a note about files that are none.

    Hidden files (``.DS_Store``, ``._000.png``) are what systems leave behind, and are passed over. Two pictures of one
    number, and numbers behind different words, leave the order open: :class:`InputError`.
    """
    found: dict[int, Path] = {}
    others: list[str] = []
    prefixes: dict[str, str] = {}
    for entry in _entries(folder):
        match = _NAME.fullmatch(entry.name)
        if match is None:
            others.append(entry.name)
            continue
        number, prefix = int(match["number"]), match["prefix"]
        if number in found:
            _refuse_twice(folder, number, found[number].name, entry.name)
        found[number] = _regular(folder, entry, follow_links)
        prefixes.setdefault(prefix, entry.name)
    if len(prefixes) > 1:
        names = " and ".join(list(prefixes.values())[:2])
        raise InputError(f"holds pictures of several sequences ({names})", where=folder, cure="keep one sequence")
    return dict(sorted(found.items())), _unread(folder, others)


def read_levels(path: Path, size_hw: tuple[int, int] | None = None) -> Levels:
    """The values of a mask picture, undecided; decoded only when its header declares the size ``size_hw``."""
    with _picture(path) as image:
        declared = (image.height, image.width)
        if size_hw is not None and declared != size_hw:
            problem = f"the mask is {size_text(declared)} and the video {size_text(size_hw)}"
            cure = "save the masks at the video's own size, resized by nearest neighbour"
            raise InputError(problem, where=path, cure=cure)
        check_pixels(declared, path)
        image.load()
        return levels_of(image, path)


@contextmanager
def _picture(path: Path) -> Iterator[Image.Image]:
    check_present(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's about sizes, which are checked here, and about broken metadata
            with Image.open(path, formats=_KINDS) as image:
                yield image
    except Image.DecompressionBombError as error:
        problem = f"its header declares more pixels than any mask has ({error})"
        raise InputError(problem, where=path, cure="replace the file") from error
    except _DAMAGED as error:
        told = f"is no readable PNG or JPEG ({type(error).__name__}: {error})"
        raise InputError(told, where=path, cure="make the mask again") from error


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"cannot be read as a folder ({error.strerror})", where=folder, cure="check it") from error


def _regular(folder: Path, entry: os.DirEntry[str], follow_links: bool) -> Path:
    """The entry's path, once it is known to be a file inside the folder: a pipe would block, a loop never ends."""
    path = Path(entry.path)
    if entry.is_symlink():
        inside(folder, entry.name, where=str(path), follow_links=follow_links)
    if not entry.is_file():
        raise InputError("is no regular file", where=path, cure="replace it by a picture")
    return path


def _refuse_twice(folder: Path, number: int, first: str, second: str) -> None:
    problem = f"holds two pictures of number {number} ({first} and {second})"
    raise InputError(problem, where=folder, cure="remove one of them")


def _unread(folder: Path, names: list[str]) -> tuple[Note, ...]:
    if not names:
        return ()
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return (Note(str(folder), f"{len(names)} entries are no numbered pictures ({shown})", "they were not read"),)


# --- which picture is which frame ------------------------------------------------------------------------------------


def _frames_of(
    pictures: Mapping[int, Path], num_frames: int, folder: Path, options: MaskOptions
) -> tuple[dict[int, Path], tuple[Note, ...]]:
    if not pictures:
        raise InputError("holds no numbered mask pictures", where=folder, cure=_GAP_CURE)
    first, last = min(pictures), max(pictures)
    if len(pictures) == num_frames and (step := _step(pictures)) > 1:
        every = Note(str(folder), f"the masks are numbered in steps of {step}", "each was read as the next frame")
        return dict(enumerate(pictures.values())), (every,)
    whole = last - first + 1 == len(pictures) == num_frames
    # Number n among n frames exists only where counting starts at 1, whatever is missing.
    start = first if whole else int(first > 0 and last == num_frames)
    moved = _moved(folder, start, pictures)
    if whole:
        return {number - start: path for number, path in pictures.items()}, moved
    if last - start >= num_frames or options.missing == "refuse":
        _refuse_count(pictures, num_frames, start, folder)
    unknown = num_frames - len(pictures)
    absent = Note(str(folder), f"{unknown} of {num_frames} frames have no mask picture", "they are gaps of the track")
    return {number - start: path for number, path in pictures.items()}, (*moved, absent)


def _step(pictures: Mapping[int, Path]) -> int:
    """The one difference of all neighbouring numbers (5 where every fifth frame was kept); 0 when they differ."""
    steps = {after - before for before, after in pairwise(pictures)}
    return steps.pop() if len(steps) == 1 and len(pictures) >= _FEWEST_FOR_A_STEP else 0


def _moved(folder: Path, start: int, pictures: Mapping[int, Path]) -> tuple[Note, ...]:
    if start == 0:
        return ()
    name = pictures[start].name if start in pictures else f"number {start}"
    return (Note(str(folder), f"the numbers start at {start}", f"{name} was read as the first frame"),)


def _refuse_count(pictures: Mapping[int, Path], num_frames: int, start: int, folder: Path) -> None:
    told = f"holds {len(pictures)} masks and the video has {num_frames} frames"
    if len(pictures) >= num_frames:
        raise InputError(told, where=folder, cure="remove the masks of other frames, or cut both from the same frames")
    absent = next(number for number in range(start, start + num_frames) if number not in pictures)
    example = next(iter(pictures.values())).name
    raise InputError(f"{told}; {_renumbered(example, absent)} is missing", where=folder, cure=_GAP_CURE)


def _renumbered(name: str, number: int) -> str:
    """The name that the picture of ``number`` has beside a picture called ``name``."""
    match = _NAME.fullmatch(name)
    assert match is not None  # the name was found by this very expression
    head, digits, tail = name[: match.start("number")], match["number"], name[match.end("number") :]
    return f"{head}{number:0{len(digits)}d}{tail}"


def _with_gaps(track: MaskTrack, gaps: Collection[int], folder: Path) -> tuple[MaskTrack, tuple[Note, ...]]:
    """The track with its recorded gaps; a picture that holds a mask after all is believed over the record."""
    if not gaps:
        return track, ()
    areas = track.areas()
    inner = [frame for frame in gaps if 0 <= frame < len(track)]
    filled = [frame for frame in inner if areas[frame] > 0]
    unknown = set(inner) - set(filled)
    frames = tuple(None if frame in unknown else counts for frame, counts in enumerate(track.frames))
    if len(filled) == 0:
        return replace(track, frames=frames), ()
    problem = f"{len(filled)} frames that are recorded as gaps have a mask (first: frame {min(filled)})"
    return replace(track, frames=frames), (Note(str(folder), problem, "the mask was taken"),)


# --- writing ---------------------------------------------------------------------------------------------------------


def mask_png(mask: Bool[ndarray, "h w"]) -> bytes:
    """A mask as an 8-bit grey PNG of 0 and 255; the same mask gives the same bytes."""
    return picture_png(Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0))))


def picture_png(image: Image.Image) -> bytes:
    """A picture as PNG bytes."""
    stream = io.BytesIO()
    # Masks are long runs: zlib's strategy for these is faster than its usual one and packs them closer.
    image.save(stream, format="PNG", compress_type=zlib.Z_RLE)
    return stream.getvalue()


def write_mask(path: Path, mask: Bool[ndarray, "h w"]) -> None:
    """Write one mask in one step, as :func:`mask_png`."""
    atomic_write_bytes(path, mask_png(mask))


def write_mask_track(folder: Path, track: MaskTrack) -> None:
    """Write ``000.png``, ``001.png``, ... in one step, replacing the folder. A gap is written as an empty mask."""
    with replaced_folder(folder) as temporary:
        for frame in range(len(track)):
            mask = track.select([frame]).to_array()[0]
            (temporary / frame_name(frame, len(track))).write_bytes(mask_png(mask))


def frame_name(frame: int, num_frames: int) -> str:
    """``NNN.png``, with as many digits as keep the names of a video in order."""
    return f"{frame:0{max(_DIGITS, len(str(num_frames - 1)))}d}.png"


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """A temporary neighbour to fill; it takes the place of ``folder`` when the block ends well."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    with full_disk_named(folder.parent):
        try:
            temporary.mkdir(parents=True)
            yield temporary
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(temporary, folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
