"""World clips as latents, once: the transformer then trains without touching a pixel.

Shape legend: ``n`` clips, ``b`` some of them, ``c`` channels, ``f h w`` latent frames, height, width, ``p y x`` pixel
frames, height, width.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor

from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch
from interplay.core.files import full_disk_named, read_json, write_json
from interplay.core.progress import Progress
from interplay.grid.pixels import to_tensor
from interplay.world.sampling import render_at

_BATCH = 8
_CALIBRATION_CLIPS = 64
_VIDEO, _FIRST, _FINISHED = "latents.video", "latents.first.", "latents.json"


@dataclass(frozen=True)
class LatentCache:
    """Scaled latents ``video (n, c, f, h, w)`` and the tensors of the first-frame conditions, memory-mapped."""

    video: NDArray[np.float16]
    first_frames: Mapping[str, NDArray[Any]]

    def take(self, rows: Int[Tensor, " b"], device: torch.device) -> tuple[Float[Tensor, "b c f h w"], Batch]:
        """Latents and first-frame conditions of these clips."""
        first_frames = {name: _loaded(values[rows.numpy()]) for name, values in self.first_frames.items()}
        return _loaded(self.video[rows.numpy()]).to(device), Batch(first_frames).to(device)


@torch.no_grad()
def calibrate(backbone: Backbone, num_frames: int, size_hw: tuple[int, int], seed: int) -> float:
    """Fit the latent scale to some training clips; returns the standard deviation of their latents before."""
    batches = [list(range(start, start + _BATCH)) for start in range(0, _CALIBRATION_CLIPS, _BATCH)]
    videos = (_videos(batch, num_frames, size_hw, seed) for batch in batches)
    latents = torch.cat([backbone.encode_video(video).cpu() for video in videos])
    backbone.fit_latent_scale(latents)
    return float(np.std(latents.numpy()))


def cache_latents(
    backbone: Backbone, clips: int, num_frames: int, size_hw: tuple[int, int], seed: int, folder: Path
) -> LatentCache:
    """Latents of the first ``clips`` training clips; a broken-off cache is gone on with."""
    grid = backbone.grid(num_frames, size_hw)
    finished = _finished(folder)
    with Progress("latents", clips, done=finished) as progress:
        for start in range(finished, clips, _BATCH):
            video = _videos(list(range(start, min(start + _BATCH, clips))), num_frames, size_hw, seed)
            encoded = {_VIDEO: backbone.encode_video(video)}
            first_frames = backbone.first_frame_condition(video[:, :, 0], grid)
            encoded |= {f"{_FIRST}{name}": tensor for name, tensor in first_frames.tensors.items()}
            for name, rows in encoded.items():
                _write(folder / f"{name}.npy", _stored(rows), start, clips)
            write_json(folder / _FINISHED, {"clips": start + len(video)})
            progress.advance(len(video))
    firsts = {path.stem.removeprefix(_FIRST): path for path in sorted(folder.glob(f"{_FIRST}*.npy"))}
    return LatentCache(_mapped(folder / f"{_VIDEO}.npy"), {name: _mapped(path) for name, path in firsts.items()})


def _finished(folder: Path) -> int:
    """How many clips lie in the arrays already."""
    path = folder / _FINISHED
    return int(read_json(path)["clips"]) if path.is_file() else 0


def _videos(indices: list[int], num_frames: int, size_hw: tuple[int, int], seed: int) -> Float[Tensor, "b 3 p y x"]:
    frames = [render_at(seed, "train", i, num_frames, size_hw)[1].frames for i in indices]
    return torch.stack([to_tensor(clip) for clip in frames])


def _stored(tensor: Tensor) -> Tensor:
    """Half the size for numbers with a fraction; whole numbers as they are."""
    return (tensor.half() if tensor.is_floating_point() else tensor).cpu()


def _loaded(values: NDArray[Any]) -> Tensor:
    tensor = torch.from_numpy(values)
    return tensor.float() if tensor.is_floating_point() else tensor


def _write(path: Path, rows: Tensor, start: int, clips: int) -> None:
    """Put ``rows`` at ``start`` of the file of all ``clips``, whose head the first ones write.

    Not through a memory map: where the disk is full, that ends the process without a word.
    """
    values = rows.contiguous().numpy()
    with full_disk_named(path.parent), path.open("r+b" if start else "w+b") as file:
        if start == 0:
            whole = {"descr": npy.dtype_to_descr(values.dtype), "fortran_order": False}
            npy.write_array_header_1_0(file, {**whole, "shape": (clips, *values.shape[1:])})
        file.seek(0)
        npy.read_magic(file)
        npy.read_array_header_1_0(file)
        file.seek(start * values[0].nbytes, os.SEEK_CUR)
        file.write(values.tobytes())
        file.flush()
        os.fsync(file.fileno())


def _mapped(path: Path) -> NDArray[Any]:
    values: NDArray[Any] = np.load(path, mmap_mode="r")
    return values
