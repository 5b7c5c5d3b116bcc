"""Small parts of a transformer that are trained in full: chosen by patterns of their names, saved by themselves.

A name is that of the stock model. Where an adapter wraps a layer, peft calls the layer's own parameters
``to_q.base_layer.weight``; here they stay ``to_q.weight``. The file has the keys ``{number of the transformer}/{name}``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from interplay.backbones.base import Backbone
from interplay.core.errors import InputError

PARTS_FILE = "parts.safetensors"
_FORMAT = {"format": "interplay-parts-1"}
_WRAPPED = ".base_layer."


def unfreeze(backbone: Backbone, patterns: Sequence[str]) -> dict[str, nn.Parameter]:
    """Let the parameters of these names be trained, by key; :class:`InputError` about a pattern that fits none."""
    found: dict[str, nn.Parameter] = {}
    for pattern in patterns:
        fitting = {key: value for key, name, value in _named(backbone) if fnmatchcase(name, pattern)}
        if not fitting:
            names = [name for _, name, _ in _named(backbone)]
            near = difflib.get_close_matches(pattern, names, n=3, cutoff=0.3)
            cure = f"names look like {', '.join(near or names[:3])}; * stands for any characters"
            raise InputError(f"no parameter fits {pattern}", where="recipe, field also_train", cure=cure)
        found |= fitting
    for parameter in found.values():
        parameter.requires_grad_(True)
    return found


def save_parts(parts: dict[str, nn.Parameter], folder: Path) -> None:
    """Write the parts, if there are any, beside the adapter."""
    if parts:
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {key: value.detach().float().cpu().contiguous() for key, value in parts.items()}
        save_file(tensors, folder / PARTS_FILE, _FORMAT)


def own_name(name: str) -> str:
    """The stock name of a parameter whose layer an adapter may wrap."""
    return name.replace(_WRAPPED, ".")


def _named(backbone: Backbone) -> Iterator[tuple[str, str, nn.Parameter]]:
    """Key, name and parameter of everything that belongs to the stock transformers; adapters do not."""
    entry = f"{backbone.input_projection}."
    for number, transformer in enumerate(backbone.transformers):
        for name, parameter in transformer.named_parameters():
            # The input projection may be widened by the method, which then trains and saves it itself.
            if ".lora_" not in name and not name.startswith(entry):
                yield f"{number}/{own_name(name)}", own_name(name), parameter
