from __future__ import annotations

import json

import numpy as np
import pytest

from interplay.records.caption import parse_caption
from interplay.world.captions import caption
from interplay.world.render import render
from interplay.world.sampling import render_at, scene_at
from interplay.world.truth import PARAPHRASES, boxes, event_span, holders, paraphrases, truth
from interplay.world.verbs import INTERACTIONS
from world_scenes import SIZE, scene_of


def test_truth_is_plain_json():
    for index in range(10):
        scene, rendering = render_at(2, "train", index, 17, SIZE)
        facts = truth(scene, rendering)
        assert json.loads(json.dumps(facts)) == facts
        assert len(facts["events"]) == len(scene.events)


@pytest.mark.parametrize("verb", INTERACTIONS)
def test_ten_questions_with_yes_and_a_frame_in_order(verb):
    scene = scene_of(verb, 1)
    questions = truth(scene, render(scene, 17, (24, 40)))["events"][0]["questions"]
    assert [q["name"] for q in questions] == [f"Q{n}" for n in range(1, 11)]
    assert all(q["answer"] == "yes" and q["text"].endswith("?") and "{" not in q["text"] for q in questions)
    frames = [q["frame"] for q in questions]
    assert frames[:6] == sorted(frames[:6])
    assert frames[0] == 0
    assert frames[5] == 16


def test_a_thing_changes_hands():
    scene = scene_of("hand over", 3)
    event = scene.events[0]
    held = holders(scene, render(scene, 17, (24, 40)))[event.object]
    assert held[0] == [event.subject]
    assert held[-1] == [event.recipient]
    assert [event.subject, event.recipient] in held
    assert all(held)


def test_a_thrown_thing_is_in_nobody_s_hands_for_a_while():
    scene = scene_of("throw", 3)
    held = holders(scene, render(scene, 17, (24, 40)))[scene.events[0].object]
    assert [] in held
    assert held[0] == [scene.events[0].subject]
    assert held[-1] == [scene.events[0].recipient]


def test_spans_begin_at_the_contact():
    scene = scene_of("kick", 0)
    rendering = render(scene, 17, (24, 40))
    contact = rendering.motion.contacts[0]
    assert event_span(scene, rendering, 0) == (contact.first, contact.last)
    waving = scene_of("wave", 0)
    first, last = event_span(waving, render(waving, 17, (24, 40)), 0)
    assert 0 < first < last == 16


def test_boxes_are_tight_around_the_visible_parts():
    scene, rendering = render_at(2, "test", 4, 9, SIZE)
    found = boxes(scene, rendering)
    for member in scene.members:
        if member.family == "thing":
            check(rendering.masks[member.id], found[f"object/{member.id}"].by_frame)
        if member.family == "person":
            check(rendering.part(member.id, "head"), found[f"face/{member.id}"].by_frame)
            hands = rendering.part(member.id, "near_hand") | rendering.part(member.id, "far_hand")
            for frame in range(9):
                pair = [found[f"{side}_hand/{member.id}"].by_frame[frame] for side in ("left", "right")]
                covered = np.zeros(SIZE, bool)
                for box in pair:
                    if box is not None:
                        covered[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])] = True
                assert not (hands[frame] & ~covered).any()


def check(mask, by_frame):
    for frame, box in by_frame.items():
        if box is None:
            assert not mask[frame].any()
            continue
        x1, y1, x2, y2 = map(int, box)
        rows, columns = np.nonzero(mask[frame])
        assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (y1, y2, x1, x2)


def test_outcomes_say_what_changed():
    scene = scene_of("open", 1)
    outcome = truth(scene, render(scene, 17, (24, 40)))["events"][0]["outcome"]
    assert outcome[scene.events[0].object]["state"] == [0.0, 1.0]
    scene = scene_of("push", 1)
    outcome = truth(scene, render(scene, 17, (24, 40)))["events"][0]["outcome"]
    assert outcome[scene.events[0].object]["moved"][0] == pytest.approx(0.3 * scene.events[0].direction, abs=1e-3)


def test_paraphrases_bind_the_same_words_in_other_sentences():
    found = []
    for index in range(60):
        scene = scene_at(2, "test", index, 80 / 48)
        own, others = parse_caption(caption(scene)), paraphrases(scene)
        assert len(set(others)) == len(others) <= PARAPHRASES
        for other in map(parse_caption, others):
            assert other.text != own.text
            assert {span.label for span in other.spans} == {span.label for span in own.spans}
            assert words_of(other) == words_of(own)
        found.append(len(others))
    assert sum(found) / len(found) > 3


def words_of(parsed):
    """What every member is called."""
    return {span.label: parsed.text[span.start : span.end] for span in parsed.spans if span.label.startswith("id")}


def test_truth_holds_the_paraphrases():
    scene, rendering = render_at(2, "test", 1, 9, (24, 40))
    assert truth(scene, rendering)["paraphrases"] == paraphrases(scene) != []


def test_a_scene_of_which_one_thing_can_be_said_has_no_paraphrases():
    scene = scene_of("walk", 0)
    assert caption(scene) not in paraphrases(scene)
