"""Every code that ``interplay data check`` can report: how bad it is, what it means, and what to do about it.

This is the one place where codes are listed; ``docs/data.md`` shows the same table. *error*: training on the clip gives
wrong results or none. *warning*: training works and probably not as meant. *note*: worth knowing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Code:
    """One thing that can be found, and the usual cure."""

    name: str
    severity: Severity
    meaning: str
    cure: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. ``clip_id`` is ``None`` when it is about the dataset as a whole."""

    code: str
    severity: Severity
    clip_id: str | None
    where: str
    problem: str
    cure: str


def found(code: str, clip_id: str | None, where: str, problem: str, cure: str | None = None) -> Finding:
    """A finding of a listed code (``KeyError`` for another), with the code's own cure unless a better one is known."""
    listed = CODES[code]
    return Finding(code, listed.severity, clip_id, where, problem, listed.cure if cure is None else cure)


def within(finding: Finding, root: Path) -> Finding:
    """The finding with files of the dataset at ``root`` named from there, for people who know where they are."""
    return replace(finding, where=shortened(finding.where, root))


def shortened(where: str, root: Path) -> str:
    """A place in the dataset at ``root``, named from there."""
    return where.replace(f"{root}{os.sep}", "")


def grouped(findings: Iterable[Finding]) -> tuple[tuple[Finding, ...], ...]:
    """The findings of each code together, the gravest codes first."""
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        by_code.setdefault(finding.code, []).append(finding)
    order = sorted(by_code, key=lambda code: (SEVERITIES.index(CODES[code].severity), _PLACE[code]))
    return tuple(tuple(by_code[code]) for code in order)


_LISTED = (
    # --- reading and files ---
    Code("rejected", "error", "the clip cannot be read", "mend what the finding names, or leave the clip out"),
    Code(
        "repaired",
        "note",
        "the reader met an oddity and dealt with it",
        "nothing to do; mend the source to be rid of it",
    ),
    Code("media-missing", "error", "a file that the clip names is not there", "add the file or take its name out"),
    Code(
        "video-unreadable",
        "error",
        "a video of the clip does not open, or breaks off while it is decoded",
        "replace the file",
    ),
    Code(
        "video-differs",
        "error",
        "frames or size of the video are not what the clip says",
        "make the clip's record anew from its video",
    ),
    Code("id-duplicate", "error", "two clips have one id", "give every clip its own id"),
    Code(
        "id-unsafe",
        "error",
        "the clip id cannot be a file name",
        "use letters, digits, '.', '_' and '-', first a letter or digit",
    ),
    # --- time and size ---
    Code(
        "fps-absent", "error", "the clip has no frame rate", "state it, or write the video again with a constant rate"
    ),
    Code(
        "fps-odd",
        "warning",
        "the frame rate is neither whole nor an NTSC rate: often a variable or broken one",
        "resample the video to a constant rate",
    ),
    Code(
        "fps-varies",
        "warning",
        "the frames of the file are not evenly spaced in time",
        "resample the video to a constant rate",
    ),
    Code(
        "fps-unexpected",
        "warning",
        "the frame rate is not the one that --fps names",
        "resample the video, or state the true rate",
    ),
    Code(
        "frames-rule",
        "warning",
        "the frame count is not a multiple of the temporal stride plus one",
        "cut the clip, or let training choose the frames",
    ),
    Code(
        "size-multiple",
        "warning",
        "height or width is not a multiple of what the model needs",
        "resize or crop the clip",
    ),
    Code(
        "pixels-not-square",
        "warning",
        "the video is meant to be shown stretched, and models see it unstretched",
        "write it again with square pixels",
    ),
    Code("sizes-mixed", "note", "the clips have several sizes", "train with buckets, or bring them to one size"),
    Code(
        "frames-mixed", "note", "the clips have several frame counts", "train with buckets, or cut them to one length"
    ),
    Code("fps-mixed", "note", "the clips have several frame rates", "resample them to one rate"),
    Code(
        "bucket-drop",
        "warning",
        "no bucket takes the clip, so training leaves it out",
        "add a bucket, or bring the clip to the size of one",
    ),
    # --- mask tracks ---
    Code("track-damaged", "error", "the encoding of a mask track cannot be decoded", "make the track again"),
    Code("mask-size", "error", "a mask track has another size than the video", "bring both through the same resize"),
    Code(
        "mask-frames",
        "error",
        "a mask track has another number of frames than the video",
        "bring both through the same frame choice",
    ),
    Code(
        "track-empty",
        "warning",
        "a mask track shows its instance in no frame",
        "track it again, or leave the track out",
    ),
    Code(
        "track-gaps", "note", "a mask track is unknown in some frames", "nothing to do: gaps are left out of every loss"
    ),
    Code(
        "track-late",
        "note",
        "the instance is not in the first frame, where some methods take its region",
        "begin the clip where all instances are seen",
    ),
    Code(
        "mask-tiny",
        "warning",
        "masks are smaller than a token, or than the least share of the frame",
        "use a higher resolution, or leave the instance out",
    ),
    Code(
        "mask-full",
        "warning",
        "masks cover nearly the whole frame: the background, or black and white swapped",
        "look at the masks with `interplay data show`",
    ),
    Code("track-duplicate", "warning", "two tracks of a clip are the same", "keep one of them"),
    Code(
        "track-overlap",
        "warning",
        "two tracks of a clip overlap strongly",
        "look at them: one instance may be tracked twice",
    ),
    Code(
        "track-swap", "warning", "two tracks change places from one frame to the next", "track again from that frame on"
    ),
    # --- boxes ---
    Code(
        "box-broken",
        "error",
        "a box is not finite, or its corners are swapped",
        "give (x1, y1, x2, y2), the upper left corner first",
    ),
    Code(
        "box-beyond-end",
        "error",
        "a box is at a frame that the clip does not have",
        "number frames from 0 in the clip's own frames",
    ),
    Code("box-degenerate", "warning", "a box has no area", "list the frame without a box instead"),
    Code("box-outside", "warning", "a box reaches beyond the picture", "give boxes in the video's own pixels"),
    # --- who and what ---
    Code("instance-twice", "error", "an instance id is listed twice", "give each its own id"),
    Code(
        "marker-no-instance",
        "error",
        "the caption marks an id that is no instance",
        "add the instance or correct the id",
    ),
    Code("track-no-instance", "error", "a mask track belongs to no instance", "add the instance or correct the id"),
    Code(
        "marker-no-track",
        "warning",
        "the caption marks an instance that has no mask track",
        "give it a track, or training counts it as missing",
    ),
    Code(
        "track-no-marker",
        "warning",
        "an instance has a mask track and no marker in the caption",
        "mark its noun, or no word is bound to the track",
    ),
    Code(
        "role-unknown",
        "error",
        "an interaction names somebody who is no instance",
        "add the instance or correct the id",
    ),
    Code(
        "span-outside",
        "warning",
        "an interaction's time span is empty or reaches beyond the clip",
        "give seconds from the clip's own start",
    ),
    # --- captions ---
    Code("caption-malformed", "error", "the caption's markup cannot be parsed", "mend the markup"),
    Code("caption-empty", "warning", "the clip has no caption", "write one"),
    Code(
        "caption-long",
        "warning",
        "the caption has more tokens than the text encoder reads",
        "shorten it, or allow more tokens",
    ),
    Code("caption-duplicate", "note", "several clips have one caption", "nothing to do, unless they should differ"),
)

CODES: Mapping[str, Code] = {code.name: code for code in _LISTED}
_PLACE = {name: place for place, name in enumerate(CODES)}
