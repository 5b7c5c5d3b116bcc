"""World clips as latents, once: the transformer then trains without touching a pixel.

Shape legend: ``n`` clips, ``c`` channels, ``f h w`` latent frames, height, width.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from interplay.backbones.base import Backbone
from interplay.core.progress import Progress
from interplay.grid.pixels import to_tensor
from interplay.world.sampling import render_at

_BATCH = 8
_CALIBRATION_CLIPS = 64


@dataclass(frozen=True)
class LatentCache:
    """Scaled latents ``video (n, c, f, h, w)`` and of the first frames alone ``first (n, c, 1, h, w)``.

    The two differ a little in frame 0, because the autoencoder normalises over time.
    """

    video: NDArray[np.float16]
    first: NDArray[np.float16]


@torch.no_grad()
def calibrate(backbone: Backbone, num_frames: int, size_hw: tuple[int, int], seed: int) -> float:
    """Set the latent scale from the standard deviation of raw latents over some training clips; returns it."""
    backbone.set_latent_scale(1.0)
    batches = [list(range(start, start + _BATCH)) for start in range(0, _CALIBRATION_CLIPS, _BATCH)]
    latents = [_encode(backbone, batch, num_frames, size_hw, seed)[0] for batch in batches]
    deviation = float(np.std(np.concatenate(latents)))
    backbone.set_latent_scale(deviation)
    return deviation


def cache_latents(
    backbone: Backbone, clips: int, num_frames: int, size_hw: tuple[int, int], seed: int, folder: Path
) -> LatentCache:
    """Latents of the first ``clips`` training clips. A complete cache is read back, a broken-off one is made again."""
    paths = folder / "latents.video.npy", folder / "latents.first.npy"
    if not all(path.is_file() for path in paths):
        for path, values in zip(paths, _encode_all(backbone, clips, num_frames, size_hw, seed), strict=True):
            partial = path.with_suffix(".tmp.npy")
            np.save(partial, values)
            partial.replace(path)
    return LatentCache(*(np.load(path, mmap_mode="r") for path in paths))


def _encode_all(
    backbone: Backbone, clips: int, num_frames: int, size_hw: tuple[int, int], seed: int
) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    videos, firsts = [], []
    with Progress("latents", clips) as progress:
        for start in range(0, clips, _BATCH):
            indices = list(range(start, min(start + _BATCH, clips)))
            video, first = _encode(backbone, indices, num_frames, size_hw, seed)
            videos.append(video.astype(np.float16))
            firsts.append(first.astype(np.float16))
            progress.advance(len(indices))
    return np.concatenate(videos), np.concatenate(firsts)


def _encode(
    backbone: Backbone, indices: list[int], num_frames: int, size_hw: tuple[int, int], seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    frames = [render_at(seed, "train", i, num_frames, size_hw)[1].frames for i in indices]
    video = torch.stack([to_tensor(clip) for clip in frames])
    first = backbone.first_frame_condition(video[:, :, 0], latent_frames=1)
    return backbone.encode_video(video).numpy(), first.numpy()
