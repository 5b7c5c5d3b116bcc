from __future__ import annotations

from dataclasses import replace

import pytest

from interplay.world.judge import judge
from interplay.world.physics import faults
from interplay.world.render import render
from interplay.world.sampling import scene_at
from interplay.world.twins import twin
from world_scenes import SIZE, scene_of


@pytest.mark.parametrize("verb", ["hug", "shake hands", "wave", "look", "point", "touch"])
def test_twins_differ_only_in_roles(verb):
    pairs = [(s, twin(s)) for s in (scene_of(verb, seed) for seed in range(40))]
    pairs = [(s, t) for s, t in pairs if t is not None]
    assert pairs
    for scene, other in pairs:
        one, two = scene.events[0], other.events[0]
        assert (two.subject, two.object, two.direction) == (one.object, one.subject, -one.direction)
        assert replace(other, events=scene.events) == scene


@pytest.mark.parametrize("verb", ["hand over", "throw"])
def test_the_twin_of_a_giver_has_the_thing_in_the_other_hands(verb):
    scenes = [s for s in (scene_of(verb, seed) for seed in range(12)) if twin(s) is not None]
    for scene in scenes:
        other = twin(scene)
        event = scene.events[0]
        assert (other.events[0].subject, other.events[0].recipient) == (event.recipient, event.subject)
        moved = {m.id for m, n in zip(scene.members, other.members, strict=True) if m != n}
        assert event.object in moved
        assert moved <= {event.object, event.recipient}


def test_the_first_frame_of_a_twin_without_a_held_thing_is_the_same():
    scene = next(s for s in (scene_of("hug", i) for i in range(20)) if s.speaker is None)
    one, other = render(scene, 17, SIZE), render(twin(scene), 17, SIZE)
    changed = (one.frames[0].astype(int) != other.frames[0]).any(axis=-1)
    # Eyes already look at the partner; the figures stand the same.
    assert changed.mean() < 0.01
    assert (one.frames[-1] != other.frames[-1]).any()


def test_who_cannot_trade_roles_has_no_twin():
    assert twin(scene_of("push", 0)) is None
    assert twin(scene_of("touch", 0, noun="lamp")) is None
    assert twin(scene_of("walk", 0)) is None


def test_who_looks_already_has_no_twin():
    for seed in range(20):
        scene = scene_of("look", seed)
        event = scene.events[0]
        seen = scene.member(event.object)
        swapped = twin(scene)
        # The twin's subject looks in the other direction than the scene's.
        assert (swapped is None) == (seen.family not in ("person", "animal") or seen.facing == -event.direction)


def test_twins_of_the_test_split_are_what_they_say():
    twins = [found for i in range(30) if (found := twin(scene_at(5, "test", i, 80 / 48))) is not None]
    assert twins
    for scene in twins:
        rendering = render(scene, 17, SIZE)
        assert not faults(scene, rendering.motion)
        assert all(finding.yes for finding in judge(rendering.frames, scene).findings)
