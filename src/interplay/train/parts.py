"""Parts of a transformer that are trained in full: chosen by patterns of their names, saved by themselves.

A name is that of the stock model. Where an adapter wraps a layer, peft calls the layer's own parameters
``to_q.base_layer.weight``; here they stay ``to_q.weight``. The file's keys are ``{number of the transformer}/{name}``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save_file
from torch import nn

from interplay.backbones.base import Backbone
from interplay.core.errors import InputError
from interplay.core.seeds import derive_seed

PARTS_FILE = "parts.safetensors"
_FORMAT = {"format": "interplay-parts-1"}
_WRAPPED = ".base_layer."


def randomise(backbone: Backbone, seed: int) -> None:
    """Replace the weights of every transformer by those that its class begins with."""
    for number, transformer in enumerate(backbone.transformers):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "init", "transformer", number))
            fresh = cast(Any, type(transformer)).from_config(cast(Any, transformer).config)
        transformer.load_state_dict(fresh.state_dict())


def unfreeze(backbone: Backbone, patterns: Sequence[str], *, widened: bool = False) -> dict[str, nn.Parameter]:
    """Let the parameters of these names be trained, by key; :class:`InputError` about a pattern that fits none.

    A ``widened`` input projection is no part: the method that widened it trains and saves it.
    """
    found: dict[str, nn.Parameter] = {}
    named = list(_named(backbone, widened))
    for pattern in patterns:
        fitting = {key: value for key, name, value in named if fnmatchcase(name, pattern)}
        if not fitting:
            names = [name for _, name, _ in named]
            near = difflib.get_close_matches(pattern, names, n=3, cutoff=0.3)
            cure = f"names look like {', '.join(near or names[:3])}; * stands for any characters"
            raise InputError(f"no parameter fits {pattern}", where="recipe, field also_train", cure=cure)
        found |= fitting
    for parameter in found.values():
        parameter.requires_grad_(True)
    return found


def save_parts(backbone: Backbone, parts: Iterable[str], folder: Path) -> None:
    """Write the parameters of these keys as they are now, if there are any, beside the adapter."""
    wanted = set(parts)
    if wanted:
        folder.mkdir(parents=True, exist_ok=True)
        named = {key: value for key, _, value in _named(backbone, widened=False) if key in wanted}
        tensors = {key: value.detach().float().cpu().contiguous() for key, value in named.items()}
        save_file(tensors, folder / PARTS_FILE, _FORMAT)


def own_name(name: str) -> str:
    """The stock name of a parameter whose layer an adapter may wrap."""
    return name.replace(_WRAPPED, ".")


def _named(backbone: Backbone, widened: bool) -> Iterator[tuple[str, str, nn.Parameter]]:
    """Key, name and parameter of everything that belongs to the stock transformers; adapters do not."""
    entry = f"{backbone.input_projection}."
    for number, transformer in enumerate(backbone.transformers):
        for name, parameter in transformer.named_parameters():
            if ".lora_" not in name and not (widened and name.startswith(entry)):
                yield f"{number}/{own_name(name)}", own_name(name), parameter
