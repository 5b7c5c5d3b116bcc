"""The one place that knows the families by name: loading a backbone by name or folder, building a tiny one."""

from __future__ import annotations

import hashlib
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

from interplay.backbones.base import Backbone
from interplay.core.artifacts import External
from interplay.core.config import digest
from interplay.core.errors import InputError
from interplay.core.files import read_json

_INDEX = "model_index.json"
_SAMPLE_BYTES = 1 << 20

# diffusers pipeline class -> adapter with ``load(folder, device, dtype)`` and ``skeleton(folder, dtype)``.
_FAMILIES = {
    "CogVideoXImageToVideoPipeline": "interplay.backbones.cogvideox.adapter:CogVideoX",
    "HunyuanVideoImageToVideoPipeline": "interplay.backbones.hunyuan_video.adapter:HunyuanVideo",
    "WanImageToVideoPipeline": "interplay.backbones.wan.adapter:Wan",
    "WanPipeline": "interplay.backbones.wan.adapter:Wan",  # Wan 2.2 TI2V makes both and is published as this one
}
# tiny backbone -> builder ``build(seed)`` of an untrained instance.
_TINY = {
    "tiny-cogvideox": "interplay.backbones.cogvideox.tiny:build",
    "tiny-hunyuan-video": "interplay.backbones.hunyuan_video.tiny:build",
    "tiny-wan": "interplay.backbones.wan.tiny:build",
}


def tiny_names() -> tuple[str, ...]:
    """The tiny backbones that this package can build; trained weights of some ship with it."""
    return tuple(_TINY)


def shipped_names() -> tuple[str, ...]:
    """The tiny backbones whose trained weights lie inside the package."""
    return tuple(name for name in _TINY if (shipped_folder(name) / _INDEX).is_file())


def shipped_folder(name: str) -> Path:
    """Where the trained weights of a tiny backbone lie inside the package."""
    return Path(str(files("interplay"))) / "assets" / name


def build_tiny(name: str, seed: int) -> Backbone:
    """An untrained tiny backbone."""
    if name not in _TINY:
        raise InputError("is not a tiny backbone", where=f"backbone {name}", cure=f"choose one of {', '.join(_TINY)}")
    built = _resolve(_TINY[name])(seed)
    assert isinstance(built, Backbone)
    return built


def backbone_input(name_or_folder: str) -> External:
    """The backbone as an input of a stage: other weights are another input, even under the same name."""
    folder = pipeline_folder(name_or_folder)
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".json", ".safetensors"))
    return External(folder, digest([[path.relative_to(folder).as_posix(), _sampled(path)] for path in files]))


def _sampled(path: Path) -> str:
    """Digest of a file's size, head and tail: real checkpoints are too large to read in full at every start."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(_SAMPLE_BYTES)
        stream.seek(max(size - _SAMPLE_BYTES, 0))
        return hashlib.sha256(size.to_bytes(8, "big") + head + stream.read()).hexdigest()


def pipeline_folder(name_or_folder: str) -> Path:
    """The folder of a shipped backbone by name, or the given folder; :class:`InputError` when it is no pipeline."""
    folder = shipped_folder(name_or_folder) if name_or_folder in _TINY else Path(name_or_folder)
    if not (folder / _INDEX).is_file():
        shipped = ", ".join(shipped_names())
        if name_or_folder in _TINY:
            problem = "comes without trained weights"
            made = f"make them (interplay world pretrain --backbone {name_or_folder})"
            cure = f"{made} and name their folder, or use {shipped}"
        else:
            problem = f"is no pipeline folder (it holds no {_INDEX})"
            cure = f"name a folder in the diffusers layout or one of {shipped}"
        raise InputError(problem, where=f"backbone {name_or_folder}", cure=cure)
    return folder


def load_backbone(
    name_or_folder: str, device: torch.device | None = None, dtype: torch.dtype = torch.float32
) -> Backbone:
    """A trained backbone: a shipped tiny one by name, or any pipeline folder in the diffusers layout."""
    adapter, folder = _adapter(name_or_folder)
    backbone = adapter.load(folder, device or torch.device("cpu"), dtype)
    assert isinstance(backbone, Backbone)
    backbone.name = name_or_folder
    return backbone


def load_skeleton(name_or_folder: str, dtype: torch.dtype = torch.float32) -> Backbone:
    """The same backbone from its configs alone, on the ``meta`` device: shapes and costs without weights or memory."""
    adapter, folder = _adapter(name_or_folder)
    backbone = adapter.skeleton(folder, dtype)
    assert isinstance(backbone, Backbone)
    backbone.name = name_or_folder
    return backbone


def _adapter(name_or_folder: str) -> tuple[Any, Path]:
    """The adapter class of a pipeline, and its folder."""
    folder = pipeline_folder(name_or_folder)
    index = folder / _INDEX
    pipeline_class = str(read_json(index).get("_class_name"))
    if pipeline_class not in _FAMILIES:
        raise InputError(
            f"is a {pipeline_class}, which no family here adapts",
            where=f"{index}, field _class_name",
            cure=f"use one of {', '.join(_FAMILIES)}",
        )
    return _resolve(_FAMILIES[pipeline_class]), folder


def _resolve(target: str) -> Any:
    module, attribute = target.split(":")
    return getattr(import_module(module), attribute)
