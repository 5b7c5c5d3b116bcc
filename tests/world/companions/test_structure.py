from __future__ import annotations

import numpy as np
import pytest

from interplay.records.structure.config import StructureVideoConfig
from interplay.records.structure.tracks import read_tracks
from interplay.world.companions.structure import structure_frames
from interplay.world.render import render
from world_scenes import scene_of

SIZE = (240, 360)


@pytest.mark.parametrize("verb", ["hold", "push", "hand over", "open", "pour", "carry"])
def test_structure_videos_are_read_back_as_body_and_product(verb):
    scene = scene_of(verb, 5, aspect=1.5, alone=True)
    rendering = render(scene, 9, SIZE)
    frames = structure_frames(scene, rendering.motion, SIZE)
    tracks = read_tracks(frames, StructureVideoConfig(), where="structure")
    things = [m.id for m in scene.members if m.family == "thing" and m.id in scene.participants]
    people = [m.id for m in scene.members if m.family == "person" and m.id in scene.participants]
    product = np.any([rendering.masks[i] for i in things], axis=0)
    body = np.any([rendering.masks[i] for i in people], axis=0)
    assert overlap(tracks.product.to_array(), product) > 0.85
    if people:
        assert overlap(tracks.person.to_array(), body) > 0.85


def overlap(found, true) -> float:
    return (found & true).sum() / (found | true).sum()


def test_bystanders_and_distractors_are_left_out():
    scene = next(s for s in (scene_of("push", i) for i in range(30)) if len(s.members) > 3)
    rendering = render(scene, 5, (48, 80))
    frames = structure_frames(scene, rendering.motion, (48, 80))
    busy = np.any([rendering.masks[i] for i in scene.participants], axis=0)
    others = np.any([m for i, m in rendering.masks.items() if i not in scene.participants], axis=0)
    assert frames[busy].max(axis=1).mean() > 60
    assert (frames[others].max(axis=1) > 40).mean() < 0.25
