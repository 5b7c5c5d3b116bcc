"""Mask tracks: where one instance is, frame by frame, as COCO compressed run-length encodings.

Shapes: f frames, h and w pixels. A frame whose mask is ``None`` is a *gap*: nobody knows where the instance is. An
empty mask is something else: the frame was looked at and the instance is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray
from pycocotools import mask as coco

from interplay.core.errors import InputError
from interplay.records import rle
from interplay.records.sizes import size_text
from interplay.records.spans import Spans, combined, decode, encode

Box = tuple[float, float, float, float]

_CURE_SIZE = "give height and width of the pictures that the masks belong to"
_CURE_COUNTS = "give per frame COCO counts as text, as a list of run lengths, or null where nothing is known"


@dataclass(frozen=True)
class MaskTrack:
    """One mask per frame; ``frames`` holds the COCO ``counts`` of each frame, or ``None`` for a gap.

    The constructor takes its word for it. Counts from a file go through :meth:`checked`; a track that did not, and is
    damaged, gives an :class:`InputError` where its masks are first needed, and no other harm.
    """

    size_hw: tuple[int, int]
    frames: tuple[bytes | None, ...]

    def __len__(self) -> int:
        return len(self.frames)

    @staticmethod
    def from_array(masks: Bool[ndarray, "f h w"], gaps: Sequence[int] = ()) -> MaskTrack:
        """Encode masks; frames in ``gaps`` are unknown whatever their mask says."""
        track = MaskTrack.from_masks(masks, (masks.shape[1], masks.shape[2]))
        return track.without(gaps)

    @staticmethod
    def from_masks(masks: Iterable[Bool[ndarray, "h w"] | None], size_hw: tuple[int, int]) -> MaskTrack:
        """Encode masks one at a time, so that only one lies in memory; ``None`` is a gap."""
        return MaskTrack(size_hw, tuple(None if mask is None else _encoded(mask, size_hw) for mask in masks))

    @staticmethod
    def from_uncompressed(size_hw: tuple[int, int], frames: Sequence[Sequence[int] | None], *, where: str) -> MaskTrack:
        """Encode COCO's uncompressed counts: run lengths column by column, background first, ``None`` for a gap."""
        return MaskTrack.checked(size_hw, frames, where=where)

    @staticmethod
    def checked(size_hw: object, frames: object, *, where: str) -> MaskTrack:
        """A track of untrusted values, as JSON gives them; whatever is wrong with them is an :class:`InputError`.

        ``size_hw`` must be height and width; ``frames`` a list of compressed counts (text or bytes), uncompressed
        counts (a list of run lengths) or ``None``. The result has canonical counts: equal masks are equal bytes.
        """
        size = _checked_size(size_hw, where)
        if not isinstance(frames, (list, tuple)):
            raise InputError(f"is {_kind(frames)}, not a list of masks", where=where, cure=_CURE_COUNTS)
        known = [index for index, counts in enumerate(frames) if counts is not None]

        def name(mask: int) -> str:
            return f"{where}, frame {known[mask]}"

        compressed = [_compressed(frames[index], name(mask)) for mask, index in enumerate(known)]
        encoded = iter(encode(decode(compressed, size[0] * size[1], name)))
        return MaskTrack(size, tuple(None if counts is None else next(encoded) for counts in frames))

    def to_array(self) -> Bool[ndarray, "f h w"]:
        """The masks; a gap reads as an empty mask, so ask :meth:`known` before an absence is believed."""
        height, width = self.size_hw
        masks = np.zeros((len(self.frames), height, width), dtype=bool)
        masks[self.known()] = self.spans().painted().reshape(-1, width, height).swapaxes(1, 2)
        return masks

    def known(self) -> Bool[ndarray, " f"]:
        """Which frames have a mask, be it an empty one."""
        return np.array([counts is not None for counts in self.frames], dtype=bool)

    def visible(self) -> Bool[ndarray, " f"]:
        """Which frames have a mask that is not empty."""
        return self.areas() > 0

    def gaps(self) -> list[range]:
        """The frames without a mask, as ranges of neighbours."""
        return _ranges(~self.known())

    def areas(self) -> Int[ndarray, " f"]:
        """Pixels per frame; 0 in gaps."""
        areas = np.zeros(len(self.frames), dtype=np.int64)
        areas[self.known()] = self.spans().areas()
        return areas

    def boxes(self) -> Mapping[int, Box | None]:
        """Bounding box ``(x1, y1, x2, y2)`` per known frame, right and bottom exclusive; ``None`` for an empty mask."""
        boxes: dict[int, Box | None] = {int(frame): None for frame in np.flatnonzero(self.known())}
        frames = list(boxes)
        for mask, box in _tight_boxes(self.spans(), self.size_hw[0], self.size_hw[1]):
            boxes[frames[mask]] = box
        return boxes

    def union(self, other: MaskTrack) -> MaskTrack:
        """Pixels of either track. A frame is known only where both are: half a union would be a made-up mask."""
        return self._combined(other, at_least=1)

    def intersection(self, other: MaskTrack) -> MaskTrack:
        """Pixels of both tracks. A frame is known only where both are."""
        return self._combined(other, at_least=2)

    def select(self, indices: Sequence[int]) -> MaskTrack:
        """The track of the chosen frames, in the order given."""
        return MaskTrack(self.size_hw, tuple(self.frames[index] for index in indices))

    def without(self, gaps: Sequence[int]) -> MaskTrack:
        """The same track with the frames ``gaps`` unknown."""
        frames = list(self.frames)
        for gap in gaps:
            frames[gap] = None
        return MaskTrack(self.size_hw, tuple(frames))

    def spans(self) -> Spans:
        """The foreground of the known frames, one after the other, as runs down the columns."""
        known = [index for index, counts in enumerate(self.frames) if counts is not None]
        encoded = [counts for counts in self.frames if counts is not None]
        return decode(encoded, self.size_hw[0] * self.size_hw[1], lambda mask: _frame_name(known[mask]))

    def _combined(self, other: MaskTrack, at_least: int) -> MaskTrack:
        if (self.size_hw, len(self)) != (other.size_hw, len(other)):
            raise ValueError(f"tracks of {self.size_hw} x {len(self)} and {other.size_hw} x {len(other)} frames")
        unknown = [int(gap) for gap in np.flatnonzero(~(self.known() & other.known()))]
        first, second = self.without(unknown), other.without(unknown)
        encoded = iter(encode(combined(first.spans(), second.spans(), at_least=at_least)))
        return MaskTrack(self.size_hw, tuple(None if counts is None else next(encoded) for counts in first.frames))


