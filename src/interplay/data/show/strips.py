"""The strip of a card: some frames of a clip with its instances and boxes drawn on, and the labels that go over it.

Shapes: sh and sw pixels of a frame that was made smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.data.show.drawing import Layer, Picture, draw, reduced
from interplay.data.show.layout import Grid, Tag, arrange, choose_frames, place_tags
from interplay.data.show.palette import Paint
from interplay.data.show.tracks import mask_at, states_of, top_of
from interplay.records.check import is_broken_box
from interplay.records.clip import Clip
from interplay.records.formats.base import LocatedClip
from interplay.records.masks import Box
from interplay.records.media.video import stream_video


@dataclass(frozen=True)
class Cell:
    """One shown frame: its number, time and place, labels at the instances, and who is unknown or absent in it."""

    frame: int
    time_s: float | None
    x: float
    y: float
    tags: tuple[Tag, ...] = ()
    unknown: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    missing: bool = False


@dataclass(frozen=True)
class Strip:
    """A picture of all cells as a JPEG, its arrangement, and what went wrong while the video was read ("": nothing)."""

    jpeg: bytes
    grid: Grid
    cells: tuple[Cell, ...]
    problem: str = ""


def make_strip(located: LocatedClip, frames: int, colours: Mapping[str, Paint]) -> Strip:
    """Draw ``frames`` frames of a clip. A video that breaks off shows what could be read, and says so."""
    clip = located.clip
    chosen = choose_frames(clip.num_frames, frames, _frames_with_boxes(clip))
    pictures, problem = read_frames(located.video, chosen)
    grid = arrange(len(chosen), clip.size_hw)
    drawn, cells = [], []
    for index, frame in enumerate(chosen):
        picture = pictures[index] if index < len(pictures) else None
        drawn.append(_picture(clip, frame, picture, colours))
        cells.append(_cell(clip, frame, grid.corner(index), grid, missing=picture is None))
    return Strip(draw(drawn, grid), grid, tuple(cells), problem)


def read_frames(path: Path, chosen: Sequence[int]) -> tuple[list[UInt8[ndarray, "sh sw 3"]], str]:
    """The frames at ``chosen``, reduced, as far as they can be read, and the reason why there are not more."""
    pictures: list[UInt8[ndarray, "sh sw 3"]] = []
    try:
        pictures += map(reduced, stream_video(path, chosen))
    except InputError as error:
        return pictures, f"{error.problem}; {error.cure}"
    return pictures, ""


def _frames_with_boxes(clip: Clip) -> frozenset[int]:
    return frozenset(frame for boxes in clip.boxes.values() for frame, box in boxes.by_frame.items() if box is not None)


def _picture(clip: Clip, frame: int, picture: UInt8[ndarray, "h w 3"] | None, colours: Mapping[str, Paint]) -> Picture:
    masks = {name: mask_at(track, frame) for name, track in clip.tracks.items()}
    layers = (Layer(mask, colours[name].rgb) for name, mask in masks.items() if mask is not None)
    return Picture(picture, tuple(layers), tuple(box for _, box in _boxes_at(clip, frame)), clip.size_hw)


def _cell(clip: Clip, frame: int, corner: tuple[float, float], grid: Grid, *, missing: bool) -> Cell:
    state = {name: states_of(track.select([frame]))[0] for name, track in clip.tracks.items() if frame < len(track)}
    time_s = frame / clip.fps if clip.fps > 0 and clip.num_frames > 1 else None
    wanted = [] if missing else [*_instance_tags(clip, frame, grid), *_box_tags(clip, frame, grid)]
    return Cell(
        frame=frame,
        time_s=time_s,
        x=corner[0],
        y=corner[1],
        tags=tuple(place_tags(wanted, grid.cell_width, grid.cell_height)),
        unknown=tuple(name for name, what in state.items() if what == "unknown"),
        absent=tuple(name for name, what in state.items() if what == "absent"),
        missing=missing,
    )


def _instance_tags(clip: Clip, frame: int, grid: Grid) -> Iterator[tuple[str, str, float, float]]:
    nouns = {instance.id: instance.noun for instance in clip.instances}
    for name, track in clip.tracks.items():
        mask = mask_at(track, frame)
        if mask is not None:
            x, y = top_of(mask)
            yield name, f"{name} {nouns.get(name, '')}".strip(), x * grid.cell_width, y * grid.cell_height


def initials(name: str) -> str:
    """What a kind of box is called in a picture: ``LH`` for ``left_hand``."""
    return "".join(word[0].upper() for word in name.replace("_", " ").split())


def _box_tags(clip: Clip, frame: int, grid: Grid) -> Iterator[tuple[str, str, float, float]]:
    for name, box in _boxes_at(clip, frame):
        x, y = (box[0] + box[2]) / 2 / clip.size_hw[1], max(0.0, box[1]) / clip.size_hw[0]
        yield "", initials(name), x * grid.cell_width, y * grid.cell_height


def _boxes_at(clip: Clip, frame: int) -> list[tuple[str, Box]]:
    found = [(name, boxes.by_frame.get(frame)) for name, boxes in clip.boxes.items()]
    return [(name, box) for name, box in found if box is not None and not is_broken_box(box)]
