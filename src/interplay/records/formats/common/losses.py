"""What of a clip a foreign layout has no place for, in sentences.

A writer names the parts that its layout holds; everything else that the clip has is a loss, said once per kind.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Literal

from interplay.records.clip import Clip, Instance
from interplay.records.formats.base import LocatedClip
from interplay.records.formats.common.media_files import VIDEO_SUFFIXES
from interplay.records.media.video import probe_video

Part = Literal[
    "split", "instances", "interactions", "tracks", "gaps", "boxes", "media", "truth", "provenance", "extra", "id"
]
# The split of a clip of which nobody said one.
_DEFAULT_SPLIT = "train"
_SHOWN = 5
# Rates are fractions that files round to their own clocks.
_SAME_RATE = 1e-3


def lost_parts(
    clip: Clip, *, holds: Collection[Part], own: str, instances: Mapping[str, Instance] | None = None
) -> tuple[str, ...]:
    """One sentence for each part that ``clip`` has and that is not among ``holds``.

    ``own`` is the format's name in ``clip.extra``: what the format itself said is written back and no loss. Where the
    layout implies instances (by the caption's nouns, say), ``instances`` are those, and only what differs from them is
    a loss.
    """
    sentences = {
        "split": _split(clip),
        "instances": _instances(clip, instances or {}),
        "interactions": _counted(len(clip.interactions), "interaction"),
        "tracks": _listed("mask track", clip.tracks),
        "gaps": _listed("gaps of the track", [name for name, track in clip.tracks.items() if not track.known().all()]),
        "boxes": _listed("boxes", clip.boxes),
        "media": _listed("media", clip.media),
        "truth": "the exact truth of the world is not kept" if clip.truth is not None else "",
        "provenance": _listed("provenance of", clip.provenance),
        "extra": _listed("remarks of the format", [name for name in clip.extra if name != own]),
    }
    return tuple(sentence for part, sentence in sentences.items() if part not in holds and sentence)


def lost_of_video(located: LocatedClip) -> tuple[str, ...]:
    """What a copy of the clip's video loses: pictures become a video, and the rate is what the file itself says."""
    if located.video.is_dir():
        return (f"the picture files of {located.video.name} (their pixels stand in a lossless video)",)
    if located.video.suffix.lower() not in VIDEO_SUFFIXES:
        return (f"the file {located.video.name} (its pixels stand in a lossless video)",)
    own = probe_video(located.video).fps
    if abs(own - located.clip.fps) <= _SAME_RATE * located.clip.fps:
        return ()
    return (f"the rate {located.clip.fps:g} is not kept: the video file says {own:g}",)


def _split(clip: Clip) -> str:
    return "" if clip.split == _DEFAULT_SPLIT else f"the split {clip.split!r} is not kept"


def _instances(clip: Clip, implied: Mapping[str, Instance]) -> str:
    parts = [part for instance in clip.instances for part in _differing(instance, implied.get(instance.id))]
    return _listed("of the instances:", parts)


def _differing(instance: Instance, implied: Instance | None) -> Iterator[str]:
    if implied is None:
        yield f"{instance.id} ({instance.noun})"
        return
    if instance.noun != implied.noun:
        yield f"the noun {instance.noun!r} of {instance.id}"
    if instance.appearance != implied.appearance:
        yield f"the appearance of {instance.id}"
    if instance.role != implied.role:
        yield f"the role of {instance.id}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''} {'are' if number > 1 else 'is'} not kept" if number else ""


def _listed(what: str, names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{what} {shown}{more}: not kept" if names else ""
