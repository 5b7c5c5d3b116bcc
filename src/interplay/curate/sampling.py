"""Time: which source frames a clip is made of, and which labelled box holds at each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from interplay.core.errors import InputError
from interplay.curate.config import CurateConfig
from interplay.records.clip import Boxes
from interplay.records.formats.cointeract.boxes import FRAMES_OF_A_KEY, PartBoxes
from interplay.records.geometry import Fit
from interplay.records.masks import Box


@dataclass(frozen=True)
class Times:
    """Source frame of every frame of the clip: ``video`` in the video, ``labels`` in all that is labelled by frame."""

    video: tuple[int, ...]
    labels: tuple[int, ...]


def choose_times(available: int, lead: int, config: CurateConfig, *, where: str) -> Times:
    """The source frames nearest in time to the clip's frames, from the first one that has both picture and labels.

    A source that is too short, or slower than the clip (frames would repeat and stand still), is an InputError.
    """
    if config.fps > config.source_fps:
        problem = f"{config.fps:g} frames per second are wanted and the source has {config.source_fps:g}"
        raise InputError(problem, where=where, cure=f"set fps to {config.source_fps:g} or less")
    offsets = [round(number * config.source_fps / config.fps) for number in range(config.num_frames)]
    usable = available - abs(lead)
    if offsets[-1] >= usable:
        problem = (
            f"has {usable} frames with labels at {config.source_fps:g} fps (labels run {lead} ahead), and"
            f" {config.num_frames} at {config.fps:g} fps need {offsets[-1] + 1}"
        )
        fitting = sum(1 for offset in offsets if offset < usable)
        raise InputError(problem, where=where, cure=f"set num_frames to {fitting} or less, or a higher fps")
    return Times(
        video=tuple(offset + max(0, lead) for offset in offsets),
        labels=tuple(offset + max(0, -lead) for offset in offsets),
    )


def boxes_at(parts: PartBoxes, label_frames: Sequence[int], fit: Fit) -> dict[str, Boxes]:
    """A row's boxes in the clip's frames and pixels; ``fit`` maps the picture in which they lie.

    A labelled frame speaks for the four frames of its latent, as in the official loader; a clip's frame outside all of
    them stays unlisted, that is unknown. A box outside the crop becomes "not there".
    """
    return {part: Boxes(_by_frame(boxes, label_frames, fit)) for part, boxes in parts.items()}


def _by_frame(boxes: Mapping[int, Box | None], label_frames: Sequence[int], fit: Fit) -> dict[int, Box | None]:
    spoken_for = {key + offset: box for key, box in boxes.items() for offset in FRAMES_OF_A_KEY}
    found = {number: spoken_for[index] for number, index in enumerate(label_frames) if index in spoken_for}
    return {number: None if box is None else fit.box(box) for number, box in found.items()}
