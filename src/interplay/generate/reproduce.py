"""Making a clip once more from the JSON beside it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from interplay.backbones.placement import Offload
from interplay.backbones.registry import backbone_input
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.core.manifest import versions
from interplay.generate.config import SamplingConfig
from interplay.generate.made import FORMAT, Made, pixels_digest
from interplay.generate.model import adapter_input, load
from interplay.generate.requests import Request
from interplay.methods.matrix.instance_map import paint
from interplay.methods.matrix.showing import Shown


def reproduce(
    path: str | PathLike[str],
    *,
    backbone: str | None = None,
    adapter: str | PathLike[str] | None = None,
    device: str | None = None,
    offload: Offload = "none",
) -> Made:
    """The clip that the JSON at ``path`` describes, pixel for pixel on the same machine with the same versions.

    ``backbone`` and ``adapter`` say where these are now, if they have moved; other weights are refused, and so are
    another first frame and other masks. Other versions are remarked on.
    """
    file = Path(path)
    told = read_record(file)
    config = SamplingConfig.model_validate(
        {name: told[name] for name in ("steps", "guidance_scale", "negative_prompt", "guidance")}
    )
    backbone, adapter = backbone or _backbone(told, file), adapter or _adapter(told, file)
    _check_weights(backbone, adapter, told, file)
    model = load(
        backbone,
        adapter=adapter,
        device=device or told["device"],
        dtype=told["dtype"],
        offload=offload,
        tiling=told["tiling"],
    )
    _remark_on_versions(told)
    request = _request(told, file)
    _check_files(request.shown(model.adapter), told, file)
    # As many of the same clip as there were clips in its batch: the shapes, and so the roundings, are then the same.
    size, place = int(told["batch"]["size"]), int(told["batch"]["place"])
    return model.make([request] * size, config)[place]


def read_record(path: Path) -> Mapping[str, Any]:
    """The JSON beside a generated video; :class:`InputError` when it is something else."""
    told = read_json(path)
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        cure = "name the JSON beside a video that this version generated"
        raise InputError("does not say how a clip was made", where=path, cure=cure)
    missing = [name for name in _NEEDED if name not in told]
    if missing:
        raise InputError(f"lacks the field {missing[0]}", where=path, cure="generate the clip again")
    return told


_NEEDED = (
    *("clip_id", "prompt", "seed", "num_frames", "size_hw", "fps", "first_frame", "masks", "batch", "versions"),
    *("backbone", "backbone_digest", "adapter", "dtype", "device", "tiling"),
    *("steps", "guidance_scale", "negative_prompt", "guidance"),
)


def _backbone(told: Mapping[str, Any], file: Path) -> str:
    place = file.parent / told["backbone_path"] if "backbone_path" in told else None
    return str(place) if place is not None and place.is_dir() else str(told["backbone"])


def _adapter(told: Mapping[str, Any], file: Path) -> Path | None:
    if told["adapter"] is None:
        return None
    if "adapter_path" not in told:
        cure = "say where it is"
        raise InputError("does not say where the adapter lies", where=f"{file}, field adapter_path", cure=cure)
    return file.parent / str(told["adapter_path"])


def _check_weights(backbone: str, adapter: str | PathLike[str] | None, told: Mapping[str, Any], file: Path) -> None:
    found = {
        "backbone_digest": backbone_input(backbone).identity,
        "adapter": None if adapter is None else adapter_input(Path(adapter)).identity,
    }
    for name, identity in found.items():
        if identity != told[name]:
            problem = f"the clip was made with other weights ({told[name]}, here are {identity})"
            raise InputError(problem, where=f"{file}, field {name}", cure="name the model that it was made with")


def _remark_on_versions(told: Mapping[str, Any]) -> None:
    here = versions()
    other = [
        f"{name} {found} (here {here.get(name)})" for name, found in told["versions"].items() if here.get(name) != found
    ]
    if other:
        print(f"made with {', '.join(other)}: pixels may differ", file=sys.stderr)


def _request(told: Mapping[str, Any], file: Path) -> Request:
    files = {
        name: None if told[name] is None else file.parent / told[name]["path"] for name in ("first_frame", "masks")
    }
    height, width = told["size_hw"]
    return Request(
        clip_id=told["clip_id"],
        prompt=told["prompt"],
        seed=told["seed"],
        num_frames=told["num_frames"],
        size_hw=(height, width),
        fps=told["fps"],
        image=files["first_frame"],
        masks=files["masks"],
        where=str(file),
    )


def _check_files(shown: Shown, told: Mapping[str, Any], file: Path) -> None:
    found = {"first_frame": shown.first_frame, "masks": paint(shown.masks, frame=0)}
    for name, pixels in found.items():
        if pixels is not None and pixels_digest(pixels) != told[name]["sha256"]:
            where = f"{file}, field {name}"
            raise InputError(f"{told[name]['path']} has changed", where=where, cure="put the old file back")
