"""Who made the labels of foreign data: whoever made the dataset, as far as anybody wrote down.

A format's reader says what it knows (which structure video the tracks were read from, by which settings). What is left
open is at least known to have come with a dataset in a format, read with certain options.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from interplay.data.source import STORE, Source
from interplay.records.clip import Clip, Provenance
from interplay.records.formats.base import LocatedClip


def with_origins(located: LocatedClip, source: Source) -> LocatedClip:
    """The clip with a provenance for every label that has none; a store's clips already say theirs, or nobody knows."""
    if source.choice.name == STORE:
        return located
    clip = located.clip
    came_with = Provenance(
        f"{source.choice.name} dataset", {"source": source.root.resolve().name, "options": dict(source.choice.options)}
    )
    unsaid = {label: came_with for label in _labels(clip) if label not in clip.provenance}
    return replace(located, clip=replace(clip, provenance={**clip.provenance, **unsaid}))


def _labels(clip: Clip) -> Iterator[str]:
    """The labels that a clip carries, by the names that provenance uses."""
    yield "video"
    carried = {
        "caption": clip.caption,
        "instances": clip.instances,
        "interactions": clip.interactions,
        "tracks": clip.tracks,
        "boxes": clip.boxes,
        "media": clip.media,
    }
    yield from (name for name, value in carried.items() if value)
