from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from interplay.core.artifacts import Artifact, build
from interplay.core.files import write_json
from interplay.records.media.video import write_video
from interplay.records.store.reader import ClipStore
from interplay.world.make import WorldConfig
from interplay.world.make import run as make_world

Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> Artifact:
    return make_world(WorldConfig(seed=4, test=3, heldout=2), tmp_path_factory.mktemp("world") / "clips")


@pytest.fixture
def generate(clips, tmp_path) -> Callable[..., Artifact]:
    """A generation whose videos are the true ones, changed."""

    def make_generation(change: Change, name: str = "generation") -> Artifact:
        def make(folder: Path) -> dict:
            store = ClipStore(clips.path)
            entries = []
            for clip in store:
                video = f"videos/{clip.clip_id}.mp4"
                write_video(folder / video, change(store.frames(clip)), clip.fps)
                entries.append({"clip_id": clip.clip_id, "video": video})
            write_json(folder / "index.json", {"clips": entries})
            return {}

        return build(tmp_path / name, kind="generation", config={"name": name}, inputs={"clips": clips}, make=make)

    return make_generation
