"""What all tiny backbones share: the clips they are made for, small text encoders, weights that follow from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from interplay.backbones.native import OF_THE_WORLD, Native
from interplay.core.config import Config
from interplay.core.seeds import derive_seed


class TinySizes(Config):
    """Sizes of a tiny instance: pixel frames, pixel height and width of the clips that it is trained on."""

    num_frames: int = 17
    size_hw: tuple[int, int] = (48, 80)

    def native(self, text_length: int) -> Native:
        """What an instance of these sizes was trained on."""
        return Native(self.num_frames, self.size_hw, text_length, OF_THE_WORLD)


@contextmanager
def drawn_from(seed: int, part: str) -> Iterator[None]:
    """Inside, the weights of new modules follow from ``seed`` and the name of the part; others' draws are not moved."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "init", part))
        yield


def t5_sizes(vocabulary_size: int, *, width: int, layers: int, head_dim: int = 16) -> dict[str, Any]:
    """Settings of a small T5 or umT5 encoder: heads fill the width, the layer between is twice as wide."""
    return {
        "vocab_size": vocabulary_size,
        "d_model": width,
        "d_kv": head_dim,
        "d_ff": 2 * width,
        "num_layers": layers,
        "num_heads": width // head_dim,
        "feed_forward_proj": "gated-gelu",
        "dropout_rate": 0.0,
        "is_encoder_decoder": False,
        "use_cache": False,
    }
