from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest

from interplay.world.layout import slot_width
from interplay.world.motion.take import hold_offset
from interplay.world.sampling import scene_at
from interplay.world.scene import Scene
from interplay.world.verbs import INTERACTIONS, verb_named
from interplay.world.vocabulary import STAND_HEIGHT
from world_scenes import SQUARE, WIDE, scene_of


def scenes(count: int = 250, aspect: float = WIDE) -> list[Scene]:
    return [scene_at(0, "train", i, aspect) for i in range(count)]


@pytest.mark.parametrize("aspect", [SQUARE, WIDE])
def test_two_to_five_members_of_different_colours(aspect):
    for scene in scenes(aspect=aspect):
        assert 2 <= len(scene.members) <= 5
        assert len({m.colour for m in scene.members}) == len(scene.members)
        assert sorted(scene.ids) == [f"id{i + 1}" for i in range(len(scene.members))]


def test_ids_do_not_tell_who_acts():
    """An instance map has a colour for each id, so a subject that is always the first would be known by its colour."""
    subjects = Counter((len(scene.members), event.subject) for scene in scenes(600) for event in scene.events)
    for count in (2, 3, 4):
        shares = [subjects[count, f"id{number + 1}"] for number in range(count)]
        assert min(shares) > 0.6 * sum(shares) / count


def test_somebody_else_could_nearly_always_act():
    acting = [sum(m.family != "thing" for m in scene.members) for scene in scenes() if scene.events]
    assert sum(count >= 2 for count in acting) / len(acting) > 0.9


def test_a_second_thing_of_the_object_s_kind_is_common():
    alike = 0
    for scene in scenes(400):
        nouns = [m.noun for m in scene.members if m.family == "thing"]
        alike += len(nouns) > len(set(nouns))
    assert alike > 40


@pytest.mark.parametrize("aspect", [SQUARE, WIDE])
def test_members_stand_on_stage_and_apart_within_their_lane(aspect):
    for scene in scenes(aspect=aspect):
        held = {e.object for e in scene.events if verb_named(e.verb).room.held}
        placed = [m for m in scene.members if m.id not in held]
        for member in placed:
            assert 0.0 < member.x < scene.width
        for one, other in combinations(placed, 2):
            if one.lane == other.lane:
                apart = (slot_width(one.kind) + slot_width(other.kind)) / 2
                assert abs(one.x - other.x) >= 0.6 * apart


@pytest.mark.parametrize("verb", INTERACTIONS)
def test_roles_are_filled_as_the_verb_allows(verb):
    spec = verb_named(verb)
    for seed in range(12):
        scene = scene_of(verb, seed)
        event = scene.events[0]
        assert scene.member(event.subject).noun in spec.subjects
        assert scene.member(event.object).noun in spec.objects
        assert (event.recipient is None) == (not spec.recipients)
        if event.recipient is not None:
            assert scene.member(event.recipient).noun in spec.recipients


def test_what_is_held_starts_in_the_hands_and_the_holder_faces_it():
    for seed in range(8):
        scene = scene_of("hand over", seed)
        event = scene.events[0]
        subject, thing = scene.member(event.subject), scene.member(event.object)
        ahead, up = hold_offset(subject.kind, thing.kind)
        assert thing.x - subject.x == pytest.approx(event.direction * ahead, abs=2e-4)
        assert thing.y == pytest.approx(subject.ground + up, abs=1e-4)
        assert subject.facing == event.direction


def test_who_is_going_to_look_faces_away_and_others_face_anyhow():
    assert all(s.member(s.events[0].subject).facing == -s.events[0].direction for s in map(_look, range(6)))
    ways = {s.member(s.events[0].subject).facing * s.events[0].direction for s in map(_push, range(12))}
    assert ways == {-1, 1}


def test_heights_are_those_of_ground_and_stool_in_both_lanes():
    for scene in scenes(100):
        held = {e.object for e in scene.events if verb_named(e.verb).room.held}
        for member in scene.members:
            if member.id not in held:
                height = round(member.y - member.ground, 4)
                assert height == 0.0 or (height == STAND_HEIGHT and member.kind.on_stand)


def test_all_who_take_part_in_an_event_stand_in_one_lane():
    for scene in scenes(100):
        for event in scene.events:
            assert len({scene.member(role).lane for role in event.roles}) == 1


def test_the_lane_does_not_give_away_who_acts():
    differences = []
    for scene in scenes(800):
        others = [m for m in scene.members if m.family != "thing" and m.id not in scene.participants]
        if len(scene.events) == 1:
            subject = scene.member(scene.events[0].subject)
            differences += [other.lane - subject.lane for other in others]
    assert {-1, 0, 1} == set(differences)
    assert abs(sum(differences)) < 4 * (0.5 * len(differences)) ** 0.5


def test_neither_stools_nor_distances_give_away_what_is_done():
    spare = [m for s in scenes(400) for m in s.members if m.kind.on_stand and m.id not in s.participants]
    assert {m.y > m.ground for m in spare} == {True, False}
    far = [_distance(scene_of("kick", seed)) for seed in range(16)]
    assert max(far) - min(far) > 0.03


def _distance(scene: Scene) -> float:
    event = scene.events[0]
    return abs(scene.member(event.subject).x - scene.member(event.object).x)


def _look(seed: int) -> Scene:
    return scene_of("look", seed)


def _push(seed: int) -> Scene:
    return scene_of("push", seed)
