"""What a model was trained on, for families whose stock configs do not say it, and how it is sampled unless told.

It stands in ``interplay.json`` beside ``model_index.json``, which stock pipelines do not read. Folders from elsewhere
have no such file; for them the family's defaults hold, which are those of its stock pipeline's call.
"""

from __future__ import annotations

import inspect
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from interplay.core.errors import InputError
from interplay.core.files import read_json, write_json

_FILE = "interplay.json"
_SAMPLING = "sampling"
_CURE = "write num_frames, size_hw (height, width) and text_length, all whole numbers, or remove the file"
_CURE_SAMPLING = "write sampling as {steps, guidance_scale, fps}, all numbers, or remove it"


@dataclass(frozen=True)
class Sampling:
    """How a model makes its clips unless it is told otherwise: denoising steps, guidance scale, frames per second."""

    steps: int
    guidance_scale: float
    fps: float


# Tiny models of the embedded world: its clips have 8 frames per second, and what is trained on nothing else follows its
# caption best without guidance (which halves the work).
OF_THE_WORLD = Sampling(steps=20, guidance_scale=1.0, fps=8.0)


@dataclass(frozen=True)
class Native:
    """Pixel frames, pixel height and width, and text tokens of the clips that a model was trained on.

    ``sampling`` is how it is sampled, where that is another way than its stock pipeline's.
    """

    num_frames: int
    size_hw: tuple[int, int]
    text_length: int
    sampling: Sampling | None = None


def read_native(folder: Path, default: Native) -> Native:
    """What the pipeline folder says, or ``default`` where it says nothing."""
    path = folder / _FILE
    if not path.is_file():
        return default
    values = read_json(path)
    try:
        height, width = values["size_hw"]
        size_hw = int(height), int(width)
        native = Native(int(values["num_frames"]), size_hw, int(values["text_length"]), default.sampling)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("does not say what the model was trained on", where=path, cure=_CURE) from error
    return native if _SAMPLING not in values else _with_sampling(native, values[_SAMPLING], path)


def write_native(folder: Path, native: Native) -> None:
    """Note it in a pipeline folder."""
    write_json(folder / _FILE, {name: value for name, value in asdict(native).items() if value is not None})


def stock_sampling(pipeline: Any, fps: float, guidance_scale: float | None = None) -> Sampling:
    """What the stock pipeline does when it is called with a prompt alone; its calls do not say the rate of frames.

    ``guidance_scale`` is that of pipelines whose call does not take it.
    """
    defaults = {name: value.default for name, value in inspect.signature(type(pipeline).__call__).parameters.items()}
    scale = defaults["guidance_scale"] if guidance_scale is None else guidance_scale
    return Sampling(int(defaults["num_inference_steps"]), float(scale), fps)


def _with_sampling(native: Native, values: Any, path: Path) -> Native:
    try:
        sampling = Sampling(int(values["steps"]), float(values["guidance_scale"]), float(values["fps"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("does not say how the model is sampled", where=path, cure=_CURE_SAMPLING) from error
    return Native(native.num_frames, native.size_hw, native.text_length, sampling)
