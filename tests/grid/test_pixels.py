from __future__ import annotations

import numpy as np
import torch

from interplay.grid.pixels import to_frames, to_tensor


def test_every_level_survives_the_round_trip() -> None:
    frames = np.arange(256, dtype=np.uint8).reshape(2, 8, 16, 1).repeat(3, axis=3)
    assert np.array_equal(to_frames(to_tensor(frames)), frames)


def test_the_ends_of_the_range_and_beyond() -> None:
    video = torch.tensor([-2.0, -1.0, 0.0, 1.0, 3.0]).reshape(1, 5, 1, 1).expand(3, 5, 1, 1)
    assert to_frames(video)[:, 0, 0, 0].tolist() == [0, 0, 128, 255, 255]


def test_channels_come_first() -> None:
    frames = np.zeros((4, 2, 3, 3), np.uint8)
    frames[..., 1] = 255
    assert to_tensor(frames).shape == (3, 4, 2, 3)
    assert to_tensor(frames)[1].min() == 1
