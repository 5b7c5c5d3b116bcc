"""Writing a whole stock pipeline at half the size, so that what is stored is what runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from interplay.backbones.quiet import quiet

_FOLDER = "_name_or_path"  # where diffusers keeps it


def save_as_half(pipeline: Any, folder: Path) -> None:
    """Write a diffusers pipeline whose weights all have one type in the standard layout, weights as float16.

    Memory then holds the rounded weights too, in their former type. Tables that are computed when a module is made
    (rotary frequencies) are no weights: nothing stores them, and they keep their precision. Where the weights were
    loaded from is not written: it is a path of this machine.
    """
    _forget_folders(pipeline)
    modules = [part for part in pipeline.components.values() if isinstance(part, nn.Module)]
    tables = [(module, name, table) for module in modules for name, table in _tables(module).items()]
    dtype = next(modules[0].parameters()).dtype
    with quiet():
        pipeline.to(dtype=torch.float16).save_pretrained(str(folder), safe_serialization=True)
        pipeline.to(dtype=dtype)
    for module, name, table in tables:
        module.get_buffer(name).copy_(table)


def _forget_folders(pipeline: Any) -> None:
    for part in (pipeline, *pipeline.components.values()):
        if _FOLDER in (getattr(part, "config", None) or ()) and hasattr(part, "register_to_config"):
            part.register_to_config(**{_FOLDER: ""})


def _tables(module: nn.Module) -> dict[str, Tensor]:
    stored = module.state_dict().keys()
    return {name: buffer.clone() for name, buffer in module.named_buffers() if name not in stored}
