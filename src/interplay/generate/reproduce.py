"""Making a clip once more from the JSON beside it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import torch

from interplay.backbones.placement import Offload
from interplay.backbones.registry import backbone_input
from interplay.core.errors import InputError
from interplay.core.manifest import versions
from interplay.generate.made import Made, pixels_digest
from interplay.generate.model import adapter_input, load
from interplay.generate.record import Record, read_record, read_tracks
from interplay.generate.requests import Request
from interplay.methods.matrix.guidance import Course
from interplay.methods.matrix.instance_map import masks_of, paint
from interplay.methods.matrix.showing import Shown
from interplay.records.media.images import read_image


def reproduce(
    path: str | PathLike[str],
    *,
    backbone: str | None = None,
    adapter: str | PathLike[str] | None = None,
    image: str | PathLike[str] | None = None,
    device: str | None = None,
    offload: Offload = "none",
) -> Made:
    """The clip that the JSON at ``path`` describes, pixel for pixel on the same machine with the same versions.

    ``backbone``, ``adapter`` and ``image`` (the first frame) say where these are now, if they have moved; other
    weights are refused, and so are another first frame and other masks. Other versions are remarked on.
    """
    file = Path(path)
    told = read_record(file)
    backbone, weights = backbone or _backbone(told, file), _adapter(told, file) if adapter is None else Path(adapter)
    _check_weights(backbone, weights, told, file)
    model = load(
        backbone,
        adapter=weights,
        device=device or told.device,
        dtype=told.dtype,
        offload=offload,
        tiling=told.tiling,
    )
    _remark_on_versions(told)
    request = _request(told, file, None if image is None else Path(image))
    _check_files(request.shown(model.adapter), told, file)
    # As many of the same clip as there were clips in its batch: the shapes, and so the roundings, are then the same.
    with _threads(told.threads):
        model.check([request], told)
        return model.sample([request] * told.batch.size, told)[told.batch.place]


def _backbone(told: Record, file: Path) -> str:
    place = None if told.backbone_path is None else file.parent / told.backbone_path
    return str(place) if place is not None and place.is_dir() else told.backbone


def _adapter(told: Record, file: Path) -> Path | None:
    if told.adapter is None:
        return None
    where, cure = f"{file}, field adapter_path", "say where it is now (--training or --adapter)"
    if told.adapter_path is None:
        raise InputError("does not say where the adapter lies", where=where, cure=cure)
    place = file.parent / told.adapter_path
    if not place.exists():
        raise InputError(f"there is no {place}", where=where, cure=cure)
    return place


def _check_weights(backbone: str, adapter: Path | None, told: Record, file: Path) -> None:
    found = {
        "backbone_digest": (told.backbone_digest, backbone_input(backbone).identity),
        "adapter": (told.adapter, None if adapter is None else adapter_input(adapter).identity),
    }
    for name, (wanted, identity) in found.items():
        if identity != wanted:
            problem = f"the clip was made with other weights ({wanted}, here are {identity})"
            raise InputError(problem, where=f"{file}, field {name}", cure="name the model that it was made with")


def _remark_on_versions(told: Record) -> None:
    here = versions()
    other = [
        f"{name} {found} (here {here.get(name)})" for name, found in told.versions.items() if here.get(name) != found
    ]
    if other:
        print(f"made with {', '.join(other)}: pixels may differ", file=sys.stderr)


def _request(told: Record, file: Path, image: Path | None) -> Request:
    if image is None and told.first_frame is not None:
        image = file.parent / told.first_frame.path
        _check_present(image, f"{file}, field first_frame", "put the file back, or say where it is now (--image)")
    return Request(
        clip_id=told.clip_id,
        prompt=told.prompt,
        seed=told.seed,
        num_frames=told.num_frames,
        size_hw=told.size_hw,
        fps=told.fps,
        image=image,
        course=_course(told, file),
        where=str(file),
    )


def _course(told: Record, file: Path) -> Course | None:
    """What was known of where everybody is: in all frames, or in the first."""
    if told.tracks is not None:
        return read_tracks(told.tracks, file)
    if told.masks is None:
        return None
    path = file.parent / told.masks.path
    _check_present(path, f"{file}, field masks", "put the file back")
    return Course(masks_of(read_image(path), told.masks.ids, where=str(path)))


def _check_present(path: Path, where: str, cure: str) -> None:
    if not path.is_file():
        raise InputError(f"there is no {path}", where=where, cure=cure)


def _check_files(shown: Shown, told: Record, file: Path) -> None:
    found = {
        "first_frame": (shown.first_frame, told.first_frame),
        "masks": (paint(shown.masks, frame=0), told.masks),
    }
    for name, (pixels, wanted) in found.items():
        if (None if pixels is None else pixels_digest(pixels)) != (None if wanted is None else wanted.sha256):
            problem = "is of a clip without one" if wanted is None else f"{wanted.path} has changed"
            raise InputError(problem, where=f"{file}, field {name}", cure="put the old file back")


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """So many threads on the CPU, as long as this lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
