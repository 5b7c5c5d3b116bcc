from __future__ import annotations

import json

import pytest

from interplay.world.sampling import scene_at
from interplay.world.scene import Scene
from world_scenes import WIDE


@pytest.mark.parametrize("split", ["train", "test", "heldout", "solo"])
def test_a_scene_survives_json(split):
    for index in range(40):
        scene = scene_at(3, split, index, WIDE)
        assert Scene.from_json(json.loads(json.dumps(scene.to_json()))) == scene


def test_unknown_member_is_a_key_error():
    with pytest.raises(KeyError, match="id9"):
        scene_at(0, "test", 0, WIDE).member("id9")


def test_participants_are_those_with_a_role():
    scenes = [scene_at(1, "train", i, WIDE) for i in range(60)]
    for scene in scenes:
        roles = [r for e in scene.events for r in (e.subject, e.object, e.recipient) if r is not None]
        assert sorted(scene.participants) == sorted(roles)
    assert any(len(scene.participants) < len(scene.members) for scene in scenes)
