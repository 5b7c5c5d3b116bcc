from __future__ import annotations

import numpy as np

from interplay.world.companions.pose import pose_frames
from interplay.world.render import render
from world_scenes import scene_of


def test_skeletons_lie_within_their_persons_and_nowhere_else():
    scene = scene_of("wave", 3, alone=True, noun="woman")
    rendering = render(scene, 9, (240, 400))
    lines = pose_frames(scene, rendering.motion, (240, 400)).max(axis=-1) > 60
    people = np.any(list(rendering.masks.values()), axis=0)
    assert lines.any(axis=(1, 2)).all()
    assert (lines & people).sum() / lines.sum() > 0.97


def test_a_scene_without_persons_has_a_black_pose_video():
    scene = scene_of("walk", 0, noun="dog", alone=True)
    assert not pose_frames(scene, render(scene, 3, (48, 80)).motion, (48, 80)).any()
