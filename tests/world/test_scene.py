from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from interplay.records.caption import parse_caption
from interplay.world.captions import caption, describe, vocabulary
from interplay.world.palette import INSTANCE_COLOURS
from interplay.world.sampling import scene_at
from interplay.world.scene import PERSON_WIDTH, THING_KINDS, THING_SIZE, VERBS, Composition, Scene, sample_scene
from interplay.world.splits import draw_composition, is_held_out

ASPECT = 80 / 48


def scenes(count: int = 300) -> list[Scene]:
    return [scene_at(0, "train", i, ASPECT) for i in range(count)]


def test_every_scene_holds_two_persons_and_unique_colours() -> None:
    for scene in scenes():
        assert sum(m.kind == "person" for m in scene.members) == 2
        assert len(scene.members) in (3, 4)
        assert len({m.colour for m in scene.members}) == len(scene.members)


def test_members_stand_apart_and_on_stage() -> None:
    for scene in scenes():
        placed = [m for m in scene.members if not (scene.verb == "give" and m.id == scene.object)]
        for member in placed:
            half = (PERSON_WIDTH if member.kind == "person" else THING_SIZE) / 2
            assert half <= member.x <= ASPECT - half
            for other in placed:
                if other.id != member.id:
                    other_half = (PERSON_WIDTH if other.kind == "person" else THING_SIZE) / 2
                    assert abs(other.x - member.x) >= half + other_half - 1e-3


def test_a_scene_survives_json() -> None:
    scene = scene_at(3, "test", 5, ASPECT)
    assert Scene.from_json(scene.to_json()) == scene


def test_unknown_member_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="id9"):
        scene_at(0, "test", 0, ASPECT).member("id9")


def test_same_seed_same_scene_other_seed_other_scene() -> None:
    assert scene_at(1, "train", 7, ASPECT) == scene_at(1, "train", 7, ASPECT)
    assert scene_at(1, "train", 7, ASPECT) != scene_at(2, "train", 7, ASPECT)
    assert scene_at(1, "train", 7, ASPECT) != scene_at(1, "test", 7, ASPECT)


def test_training_never_shows_a_held_out_composition() -> None:
    for scene in scenes():
        assert not is_held_out(scene.composition)
    held_out = [scene_at(0, "heldout", i, ASPECT).composition for i in range(100)]
    assert all(is_held_out(c) for c in held_out)


def test_every_verb_kind_and_colour_is_trained_and_held_out() -> None:
    train = [scene.composition for scene in scenes(1000)]
    held_out = [scene_at(0, "heldout", i, ASPECT).composition for i in range(200)]
    for group in (train, held_out):
        assert {c.verb for c in group} == set(VERBS)
        assert {c.object_kind for c in group} == set(THING_KINDS)
        assert {c.subject_colour for c in group} == set(INSTANCE_COLOURS)


def test_draws_cover_the_split_evenly() -> None:
    rng = np.random.default_rng(0)
    counts = Counter(draw_composition("heldout", rng) for _ in range(1200))
    assert len(counts) == 12
    assert min(counts.values()) > 60


def test_give_has_a_recipient_and_the_object_in_hand() -> None:
    scene = sample_scene(Composition("give", "red", "ball"), ASPECT, np.random.default_rng(1))
    assert scene.recipient == "id3"
    assert scene.member("id2").x == scene.member("id1").x
    assert sample_scene(Composition("push", "red", "ball"), ASPECT, np.random.default_rng(1)).recipient is None


def test_captions_bind_the_right_words() -> None:
    for scene in scenes(200):
        parsed = parse_caption(caption(scene))
        assert set(parsed.instance_ids) == set(scene.ids)
        for member in scene.members:
            assert parsed.words(member.id) == (describe(member),)
        assert len(parsed.verb_labels) == 1


def test_word_order_alone_does_not_tell_who_acts() -> None:
    first = Counter(parse_caption(caption(scene)).spans[0].label for scene in scenes())
    assert first["id1"] > 30
    assert first["id1"] < 270


def test_the_vocabulary_holds_every_word_of_every_caption() -> None:
    words = set(vocabulary())
    for scene in scenes():
        assert set(parse_caption(caption(scene)).text.split()) <= words
