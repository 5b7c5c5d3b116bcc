from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interplay.core.errors import InputError
from interplay.world.judge import ask, judge
from interplay.world.judge.faults import ALL, FAULTS, Plant, Planted, Wear, worn
from interplay.world.render import render
from interplay.world.sampling import render_at, scene_at
from interplay.world.scene import VERBS, Scene

SIZE_HW, NUM_FRAMES = (48, 80), 17
STRONG = Wear(1.0 / 48, 12.0)


def scenes_of(verb: str, count: int, *, seed: int = 31) -> list[Scene]:
    aspect = SIZE_HW[1] / SIZE_HW[0]
    found = (scene_at(seed, "test", index, aspect) for index in range(200))
    return [scene for scene in found if scene.verb == verb][:count]


def flawless(frames: np.ndarray, scene: Scene) -> list[str]:
    verdict = judge(frames, scene)
    wrong = [finding.name for finding in verdict.findings if not finding.yes]
    wrong += [f"emergent {frame}" for frame in verdict.presence.emergent_frames]
    return wrong + [f"vanished {frame}" for frame in verdict.presence.vanished_frames]


@pytest.mark.parametrize("verb", VERBS)
def test_true_clips_are_flawless(verb):
    for scene in scenes_of(verb, 5):
        assert flawless(render(scene, NUM_FRAMES, SIZE_HW).frames, scene) == []


@pytest.mark.parametrize("verb", VERBS)
def test_true_clips_stay_flawless_when_worn(verb):
    rng = np.random.default_rng(0)
    for scene in scenes_of(verb, 2):
        assert flawless(worn(render(scene, NUM_FRAMES, SIZE_HW).frames, STRONG, rng), scene) == []


@pytest.mark.parametrize(("num_frames", "size_hw"), [(9, (48, 80)), (33, (64, 96)), (17, (96, 160)), (17, (243, 400))])
def test_any_length_and_size(num_frames, size_hw):
    for index in range(3):
        scene, rendering = render_at(8, "heldout", index, num_frames, size_hw)
        assert flawless(rendering.frames, scene) == []


def planted(fault: str, count: int = 4) -> list[tuple[Scene, Planted]]:
    found = []
    for index in range(60):
        scene = scene_at(5, "test", index, SIZE_HW[1] / SIZE_HW[0])
        clip = FAULTS[fault](Plant(scene, NUM_FRAMES, SIZE_HW, np.random.default_rng(index)))
        if clip is not None:
            found.append((scene, clip))
        if len(found) == count:
            break
    assert found
    return found


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_found_and_nothing_else_changes(fault):
    for scene, clip in planted(fault):
        verdict = judge(clip.frames, scene)
        yes = {finding.name for finding in verdict.findings if finding.yes}
        assert not clip.denied & yes
        assert clip.kept <= yes
        for since, frames in (
            (clip.emergent_since, verdict.presence.emergent_frames),
            (clip.vanished_since, verdict.presence.vanished_frames),
        ):
            wanted = () if since is None else tuple(range(since, NUM_FRAMES)) if clip.lasting else (since,)
            assert frames[: len(wanted)] == wanted
            assert since is not None or frames == ()


def test_every_fault_keeps_the_true_first_frame():
    for fault in FAULTS:
        for scene, clip in planted(fault, 2):
            truth = render(scene, NUM_FRAMES, SIZE_HW).frames[0].astype(int)
            assert np.abs(clip.frames[0].astype(int) - truth).mean() < 1.5, fault


def test_every_answer_points_at_a_frame_of_the_clip():
    scene, rendering = render_at(31, "test", 0, NUM_FRAMES, SIZE_HW)
    frames = [finding.frame for finding in judge(rendering.frames, scene).findings]
    assert all(0 <= frame < NUM_FRAMES for frame in frames)
    assert frames[0] == 0
    assert frames[5] == NUM_FRAMES - 1


def test_first_contact_is_where_the_world_says():
    for scene in scenes_of("push", 6) + scenes_of("lift", 6):
        rendering = render(scene, NUM_FRAMES, SIZE_HW)
        touched = {finding.name: finding.frame for finding in judge(rendering.frames, scene).findings}["Q3"]
        assert abs(touched - rendering.motion.contacts[0].first) <= 2


def test_the_verdict_hangs_on_the_pixels_and_not_on_the_caption():
    """The judge may know who is meant; that the object moves it has to see."""
    scene = scenes_of("push", 1)[0]
    frames = render(scene, NUM_FRAMES, SIZE_HW).frames
    other_words = replace(scene, wording=scene.wording + 1)
    assert judge(frames, other_words).findings == judge(frames, scene).findings
    backwards = judge(frames[::-1], scene)
    assert [finding.name for finding in backwards.findings if finding.yes] != sorted(ALL)


def test_an_empty_stage_shows_nothing():
    scene = scenes_of("give", 1)[0]
    frames = np.full((NUM_FRAMES, *SIZE_HW, 3), 230, np.uint8)
    verdict = judge(frames, scene)
    assert not any(finding.yes for finding in verdict.findings)
    assert verdict.presence.vanished_frames == tuple(range(1, NUM_FRAMES))
    assert verdict.presence.emergent_frames == ()


def test_recovered_tracks_lie_on_the_true_masks():
    for index in range(6):
        scene, rendering = render_at(3, "heldout", index, NUM_FRAMES, SIZE_HW)
        tracks = judge(rendering.frames, scene).tracks()
        assert set(tracks) == set(scene.ids)
        for key, track in tracks.items():
            found, true = track.to_array(), rendering.masks[key]
            assert (found & true).sum() / (found | true).sum() > 0.75


def test_tracks_have_the_size_of_the_video():
    scene, rendering = render_at(3, "test", 0, 9, (100, 167))
    for key, track in judge(rendering.frames, scene).tracks().items():
        assert track.size_hw == (100, 167)
        assert (track.to_array() & rendering.masks[key]).sum() > 0.6 * rendering.masks[key].sum()


def test_the_questions_name_everybody_by_appearance():
    for verb in VERBS:
        scene = scenes_of(verb, 1)[0]
        questions = ask(scene)
        assert [question.name for question in questions] == [f"Q{number}" for number in range(1, 11)]
        assert all(question.text.endswith("?") and "{" not in question.text for question in questions)
        subject, thing = scene.member(scene.subject), scene.member(scene.object)
        for question in questions[:6]:
            assert f"{thing.colour} {thing.kind}" in question.text
        assert f"{subject.noun} in {subject.colour}" in questions[6].text


def test_another_aspect_ratio_is_refused():
    scene = scenes_of("push", 1)[0]
    with pytest.raises(InputError, match="times as wide as high"):
        judge(np.zeros((5, 48, 48, 3), np.uint8), scene)
