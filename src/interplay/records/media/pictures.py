"""Pictures as a video: one still picture, or a folder of numbered ones.

Shapes: h and w pixels, 3 channels RGB.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.records.media.images import image_size_hw, is_picture, read_image
from interplay.records.sizes import size_text

# Sets that keep every fifth frame (YouTube-VIS) number them 0, 5, 10, ...; two pictures do not show a step yet.
_FEWEST_FOR_A_STEP = 3
_LAST_NUMBER = re.compile(r"(\d+)(?=\D*$)")


def picture_files(path: Path) -> tuple[Path, ...] | None:
    """The pictures behind ``path`` in their order; ``None`` when it is a file of another kind.

    A folder's pictures are ordered by the last number in their names (``frame_9.png`` before ``frame_10.png``); the
    numbering may begin anywhere and go in steps of any one size. A missing or doubled number, or a picture without
    one, is an :class:`InputError`. Hidden files and files that are no pictures are not frames.
    """
    if path.is_dir():
        return _numbered(path)
    return (path,) if is_picture(path) else None


def size_of_pictures(files: Sequence[Path]) -> tuple[int, int]:
    """The one height and width of all of them, from their headers."""
    first = image_size_hw(files[0])
    for path in files[1:]:
        _check_size(image_size_hw(path), first, path, files[0])
    return first


def stream_pictures(files: Sequence[Path], indices: Iterable[int]) -> Iterator[UInt8[ndarray, "h w 3"]]:
    """The pictures at ``indices``, one at a time, all of one size."""
    wanted = list(indices)
    outside = [index for index in wanted if not 0 <= index < len(files)]
    if outside:
        problem = f"has {len(files)} frames, and frame {outside[-1]} is asked for"
        raise InputError(problem, where=_owner(files), cure=f"ask for frames 0 to {len(files) - 1}")
    first = image_size_hw(files[0])
    for index in wanted:
        picture = read_image(files[index])
        _check_size(picture.shape[:2], first, files[index], files[0])
        yield picture


def _numbered(folder: Path) -> tuple[Path, ...]:
    pictures = sorted(path for path in folder.iterdir() if is_picture(path) and not path.name.startswith("."))
    if not pictures:
        raise InputError("is a folder that holds no pictures", where=folder, cure="give a video or numbered pictures")
    by_number: dict[int, Path] = {}
    for path in pictures:
        number = _number(path)
        if number in by_number:
            problem = f"{by_number[number].name} and {path.name} both are number {number}"
            raise InputError(problem, where=folder, cure="keep one of them")
        by_number[number] = path
    _check_gapless(by_number, folder)
    return tuple(by_number[number] for number in sorted(by_number))


def _number(path: Path) -> int:
    found = _LAST_NUMBER.search(path.stem)
    if found is None:
        problem = f"the picture {path.name} has no number, so its place is unknown"
        raise InputError(problem, where=path.parent, cure="number the frames (000.png, 001.png, ...) or move it away")
    return int(found[1])


def _check_gapless(by_number: dict[int, Path], folder: Path) -> None:
    numbers = sorted(by_number)
    steps = {after - before for before, after in pairwise(numbers)}
    if len(steps) == 1 and len(numbers) >= _FEWEST_FOR_A_STEP:
        return
    for before, after in pairwise(numbers):
        if after != before + 1:
            missing = f"{before + 1}" if after == before + 2 else f"{before + 1} to {after - 1}"
            problem = f"frame {missing} is missing between {by_number[before].name} and {by_number[after].name}"
            raise InputError(problem, where=folder, cure="add it or number the frames without gaps")


def _check_size(size_hw: Sequence[int], first: tuple[int, int], path: Path, first_path: Path) -> None:
    if tuple(size_hw) != first:
        problem = f"is {size_text((size_hw[0], size_hw[1]))} pixels, and {first_path.name} is {size_text(first)}"
        raise InputError(problem, where=path, cure="give all frames one size")


def _owner(files: Sequence[Path]) -> Path:
    return files[0] if len(files) == 1 else files[0].parent
