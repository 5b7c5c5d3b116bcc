"""COCO's compressed run-length counts to arrays of run lengths and back, many masks at once.

A mask is read column by column, top to bottom. Its *counts* are the lengths of its runs, background first, so they add
up to its number of pixels. Compressed, each count from the fourth on stands as the difference to the count two before,
and each number is written in characters: five bits each, lowest first, plus 48; bit 5 says that more follow, and bit 4
of the last character is the sign.

Counts come from files that anybody may have made, and a decoder in C can be made to write outside its memory by them.
So everything is checked here, before anything is allocated by what a file declares, and nothing else in the project
decodes counts.

Shapes: k encoded masks, c characters, n numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Int, UInt8
from numpy import ndarray

from interplay.core.errors import InputError

# 16384 x 16384. Larger than any video; and below it all differences fit into six characters (29 bits and a sign).
MAX_PIXELS = 2**28
_MAX_CHARACTERS = 6
_OFFSET, _BITS, _PAYLOAD, _SIGN, _MORE = 48, 5, 0b01_1111, 0b01_0000, 0b10_0000
# Characters in one go: enough to make array operations worth while, few enough for the arrays to stay in the cache.
_BLOCK = 2**16
_CURE = "encode the mask again with pycocotools, or give the frame as unknown (null)"

Namer = Callable[[int], str]
"""Makes the name of a mask in an error out of its index."""


def decode_blocks(
    masks: Sequence[bytes], pixels: int, name: Namer = "mask {}".format
) -> Iterator[tuple[Int[ndarray, " n"], Int[ndarray, " k"]]]:
    """The counts of the masks, in arrays of many masks each, and how many counts each of these masks has.

    Counts that do not describe a mask of ``pixels`` pixels are an :class:`InputError`.
    """
    if pixels > MAX_PIXELS:
        raise InputError(f"declares {pixels} pixels, more than any picture has", where=name(0), cure=_CURE)
    for block in blocks([len(mask) for mask in masks]):
        yield _decoded(masks[block], pixels, _shifted(name, block.start))


def check(masks: Sequence[bytes], pixels: int, name: Namer = "mask {}".format) -> None:
    """Raise the :class:`InputError` of :func:`decode_blocks`, if there is one."""
    for _ in decode_blocks(masks, pixels, name):
        pass


def blocks(sizes: Sequence[int]) -> Iterator[slice]:
    """Neighbours that together have as many characters as are worth a round of array operations, and not many more."""
    first, size = 0, 0
    for index, more in enumerate(sizes):
        size += more
        if size >= _BLOCK or index == len(sizes) - 1:
            yield slice(first, index + 1)
            first, size = index + 1, 0


def encode_counts(counts: Int[ndarray, " n"], lengths: Int[ndarray, " k"]) -> list[bytes]:
    """The compressed counts of masks that have ``lengths`` counts each: byte for byte those of pycocotools."""
    numbers = counts.copy()
    late = np.flatnonzero(places(lengths) > 2)
    numbers[late] -= counts[late - 2]
    size = _characters_needed(numbers)
    ends = np.cumsum(size)
    text = np.empty(int(ends[-1]) if len(ends) else 0, dtype=np.uint8)
    for place in range(int(size.max(initial=0))):
        longer = np.flatnonzero(size > place)
        code = (numbers[longer] >> (_BITS * place)) & _PAYLOAD | np.where(size[longer] > place + 1, _MORE, 0)
        text[ends[longer] - size[longer] + place] = code + _OFFSET
    data, stops = text.tobytes(), ends[np.cumsum(lengths) - 1].tolist()
    return [data[start:stop] for start, stop in zip([0, *stops], stops, strict=False)]


def firsts(lengths: Int[ndarray, " k"]) -> Int[ndarray, " k"]:
    """Where each of several pieces begins when they lie in one array."""
    begins: Int[ndarray, " k"] = np.cumsum(lengths) - lengths
    return begins


def places(lengths: Int[ndarray, " k"]) -> Int[ndarray, " n"]:
    """0, 1, 2, ... anew for every piece."""
    origin = np.repeat(firsts(lengths), lengths)
    numbered: Int[ndarray, " n"] = np.arange(len(origin)) - origin
    return numbered


def _decoded(masks: Sequence[bytes], pixels: int, name: Namer) -> tuple[Int[ndarray, " n"], Int[ndarray, " k"]]:
    numbers, lengths = _numbers(masks, name)
    counts = _undo_differences(numbers, lengths)
    _check_counts(counts, lengths, pixels, name)
    return counts, lengths


def _numbers(masks: Sequence[bytes], name: Namer) -> tuple[Int[ndarray, " n"], Int[ndarray, " k"]]:
    """The signed numbers of all masks in one array, and how many of them each mask has."""
    if b"" in masks:
        raise InputError("has no counts", where=name(masks.index(b"")), cure=_CURE)
    ends = np.cumsum([len(mask) for mask in masks])
    codes = np.frombuffer(b"".join(masks), dtype=np.uint8) - np.uint8(_OFFSET)  # below 48 wraps to above 63
    if codes.max() >= 2 * _MORE:
        raise _fault(codes >= 2 * _MORE, ends, "has a character that counts are never written with", name)
    if codes[ends - 1].max() >= _MORE:
        whose = int((codes[ends - 1] >= _MORE).argmax())
        raise InputError("breaks off in the middle of a number", where=name(whose), cure=_CURE)
    last = np.flatnonzero(codes < _MORE)
    size = _steps(last + 1)
    if size.max() > _MAX_CHARACTERS:
        raise _fault(np.repeat(size > _MAX_CHARACTERS, size), ends, "has a number beyond any picture's size", name)
    return _joined(codes, last, size), _steps(np.searchsorted(last, ends))


def _joined(codes: UInt8[ndarray, " c"], last: Int[ndarray, " n"], size: Int[ndarray, " n"]) -> Int[ndarray, " n"]:
    """The numbers out of their characters; the last of them is the highest, and its sign that of the number."""
    payload = (codes & _PAYLOAD).astype(np.int64)
    highest = payload[last]
    numbers: Int[ndarray, " n"] = highest - ((highest & _SIGN) << 1)
    for back in range(1, int(size.max())):
        longer = np.flatnonzero(size > back)
        numbers[longer] = (numbers[longer] << _BITS) + payload[last[longer] - back]
    return numbers


def _undo_differences(numbers: Int[ndarray, " n"], lengths: Int[ndarray, " k"]) -> Int[ndarray, " n"]:
    """Each mask's first number stands alone; the second and every second after it are summed up, and so the third."""
    sums = np.empty(len(numbers) + 1, dtype=np.int64)
    sums[0] = 0
    for parity in (0, 1):
        np.cumsum(numbers[parity::2], out=sums[parity + 1 :: 2])
    first = firsts(lengths)
    origin = np.repeat(first, lengths)
    # The running sum of the whole array just before the chain began: at the mask's first number, or the one before it.
    counts: Int[ndarray, " n"] = sums[1:] - sums[origin + 1 - ((np.arange(len(origin)) - origin) & 1)]
    counts[first] = numbers[first]
    return counts


