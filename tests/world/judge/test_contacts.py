"""Who touches whom: the judge's word against the truth of true clips, and where the truth is that nobody does."""

from __future__ import annotations

import numpy as np
import pytest

from interplay.world.judge import judge
from interplay.world.judge.contacts import Contact
from interplay.world.judge.faults import Planted, plant
from interplay.world.judge.faults.wear import LEVELS, worn
from interplay.world.render import render
from interplay.world.sampling import scene_at
from interplay.world.scene import Scene
from world_scenes import SIZE, scene_of

NUM_FRAMES = 17


def seen_in(frames: np.ndarray, scene: Scene) -> dict[tuple[str, str], Contact]:
    found = judge(frames, scene).contacts
    pairs = {(contact.who, contact.what): contact for contact in found}
    assert len(pairs) == len(found)
    return pairs


@pytest.mark.parametrize("level", ["clean", "middle"])
@pytest.mark.parametrize(
    "verb", ["touch", "hold", "push", "pull", "lift", "carry", "open", "pour", "turn on", "throw", "hand over", "hug"]
)
def test_the_contacts_of_a_true_clip_are_the_true_ones(verb, level):
    scene = scene_of(verb, 1)
    rendering = render(scene, NUM_FRAMES, SIZE)
    true = {(contact.who, contact.what): contact for contact in rendering.motion.contacts}
    seen = seen_in(worn(rendering.frames, LEVELS[level], np.random.default_rng(0)), scene)
    assert set(seen) == set(true)
    for pair, contact in seen.items():
        assert abs(contact.first - true[pair].first) <= 2
        assert abs(contact.last - true[pair].last) <= 2
        assert contact.holding == true[pair].holding


@pytest.mark.parametrize("verb", ["kick", "hit"])
def test_a_blow_is_a_short_touch_that_holds_nothing(verb):
    scene = scene_of(verb, 1)
    rendering = render(scene, NUM_FRAMES, SIZE)
    ((pair, contact),) = seen_in(rendering.frames, scene).items()
    (true,) = rendering.motion.contacts
    assert pair == (true.who, true.what)
    assert contact.first - 1 <= true.first <= contact.last < NUM_FRAMES - 1
    assert not contact.holding


@pytest.mark.parametrize("verb", ["wave", "point"])
def test_nobody_touches_who_is_only_waved_or_pointed_at(verb):
    scene = scene_of(verb, 1)
    assert seen_in(render(scene, NUM_FRAMES, SIZE).frames, scene) == {}


@pytest.mark.parametrize("verb", ["carry", "open", "hug"])
def test_in_a_frozen_clip_nobody_touches_anything(verb):
    scene = scene_of(verb, 1)
    assert seen_in(np.repeat(render(scene, 1, SIZE).frames, NUM_FRAMES, axis=0), scene) == {}


def test_what_is_held_from_the_first_frame_is_held_in_a_frozen_clip_too():
    scene = scene_of("hand over", 1)
    (event,) = scene.events
    seen = seen_in(np.repeat(render(scene, 2, SIZE).frames[:1], NUM_FRAMES, axis=0), scene)
    assert list(seen.values()) == [Contact(event.subject, event.object, 0, NUM_FRAMES - 1, holding=True)]


@pytest.mark.parametrize("index", [2, 6])
def test_a_clip_in_which_the_subject_stops_short_has_no_contact(index):
    scene = scene_at(5, "test", index, SIZE[1] / SIZE[0])
    clip = plant("no contact", scene, NUM_FRAMES, SIZE, np.random.default_rng(0))
    assert isinstance(clip, Planted)
    pairs = {frozenset(pair) for pair in seen_in(clip.frames, scene)}
    event = scene.events[0]
    assert frozenset((event.subject, event.object)) not in pairs


@pytest.mark.parametrize("index", [35, 50])
def test_the_wrong_one_who_touches_is_named(index):
    scene = scene_at(5, "test", index, SIZE[1] / SIZE[0])
    clip = plant("wrong actor", scene, NUM_FRAMES, SIZE, np.random.default_rng(0))
    assert isinstance(clip, Planted)
    event = scene.events[0]
    assert {who for who, what in seen_in(clip.frames, scene) if what == event.object} - {event.subject}
