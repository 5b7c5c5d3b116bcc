from __future__ import annotations

from pathlib import Path

import numpy as np

from interplay.evaluate.judges.base import Media
from interplay.evaluate.judges.world import WorldJudge
from interplay.evaluate.protocol import State
from interplay.world.render import render
from interplay.world.sampling import scene_at
from interplay.world.scene import Scene
from world_scenes import SIZE

NAMES = [f"Q{number}" for number in range(1, 11)]


def scene_with(events: int) -> Scene:
    scenes = (scene_at(1, "test", index, SIZE[1] / SIZE[0]) for index in range(200))
    return next(scene for scene in scenes if len(scene.events) == events)


def shown(scene: Scene, frames: np.ndarray) -> Media:
    """A video that is already decoded."""
    media = Media("clip", Path("clip.mp4"), scene.to_json())
    media.__dict__["frames"] = frames
    return media


def test_both_interactions_are_asked_about_and_answered():
    scene = scene_with(2)
    media, judge = shown(scene, render(scene, 17, SIZE).frames), WorldJudge()
    questions = judge.questions(media)
    assert [(q.interaction, q.name) for q in questions] == [(number, name) for number in (0, 1) for name in NAMES]
    answers = judge.answer(media, questions)
    assert {answer.answer for answer in answers} == {"yes"}
    assert judge.answer(media, questions[10:]) == answers[10:]


def test_a_scene_in_which_nothing_happens_has_presence_and_no_questions():
    scene = scene_with(0)
    media, judge = shown(scene, render(scene, 9, SIZE).frames), WorldJudge()
    assert judge.questions(media) == ()
    presence = judge.presence(media)
    assert presence.state is State.ANSWERED
    assert (presence.emergent_frames, presence.vanished_frames, presence.compared_frames) == ((), (), 8)


def test_a_video_of_another_shape_is_refused_with_its_reason():
    scene = scene_with(2)
    media, judge = shown(scene, np.zeros((5, 48, 48, 3), np.uint8)), WorldJudge()
    answers = judge.answer(media, judge.questions(media))
    assert {answer.state for answer in answers} == {State.REFUSED}
    assert "times as wide as high" in answers[0].reply
    assert judge.tracks(media) is judge.contacts(media) is None


def test_another_video_is_not_asked_about():
    assert WorldJudge().questions(Media("clip", Path("clip.mp4"))) == ()
