"""Scenes of the embedded world for tests: one verb, a seed, and what it is done to."""

from __future__ import annotations

import numpy as np

from interplay.world.casting import sample_scene
from interplay.world.scene import Scene
from interplay.world.splits import compositions

WIDE, SQUARE = 80 / 48, 1.0
SIZE = (48, 80)


def scene_of(verb: str, seed: int = 0, *, aspect: float = WIDE, noun: str | None = None, alone: bool = False) -> Scene:
    """A scene of one event; with ``noun`` as its object."""
    rng = np.random.default_rng(seed)
    options = [c for c in compositions(verb) if noun in (None, c.noun)]
    return sample_scene([options[int(rng.integers(len(options)))]], aspect, rng, alone=alone)
