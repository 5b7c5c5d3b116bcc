"""What an analysis may use of the machine: it changes no score, is no part of its identity, and is kept to."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from attention.memory import peak_bytes
from interplay.analyze import overlays
from interplay.analyze import run as analyze
from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.scoring import Scorer
from interplay.analyze.shards import Shard
from interplay.analyze.source import Case, Moment
from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch
from interplay.backbones.cogvideox.tiny import TinyCogVideoX, build
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.records.masks import MaskTrack

SETTINGS = {"limit": 2, "timesteps": 1, "draws": 1, "batch_size": 2, "overlay_clips": 1, "bootstrap": 20}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """They take longer than everything else here."""
    monkeypatch.setattr(analyze, "_draw", lambda verdicts, folder: None)
    monkeypatch.setattr(overlays, "draw_strip", lambda strip, path: None)
    monkeypatch.setattr(overlays, "draw_film", lambda strip, fps, path: None)


@pytest.fixture
def data(backbone_folder) -> AnalyzeConfig:
    return AnalyzeConfig(mode="data", backbone=str(backbone_folder), **SETTINGS)


@pytest.mark.parametrize("offload", ["networks", "blocks"])
def test_offloading_and_a_budget_change_no_score_and_no_identity(clips, data, tmp_path, offload):
    plain = analyze.run(data, clips, tmp_path / "plain")
    placed = analyze.run(data, clips, tmp_path / "placed", offload=offload, memory_bytes=2**20)
    assert placed.identity == plain.identity
    assert (placed.path / "scores.parquet").read_bytes() == (plain.path / "scores.parquet").read_bytes()
    # The same question: what one machine scored or finished, another takes as it is.
    assert analyze.run(data, clips, tmp_path / "plain", memory_bytes=1).path == plain.path
    shard = analyze.run_shard(data, clips, tmp_path / "out", Shard(1, 1), offload=offload)
    assert analyze.run(data, clips, tmp_path / "out").manifest["inputs"].keys() == plain.manifest["inputs"].keys()
    assert shard.config["analysis"] == data.scoring()


def test_a_replay_may_be_offloaded_too(clips, generation, evaluate, store, tmp_path):
    given = {"generation": generation, "evaluation": evaluate(dict.fromkeys(store.ids, None)), "memory_bytes": 2**20}
    config = AnalyzeConfig(mode="replay", limit=1, overlay_clips=1, bootstrap=20)
    made = analyze.run(config, clips, tmp_path / "out", offload="networks", **given)
    assert read_json(made.path / "layers.json")["replay_difference_levels"] < 0.5


def test_a_budget_that_is_too_small_is_told(clips, data, tmp_path):
    with pytest.raises(InputError, match=r"memory budget of the observation: .* bytes are needed .*; raise it"):
        analyze.run(data, clips, tmp_path / "out", memory_bytes=2_000)
    assert not (tmp_path / "out").exists()


# --- measured ---------------------------------------------------------------------------------------------------------

# Few channels and many tokens, as attention goes: half of the tokens are in frame 0, and each looks at all of them.
WIDE = TinyCogVideoX(
    num_frames=5, size_hw=(160, 240), vae_channels=(8, 8, 8), layers=2, heads=2, head_dim=16, text_layers=1, text_dim=16
)
BUDGET = 2**21


def _everywhere(clip) -> Case:
    """The clip as large as the model's own, its instances all over it: the dearest case."""
    frames, size_hw = WIDE.num_frames, WIDE.size_hw
    track = MaskTrack.from_array(np.ones((frames, *size_hw), dtype=bool))
    tracks = dict.fromkeys(clip.tracks, track)
    return Case(replace(clip, num_frames=frames, size_hw=size_hw, tracks=tracks), tracks)


def _forward(backbone: Backbone, clips: int) -> partial[Tensor]:
    grid = backbone.grid(WIDE.num_frames, WIDE.size_hw)
    shape = (clips, WIDE.latent_channels, *grid.latent_shape)
    latents, condition = (torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    text = Batch({"embeddings": torch.zeros(clips, WIDE.text_length, WIDE.text_dim)})
    first_frame = Batch({"latents": condition[:, :, :1]})
    return partial(backbone.denoise, latents, torch.full((clips,), 500), text, first_frame)


@torch.no_grad()
def test_an_observed_forward_takes_no_more_than_its_budget_beyond_the_models_own(store):
    backbone = build(0, WIDE)
    cases = [_everywhere(clip) for clip in store.select(limit=1)]
    forward = _forward(backbone, len(cases))
    own = peak_bytes(forward)

    def beyond(memory_bytes: int | None) -> int:
        scorer = Scorer(backbone, cases, "max", memory_bytes=memory_bytes)
        observed = partial(scorer, Moment(0, 0, 500), forward)
        observed()  # regions find their members once, and kernels are checked once
        return peak_bytes(observed) - own

    assert beyond(None) > BUDGET  # so there is something to keep to
    assert beyond(BUDGET) <= BUDGET
