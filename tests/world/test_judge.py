from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interplay.core.errors import InputError
from interplay.world.judge import ask, judge
from interplay.world.judge.brief import Brief, known
from interplay.world.judge.faults import plant
from interplay.world.judge.faults.wear import LEVELS, worn
from interplay.world.judge.verbs import SHOWN
from interplay.world.render import render
from interplay.world.sampling import render_at, scene_at
from interplay.world.scene import Scene
from interplay.world.verbs import INTERACTIONS, SOLOS, VERBS
from world_scenes import SIZE, scene_of

NUM_FRAMES = 17
ALL = {f"Q{number}" for number in range(1, 11)}


def denied(frames: np.ndarray, scene: Scene) -> list[str]:
    return [finding.name for finding in judge(frames, scene).findings if not finding.yes]


def true_frames(scene: Scene, num_frames: int = NUM_FRAMES) -> np.ndarray:
    return render(scene, num_frames, SIZE).frames


def with_events(count: int) -> Scene:
    scenes = (scene_at(1, "test", index, SIZE[1] / SIZE[0]) for index in range(200))
    return next(scene for scene in scenes if len(scene.events) == count)


def test_every_verb_has_its_answers():
    assert set(SHOWN) == set(VERBS)
    assert all(len(shown.all) == 10 for shown in SHOWN.values())


@pytest.mark.parametrize("verb", INTERACTIONS)
def test_every_answer_about_a_true_clip_is_yes(verb):
    scene = scene_of(verb, 1)
    assert denied(true_frames(scene), scene) == []


@pytest.mark.parametrize("verb", SOLOS)
def test_every_answer_about_one_who_moves_alone_is_yes(verb):
    scene = scene_of(verb, 3, alone=True)
    assert denied(true_frames(scene), scene) == []


@pytest.mark.parametrize("verb", ["push", "hold", "open", "turn on", "hug", "throw"])
def test_worn_pixels_do_not_change_an_answer(verb):
    scene = scene_of(verb, 4)
    frames = worn(true_frames(scene), LEVELS["strong"], np.random.default_rng(0))
    assert denied(frames, scene) == []


@pytest.mark.parametrize(("num_frames", "size_hw"), [(9, (48, 80)), (33, (64, 64)), (17, (96, 160))])
def test_any_length_and_size(num_frames, size_hw):
    scene, rendering = render_at(8, "heldout", 1, num_frames, size_hw)
    assert denied(rendering.frames, scene) == []


def test_of_two_interactions_each_has_its_own_ten_answers():
    scene = with_events(2)
    findings = judge(true_frames(scene), scene).findings
    assert [(f.interaction, f.name) for f in findings] == [(n, f"Q{q}") for n in (0, 1) for q in range(1, 11)]
    assert all(finding.yes for finding in findings)
    assert [len(sentences) for sentences in ask(scene)] == [10, 10]


def test_where_nothing_happens_nothing_is_asked():
    scene = with_events(0)
    assert ask(scene) == judge(true_frames(scene), scene).findings == ()


@pytest.mark.parametrize("verb", ["touch", "pull", "lift", "hand over", "close", "pour", "turn off", "hug", "look"])
def test_of_a_frozen_clip_only_the_state_before_is_true(verb):
    scene = scene_of(verb, 1)
    frames = np.repeat(true_frames(scene)[:1], NUM_FRAMES, axis=0)
    assert set(denied(frames, scene)) == ALL - {"Q1"}


@pytest.mark.parametrize(
    ("fault", "indices"),
    [
        ("wrong actor", (35, 50)),
        ("no contact", (2, 6)),
        ("effect without contact", (4, 6)),
        ("effect before contact", (9, 11)),
    ],
)
def test_a_planted_fault_changes_what_it_must_and_nothing_else(fault, indices):
    for index in indices:
        scene = scene_at(5, "test", index, SIZE[1] / SIZE[0])
        clip = plant(fault, scene, NUM_FRAMES, SIZE, np.random.default_rng(0))
        assert clip is not None
        yes = {(f.interaction, f.name) for f in judge(clip.frames, scene).findings if f.yes}
        assert not clip.denied & yes
        assert clip.kept <= yes


