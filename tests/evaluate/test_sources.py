"""What judges are handed: of a clip's truth the first frame and the prompt, and nothing of the motion."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from interplay.cli.probes import Fidelity
from interplay.core.errors import InputError
from interplay.evaluate.config import EvaluateConfig
from interplay.evaluate.judges.base import Media
from interplay.evaluate.judges.none import NoJudge
from interplay.evaluate.sources import cases
from interplay.records.clip import Clip
from interplay.records.store.reader import ClipStore
from interplay.world.make import WorldConfig
from interplay.world.make import run as make_world
from interplay.world.scene import Scene

MOTION = {"direction": 0, "start": 0.0, "end": 1.0}


class Curious(NoJudge):
    """Remembers what it was handed."""

    def __init__(self) -> None:
        self.handed: list[Media] = []

    def questions(self, media: Media):
        self.handed.append(media)
        return super().questions(media)


def scene_of(clip: Clip) -> Scene:
    assert clip.truth is not None
    return Scene.from_json(clip.truth["scene"])


def with_scene(clip: Clip, scene: object) -> Clip:
    assert clip.truth is not None
    return replace(clip, truth={**clip.truth, "scene": scene})


def keeps_the_motion_back(media: Media) -> None:
    assert media.scene is not None
    assert all({key: event[key] for key in MOTION} == MOTION for event in media.scene["events"])
    assert (media.scene["wording"], media.scene["speaker"], media.scene["speech"]) == (0, None, 0)


def test_no_judge_is_handed_the_motion(clips, generate):
    for generation in (None, generate(lambda frames: frames)):
        for case in cases(EvaluateConfig(), clips, generation):
            scene = scene_of(case.clip)
            assert any(event.direction for event in scene.events)
            keeps_the_motion_back(case.media)
            assert Scene.from_json(case.media.scene).members == scene.members


def test_neither_is_one_that_watches_a_training(clips):
    clip, judge = next(iter(ClipStore(clips.path))), Curious()
    assert Fidelity(judge)(clip, Path("clip.mp4")) == {}
    (media,) = judge.handed
    keeps_the_motion_back(media)


def test_clips_that_differ_in_their_motion_alone_are_handed_alike(clips):
    clip = next(iter(ClipStore(clips.path)))
    scene = scene_of(clip)
    events = tuple(replace(event, direction=-event.direction, start=0.2, end=0.7) for event in scene.events)
    other = replace(scene, events=events, wording=scene.wording + 1, speaker=scene.members[0].id, speech=9)
    handed = [Media.of(with_scene(clip, each.to_json()), Path("clip.mp4")) for each in (scene, other)]
    assert json.dumps(handed[0].scene) == json.dumps(handed[1].scene)


def test_videos_of_other_clips_are_named_with_the_way_to_judge_them(clips, generate, tmp_path):
    other = make_world(WorldConfig(seed=5, test=1, heldout=0), tmp_path / "other")
    with pytest.raises(InputError, match=r"generation: shows test-00001, and .*other has no such clip.*whose clip_id"):
        cases(EvaluateConfig(), other, generate(lambda frames: frames))


def test_a_clip_without_truth_is_handed_without_a_scene(clips):
    clip = replace(next(iter(ClipStore(clips.path))), truth=None)
    assert Media.of(clip, Path("clip.mp4")).scene is None


def test_a_scene_that_is_none_of_the_world_is_named(clips):
    clip = with_scene(next(iter(ClipStore(clips.path))), {"objects": []})
    with pytest.raises(InputError, match=r"test-00000: truth\.scene is no scene of the embedded world"):
        Media.of(clip, Path("clip.mp4"))
