"""Clip number ``index`` of a split: the same scene whoever asks, in whatever order, on however many workers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from interplay.core.seeds import derive_seed
from interplay.world.casting import sample_scene
from interplay.world.render import Rendering, render
from interplay.world.scene import Scene
from interplay.world.splits import Composition, Split, draw_composition, is_held_out
from interplay.world.verbs import VERBS

# Shares of clips in which nothing happens, and in which two things do; the held-out split always shows something.
_NOTHING, _TWO = 0.04, 0.12


def scene_at(seed: int, split: Split, index: int, aspect: float) -> Scene:
    """The scene of clip ``index`` in ``split`` of the world with root ``seed``; ``aspect`` is width / height."""
    rng = np.random.default_rng(derive_seed(seed, "world", split, index))
    scene = sample_scene(_compositions(split, rng), aspect, rng, alone=split == "solo")
    while split in ("train", "test") and any(map(is_held_out, shown(scene))):
        scene = sample_scene(_compositions(split, rng), aspect, rng)
    return scene


def shown(scene: Scene) -> Iterator[Composition]:
    """The compositions that a scene shows. What two do to each other shows two: it may be told from either side."""
    for event in scene.events:
        one, other = scene.member(event.subject), scene.member(event.object or event.subject)
        yield Composition(event.verb, one.colour, other.noun)
        if VERBS[event.verb].mutual:
            yield Composition(event.verb, other.colour, one.noun)


def _compositions(split: Split, rng: np.random.Generator) -> list[Composition]:
    share = rng.random()
    first = draw_composition(split, rng)
    if split == "solo" or share >= _NOTHING + _TWO:
        return [first]
    if share < _NOTHING and split != "heldout":
        return []
    second = draw_composition(split, rng)
    while not _fit(first, second):
        second = draw_composition(split, rng)
    return [first, second]


def _fit(first: Composition, second: Composition) -> bool:
    """Two subjects of different colours, and no more than five members: one of the events has no recipient."""
    recipients = bool(VERBS[first.verb].recipients) + bool(VERBS[second.verb].recipients)
    return second.subject_colour != first.subject_colour and recipients < 2


def render_at(
    seed: int, split: Split, index: int, num_frames: int, size_hw: tuple[int, int]
) -> tuple[Scene, Rendering]:
    """The scene of clip ``index`` and its frames, masks and motion."""
    scene = scene_at(seed, split, index, size_hw[1] / size_hw[0])
    return scene, render(scene, num_frames, size_hw)
