"""Digests of what the world draws, as a script of its own, so that it can be run with other vector instructions.

``python tests/world_bytes.py`` prints them, one clip a line.
"""

from __future__ import annotations

import hashlib

import numpy as np

from interplay.world.companions.pose import pose_frames
from interplay.world.companions.structure import structure_frames
from interplay.world.sampling import render_at
from interplay.world.splits import Split

# Split, index, frames, size: things with states, animals, a robot arm, two events, and pictures of other shapes.
CLIPS: tuple[tuple[Split, int, int, tuple[int, int]], ...] = (
    ("test", 3, 17, (48, 80)),
    ("train", 1, 17, (64, 64)),
    ("heldout", 2, 9, (120, 180)),
    ("solo", 0, 17, (64, 64)),
    ("train", 7, 33, (45, 80)),
)


def digests() -> list[str]:
    """Of every clip: its frames, its masks, its structure and pose video, 16 hexadecimal digits each."""
    found = []
    for split, index, num_frames, size_hw in CLIPS:
        scene, rendering = render_at(0, split, index, num_frames, size_hw)
        # By colour, which no two members share: what a member is called is nothing that is drawn.
        members = sorted(scene.members, key=lambda member: member.colour)
        masks = np.packbits(np.stack([rendering.masks[member.id] for member in members]))
        drawn = (structure_frames, pose_frames)
        pictures = [rendering.frames, masks, *(draw(scene, rendering.motion, size_hw) for draw in drawn)]
        found.append(" ".join(hashlib.sha256(picture.tobytes()).hexdigest()[:16] for picture in pictures))
    return found


if __name__ == "__main__":
    print("\n".join(digests()))
