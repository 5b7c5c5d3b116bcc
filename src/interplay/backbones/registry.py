"""The one place that knows the families by name: loading a backbone by name or folder, building a tiny one."""

from __future__ import annotations

import hashlib
import re
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

from interplay.backbones.base import Backbone
from interplay.backbones.native import OF_THE_WORLD
from interplay.backbones.weights import check_weights
from interplay.core.artifacts import External
from interplay.core.config import digest
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.core.manifest import MANIFEST

_INDEX = "model_index.json"
_SAMPLE_BYTES = 1 << 20
# A name on the hub, with a revision if wanted. A path of more or fewer parts is none.
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
# What a pipeline folder is made of: configs, safetensors and tokenizer files, in folders of its parts. Not the single
# files of other layouts beside them.
_HUB_FILES = ("*.json", "*/*.json", "*/*.safetensors", "*/*.txt", "*/*.model", "*/*.jinja")

# diffusers pipeline class -> adapter with ``load(folder, device, dtype)`` and ``skeleton(folder, dtype)``.
_FAMILIES = {
    "CogVideoXImageToVideoPipeline": "interplay.backbones.cogvideox.adapter:CogVideoX",
    "CogVideoXPipeline": "interplay.backbones.cogvideox.adapter:CogVideoX",
    "HunyuanVideoImageToVideoPipeline": "interplay.backbones.hunyuan_video.adapter:HunyuanVideo",
    "HunyuanVideoPipeline": "interplay.backbones.hunyuan_video.adapter:HunyuanVideo",
    "HunyuanVideo15ImageToVideoPipeline": "interplay.backbones.hunyuan_video_15.adapter:HunyuanVideo15",
    "HunyuanVideo15Pipeline": "interplay.backbones.hunyuan_video_15.adapter:HunyuanVideo15",
    "LTXConditionPipeline": "interplay.backbones.ltx_video.adapter:LTXVideo",
    "LTXImageToVideoPipeline": "interplay.backbones.ltx_video.adapter:LTXVideo",
    "LTXPipeline": "interplay.backbones.ltx_video.adapter:LTXVideo",
    "WanImageToVideoPipeline": "interplay.backbones.wan.adapter:Wan",
    "WanPipeline": "interplay.backbones.wan.adapter:Wan",
}
# tiny backbone -> builder ``build(seed)`` of an untrained instance.
_TINY = {
    "tiny-cogvideox": "interplay.backbones.cogvideox.tiny:build",
    "tiny-hunyuan-video": "interplay.backbones.hunyuan_video.tiny:build",
    "tiny-hunyuan-video-15": "interplay.backbones.hunyuan_video_15.tiny:build",
    "tiny-ltx-video": "interplay.backbones.ltx_video.tiny:build",
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
    """The backbone as an input of a stage: other weights are another input, even under the same name.

    What is told about the weights, in a card or in a manifest of ours, is none of it.
    """
    folder = pipeline_folder(name_or_folder)
    kept = (path for path in folder.rglob("*") if path.suffix in (".json", ".safetensors"))
    files = sorted(path for path in kept if path != folder / MANIFEST)
    return External(folder, digest([[path.relative_to(folder).as_posix(), _sampled(path)] for path in files]))


def _sampled(path: Path) -> str:
    """Digest of a file's size, head and tail: real checkpoints are too large to read in full at every start."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(_SAMPLE_BYTES)
        stream.seek(max(size - _SAMPLE_BYTES, 0))
        return hashlib.sha256(size.to_bytes(8, "big") + head + stream.read()).hexdigest()


def pipeline_folder(name_or_folder: str) -> Path:
    """The folder of a backbone; :class:`InputError` when there is no pipeline.

    ``name_or_folder`` is a shipped backbone's name, a folder, or a repository of the Hugging Face hub
    (``owner/name``, or ``owner/name@revision``), of which the files that a pipeline needs are then on this machine.
    """
    folder = shipped_folder(name_or_folder) if name_or_folder in _TINY else Path(name_or_folder)
    if (folder / _INDEX).is_file():
        return folder
    # Below a folder that exists, a path is one of this machine, even if what it names is missing.
    if name_or_folder not in _TINY and not folder.parent.exists() and _REPOSITORY.fullmatch(name_or_folder):
        return _from_hub(name_or_folder)
    shipped = ", ".join(shipped_names())
    if name_or_folder in _TINY:
        problem = "comes without trained weights"
        made = f"make them (interplay world pretrain --backbone {name_or_folder})"
        cure = f"{made} and name their folder, or use {shipped}"
    else:
        problem = f"is no pipeline folder (it holds no {_INDEX})"
        cure = f"name a folder in the diffusers layout, a repository of the hub (owner/name) or one of {shipped}"
    raise InputError(problem, where=f"backbone {name_or_folder}", cure=cure)


def _from_hub(name: str) -> Path:
    """The local copy of a hub repository's pipeline, fetched first where it is not complete."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repository, _, revision = name.partition("@")
    where = f"backbone {name}"
    try:
        folder = Path(snapshot_download(repository, revision=revision or None, allow_patterns=list(_HUB_FILES)))
    except LocalEntryNotFoundError as error:
        problem = "is neither a folder nor a repository that was fetched before, and the hub cannot be reached"
        raise InputError(problem, where=where, cure="check the name, go online, or name a local folder") from error
    except HfHubHTTPError as error:
        cure = "check the name and, for a gated model, that you are logged in (hf auth login)"
        raise InputError(
            "is neither a folder nor a repository that the hub gives out", where=where, cure=cure
        ) from error
    if not (folder / _INDEX).is_file():
        cure = "name one in the diffusers layout (its name often ends in -Diffusers)"
        raise InputError(f"is a repository without a pipeline (it holds no {_INDEX})", where=where, cure=cure)
    return folder


def load_backbone(
    name_or_folder: str,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    *,
    text_to_video: bool = False,
) -> Backbone:
    """A trained backbone: a shipped tiny one by name, or any pipeline folder in the diffusers layout.

    With ``text_to_video`` it is shown no first frame (:meth:`.Backbone.without_first_frame`).
    """
    adapter, folder = _adapter(name_or_folder)
    check_weights(sorted(folder.glob("*/*.safetensors")))
    backbone = adapter.load(folder, device or torch.device("cpu"), dtype)
    assert isinstance(backbone, Backbone)
    backbone.name = name_or_folder
    if name_or_folder in _TINY:
        backbone.recommended = OF_THE_WORLD
    return backbone.without_first_frame() if text_to_video else backbone


def load_skeleton(name_or_folder: str, dtype: torch.dtype = torch.float32, *, text_to_video: bool = False) -> Backbone:
    """The same backbone from its configs alone, on the ``meta`` device: shapes and costs without weights or memory."""
    adapter, folder = _adapter(name_or_folder)
    backbone = adapter.skeleton(folder, dtype)
    assert isinstance(backbone, Backbone)
    backbone.name = name_or_folder
    return backbone.without_first_frame() if text_to_video else backbone


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
