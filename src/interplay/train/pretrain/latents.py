"""World clips as latents, once: the transformer then trains without touching a pixel.

Shape legend: ``n`` clips, ``b`` some of them, ``c`` channels, ``f h w`` latent frames, height, width, ``p y x`` pixel
frames, height, width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch
from interplay.core.progress import Progress
from interplay.grid.pixels import to_tensor
from interplay.world.sampling import render_at

_BATCH = 8
_CALIBRATION_CLIPS = 64
_FIRST = "latents.first."


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
    """Latents of the first ``clips`` training clips. A complete cache is read back, a broken-off one is made again."""
    video_path = folder / "latents.video.npy"
    if not video_path.is_file():
        video, first_frames = _encode_all(backbone, clips, num_frames, size_hw, seed)
        for name, tensor in first_frames.tensors.items():
            _save(folder / f"{_FIRST}{name}.npy", tensor)
        _save(video_path, video)  # the last file: where it is, the others are
    firsts = {path.stem.removeprefix(_FIRST): path for path in sorted(folder.glob(f"{_FIRST}*.npy"))}
    return LatentCache(_mapped(video_path), {name: _mapped(path) for name, path in firsts.items()})


def _encode_all(
    backbone: Backbone, clips: int, num_frames: int, size_hw: tuple[int, int], seed: int
) -> tuple[Float[Tensor, "n c f h w"], Batch]:
    grid = backbone.grid(num_frames, size_hw)
    videos, firsts = [], []
    with Progress("latents", clips) as progress:
        for start in range(0, clips, _BATCH):
            video = _videos(list(range(start, min(start + _BATCH, clips))), num_frames, size_hw, seed)
            videos.append(_stored(backbone.encode_video(video)))
            first_frames = backbone.first_frame_condition(video[:, :, 0], grid)
            firsts.append(Batch({name: _stored(tensor) for name, tensor in first_frames.tensors.items()}))
            progress.advance(len(video))
    return torch.cat(videos), Batch.join(firsts)


def _videos(indices: list[int], num_frames: int, size_hw: tuple[int, int], seed: int) -> Float[Tensor, "b 3 p y x"]:
    frames = [render_at(seed, "train", i, num_frames, size_hw)[1].frames for i in indices]
    return torch.stack([to_tensor(clip) for clip in frames])


def _stored(tensor: Tensor) -> Tensor:
    """Half the size for numbers with a fraction; whole numbers as they are."""
    return (tensor.half() if tensor.is_floating_point() else tensor).cpu()


def _loaded(values: NDArray[Any]) -> Tensor:
    tensor = torch.from_numpy(values)
    return tensor.float() if tensor.is_floating_point() else tensor


def _save(path: Path, tensor: Tensor) -> None:
    partial = path.with_suffix(".tmp.npy")
    np.save(partial, tensor.numpy())
    partial.replace(path)


def _mapped(path: Path) -> NDArray[Any]:
    values: NDArray[Any] = np.load(path, mmap_mode="r")
    return values
