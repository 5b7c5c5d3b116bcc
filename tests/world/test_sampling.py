from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import interplay
from interplay.world.sampling import render_at, scene_at
from world_scenes import SIZE, WIDE

_PROGRAM = """
import hashlib
from interplay.world.sampling import render_at
for index in (7, 3):
    print(hashlib.sha256(render_at(5, "train", index, 17, (48, 80))[1].frames.tobytes()).hexdigest())
"""


def digest(index: int) -> str:
    return hashlib.sha256(render_at(5, "train", index, 17, SIZE)[1].frames.tobytes()).hexdigest()


def test_same_seed_same_bytes_also_in_another_process_and_order():
    source = str(Path(interplay.__file__).parents[1])
    # Another hash seed: nothing may hang on the order of a set.
    environment = {**os.environ, "PYTHONPATH": source, "PYTHONHASHSEED": "7"}
    run = subprocess.run([sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.split() == [digest(7), digest(3)]


def test_another_seed_split_or_index_is_another_scene():
    scene = scene_at(1, "train", 7, WIDE)
    assert scene == scene_at(1, "train", 7, WIDE)
    assert scene not in (scene_at(2, "train", 7, WIDE), scene_at(1, "test", 7, WIDE), scene_at(1, "train", 8, WIDE))


def test_some_clips_show_nothing_and_some_two_events():
    counts = [len(scene_at(0, "train", i, WIDE).events) for i in range(500)]
    assert 5 <= counts.count(0) <= 40
    assert 35 <= counts.count(2) <= 90
    assert all(scene_at(0, "heldout", i, WIDE).events for i in range(200))


def test_two_events_are_at_the_same_time_or_one_after_the_other():
    scenes = [scene_at(0, "train", i, WIDE) for i in range(600)]
    spans = {(s.events[0].start, s.events[1].start) for s in scenes if len(s.events) == 2}
    assert spans == {(0.0, 0.0), (0.0, 0.38)}
