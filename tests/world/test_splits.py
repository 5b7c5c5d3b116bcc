from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from interplay.world.palette import INSTANCE_COLOURS
from interplay.world.sampling import scene_at
from interplay.world.scene import Scene
from interplay.world.splits import Composition, compositions, draw_composition, is_held_out
from interplay.world.verbs import INTERACTIONS, SOLOS, VERBS
from world_scenes import WIDE


def shown(scene: Scene) -> list[Composition]:
    return [
        Composition(e.verb, scene.member(e.subject).colour, scene.member(e.object or e.subject).noun)
        for e in scene.events
    ]


def test_what_two_do_to_each_other_is_not_held_out_from_either_side():
    mutual = 0
    for index in range(1500):
        scene = scene_at(0, "train", index, WIDE)
        for event in scene.events:
            if VERBS[event.verb].mutual:
                mutual += 1
                one, other = scene.member(event.object), scene.member(event.subject)
                assert not is_held_out(Composition(event.verb, one.colour, other.noun))
    assert mutual > 100


def test_training_never_shows_a_held_out_composition_and_heldout_nothing_else():
    for index in range(400):
        assert not any(map(is_held_out, shown(scene_at(0, "train", index, WIDE))))
        assert not any(map(is_held_out, shown(scene_at(0, "test", index, WIDE))))
        assert all(map(is_held_out, shown(scene_at(0, "heldout", index, WIDE))))


@pytest.mark.parametrize("verb", INTERACTIONS)
def test_of_each_verb_and_object_one_colour_is_held_out(verb):
    for noun in VERBS[verb].objects:
        held = [c for c in compositions(verb) if c.noun == noun and is_held_out(c)]
        assert len(held) == 1


def test_every_part_is_trained_in_other_company():
    trained = [c for verb in INTERACTIONS for c in compositions(verb) if not is_held_out(c)]
    held = [c for verb in INTERACTIONS for c in compositions(verb) if is_held_out(c)]
    for group in (trained, held):
        assert {c.verb for c in group} == set(INTERACTIONS)
        assert {c.subject_colour for c in group} == set(INSTANCE_COLOURS)
    assert {(c.verb, c.noun) for c in held} == {(c.verb, c.noun) for c in trained}


def test_draws_cover_the_verbs_evenly():
    rng = np.random.default_rng(0)
    counts = Counter(draw_composition("train", rng).verb for _ in range(2000))
    assert set(counts) == set(INTERACTIONS)
    assert min(counts.values()) > 60


def test_solo_clips_show_one_actor():
    scenes = [scene_at(0, "solo", i, WIDE) for i in range(60)]
    assert all(len(scene.members) == 1 and scene.events[0].object is None for scene in scenes)
    assert {scene.events[0].verb for scene in scenes} == set(SOLOS)
