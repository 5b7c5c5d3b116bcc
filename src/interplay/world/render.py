"""From a scene to pixels and exact masks. Shape legend: ``p`` pixel frames, ``y x`` rows and columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interplay.world.canvas import Canvas
from interplay.world.figures import draw_person, draw_thing
from interplay.world.palette import BACKGROUNDS
from interplay.world.scene import Scene
from interplay.world.staging import Motion, stage


@dataclass(frozen=True)
class Rendering:
    """Frames ``uint8 (p, y, x, 3)``, visible masks ``bool (p, y, x)`` by member id, and the motion behind them."""

    frames: NDArray[np.uint8]
    masks: Mapping[str, NDArray[np.bool_]]
    motion: Motion


def render(scene: Scene, num_frames: int, size_hw: tuple[int, int]) -> Rendering:
    """Draw a scene. Bystanders and distractors stand at the back, the object in front of everyone."""
    motion = stage(scene, num_frames)
    canvas = Canvas(num_frames, size_hw, *BACKGROUNDS[scene.background])
    order = {member.id: index for index, member in enumerate(scene.members)}
    for member in sorted(scene.members, key=lambda m: _depth(scene, m.id)):
        if member.kind == "person":
            draw_person(canvas, member, motion.persons[member.id], order[member.id])
        else:
            draw_thing(canvas, member, motion.things[member.id], order[member.id])
    masks = {member_id: canvas.owner == index for member_id, index in order.items()}
    return Rendering(canvas.pixels(), masks, motion)


def _depth(scene: Scene, member_id: str) -> int:
    if member_id == scene.object:
        return 3
    if member_id == scene.subject:
        return 2
    return 1 if member_id == scene.recipient else 0
