from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from interplay.world.companions.speech import SAMPLE_RATE, speech
from interplay.world.motion.speech import mouth, syllables
from interplay.world.staging import stage
from world_scenes import scene_of


def speaking():
    scene = scene_of("hug", 0)
    return replace(scene, speaker="id1", speech=5)


def test_sound_is_loud_where_the_mouth_is_open():
    sound = speech(speaking(), 2.125).astype(float)
    parts = np.array_split(np.abs(sound), 17)
    loud = np.array([part.mean() for part in parts])
    assert len(sound) == round(2.125 * SAMPLE_RATE)
    assert np.corrcoef(loud, mouth(5, 17))[0, 1] > 0.7


def test_only_the_speaker_s_mouth_moves():
    poses = stage(speaking(), 17).poses
    assert np.ptp(poses["id1"].mouth) > 0.3
    assert np.ptp(poses["id2"].mouth) == 0


def test_nobody_speaks_silence():
    assert not speech(replace(speaking(), speaker=None), 1.0).any()


def test_syllables_follow_each_other():
    spoken = syllables(3)
    assert all(a.end <= b.start for a, b in pairwise(spoken))
    assert syllables(3) == spoken
    assert syllables(4) != spoken


def test_sounds_have_the_same_bytes_every_time():
    assert np.array_equal(speech(speaking(), 1.0), speech(speaking(), 1.0))
