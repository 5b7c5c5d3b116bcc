"""The two box cells of a CoInteract table, ``face`` and ``hand_object``: their text, their keys, their pixels.

Traps of the format (the official training README, demo and loader disagree):

- Keys are pixel frames (2, 6, ... 78, the centre of each latent's four frames) in the demo and the loader, and latent
  indices (0 ... 19) in the README. The largest key of a row decides: 19 or less means latent indices, unless those
  would lie beyond the video.
- A side that is not seen is ``[]``, ``null`` or absent; absent says nothing, the others say "looked, and not there".
- Numbers are integers or not, in the pixels of the columns ``height`` and ``width``, which need not be the video's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from interplay.core.errors import InputError
from interplay.records.clip import Boxes
from interplay.records.formats.common.tables import parse_json
from interplay.records.geometry import same_picture
from interplay.records.masks import Box
from interplay.records.sizes import size_text

# A latent covers four pixel frames and is keyed by its second: key k stands for the frames k - 1 to k + 2.
FRAMES_OF_A_KEY = range(-1, 3)
LATENT_STRIDE, FIRST_PIXEL_KEY, LARGEST_LATENT_KEY = 4, 2, 19

KeyConvention = Literal["pixel", "latent"]
PartBoxes = Mapping[str, Mapping[int, Box | None]]

FACE = "face"
PARTS = {"l_h": "left_hand", "r_h": "right_hand", "obj": "object"}
# No clip has more frames than nine digits count; int() itself gives up at some thousands of them.
_KEY = re.compile(r"frame_([0-9]{1,9})")
_LONGEST_QUOTE = 80


@dataclass(frozen=True)
class BoxCells:
    """What both cells say: part (``face``, ``left_hand``, ``right_hand``, ``object``) -> key -> box or ``None``.

    ``largest_key`` counts the keys that say nothing, too (``"frame_78": {}``); ``None`` when there are no keys.
    ``unread`` names the sides that this format does not know.
    """

    parts: PartBoxes
    largest_key: int | None
    unread: tuple[str, ...] = ()

    def convention(self, num_frames: int) -> KeyConvention | None:
        """What the keys are in a row whose video has ``num_frames``; ``None`` when there are none."""
        if self.largest_key is None:
            return None
        latest = max((key for boxes in self.parts.values() for key in boxes), default=0)
        latent = self.largest_key <= LARGEST_LATENT_KEY and pixel_key(latest) < num_frames
        return "latent" if latent else "pixel"

    def in_pixel_frames(self, convention: KeyConvention) -> PartBoxes:
        """The boxes by pixel frame of the labels' own timeline."""
        if convention == "pixel":
            return self.parts
        return {part: {pixel_key(key): box for key, box in boxes.items()} for part, boxes in self.parts.items()}


def pixel_key(latent_key: int) -> int:
    """The pixel frame that a latent index stands for."""
    return LATENT_STRIDE * latent_key + FIRST_PIXEL_KEY


def latest_frame(parts: PartBoxes) -> int:
    """The last frame that any part has a box or a "not there" at; 0 when there are none."""
    return max((frame for boxes in parts.values() for frame in boxes), default=0)


# --- reading ---------------------------------------------------------------------------------------------------------


def read_box_cells(record: Mapping[str, Any], where: str) -> BoxCells:
    """The cells ``face`` and ``hand_object`` of a row, as JSON text or as values; :class:`InputError` when malformed.

    ``record`` holds the cells that are not empty.
    """
    faces, hands = _keyed(record, FACE, where), _keyed(record, "hand_object", where)
    parts: dict[str, dict[int, Box | None]] = {}
    unread: set[str] = set()
    for key, value in faces.items():
        parts.setdefault(FACE, {})[key] = _box(value, f"{where}, field face, frame_{key}")
    for key, value in hands.items():
        place = f"{where}, field hand_object, frame_{key}"
        for short, box in _sides(value, place).items():
            if short in PARTS:
                parts.setdefault(PARTS[short], {})[key] = _box(box, f"{place}, {short}")
            else:
                unread.add(short)
    return BoxCells(parts, max((*faces, *hands), default=None), tuple(sorted(unread)))


def _sides(value: Any, where: str) -> Mapping[str, Any]:
    if value in (None, []):
        return {}
    if not isinstance(value, dict):
        cure = "write an object of l_h, r_h and obj, with [] for unseen parts"
        raise InputError("is no JSON object", where=where, cure=cure)
    return value


def _keyed(record: Mapping[str, Any], field: str, where: str) -> dict[int, Any]:
    place = f"{where}, field {field}"
    value = record.get(field)
    value = parse_json(value, place) if isinstance(value, str) else value
    if value in (None, []):
        return {}
    if not isinstance(value, dict):
        raise InputError("is no JSON object", where=place, cure='write {"frame_2": [x1, y1, x2, y2], ...}')
    keyed: dict[int, Any] = {}
    for name, content in value.items():
        if (match := _KEY.fullmatch(name)) is None:
            raise InputError(f"the key {name!r} is not known", where=place, cure="name keys frame_0, frame_1, ...")
        if int(match.group(1)) in keyed:
            raise InputError(f"frame {int(match.group(1))} is named twice", where=place, cure="keep one of them")
        keyed[int(match.group(1))] = content
    return keyed


