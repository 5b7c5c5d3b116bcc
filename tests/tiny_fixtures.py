"""A tiny untrained backbone on disk and a few world clips: enough for every stage that runs a model."""

from __future__ import annotations

import pytest

from interplay.backbones.cogvideox.tiny import TinyCogVideoX, build
from interplay.core.artifacts import Artifact
from interplay.world.make import WorldConfig, run


@pytest.fixture(scope="session")
def backbone_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("backbone") / "tiny"
    build(0, TinyCogVideoX(layers=3)).save(folder)
    return str(folder)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return run(WorldConfig(train=4, test=2, heldout=1), tmp_path_factory.mktemp("world") / "clips")
