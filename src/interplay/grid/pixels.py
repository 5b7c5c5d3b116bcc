"""8-bit pixels and the [-1, 1] tensors that video autoencoders read and write.

Shape legend: ``p y x`` pixel frames, rows, columns.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor


def to_tensor(frames: UInt8[ndarray, "p y x 3"]) -> Float[Tensor, "3 p y x"]:
    """Frames as a tensor in [-1, 1], channels first: 0 becomes -1, 255 becomes 1."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(3, 0, 1, 2).float() / 127.5 - 1.0


def to_frames(video: Float[Tensor, "3 p y x"]) -> UInt8[ndarray, "p y x 3"]:
    """The inverse of :func:`to_tensor`: rounded, and values outside [-1, 1] clipped."""
    levels = ((video.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(levels.permute(1, 2, 3, 0).cpu().numpy())
