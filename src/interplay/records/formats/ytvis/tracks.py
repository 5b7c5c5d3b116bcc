"""The masks of YouTube-VIS and COCO annotations: run-length encodings, compressed or not, polygons, and ``null``.

All of them come out as checked tracks. Polygons are drawn by pycocotools, as COCO means them; it draws what it is given
without a look at the size, so their corners are looked at here.

``null`` is the one thing that the sources leave open. YouTube-VIS writes it for frames in which an instance is not
seen, and for frames that nobody annotated: its own evaluation treats both alike. Read as an empty mask, a frame nobody
looked at would teach a model that the instance is gone, so ``null`` is a gap of the track here, unless the options say
that it means ``empty``. We write a gap as ``null`` and an empty mask as an encoding without pixels.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from pycocotools import mask as coco

from interplay.core.errors import InputError
from interplay.records.clip import Boxes
from interplay.records.formats.ytvis.source import Annotation
from interplay.records.masks import Box, MaskTrack

_CURE = "give an encoding {size, counts}, a list of polygons [x1, y1, x2, y2, x3, y3, ...], or null"
_FEWEST_NUMBERS = 6
_CURE_BOX = "write [x, y, width, height], or null where the instance is not seen"


def read_track(
    annotation: Annotation, num_frames: int, size_hw: tuple[int, int], null: Literal["gap", "empty"]
) -> MaskTrack | None:
    """The annotation's track, ``None`` when it has no mask at all; :class:`InputError` about the first bad one."""
    masks = annotation.segmentations
    if not any(masks):
        return None
    where = f"{annotation.where}, segmentations"
    if len(masks) != num_frames:
        problem = f"has {len(masks)} masks and the video {num_frames} frames"
        raise InputError(problem, where=where, cure="give one entry per frame, null where there is no mask")
    counts = [_counts(mask, size_hw, f"{where}[{frame}]") for frame, mask in enumerate(masks)]
    if null == "empty":
        nothing = [size_hw[0] * size_hw[1]]
        counts = [nothing if mask is None else mask for mask in counts]
    return MaskTrack.checked(size_hw, counts, where=where)


def read_boxes(annotation: Annotation, num_frames: int) -> Boxes | None:
    """The annotation's boxes, ``None`` when it has none; ``null`` frames are unknown."""
    boxes = annotation.bboxes
    if not any(boxes):
        return None
    where = f"{annotation.where}, bboxes"
    if len(boxes) != num_frames:
        raise InputError(f"has {len(boxes)} boxes and the video {num_frames} frames", where=where, cure=_CURE_BOX)
    return Boxes({frame: _box(box, f"{where}[{frame}]") for frame, box in enumerate(boxes) if box})


def written_track(track: MaskTrack) -> dict[str, list[Any]]:
    """``segmentations``, ``bboxes`` (x, y, width, height) and ``areas`` of a track, one entry per frame."""
    boxes, areas = track.boxes(), track.areas()
    size = list(track.size_hw)
    known = [counts is not None for counts in track.frames]
    return {
        "segmentations": [
            None if counts is None else {"size": size, "counts": counts.decode("ascii")} for counts in track.frames
        ],
        "bboxes": [_xywh(boxes[frame]) if known[frame] else None for frame in range(len(track))],
        "areas": [int(areas[frame]) if known[frame] else None for frame in range(len(track))],
    }


def _xywh(box: Box | None) -> list[float]:
    return [0.0, 0.0, 0.0, 0.0] if box is None else [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def _counts(mask: Any, size_hw: tuple[int, int], where: str) -> Any:
    """The counts of one mask, not checked yet; ``None`` for a frame without one."""
    if not mask:
        return None
    if isinstance(mask, dict):
        if mask.get("size") != list(size_hw):
            problem = f"its size is {str(mask.get('size'))[:60]} and the video {list(size_hw)} (height, width)"
            raise InputError(problem, where=where, cure="give masks at the video's own size")
        return mask.get("counts", "")
    if isinstance(mask, list):
        polygons = [_polygon(corners, size_hw, where) for corners in mask]
        return coco.merge(coco.frPyObjects(polygons, *size_hw))["counts"]
    raise InputError(f"is {str(mask)[:60]!r}, no mask", where=where, cure=_CURE)


def _polygon(corners: Any, size_hw: tuple[int, int], where: str) -> list[float]:
    if not isinstance(corners, list) or len(corners) < _FEWEST_NUMBERS or len(corners) % 2:
        raise InputError("a polygon is no list of three corners or more", where=where, cure=_CURE)
    limit = 2 * max(size_hw)
    for number in corners:
        if not _is_number(number) or not -limit <= number <= limit:
            raise InputError(f"a polygon has the corner {str(number)[:60]}, far outside", where=where, cure=_CURE)
    return [float(number) for number in corners]


def _box(box: Any, where: str) -> Box:
    if not isinstance(box, list) or len(box) != 4 or not all(_is_number(side) for side in box):
        raise InputError(f"is {str(box)[:60]!r}, no box", where=where, cure=_CURE_BOX)
    x, y, width, height = map(float, box)
    if width < 0 or height < 0:
        raise InputError(f"has the width {width:g} and the height {height:g}", where=where, cure=_CURE_BOX)
    return (x, y, x + width, y + height)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
