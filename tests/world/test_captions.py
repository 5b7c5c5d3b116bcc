from __future__ import annotations

from collections import Counter

import pytest

from interplay.records.caption import parse_caption
from interplay.world.captions import caption, describe, vocabulary
from interplay.world.sampling import scene_at
from interplay.world.scene import Scene
from interplay.world.verbs import VERBS
from world_scenes import WIDE, scene_of

# A tiny text encoder must hold every caption.
LONGEST = 30


def scenes(count: int = 400) -> list[Scene]:
    return [scene_at(0, split, i, WIDE) for split in ("train", "heldout", "solo") for i in range(count // 3)]


def test_captions_bind_every_member_once_and_every_event():
    for scene in scenes():
        parsed = parse_caption(caption(scene))
        assert set(parsed.instance_ids) == set(scene.ids)
        for member in scene.members:
            assert parsed.words(member.id) == (describe(member),)
        count = len(scene.events)
        assert parsed.verb_labels == (("verb",) if count == 1 else tuple(f"verb{i + 1}" for i in range(count)))


def test_verbs_are_bound_in_the_order_of_the_events():
    for scene in (s for s in scenes() if len(s.events) == 2):
        parsed = parse_caption(caption(scene))
        for label, event in zip(parsed.verb_labels, scene.events, strict=True):
            clauses = " ".join(VERBS[event.verb].active + VERBS[event.verb].passive)
            assert f"[{parsed.words(label)[0]}]" in clauses


def test_descriptions_tell_members_apart():
    for scene in scenes(150):
        assert len({describe(m) for m in scene.members}) == len(scene.members)


def test_word_order_alone_does_not_tell_who_acts():
    first = Counter(parse_caption(caption(scene)).spans[0].label for scene in scenes() if scene.events)
    assert 0.25 < first["id1"] / sum(first.values()) < 0.75


@pytest.mark.parametrize("verb", [v for v in VERBS if VERBS[v].passive])
def test_active_and_passive_are_said_equally_often(verb):
    texts = []
    for seed in range(60):
        scene = scene_of(verb, seed, alone=True)
        texts.append(parse_caption(caption(scene)).spans[0].label == scene.events[0].subject)
    assert 15 <= sum(texts) <= 45


def test_the_vocabulary_holds_every_word_and_captions_stay_short():
    words = set(vocabulary())
    assert list(vocabulary()) == sorted(words)
    for scene in scenes(600):
        spoken = parse_caption(caption(scene)).text.split()
        assert set(spoken) <= words
        assert len(spoken) <= LONGEST
