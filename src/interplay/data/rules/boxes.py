"""Face, hand and object boxes: whole, with an area, inside the picture and inside the clip."""

from __future__ import annotations

from collections.abc import Iterator

from interplay.data.codes import Finding, found
from interplay.data.rules.spans import in_words
from interplay.records.check import is_broken_box
from interplay.records.clip import Boxes, Clip
from interplay.records.masks import Box

# Detectors give the right and bottom edge as a pixel or as a border; one pixel beyond is their convention, not a fault.
_SLACK_PX = 1.0


def check_boxes(clip: Clip) -> Iterator[Finding]:
    """Every kind of box of the clip."""
    for name, boxes in clip.boxes.items():
        yield from _check(clip, f"boxes {name}", boxes)


def _check(clip: Clip, where: str, boxes: Boxes) -> Iterator[Finding]:
    beyond = sorted(frame for frame in boxes.by_frame if not 0 <= frame < clip.num_frames)
    if beyond:
        problem = f"has boxes in {in_words(beyond)}, and the clip has {clip.num_frames} frames"
        yield found("box-beyond-end", clip.clip_id, where, problem)
    present = {frame: box for frame, box in sorted(boxes.by_frame.items()) if box is not None}
    broken = [frame for frame, box in present.items() if is_broken_box(box)]
    whole = {frame: box for frame, box in present.items() if frame not in broken}
    for code, frames, what in (
        ("box-broken", broken, "no (x1, y1, x2, y2)"),
        ("box-degenerate", [frame for frame, box in whole.items() if _has_no_area(box)], "without area"),
        ("box-outside", [frame for frame, box in whole.items() if _is_outside(box, clip)], "beyond the picture"),
    ):
        if frames:
            box = tuple(round(side, 1) for side in present[frames[0]])
            yield found(code, clip.clip_id, where, f"is {what} in {in_words(frames)}, for example {box}")


def _has_no_area(box: Box) -> bool:
    return box[2] <= box[0] or box[3] <= box[1]


def _is_outside(box: Box, clip: Clip) -> bool:
    height, width = clip.size_hw
    return min(box) < -_SLACK_PX or box[2] > width + _SLACK_PX or box[3] > height + _SLACK_PX
