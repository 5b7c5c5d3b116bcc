"""A stock pipeline from its configs alone: every network on the ``meta`` device, no weight read or stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from interplay.backbones.quiet import quiet
from interplay.core.files import read_json


def stock_pipeline(folder: Path) -> Any:
    """The diffusers pipeline class that ``model_index.json`` names; one of those that the registry maps to a family."""
    with quiet():  # some modules remark on every machine without torchvision
        return getattr(import_module("diffusers"), read_json(folder / "model_index.json")["_class_name"])


def skeleton_pipeline(pipeline_class: Any, folder: Path, dtype: torch.dtype) -> Any:
    """A stock pipeline of the parts that ``model_index.json`` names; a folder without weights will do."""
    index: Mapping[str, Any] = read_json(folder / "model_index.json")
    with quiet():
        parts = {
            # A part is [library, class]; other entries are the pipeline's own settings.
            name: _part(folder / name, value, dtype) if isinstance(value, list) else value
            for name, value in index.items()
            if not name.startswith("_")
        }
        return pipeline_class(**parts)


def _part(folder: Path, entry: Sequence[str | None], dtype: torch.dtype) -> Any:
    """A network on ``meta``, anything else (tokenizer, scheduler, image processor) for real; ``None`` where absent."""
    from diffusers import ModelMixin
    from transformers import PreTrainedModel

    library, class_name = entry
    if library is None or class_name is None:
        return None
    part = getattr(import_module(library), class_name)
    if issubclass(part, ModelMixin):
        with torch.device("meta"):
            return part.from_config(part.load_config(folder)).to(dtype).eval()
    if issubclass(part, PreTrainedModel):
        with torch.device("meta"):
            return part(part.config_class.from_pretrained(folder)).to(dtype).eval()
    return part.from_pretrained(folder)
