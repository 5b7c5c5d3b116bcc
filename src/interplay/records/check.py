"""What must hold inside one clip before it is stored: no part of it may contradict another.

What is merely missing is legal, because foreign data has it: a marker without a track (nobody masked that instance) and
a track without a marker (nobody named it). ``interplay data check`` reports both and training counts them as missing.
Where a stage makes the binding itself, it must be whole, and :func:`check_binding` says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from interplay.core.errors import InputError
from interplay.records.caption import parse_caption
from interplay.records.clip import Boxes, Clip, Interaction
from interplay.records.masks import Box
from interplay.records.sizes import shape_text


def check_clip(clip: Clip, *, where: str) -> None:
    """Raise one :class:`InputError` about ``where`` for the first thing in ``clip`` that contradicts another."""
    marked = parse_caption(clip.caption, where=f"{where}, caption").instance_ids
    known = [instance.id for instance in clip.instances]
    if len(set(known)) < len(known):
        raise InputError("an instance id is listed twice", where=f"{where}, instances", cure="give each its own id")
    _check_named((*marked, *clip.tracks), known, f"{where}, caption and tracks")
    for interaction in clip.interactions:
        _check_named(roles_of(interaction), known, f"{where}, interaction '{interaction.verb}'")
    _check_tracks(clip, where)
    for name, boxes in clip.boxes.items():
        _check_boxes(boxes, clip.num_frames, f"{where}, boxes {name}")


def check_binding(marked: Iterable[str], tracked: Iterable[str], *, where: str) -> None:
    """The ids that the caption marks and the ids that have a track must be the same ones."""
    marked, tracked = list(marked), list(tracked)
    for instance_id in marked:
        if instance_id not in tracked:
            problem = f"the marker <{instance_id}> has no mask track"
            cure = f"give a track for {instance_id} or take its marker out of the caption"
            raise InputError(problem, where=f"{where}, caption", cure=cure)
    for instance_id in tracked:
        if instance_id not in marked:
            problem = f"the mask track {instance_id} has no marker in the caption"
            cure = f"mark its noun as <{instance_id}> or leave the track out"
            raise InputError(problem, where=f"{where}, tracks", cure=cure)


def roles_of(interaction: Interaction) -> tuple[str, ...]:
    """The instance ids that an interaction names: subject, object and recipient, as far as it has them."""
    roles = (interaction.subject, interaction.object, interaction.recipient)
    return tuple(role for role in roles if role is not None)


def is_broken_box(box: Box) -> bool:
    """Whether four numbers are no box at all: one is not finite, or a far side lies before its near side."""
    x1, y1, x2, y2 = box
    return not all(map(math.isfinite, box)) or x2 < x1 or y2 < y1


def _check_named(used: Iterable[str], known: Iterable[str], where: str) -> None:
    known = list(known)
    for instance_id in used:
        if instance_id not in known:
            problem = f"{instance_id} is not among the clip's instances ({', '.join(known) or 'none'})"
            raise InputError(problem, where=where, cure=f"add {instance_id} to the instances or correct the id")


def _check_tracks(clip: Clip, where: str) -> None:
    for instance_id, track in clip.tracks.items():
        if track.size_hw != clip.size_hw or len(track) != clip.num_frames:
            sizes = shape_text(len(track), track.size_hw), shape_text(clip.num_frames, clip.size_hw)
            problem = f"the mask track is {sizes[0]} and the video {sizes[1]}"
            cure = "bring both through the same frame choice and the same resize"
            raise InputError(problem, where=f"{where}, track {instance_id}", cure=cure)


def _check_boxes(boxes: Boxes, num_frames: int, where: str) -> None:
    for frame, box in boxes.by_frame.items():
        if not 0 <= frame < num_frames:
            problem = f"a box is at frame {frame} and the clip has {num_frames} frames"
            raise InputError(problem, where=where, cure="number frames from 0 in the clip's own frames")
        if box is not None and is_broken_box(box):
            problem = f"the box of frame {frame} is {box}, which is no (x1, y1, x2, y2)"
            raise InputError(problem, where=where, cure="give finite corners, the upper left one first")
