"""The files of an adapter folder, and what the one beside the LoRA says of itself."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from interplay.methods.matrix.install import Conditioning
from interplay.methods.matrix.instance_map import BACKGROUND, colour_of

LORA_FILE = "pytorch_lora_weights.safetensors"  # diffusers' own name
PROJECTION_FILE = "input_projection.safetensors"
PARTS_FILE = "parts.safetensors"
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
