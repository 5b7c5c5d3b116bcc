"""Clips as a small autoencoder leaves them: soft edges and noise. Shape legend: ``p`` pixel frames, ``y x`` pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

Frames = UInt8[ndarray, "p y x 3"]


@dataclass(frozen=True)
class Wear:
    """Blur of ``sigma`` picture heights and noise of ``noise`` grey levels."""

    sigma: float
    noise: float


# Blur of 0.4, 0.7 and 1 pixel of 48.
LEVELS: Mapping[str, Wear | None] = {
    "clean": None,
    "light": Wear(0.4 / 48, 4.0),
    "middle": Wear(0.7 / 48, 8.0),
    "strong": Wear(1.0 / 48, 12.0),
}


def worn(frames: Frames, wear: Wear | None, rng: np.random.Generator) -> Frames:
    """Blurred frames with noise that is one pixel fine and different in every frame; as they are without wear."""
    if wear is None:
        return frames
    blurred = frames.astype(np.float32)
    kernel = _gauss(wear.sigma * frames.shape[1])
    for axis in (1, 2):
        padding = [(0, 0)] * 4
        padding[axis] = (len(kernel) // 2, len(kernel) // 2)
        padded = np.pad(blurred, padding, mode="edge")
        length = frames.shape[axis]
        blurred = np.sum([w * padded.take(range(k, k + length), axis=axis) for k, w in enumerate(kernel)], axis=0)
    noisy = blurred + rng.normal(0.0, wear.noise, frames.shape)
    result: Frames = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return result


def _gauss(sigma_px: float) -> Float32[ndarray, " k"]:
    reach = max(1, round(3 * sigma_px))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma_px, 1e-3)) ** 2)
    kernel: Float32[ndarray, " k"] = (weights / weights.sum()).astype(np.float32)
    return kernel