def _box(value: Any, where: str) -> Box | None:
    if value in ([], None):
        return None
    if not isinstance(value, list) or len(value) != 4 or not all(_is_number(side) for side in value):
        raise InputError(
            f"{_short(value)} is no box", where=where, cure="write [x1, y1, x2, y2], or [] when it is unseen"
        )
    x1, y1, x2, y2 = (float(side) for side in value)
    if x2 <= x1 or y2 <= y1:
        cure = "write x1 < x2 and y1 < y2, or [] when unseen"
        raise InputError(f"the box {_short(value)} is empty", where=where, cure=cure)
    return (x1, y1, x2, y2)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    # An integer beyond this cannot become a float, and no picture is as wide.
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 2**53


# --- into a clip's frames and pixels, and back -----------------------------------------------------------------------


def boxes_in_clip(
    parts: PartBoxes, boxes_hw: tuple[int, int], clip_hw: tuple[int, int], lead: int, num_frames: int, *, where: str
) -> tuple[dict[str, Boxes], int]:
    """The boxes at the clip's frames (label frame i is video frame i + ``lead``) and in its pixels; how many are cut.

    Cut is what falls before the first or behind the last frame. Only the frames that the table names are listed. Sizes
    that cannot be the same picture are an :class:`InputError`.
    """
    if not same_picture(clip_hw, boxes_hw):
        sizes = size_text(boxes_hw), size_text(clip_hw)
        problem = f"is {sizes[0]} pixels, which cannot be the same picture as the video of {sizes[1]}"
        raise InputError(problem, where=where, cure="give the size of the picture in which the boxes were found")
    across, down = clip_hw[1] / boxes_hw[1], clip_hw[0] / boxes_hw[0]
    kept = {
        part: {
            frame + lead: None if box is None else (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
            for frame, box in boxes.items()
            if 0 <= frame + lead < num_frames
        }
        for part, boxes in parts.items()
    }
    cut = sum(map(len, parts.values())) - sum(map(len, kept.values()))
    return {part: Boxes(boxes) for part, boxes in kept.items() if boxes}, cut


@dataclass(frozen=True)
class WrittenBoxes:
    """The two cells; how many boxes have no place in them, and how many stand under a key up to two frames away."""

    face: dict[str, Any]
    hand_object: dict[str, Any]
    left_out: int
    moved: int


def write_box_cells(boxes: Mapping[str, Boxes], lead: int) -> WrittenBoxes:
    """The cells for boxes at a clip's frames.

    The official loader knows one box per latent, under the key of its centre (2, 6, 10, ...): that frame's box is
    written, or where it has none the nearest one of the latent's four frames. ``lead`` is taken away again, so that the
    boxes stay in step with the structure video beside them.
    """
    labels = {part: {frame - lead: box for frame, box in boxes[part].by_frame.items()} for part in boxes}
    chosen = {part: _per_latent(labels.get(part, {})) for part in (FACE, *PARTS.values())}
    face: dict[str, Any] = {}
    hands: dict[str, Any] = {}
    for key in sorted({key for by_key in chosen.values() for key in by_key}):
        for short, part in PARTS.items():
            if key in chosen[part]:
                hands.setdefault(f"frame_{key}", {})[short] = _numbers(labels[part][chosen[part][key]])
        if key in chosen[FACE]:
            face[f"frame_{key}"] = _numbers(labels[FACE][chosen[FACE][key]])
    written = [(key, frame) for by_key in chosen.values() for key, frame in by_key.items()]
    if written and max(written)[0] <= LARGEST_LATENT_KEY:
        # Such keys alone would be taken for latent indices; an object without sides says nothing but the convention.
        hands[f"frame_{pixel_key(LARGEST_LATENT_KEY)}"] = {}
    left_out = sum(map(len, labels.values())) - len(written)
    return WrittenBoxes(face, hands, left_out, moved=sum(key != frame for key, frame in written))


def _per_latent(by_label: Mapping[int, Box | None]) -> dict[int, int]:
    """Key of each latent -> the labelled frame of its four that is nearest to the key, the earlier of two."""
    nearest: dict[int, int] = {}
    for frame in sorted(by_label):
        key = pixel_key((frame - FIRST_PIXEL_KEY - FRAMES_OF_A_KEY[0]) // LATENT_STRIDE)
        if key >= FIRST_PIXEL_KEY and (key not in nearest or abs(frame - key) < abs(nearest[key] - key)):
            nearest[key] = frame
    return nearest


def _numbers(box: Box | None) -> list[int | float]:
    return [] if box is None else [int(side) if float(side).is_integer() else float(side) for side in box]
