"""Clips out of a video instance set: from the set alone, and from what we wrote into it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from interplay.core.errors import InputError
from interplay.records.caption import foreign_markup, parse_caption
from interplay.records.clip import Boxes, Clip, Instance
from interplay.records.formats.base import LocatedClip, Note
from interplay.records.formats.common.naming import placed
from interplay.records.formats.common.paths import inside
from interplay.records.formats.ytvis.own import KEY, Own
from interplay.records.formats.ytvis.source import Annotation, VideoEntry, VideoSet
from interplay.records.formats.ytvis.tracks import read_boxes, read_track
from interplay.records.masks import MaskTrack
from interplay.records.media.video import VideoInfo
from interplay.records.sizes import shape_text

# YouTube-VIS annotates every fifth frame of videos of 30 frames per second (Yang et al., ICCV 2019, section 3).
YTVIS_FPS = 6.0
# Keys of a video's entry that have a place in a clip; all others go to `extra`.
_ENTRY_KEYS = frozenset({"file_names", "file_name", "width", "height", "length", "caption", "fps", KEY})


@dataclass(frozen=True)
class Found:
    """A video of the set: its entry, where its file or its frames lie, what they hold, and how masks are read.

    ``root`` is the folder of the JSON file; ``rate`` the rate that the user says frame pictures have.
    """

    entry: VideoEntry
    video: Path
    info: VideoInfo
    root: Path
    null: Literal["gap", "empty"]
    rate: float | None
    follow_links: bool

    def track(self, annotation: Annotation) -> MaskTrack | None:
        """The annotation's masks, one per frame of the video."""
        return read_track(annotation, self.info.num_frames, self.info.size_hw, self.null)


@dataclass
class _Labels:
    """What annotations say, gathered one by one."""

    instances: list[Instance] = field(default_factory=list)
    tracks: dict[str, MaskTrack] = field(default_factory=dict)
    boxes: dict[str, Boxes] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)


def foreign_clip(found: Found, clip_id: str, whole: VideoSet) -> LocatedClip:
    """The clip of a video that somebody else described."""
    labels = _Labels()
    for number, annotation in enumerate(found.entry.annotations, 1):
        _add(labels, f"id{number}", annotation, found, whole)
    caption, unseen = _caption(found.entry, labels)
    fps, rate_notes = _rate(found)
    video, _, files = placed(clip_id, found.video, {})
    clip = Clip(
        clip_id=clip_id,
        video=video,
        caption=caption,
        num_frames=found.info.num_frames,
        size_hw=found.info.size_hw,
        fps=fps,
        instances=(*labels.instances, *unseen),
        tracks=labels.tracks,
        boxes=labels.boxes,
        extra={"ytvis": _extra(found.entry, labels, whole)},
    )
    return LocatedClip(clip, files, (*rate_notes, *labels.notes))


def own_clip(own: Own, found: Found, whole: VideoSet) -> LocatedClip:
    """A clip that we wrote, with the masks as the annotations have them now."""
    clip, labels, where = own.clip, _Labels(), found.entry.where
    if (clip.num_frames, clip.size_hw) != (found.info.num_frames, found.info.size_hw):
        problem = f"says {shape_text(clip.num_frames, clip.size_hw)}, and the video has {_shape_of(found.info)}"
        raise InputError(problem, where=f"{where}, {KEY}", cure="restore the video, or remove this key")
    taken = {instance.id for instance in clip.instances}
    for annotation in found.entry.annotations:
        instance_id = own.instance_of.get(annotation.key)
        if instance_id is not None:
            track = found.track(annotation)
            labels.tracks |= {} if track is None else {instance_id: track}
            continue
        added = next(name for number in range(1, len(taken) + 2) if (name := f"id{number}") not in taken)
        taken.add(added)
        _add(labels, added, annotation, found, whole)
        labels.notes.append(Note(annotation.where, "was added by another tool", f"it is the instance {added}"))
    for instance_id in own.instance_of.values():
        if instance_id not in labels.tracks:
            labels.notes.append(Note(where, f"the annotation of {instance_id} is gone", "the instance has no track"))
    paths = dict.fromkeys(clip.media.values())
    files = {path: inside(found.root, path, where=where, follow_links=found.follow_links) for path in paths}
    instances = (*clip.instances, *labels.instances)
    clip = replace(clip, instances=instances, tracks=labels.tracks, boxes={**clip.boxes, **labels.boxes})
    return LocatedClip(clip, {clip.video: found.video, **files}, tuple(labels.notes))


def _add(labels: _Labels, instance_id: str, annotation: Annotation, found: Found, whole: VideoSet) -> None:
    category = whole.categories.get(annotation.category)
    noun = "" if category is None else str(category["name"]).strip()
    labels.instances.append(Instance(instance_id, noun))
    labels.told[instance_id] = {"id": annotation.key, "category": category, **annotation.rest}
    if not noun:
        told = f"its category {annotation.category!r} is not listed or has no name"
        labels.notes.append(Note(annotation.where, told, f"{instance_id} has no noun"))
    track = found.track(annotation)
    if track is not None:
        labels.tracks[instance_id] = track
        return
    boxes = read_boxes(annotation, found.info.num_frames)
    if boxes is not None:
        labels.boxes[instance_id] = boxes
    done = f"{instance_id} has no track" if boxes is None else f"its boxes are kept as the boxes {instance_id!r}"
    labels.notes.append(Note(annotation.where, "has no mask in any frame", done))


def _caption(entry: VideoEntry, labels: _Labels) -> tuple[str, tuple[Instance, ...]]:
    """The caption, empty where there is none, and the instances that only its markers name."""
    told = entry.entry.get("caption", "")
    if not isinstance(told, str):
        raise InputError("is no text", where=f"{entry.where}, caption", cure="write it as text")
    markup = foreign_markup(told, where=f"{entry.where}, caption")
    caption = parse_caption(markup)
    known = {instance.id for instance in labels.instances}
    unseen = [Instance(label, caption.words(label)[0]) for label in caption.instance_ids if label not in known]
    return markup, tuple(unseen)


def _rate(found: Found) -> tuple[float, tuple[Note, ...]]:
    told = found.entry.entry.get("fps")
    if found.info.has_rate:
        return found.info.fps, ()
    if found.rate is not None:
        return found.rate, ()
    if told is None:
        done = f"{YTVIS_FPS:g} frames per second, as in YouTube-VIS; --set fps=N says another rate"
        return YTVIS_FPS, (Note(found.entry.where, "says no rate of its frames", done),)
    if isinstance(told, bool) or not isinstance(told, (int, float)) or not 0 < told < float("inf"):
        raise InputError(f"is {str(told)[:40]!r}, no rate", where=f"{found.entry.where}, fps", cure="write a number")
    return float(told), ()


def _extra(entry: VideoEntry, labels: _Labels, whole: VideoSet) -> dict[str, Any]:
    rest = {name: value for name, value in entry.entry.items() if name not in _ENTRY_KEYS}
    told = {"video": {**rest, "id": entry.key}, "annotations": labels.told, "set": dict(whole.info)}
    return {name: value for name, value in told.items() if value}


def _shape_of(info: VideoInfo) -> str:
    return shape_text(info.num_frames, info.size_hw)
