"""The whole stage on a small untrained backbone: both modes, resuming, and what is refused."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from interplay.analyze import run as analyze
from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.scoring import Scorer
from interplay.backbones.registry import load_backbone
from interplay.core import artifacts
from interplay.core.errors import InputError
from interplay.core.files import read_json, write_json
from interplay.generate import run as generate
from interplay.generate.config import GenerateConfig
from interplay.records.media.video import read_image

VARIANTS = ["noun_v2t", "noun_v2v", "verb_v2t", "verb_v2v"]


def _data(backbone_folder, **settings) -> AnalyzeConfig:
    defaults = {"limit": 3, "timesteps": 2, "batch_size": 2, "overlay_clips": 0, "bootstrap": 20}
    return AnalyzeConfig(mode="data", backbone=str(backbone_folder), **(defaults | settings))


def _replay(**settings) -> AnalyzeConfig:
    return AnalyzeConfig(mode="replay", **({"overlay_clips": 0, "bootstrap": 20, "batch_size": 3} | settings))


def _fidelity(store) -> dict[str, float | None]:
    return {clip_id: k / len(store.ids) for k, clip_id in enumerate(store.ids)}


def test_replay_scores_every_layer_and_step_and_separates_success_from_failure(
    clips, generation, evaluate, store, backbone, tmp_path
):
    evaluation = evaluate(_fidelity(store))
    made = analyze.run(_replay(overlay_clips=1), clips, tmp_path / "out", generation=generation, evaluation=evaluation)
    assert made.kind == "analysis"
    rows = pq.read_table(made.path / "scores.parquet").to_pydict()
    layers, steps = len(backbone.sites()), generation.config["steps"]
    heads = backbone.transformer.config.num_attention_heads
    assert len(rows["aas"]) == len(store) * layers * steps * (heads + 1) * len(VARIANTS)
    assert sorted(set(rows["variant"])) == VARIANTS
    assert sorted(set(rows["head"])) == list(range(-1, heads))
    assert dict(zip(rows["layer"], rows["site"], strict=True)) == {s.layer: s.address for s in backbone.sites()}
    grid = backbone.grid(store.get(store.ids[0]).num_frames, store.get(store.ids[0]).size_hw)
    first_frame = backbone.first_frame_condition(torch.zeros(1, 3, grid.height, grid.width), grid)
    timesteps = [int(t) for t in backbone.sampler(steps, grid, first_frame).timesteps]
    assert dict(zip(rows["step"], rows["timestep"], strict=True)) == dict(enumerate(timesteps))

    verdict = read_json(made.path / "layers.json")
    best = sorted(store.ids, key=_fidelity(store).__getitem__)
    assert (verdict["n_success"], verdict["n_failure"]) == (2, 2)
    assert (verdict["success"], verdict["failure"]) == ([best[-1], best[-2]], [best[1], best[0]])
    assert all(row["separation"] is not None for row in verdict["variants"]["noun_v2t"]["table"])
    assert verdict["chosen"]["v2v"] == verdict["variants"]["noun_v2v"]["picks"]
    of_v2t = verdict["variants"]["noun_v2t"]["picks"] + verdict["variants"]["verb_v2t"]["picks"]
    assert verdict["chosen"]["v2t"] == list(dict.fromkeys(of_v2t))
    # Stored frames are 8-bit, so the same video is within half a level; other noise or guidance is levels away.
    assert verdict["replay_difference_levels"] < 0.5

    overlays = read_json(made.path / "overlays.json")
    assert {entry["kind"] for entry in overlays} == {"word", "region"}
    assert {entry["clip_id"] for entry in overlays} == {best[-1]}
    for name in [entry["file"] for entry in overlays] + ["figures/layers.png", "figures/heatmap.png"]:
        assert read_image(made.path / name).std() > 10


def test_replay_loads_the_adapter_of_the_generation(clips, backbone_folder, store, tmp_path, monkeypatch):
    def train(folder):
        backbone = load_backbone(str(backbone_folder))
        backbone.add_lora(backbone.sites(), rank=2, alpha=8.0)
        generator = torch.Generator().manual_seed(3)
        for name, parameter in backbone.transformer.named_parameters():
            if "lora" in name:
                torch.nn.init.normal_(parameter, std=0.5, generator=generator)
        backbone.save_lora(folder / "adapter")
        return {}

    training = artifacts.build(tmp_path / "training", kind="training", config={}, inputs={}, make=train)
    config = GenerateConfig(backbone=str(backbone_folder), steps=2, limit=1)
    generation = generate.run(config, clips, tmp_path / "generation", training=training)

    def judge(folder):
        (clip_id,) = store.ids[:1]
        track = next(iter(store.get(clip_id).tracks.values()))
        frames = [counts and counts.decode() for counts in track.frames]
        write_json(folder / "tracks.json", {clip_id: {"id1": {"size_hw": list(track.size_hw), "frames": frames}}})
        write_json(folder / "scores.json", {"clips": {clip_id: {"if": None, "state": "not scored: no judge"}}})
        return {}

    evaluation = artifacts.build(
        tmp_path / "evaluation", kind="evaluation", config={}, inputs={"generation": generation}, make=judge
    )
    made = analyze.run(_replay(overlay_clips=1), clips, tmp_path / "out", generation=generation, evaluation=evaluation)
    assert read_json(made.path / "layers.json")["replay_difference_levels"] < 0.5

    monkeypatch.setattr(type(load_backbone(str(backbone_folder))), "load_lora", lambda self, folder: None)
    without = analyze.run(
        _replay(overlay_clips=1, seed=1), clips, tmp_path / "without", generation=generation, evaluation=evaluation
    )
    verdict = read_json(without.path / "layers.json")
    assert verdict["replay_difference_levels"] > 1
    assert any("The replay differs" in note for note in verdict["notes"])


def test_data_mode_has_no_labels_and_says_so(clips, backbone_folder, backbone, tmp_path):
    config = _data(backbone_folder, overlay_clips=1, timesteps=(0.9, 0.2), layers_per_variant=2)
    made = analyze.run(config, clips, tmp_path / "out")
    verdict = read_json(made.path / "layers.json")
    assert "influential layers only" in verdict["labels"]
    assert (verdict["n_success"], verdict["n_failure"], verdict["clips"], verdict["steps"]) == (0, 0, 3, 2)
    for variant in verdict["variants"].values():
        assert variant["dominant"] == []
        assert variant["picks"] == variant["influential"][:2]
        assert all(row["success_gap"] is None for row in variant["table"])
    rows = pq.read_table(made.path / "scores.parquet").to_pydict()
    assert dict(zip(rows["step"], rows["timestep"], strict=True)) == {0: 900, 1: 200}
    assert verdict["replay_difference_levels"] is None
    assert len(read_json(made.path / "overlays.json")) > 0


def test_a_clips_scores_do_not_depend_on_its_batch(clips, backbone_folder, tmp_path):
    tables = [
        pq.read_table(
            analyze.run(_data(backbone_folder, batch_size=size), clips, tmp_path / f"{size}").path / "scores.parquet"
        )
        for size in (1, 3)
    ]
    assert tables[0]["clip_id"] == tables[1]["clip_id"]
    # Other batch sizes round differently, other noise is another number altogether.
    np.testing.assert_allclose(tables[0]["aas"], tables[1]["aas"], rtol=2e-3)


def test_a_run_that_was_broken_off_goes_on_after_the_last_batch(clips, backbone_folder, tmp_path, monkeypatch):
    config = _data(backbone_folder)
    whole = analyze.run(config, clips, tmp_path / "whole")
    batches: list[list[str]] = []
    tables = Scorer.tables

    def watched(self):
        batches.append([case.clip.clip_id for case in self.batch])
        if len(batches) == 2:
            raise KeyboardInterrupt
        return tables(self)

    monkeypatch.setattr(Scorer, "tables", watched)
    with pytest.raises(KeyboardInterrupt):
        analyze.run(config, clips, tmp_path / "broken")
    assert not (tmp_path / "broken").exists()
    resumed = analyze.run(config, clips, tmp_path / "broken")
    assert batches[1] == batches[2]
    assert len(batches) == 3
    for name in ("scores.parquet", "layers.json"):
        assert (resumed.path / name).read_bytes() == (whole.path / name).read_bytes()


def test_clips_without_tracks_are_left_out_with_a_reason(clips, generation, evaluate, store, tmp_path):
    scored = dict(list(_fidelity(store).items())[1:])
    made = analyze.run(_replay(limit=3), clips, tmp_path / "out", generation=generation, evaluation=evaluate(scored))
    verdict = read_json(made.path / "layers.json")
    assert list(verdict["skipped"]) == [store.ids[0]]
    assert verdict["clips"] == 2
    assert any("1 of 3 clips are left out" in note for note in verdict["notes"])


def test_artifacts_that_do_not_belong_together_are_refused(clips, generation, evaluate, store, tmp_path):
    def empty(folder):
        write_json(folder / "scores.json", {"clips": {}})
        return {}

    strange = artifacts.build(tmp_path / "strange", kind="evaluation", config={}, inputs={"clips": clips}, make=empty)
    bare = artifacts.build(tmp_path / "bare", kind="evaluation", config={}, inputs={"g": generation}, make=empty)
    out = tmp_path / "out"
    with pytest.raises(InputError, match="strange: was not made from"):
        analyze.run(_replay(), clips, out, generation=generation, evaluation=strange)
    with pytest.raises(InputError, match=r"bare: holds no tracks\.json"):
        analyze.run(_replay(), clips, out, generation=generation, evaluation=bare)
    with pytest.raises(InputError, match="evaluation is missing"):
        analyze.run(_replay(), clips, out, generation=generation)
    with pytest.raises(InputError, match="takes no generation"):
        analyze.run(_data("x"), clips, out, generation=generation)
    assert not out.exists()
