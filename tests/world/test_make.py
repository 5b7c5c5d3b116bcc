from __future__ import annotations

from pathlib import Path

import numpy as np

from interplay.records.store.reader import ClipStore
from interplay.world.make import WorldConfig, clip_at, run
from interplay.world.scene import Scene

CONFIG = WorldConfig(seed=1, train=3, test=2, heldout=1)


def test_a_made_dataset_is_what_was_rendered(tmp_path: Path) -> None:
    store = ClipStore(run(CONFIG, tmp_path / "clips").path)
    assert [len(store.select(split=split)) for split in ("train", "test", "heldout")] == [3, 2, 1]
    clip = store.get("test-00001")
    expected, rendering = clip_at(CONFIG, "test", 1)
    assert np.array_equal(store.frames(clip), rendering.frames)
    assert clip == expected
    for instance, mask in rendering.masks.items():
        assert np.array_equal(clip.tracks[instance].to_array(), mask)


def test_truth_holds_the_scene(tmp_path: Path) -> None:
    clip = ClipStore(run(CONFIG, tmp_path / "clips").path).get("train-00000")
    assert clip.truth is not None
    scene = Scene.from_json(clip.truth["scene"])
    assert scene.subject == clip.interactions[0].subject
    assert clip.instance("id1").appearance.startswith(scene.member("id1").noun)


def test_two_runs_give_the_same_identity_and_bytes(tmp_path: Path) -> None:
    one, two = run(CONFIG, tmp_path / "one"), run(CONFIG, tmp_path / "two")
    assert one.identity == two.identity
    videos = [sorted((a.path / "videos").iterdir()) for a in (one, two)]
    assert [p.read_bytes() for p in videos[0]] == [p.read_bytes() for p in videos[1]]
