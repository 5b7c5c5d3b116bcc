"""What a model was trained on, for families whose stock configs do not say it.

It stands in ``interplay.json`` beside ``model_index.json``, which stock pipelines do not read. Folders from elsewhere
have no such file; for them the family's defaults hold, which are those of its stock pipeline's call.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from interplay.core.errors import InputError
from interplay.core.files import read_json, write_json

_FILE = "interplay.json"


@dataclass(frozen=True)
class Native:
    """Pixel frames, pixel height and width, and text tokens of the clips that a model was trained on."""

    num_frames: int
    size_hw: tuple[int, int]
    text_length: int


def read_native(folder: Path, default: Native) -> Native:
    """What the pipeline folder says, or ``default`` where it says nothing."""
    path = folder / _FILE
    if not path.is_file():
        return default
    try:
        values = read_json(path)
        height, width = values["size_hw"]
        return Native(int(values["num_frames"]), (int(height), int(width)), int(values["text_length"]))
    except (KeyError, TypeError, ValueError) as error:
        cure = "write num_frames, size_hw (height, width) and text_length, all whole numbers, or remove the file"
        raise InputError("does not say what the model was trained on", where=path, cure=cure) from error


def write_native(folder: Path, native: Native) -> None:
    """Note it in a pipeline folder."""
    write_json(folder / _FILE, asdict(native))
