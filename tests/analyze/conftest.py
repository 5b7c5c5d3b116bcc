"""A very small CogVideoX (real classes, random weights) in a pipeline folder, and clips of coloured boxes for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from interplay.backbones.base import Backbone
from interplay.backbones.cogvideox.tiny import TinyCogVideoX, build
from interplay.backbones.registry import load_backbone
from interplay.core import artifacts
from interplay.core.artifacts import Artifact
from interplay.core.files import write_json
from interplay.generate import run as generate
from interplay.generate.config import GenerateConfig
from interplay.records.clip import Clip, Instance, Interaction
from interplay.records.masks import MaskTrack
from interplay.records.store.layout import video_path
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter

CONFIG = TinyCogVideoX(
    num_frames=9, size_hw=(32, 48), vae_channels=(8, 8, 8), layers=4, heads=2, head_dim=16, text_layers=1, text_dim=16
)
STEPS, GUIDANCE, CLIPS = 3, 2.0, 7
CAPTIONS = {
    True: "a <id1> man in red </id1> <verb> gives </verb> a <id2> green ball </id2> to a <id3> woman in blue </id3>",
    False: "a <id3> woman </id3> watches as a <id1> man in red </id1> <verb> pushes </verb> a <id2> green ball </id2>",
}


@pytest.fixture(scope="session")
def backbone_folder(tmp_path_factory) -> Path:
    backbone = build(0, CONFIG)
    generator = torch.Generator().manual_seed(1)
    for block in backbone.transformer.transformer_blocks:
        for norm in (block.attn1.norm_q, block.attn1.norm_k):
            # Weights of 1 leave attention nearly uniform, where a wrong score hardly shows.
            torch.nn.init.normal_(norm.weight, std=1.5, generator=generator)
    folder = tmp_path_factory.mktemp("backbone")
    backbone.save(folder)
    return folder


@pytest.fixture(scope="session")
def backbone(backbone_folder) -> Backbone:
    return load_backbone(str(backbone_folder))


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> Artifact:
    def write(folder: Path) -> dict[str, object]:
        with StoreWriter(folder) as writer:
            for index in range(CLIPS):
                clip, frames = _clip(index)
                writer.add(clip, frames=frames)
        return {}

    return artifacts.build(tmp_path_factory.mktemp("clips") / "clips", kind="clips", config={}, inputs={}, make=write)


def _clip(index: int) -> tuple[Clip, np.ndarray]:
    """Three boxes of different sizes; the first drifts, and in every other clip the third takes part."""
    generator = np.random.default_rng(index)
    masks = np.zeros((3, CONFIG.num_frames, *CONFIG.size_hw), dtype=bool)
    for member, size in enumerate((9, 5, 12)):
        top, left = generator.integers(0, CONFIG.size_hw[0] - size), generator.integers(0, CONFIG.size_hw[1] - size - 8)
        for frame in range(CONFIG.num_frames):
            x = left + (frame if member == 0 else 0)
            masks[member, frame, top : top + size, x : x + size] = True
    frames = np.full((*masks.shape[1:], 3), 220, dtype=np.uint8)
    for mask, colour in zip(masks, ((200, 30, 30), (30, 160, 60), (40, 60, 200)), strict=True):
        frames[mask] = colour
    gives = index % 2 == 0
    clip_id = f"clip-{index}"
    clip = Clip(
        clip_id=clip_id,
        video=video_path(clip_id),
        caption=CAPTIONS[gives],
        num_frames=CONFIG.num_frames,
        size_hw=CONFIG.size_hw,
        fps=8.0,
        instances=tuple(Instance(f"id{k + 1}", noun) for k, noun in enumerate(("man", "ball", "woman"))),
        interactions=(Interaction("id1", "give", "id2", "id3") if gives else Interaction("id1", "push", "id2"),),
        tracks={f"id{k + 1}": MaskTrack.from_array(mask) for k, mask in enumerate(masks)},
    )
    return clip, frames


@pytest.fixture(scope="session")
def store(clips) -> ClipStore:
    return ClipStore(clips.path)


@pytest.fixture(scope="session")
def generation(tmp_path_factory, backbone_folder, clips) -> Artifact:
    config = GenerateConfig(backbone=str(backbone_folder), steps=STEPS, guidance_scale=GUIDANCE, batch_size=3)
    return generate.run(config, clips, tmp_path_factory.mktemp("generation") / "generation")


Evaluate = Callable[[Mapping[str, float | None]], Artifact]


@pytest.fixture
def evaluate(tmp_path, generation, store) -> Evaluate:
    """Writes what an evaluation leaves behind: the dataset's tracks stand for recovered ones, IF is as given."""

    def write(fidelity: Mapping[str, float | None]) -> Artifact:
        def make(folder: Path) -> dict[str, object]:
            rows = {
                clip_id: {"kisa": None, "sgi": None, "spi": None, "if": value, "state": "scored" if value else "none"}
                for clip_id, value in fidelity.items()
            }
            write_json(folder / "scores.json", {"clips": rows, "summary": {}, "judge": "test"})
            write_json(folder / "tracks.json", {clip_id: tracks_json(store, clip_id) for clip_id in fidelity})
            return {}

        inputs = {"generation": generation}
        return artifacts.build(
            tmp_path / "evaluation", kind="evaluation", config={"if": dict(fidelity)}, inputs=inputs, make=make
        )

    return write


def tracks_json(store: ClipStore, clip_id: str) -> dict[str, object]:
    return {
        name: {
            "size_hw": list(track.size_hw),
            "frames": [None if counts is None else counts.decode("ascii") for counts in track.frames],
        }
        for name, track in store.get(clip_id).tracks.items()
    }
