"""What a training leaves for generation: a LoRA in the stock format, and one file of what LoRA has no place for.

``pytorch_lora_weights.safetensors`` is what stock pipelines load. ``input_projection.safetensors`` holds the widened
input layer (``transformer.patch_embedding.weight``, ...) and trained marker rows (``markers.rows``); its metadata says
how many channels were added, in which colours the map is painted, which tokens bind, and whether image tokens are
shown. Without it the folder is a plain LoRA: captions lose their markup and no map is shown. ``parts.safetensors``
holds parts of the transformer that were trained in full (``0/blocks.1.norm.weight`` of the first transformer), and
``aligned_layers.json`` says which layers were aligned.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import UInt8
from numpy import ndarray
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch
from interplay.backbones.weights import check_weights
from interplay.backbones.widen import beside
from interplay.core.errors import InputError
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.files import (
    FORMAT,
    LORA_FILE,
    PARTS_FILE,
    PROJECTION_FILE,
    ROWS,
    read_layers,
    write_layers,
    write_projection,
)
from interplay.methods.matrix.install import Conditioning, Installed, install
from interplay.methods.matrix.instance_map import shown_maps
from interplay.methods.matrix.layers import Layers
from interplay.methods.matrix.markers import check_markers
from interplay.methods.matrix.released import convert
from interplay.methods.matrix.targets import caption_as
from interplay.records.caption import Caption, parse_caption


@dataclass(frozen=True)
class Adapter:
    """A trained method on a backbone; ``installed`` is ``None`` for a plain LoRA.

    ``aligned`` are the layers that the training aligned; ``None`` where the adapter does not say.
    """

    installed: Installed | None
    aligned: Layers | None = None

    def caption(self, markup: str, *, where: str = "caption") -> Caption:
        """A caption as this adapter reads it: its ``text`` is the prompt, its spans are of that text."""
        if self.installed is None:
            return parse_caption(markup, where=where)
        caption = caption_as(self.installed.conditioning.binding, markup, where=where)
        if self.installed.markers is not None:
            check_markers(caption.instance_ids, len(self.installed.markers.names), where=where)
        return caption

    @property
    def sees_map(self) -> bool:
        """Whether an instance map is of any use."""
        return self.installed is not None and self.installed.channels > 0

    def condition(
        self, backbone: Backbone, first_frame: Batch, maps: Sequence[UInt8[ndarray, "y x 3"] | None], grid: TokenGrid
    ) -> Batch:
        """The first frame's condition with the clips' instance maps; zeros stand for a map that nobody gave."""
        if not self.sees_map:
            return first_frame
        return beside(first_frame, shown_maps(backbone, maps, grid))


def save_adapter(backbone: Backbone, folder: Path, installed: Installed | None, *, lora: bool = True) -> None:
    """Write the backbone's LoRA, if it has one, and what the method trained beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    if lora:
        backbone.save_lora(folder)
    if installed is None:
        return
    if installed.config.aligned != Layers():
        write_layers(folder, installed.config.aligned)
    if not installed.changes_reading:
        return
    tensors = {
        f"{path}.{name}": value.detach().cpu().contiguous()
        for path, layer in installed.projections.items()
        for name, value in layer.named_parameters()
    }
    if installed.markers is not None and installed.markers.rows is not None:
        tensors[ROWS] = installed.markers.rows.detach().cpu().contiguous()
    write_projection(folder, tensors, installed.conditioning, installed.channels)


def load_adapter(backbone: Backbone, path: Path) -> Adapter:
    """Load what :func:`save_adapter` wrote, a folder with a LoRA alone, or a file of the released training code."""
    if path.is_file():
        check_weights([path])
        with tempfile.TemporaryDirectory() as folder:
            convert(path, Path(folder))
            return load_adapter(backbone, Path(folder))
    lora, projection, parts = path / LORA_FILE, path / PROJECTION_FILE, path / PARTS_FILE
    if not any(file.is_file() for file in (lora, projection, parts)):
        cure = f"give a folder with {LORA_FILE}, or a checkpoint of MATRIX's released code"
        raise InputError("holds no adapter", where=path, cure=cure)
    check_weights(file for file in (lora, projection, parts) if file.is_file())
    installed = _install(backbone, projection) if projection.is_file() else None
    if lora.is_file():
        backbone.load_lora(path)
    if parts.is_file():
        _load_parts(backbone, parts)
    return Adapter(installed, read_layers(path))


def _install(backbone: Backbone, file: Path) -> Installed:
    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata() or {}
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a mapping)
    if metadata.get("format") != FORMAT:
        cure = f"give a file of the format {FORMAT}"
        raise InputError(f"is of the format {metadata.get('format')}", where=file, cure=cure)
    channels = int(metadata["channels"])
    if channels and channels != backbone.picture_channels:
        problem = f"adds {channels} input channels, {backbone.name} shows a picture by {backbone.picture_channels}"
        raise InputError(problem, where=file, cure="use the backbone that the adapter was trained on")
    conditioning = Conditioning.model_validate_json(metadata["conditioning"])
    installed = install(backbone, MatrixConfig.model_validate(conditioning.model_dump()))
    _copy(installed, tensors, file)
    return installed


@torch.no_grad()
def _copy(installed: Installed, tensors: dict[str, Tensor], file: Path) -> None:
    """Set the installed parameters to those of the file, which must be the same ones."""
    wanted = {
        f"{path}.{name}": p for path, layer in installed.projections.items() for name, p in layer.named_parameters()
    }
    if installed.markers is not None and installed.markers.rows is not None:
        wanted[ROWS] = installed.markers.rows
    shapes = [{name: tuple(tensor.shape) for name, tensor in side.items()} for side in (wanted, tensors)]
    if shapes[0] != shapes[1]:
        other = sorted(set(shapes[0].items()) ^ set(shapes[1].items()))
        problem = f"does not fit: {', '.join(f'{name} {list(shape)}' for name, shape in other)}"
        raise InputError(problem, where=file, cure="use the backbone that the adapter was trained on")
    for name, parameter in wanted.items():
        parameter.copy_(tensors[name])


@torch.no_grad()
def _load_parts(backbone: Backbone, file: Path) -> None:
    for name, tensor in load_file(file).items():
        number, _, path = name.partition("/")
        parameters = dict(backbone.transformers[int(number)].named_parameters())
        # A layer that has a LoRA keeps its own weights one level deeper.
        module, _, own = path.rpartition(".")
        parameter = parameters.get(path, parameters.get(f"{module}.base_layer.{own}"))
        if parameter is None or parameter.shape != tensor.shape:
            problem = f"holds {name} {list(tensor.shape)}, which {backbone.name} does not have"
            raise InputError(problem, where=file, cure="use the backbone that the adapter was trained on")
        parameter.copy_(tensor)
