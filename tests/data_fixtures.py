"""A dataset format whose clips a test makes up, and the clips: small drawn videos with tracks, boxes and captions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from interplay.core.config import Config
from interplay.data.config import FormatChoice
from interplay.data.source import Source
from interplay.records.clip import Boxes, Clip, Instance, Interaction, Provenance
from interplay.records.formats.base import DatasetFormat, LocatedClip, Rejected, Written
from interplay.records.masks import MaskTrack
from interplay.records.media.video import write_video
from interplay.records.store.layout import video_path

FRAMES, HEIGHT, WIDTH = 9, 64, 96
MakeClip = Callable[..., LocatedClip]


class NoOptions(Config):
    pass


class ListedFormat(DatasetFormat[NoOptions]):
    """Reads what a test has listed, and counts how much of it was asked for."""

    name: ClassVar[str] = "listed"
    summary: ClassVar[str] = "clips that a test has listed"
    options_type: ClassVar[type[Config]] = NoOptions

    def __init__(self, items: Iterable[LocatedClip | Rejected]) -> None:
        super().__init__(NoOptions())
        self.items = items

    @classmethod
    def recognises(cls, source: Path) -> bool:
        return False

    def read(self, source: Path) -> Iterator[LocatedClip | Rejected]:
        yield from self.items

    def write(self, clips: Iterable[LocatedClip], out: Path) -> Iterator[Written | Rejected]:
        raise NotImplementedError


def listed(folder: Path, items: Iterable[LocatedClip | Rejected]) -> Source:
    """A source that holds these clips; its folder is there, for the fingerprint."""
    folder.mkdir(parents=True, exist_ok=True)
    return Source(folder, FormatChoice(name="listed"), ListedFormat(items))


def square(x: int, y: int, side: int = 24) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[y : y + side, x : x + side] = True
    return mask


def moving(start_x: int, y: int, step: int = 2, side: int = 24) -> np.ndarray:
    """A square that moves to the right."""
    return np.stack([square(start_x + step * frame, y, side) for frame in range(FRAMES)])


@pytest.fixture(scope="session")
def one_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "drawn.mp4"
    frames = np.full((FRAMES, HEIGHT, WIDTH, 3), 225, dtype=np.uint8)
    frames[moving(2, 4)] = (190, 60, 50)
    frames[moving(40, 36)] = (50, 90, 190)
    write_video(path, frames, 8.0)
    return path


@pytest.fixture
def make_located(one_video: Path) -> MakeClip:
    """A whole clip with two instances; any field of it can be replaced."""

    def make(clip_id: str = "c0", notes: tuple[Any, ...] = (), **changes: Any) -> LocatedClip:
        fields: dict[str, Any] = {
            "clip_id": clip_id,
            "video": video_path(clip_id),
            "caption": f"a <id1> man </id1> <verb> pushes the <id2> box in scene {clip_id}",
            "num_frames": FRAMES,
            "size_hw": (HEIGHT, WIDTH),
            "fps": 8.0,
            "instances": (Instance("id1", "man", "in red"), Instance("id2", "box")),
            "interactions": (Interaction("id1", "pushes", "id2", start_s=0.0, end_s=1.0),),
            "tracks": {"id1": MaskTrack.from_array(moving(2, 4)), "id2": MaskTrack.from_array(moving(40, 36))},
            "boxes": {"face": Boxes({0: (6.0, 6.0, 20.0, 16.0), 4: None})},
            "provenance": {"tracks": Provenance("test", {"seed": 3})},
        }
        clip = Clip(**{**fields, **changes})
        return LocatedClip(clip, dict.fromkeys((clip.video, *clip.media.values()), one_video), notes)

    return make