def test_another_way_to_do_it_is_accepted():
    """Later, slower and to a farther place than the world itself would show it."""
    scene = scene_of("push", 1)
    frames = true_frames(scene, 25)
    order = np.concatenate([np.zeros(6, int), np.repeat(np.arange(25), 2)])
    assert denied(frames[order], scene) == []


def test_a_clip_that_runs_backwards_is_denied():
    for verb in ("push", "open", "hug"):
        scene = scene_of(verb, 1)
        assert set(denied(true_frames(scene)[::-1], scene)) >= {"Q1", "Q6"}


def test_every_answer_points_at_a_frame_that_shows_it():
    scene = scene_of("push", 1)
    rendering = render(scene, NUM_FRAMES, SIZE)
    frames = {finding.name: finding.frame for finding in judge(rendering.frames, scene).findings}
    assert frames["Q1"] == 0
    assert frames["Q6"] == frames["Q10"] == NUM_FRAMES - 1
    assert abs(frames["Q3"] - rendering.motion.contacts[0].first) <= 2
    assert 0 < frames["Q2"] <= frames["Q3"] <= frames["Q4"] <= frames["Q5"]


def test_only_the_first_frame_and_the_prompt_are_told():
    """Directions, timing, wording and who talks change no answer: they are not in the brief."""
    scene = scene_of("throw", 2)
    event = replace(scene.events[0], direction=-scene.events[0].direction, start=0.3, end=0.7)
    other = replace(scene, events=(event,), wording=5, speaker=None, speech=1)
    assert Brief.of(other) == Brief.of(replace(scene, events=(replace(event, start=0.0, end=1.0),)))
    frames = true_frames(scene)
    assert judge(frames, other).findings == judge(frames, scene).findings


@pytest.mark.parametrize("verb", ["throw", "open", "pour", "walk"])
def test_what_is_known_of_a_scene_is_enough_for_questions_and_answers(verb):
    scene = scene_of(verb, 2, alone=verb in SOLOS)
    told = known(scene)
    assert (Brief.of(told), ask(told)) == (Brief.of(scene), ask(scene))
    assert {(event.direction, event.start, event.end) for event in told.events} == {(0, 0.0, 1.0)}
    assert (told.wording, told.speaker, told.speech) == (0, None, 0)


def test_an_empty_stage_shows_nothing():
    scene = scene_of("hand over", 1)
    verdict = judge(np.full((NUM_FRAMES, *SIZE, 3), 230, np.uint8), scene)
    assert not any(finding.yes for finding in verdict.findings)
    assert verdict.presence.vanished_frames == tuple(range(1, NUM_FRAMES))


def test_recovered_tracks_lie_on_the_true_masks():
    for index in range(2):
        scene, rendering = render_at(3, "heldout", index, NUM_FRAMES, SIZE)
        tracks = judge(rendering.frames, scene).tracks()
        assert set(tracks) == set(scene.ids)
        for key, track in tracks.items():
            found, true = track.to_array(), rendering.masks[key]
            assert (found & true).sum() / (found | true).sum() > 0.6


def test_tracks_have_the_size_of_the_video():
    scene, rendering = render_at(3, "test", 0, 9, (100, 167))
    for track in judge(rendering.frames, scene).tracks().values():
        assert track.size_hw == (100, 167)


@pytest.mark.parametrize("verb", VERBS)
def test_the_questions_name_everybody_by_appearance(verb):
    (questions,) = ask(scene_of(verb))
    assert [question.name for question in questions] == [f"Q{number}" for number in range(1, 11)]
    assert all(question.text.endswith("?") and "{" not in question.text for question in questions)


def test_another_aspect_ratio_is_refused():
    with pytest.raises(InputError, match="times as wide as high"):
        judge(np.zeros((5, 48, 48, 3), np.uint8), scene_of("push", 1))