def _check_counts(counts: Int[ndarray, " n"], lengths: Int[ndarray, " k"], pixels: int, name: Namer) -> None:
    ends = np.cumsum(lengths)
    if counts.min() < 0:
        raise _fault(counts < 0, ends, "has a run of negative length", name)
    if counts.max() > pixels:  # looked at before the sums, which are then too small to overflow
        raise _fault(counts > pixels, ends, f"has a run longer than its {pixels} pixels", name)
    sums = np.add.reduceat(counts, ends - lengths)
    if (sums != pixels).any():
        whose = int((sums != pixels).argmax())
        problem = f"has runs of {sums[whose]} pixels together and a size of {pixels} pixels"
        raise InputError(problem, where=name(whose), cure=_CURE)


def _characters_needed(numbers: Int[ndarray, " n"]) -> Int[ndarray, " n"]:
    size = np.ones(len(numbers), dtype=np.int64)
    for more in range(1, _MAX_CHARACTERS):
        limit = 1 << (_BITS * more - 1)
        size += (numbers < -limit) | (numbers >= limit)
    return size


def _steps(ends: Int[ndarray, " k"]) -> Int[ndarray, " k"]:
    """The lengths of pieces that end at ``ends``; several times faster than ``np.diff`` with a zero before."""
    lengths = ends.copy()
    lengths[1:] -= ends[:-1]
    return lengths


def _fault(wrong: Bool[ndarray, " c"], ends: Int[ndarray, " k"], problem: str, name: Namer) -> InputError:
    """The error about the first place that is wrong; ``ends`` tells whose it is."""
    return InputError(problem, where=name(int(np.searchsorted(ends, wrong.argmax(), side="right"))), cure=_CURE)


def _shifted(name: Namer, by: int) -> Namer:
    return lambda index: name(index + by)
