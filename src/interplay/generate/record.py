"""The JSON beside a generated video: all that decides about the clip's pixels, as it is read back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from interplay.core.config import Config, digest, from_mapping
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.generate.config import DType, SamplingConfig
from interplay.methods.matrix.guidance import Course
from interplay.records.masks import MaskTrack

FORMAT = "interplay.generated/1"


class Picture(Config):
    """A picture that the model was shown: where it lies, seen from the JSON, and a digest of what was shown of it.

    A painted map says which instances are on it (``ids``).
    """

    path: str
    sha256: str
    ids: tuple[str, ...] = ()


class Tracks(Config):
    """Tracks of all frames, which guidance by words went by: where they lie, seen from the JSON, and their digest.

    ``verbs`` are the ids of those who take part in each verb.
    """

    path: str
    digest: str
    verbs: dict[str, tuple[str, ...]]


class Place(Config):
    """How many clips were made together, and which of them this one is: sums are grouped by shape."""

    size: int = Field(ge=1)
    place: int = Field(ge=0)


class Record(SamplingConfig):
    """How a clip was made. ``threads`` are those of the CPU that made it, where one did: sums are split among them.

    ``backbone_path`` and ``adapter_path`` are seen from the JSON, too; a model with a name is found by that.
    """

    format: Literal["interplay.generated/1"]
    video: str
    clip_id: str
    prompt: str
    text: str
    seed: int
    steps: int = Field(ge=1)
    guidance_scale: float = Field(ge=1.0)
    num_frames: int = Field(ge=1)
    size_hw: tuple[int, int]
    fps: float = Field(gt=0)
    first_frame: Picture | None
    masks: Picture | None
    tracks: Tracks | None = None
    batch: Place
    backbone: str
    backbone_digest: str
    backbone_path: str | None = None
    adapter: str | None
    adapter_path: str | None = None
    sees_map: bool
    dtype: DType
    device: str
    threads: int | None = Field(ge=1)
    tiling: bool
    versions: dict[str, str]


def tracks_as_json(tracks: Mapping[str, MaskTrack]) -> dict[str, Any]:
    """Tracks as plain JSON values: size and COCO counts, frame by frame."""
    return {
        name: {"size_hw": list(track.size_hw), "frames": [counts and counts.decode("ascii") for counts in track.frames]}
        for name, track in tracks.items()
    }


def read_tracks(told: Tracks, record: Path) -> Course:
    """The inverse of :func:`tracks_as_json`; :class:`InputError` when the file is gone or not what it was."""
    path, where = record.parent / told.path, f"{record}, field tracks"
    if not path.is_file():
        raise InputError(f"there is no {path}", where=where, cure="put the file back")
    content = read_json(path)
    if digest(content) != told.digest:
        raise InputError(f"{told.path} has changed", where=where, cure="put the old file back")
    tracks = {
        name: MaskTrack.checked(entry["size_hw"], entry["frames"], where=f"{path}, {name}")
        for name, entry in content.items()
    }
    return Course(tracks, told.verbs)


def read_record(path: Path) -> Record:
    """The JSON beside a generated video; :class:`InputError` when it is something else."""
    told = read_json(path)
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        cure = "name the JSON beside a video that this version generated"
        raise InputError("does not say how a clip was made", where=path, cure=cure)
    return from_mapping(Record, told, where=str(path))
