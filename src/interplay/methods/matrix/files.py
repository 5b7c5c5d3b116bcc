"""The files of an adapter folder, and what those beside the LoRA say of it."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from interplay.core.config import from_mapping
from interplay.core.errors import InputError
from interplay.core.files import read_json, write_json
from interplay.methods.matrix.install import Conditioning
from interplay.methods.matrix.instance_map import BACKGROUND, colour_of
from interplay.methods.matrix.layers import Layers

LORA_FILE = "pytorch_lora_weights.safetensors"  # diffusers' own name
PROJECTION_FILE = "input_projection.safetensors"
PARTS_FILE = "parts.safetensors"
# Plain JSON: it belongs to all of the folder's weights, of which there is no file that every adapter has.
LAYERS_FILE = "aligned_layers.json"
FORMAT = "interplay.matrix/1"
ROWS = "markers.rows"
# The colours of more instances follow from the rule that gives these (instance_map.colour_of).
_SHOWN_COLOURS = 6


def write_projection(folder: Path, tensors: dict[str, Tensor], conditioning: Conditioning, channels: int) -> None:
    """Write the input projection and the markers' rows, with what a reader must know to use them."""
    palette = {f"id{number}": colour_of(f"id{number}") for number in range(1, _SHOWN_COLOURS + 1)}
    metadata = {
        "format": FORMAT,
        "channels": str(channels),
        "palette": json.dumps({"background": BACKGROUND, **palette}),
        "conditioning": conditioning.model_dump_json(),
    }
    save_file(tensors, folder / PROJECTION_FILE, metadata=metadata)


def write_layers(folder: Path, aligned: Layers) -> None:
    """Write which layers the training aligned, where guidance is unless it is told others."""
    write_json(folder / LAYERS_FILE, {"format": FORMAT, **aligned.model_dump(mode="json")})


def read_layers(folder: Path) -> Layers | None:
    """What :func:`write_layers` wrote; ``None`` where an adapter does not say: another trainer's, or an older one."""
    file = folder / LAYERS_FILE
    if not file.is_file():
        return None
    told = read_json(file)
    if not isinstance(told, dict) or told.pop("format", None) != FORMAT:
        cure = "put back the file that the training wrote, or take it away and name layers for guidance"
        raise InputError(f"is not of the format {FORMAT}", where=file, cure=cure)
    return from_mapping(Layers, told, where=str(file))
