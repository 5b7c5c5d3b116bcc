"""Clip number ``index`` of a split: the same scene whoever asks, in whatever order, on however many workers."""

from __future__ import annotations

import numpy as np

from interplay.core.seeds import derive_seed
from interplay.world.render import Rendering, render
from interplay.world.scene import Scene, sample_scene
from interplay.world.splits import Split, draw_composition


def scene_at(seed: int, split: Split, index: int, aspect: float) -> Scene:
    """The scene of clip ``index`` in ``split`` of the world with root ``seed``."""
    rng = np.random.default_rng(derive_seed(seed, "world", split, index))
    return sample_scene(draw_composition(split, rng), aspect, rng)


def render_at(
    seed: int, split: Split, index: int, num_frames: int, size_hw: tuple[int, int]
) -> tuple[Scene, Rendering]:
    """The scene of clip ``index`` and its frames, masks and motion."""
    scene = scene_at(seed, split, index, size_hw[1] / size_hw[0])
    return scene, render(scene, num_frames, size_hw)
