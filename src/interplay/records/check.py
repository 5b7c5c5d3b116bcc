"""What must hold inside one clip before it is stored: every name that is used is bound, every size agrees.

A marker without a track would train a word on nothing; a track without a marker would never be used and nobody would
notice. Both are errors here, at the door, and not silent gaps later.
"""

from __future__ import annotations

from collections.abc import Iterable

from interplay.core.errors import InputError
from interplay.records.caption import parse_caption
from interplay.records.clip import Clip, Interaction


def check_clip(clip: Clip, *, where: str) -> None:
    """Raise one :class:`InputError` about ``where`` for the first thing in ``clip`` that contradicts another."""
    marked = parse_caption(clip.caption, where=f"{where}, caption").instance_ids
    known = [instance.id for instance in clip.instances]
    if len(set(known)) < len(known):
        raise InputError("an instance id is listed twice", where=f"{where}, instances", cure="give each its own id")
    check_binding(marked, clip.tracks, where=where)
    _check_named((*marked, *clip.tracks), known, f"{where}, caption and tracks")
    for interaction in clip.interactions:
        _check_named(_roles(interaction), known, f"{where}, interaction '{interaction.verb}'")
    _check_sizes(clip, where)


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


def _roles(interaction: Interaction) -> tuple[str, ...]:
    roles = (interaction.subject, interaction.object, interaction.recipient)
    return tuple(role for role in roles if role is not None)


def _check_named(used: Iterable[str], known: Iterable[str], where: str) -> None:
    known = list(known)
    for instance_id in used:
        if instance_id not in known:
            problem = f"{instance_id} is not among the clip's instances ({', '.join(known) or 'none'})"
            raise InputError(problem, where=where, cure=f"add {instance_id} to the instances or correct the id")


def _check_sizes(clip: Clip, where: str) -> None:
    for instance_id, track in clip.tracks.items():
        if track.size_hw != clip.size_hw or len(track) != clip.num_frames:
            sizes = _shape(len(track), track.size_hw), _shape(clip.num_frames, clip.size_hw)
            problem = f"the mask track is {sizes[0]} and the video {sizes[1]}"
            cure = "bring both through the same frame choice and the same resize"
            raise InputError(problem, where=f"{where}, track {instance_id}", cure=cure)
    for name, boxes in clip.boxes.items():
        for frame in boxes.by_frame:
            if not 0 <= frame < clip.num_frames:
                problem = f"a box is at frame {frame} and the clip has {clip.num_frames} frames"
                cure = "number frames from 0 in the clip's own frames"
                raise InputError(problem, where=f"{where}, boxes {name}", cure=cure)


def _shape(num_frames: int, size_hw: tuple[int, int]) -> str:
    return f"{num_frames} frames of {size_hw[0]}x{size_hw[1]}"
