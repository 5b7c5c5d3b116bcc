"""Clips with exact tracks, and a very small CogVideoX (real classes, random weights) that they fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from interplay.backbones.base import Backbone
from interplay.backbones.cogvideox.tiny import TinyCogVideoX, build
from interplay.grid.token_grid import TokenGrid
from interplay.records.clip import Clip, Instance, Interaction
from interplay.records.masks import MaskTrack

GRID = TokenGrid(frames=9, height=16, width=24, temporal_stride=4, spatial_stride=4, patch=(1, 2, 2))  # 3 x 2 x 3
CONFIG = TinyCogVideoX(
    num_frames=9, size_hw=(16, 24), layers=3, heads=2, head_dim=16, text_layers=1, text_length=16, text_dim=16
)


@pytest.fixture(scope="session")
def backbone() -> Backbone:
    return build(0, CONFIG)


@pytest.fixture(scope="session")
def grid() -> TokenGrid:
    return GRID


@pytest.fixture
def make_track() -> Callable[..., MaskTrack]:
    def make(column: int, *, gaps: tuple[int, ...] = (), from_frame: int = 0) -> MaskTrack:
        """A track that covers one column of tokens, from some pixel frame on."""
        masks = np.zeros((GRID.frames, GRID.height, GRID.width), dtype=bool)
        masks[from_frame:, :, 8 * column : 8 * column + 8] = True
        return MaskTrack.from_array(masks, gaps=gaps)

    return make


@pytest.fixture
def make_clip(make_track: Callable[..., MaskTrack]) -> Callable[..., Clip]:
    def make(clip_id: str = "two", **changes: object) -> Clip:
        """A man pushes a ball: two instances, one interaction."""
        fields = {
            "clip_id": clip_id,
            "video": "videos/x.mp4",
            "caption": "a <id1> man <verb> pushes a <id2> red ball </id2>",
            "num_frames": GRID.frames,
            "size_hw": (GRID.height, GRID.width),
            "fps": 8.0,
            "instances": (Instance("id1", "man"), Instance("id2", "ball")),
            "interactions": (Interaction("id1", "push", "id2"),),
            "tracks": {"id1": make_track(0), "id2": make_track(2)},
        }
        return Clip(**{**fields, **changes})

    return make