def check_tracks(tracks: Mapping[str, MaskTrack], *, where: str) -> None:
    """Raise an :class:`InputError` for the first counts that are no mask; all tracks at once, which is faster."""
    for size_hw in dict.fromkeys(track.size_hw for track in tracks.values()):
        _check_alike({name: track for name, track in tracks.items() if track.size_hw == size_hw}, size_hw, where)


def _check_alike(tracks: Mapping[str, MaskTrack], size_hw: tuple[int, int], where: str) -> None:
    def name(mask: int) -> str:
        known = ((name, frame) for name, track in tracks.items() for frame in np.flatnonzero(track.known()))
        instance, frame = next(islice(known, mask, None))
        return f"{where} {instance}, frame {frame}"

    encoded = [counts for track in tracks.values() for counts in track.frames if counts is not None]
    rle.check(encoded, size_hw[0] * size_hw[1], name)


def _frame_name(index: int) -> str:
    return f"mask track, frame {index}"


def _encoded(mask: Bool[ndarray, "h w"], size_hw: tuple[int, int]) -> bytes:
    if mask.shape != size_hw:
        raise ValueError(f"a mask of {mask.shape} pixels in a track of {size_hw}")
    counts: bytes = coco.encode(np.asfortranarray(mask.view(np.uint8)))["counts"]
    return counts


def _tight_boxes(spans: Spans, height: int, width: int) -> list[tuple[int, Box]]:
    """The masks that have foreground, and their boxes."""
    if not len(spans.start):
        return []
    masks, first = np.unique(spans.start // spans.pixels, return_index=True)
    last = np.append(first[1:], len(spans.start)) - 1
    left, right = spans.start // height, (spans.stop - 1) // height
    whole = left != right  # a span that goes on in the next column reaches the bottom, and begins there at the top
    top = np.minimum.reduceat(np.where(whole, 0, spans.start % height), first)
    bottom = np.maximum.reduceat(np.where(whole, height, (spans.stop - 1) % height + 1), first)
    edges = np.stack((left[first] % width, top, right[last] % width + 1, bottom), axis=1).astype(float)
    return [(int(mask), tuple(edge)) for mask, edge in zip(masks, edges.tolist(), strict=True)]


def _ranges(wanted: Bool[ndarray, " f"]) -> list[range]:
    edges = np.flatnonzero(np.diff(wanted.astype(np.int8), prepend=0, append=0)).tolist()
    return [range(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _checked_size(size_hw: object, where: str) -> tuple[int, int]:
    sides = list(size_hw) if isinstance(size_hw, (list, tuple)) else []
    if len(sides) != 2 or any(type(side) is not int or side <= 0 for side in sides):
        shown = repr(size_hw)[:60]
        raise InputError(f"size {shown} is not two positive whole numbers", where=where, cure=_CURE_SIZE)
    if sides[0] * sides[1] > rle.MAX_PIXELS:
        problem = f"declares {size_text((sides[0], sides[1]))} pixels, more than any picture has"
        raise InputError(problem, where=where, cure=_CURE_SIZE)
    return sides[0], sides[1]


def _compressed(counts: object, where: str) -> bytes:
    if isinstance(counts, bytes):
        return counts
    if isinstance(counts, str):
        # What is not ASCII becomes "?", 63, which is no error by itself: so it is checked here.
        if not counts.isascii():
            raise InputError("has a character that counts are never written with", where=where, cure=_CURE_COUNTS)
        return counts.encode("ascii")
    if isinstance(counts, (list, tuple)):
        return _compressed_list(counts, where)
    raise InputError(f"is {_kind(counts)}, not COCO counts", where=where, cure=_CURE_COUNTS)


def _compressed_list(counts: Sequence[object], where: str) -> bytes:
    lengths = [count for count in counts if type(count) is int and 0 <= count <= rle.MAX_PIXELS]
    if len(lengths) < len(counts) or not counts:
        problem = "has counts that are no list of run lengths (whole numbers from 0 on)"
        raise InputError(problem, where=where, cure=_CURE_COUNTS)
    return rle.encode_counts(np.array(lengths, dtype=np.int64), np.array([len(lengths)]))[0]


def _kind(value: object) -> str:
    names = {dict: "an object", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), f"a {type(value).__name__}")
