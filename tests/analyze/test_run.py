"""The whole stage on a small untrained backbone: both modes, resuming, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from contracts.wan_variants import experts
from interplay.analyze import overlays
from interplay.analyze import run as analyze
from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.noising import Noising
from interplay.analyze.scoring import Scorer
from interplay.analyze.shards import Shard
from interplay.backbones.registry import load_backbone
from interplay.cli.analyze import analyze as command
from interplay.core import artifacts
from interplay.core.errors import InputError
from interplay.core.files import read_json, write_json
from interplay.generate import run as generate
from interplay.generate.config import GenerateConfig
from interplay.methods.matrix.adapter import save_adapter
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.install import install
from interplay.methods.matrix.layers import lists_of_each
from interplay.records.geometry import Fit
from interplay.records.media.video import read_image, read_video
from interplay.train.config import TrainConfig
from interplay.train.run import with_chosen_layers

VARIANTS = ["noun_v2t", "noun_v2v", "verb_v2t", "verb_v2v"]
_ORDER = ["noun_v2t", "verb_v2t", "noun_v2v", "verb_v2v"]


def _data(backbone_folder, **settings) -> AnalyzeConfig:
    defaults = {"limit": 3, "timesteps": 2, "draws": 1, "batch_size": 2, "overlay_clips": 0, "bootstrap": 20}
    return AnalyzeConfig(mode="data", backbone=str(backbone_folder), **(defaults | settings))


def _replay(**settings) -> AnalyzeConfig:
    return AnalyzeConfig(mode="replay", **({"overlay_clips": 0, "bootstrap": 20, "batch_size": 3} | settings))


def _fidelity(store) -> dict[str, float | None]:
    return {clip_id: k / len(store.ids) for k, clip_id in enumerate(store.ids)}


@pytest.fixture
def no_figures(monkeypatch):
    """Figures take longer than everything else here."""
    monkeypatch.setattr(analyze, "_draw", lambda verdicts, folder: None)


def test_replay_scores_every_layer_and_step_and_separates_success_from_failure(
    clips, generation, evaluate, store, backbone, tmp_path
):
    evaluation = evaluate(_fidelity(store))
    made = analyze.run(_replay(overlay_clips=1), clips, tmp_path / "out", generation=generation, evaluation=evaluation)
    assert made.kind == "analysis"
    rows = pq.read_table(made.path / "scores.parquet").to_pydict()
    layers, steps = len(backbone.sites()), generation.config["steps"]
    heads = backbone.transformer.config.num_attention_heads
    nouns = sum(2 + (store.get(clip_id).interactions[0].recipient is not None) for clip_id in store.ids)
    terms = nouns + len(store)  # and a verb in each
    assert len(rows["aas"]) == terms * 2 * layers * steps * (heads + 1)
    assert set(rows["draw"]) == {0}
    assert {("id1", "man in red"), ("id2", "green ball"), ("verb", "gives"), ("verb", "pushes")} <= set(
        zip(rows["term"], rows["words"], strict=True)
    )
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
    assert verdict["experts"] == [
        {"expert": 0, "timesteps": [0, 999], "steps": list(range(steps)), "chosen": verdict["chosen"]}
    ]
    assert set(rows["expert"]) == {0}
    assert verdict["chosen"]["v2v"] == verdict["variants"]["noun_v2v"]["picks"]
    of_v2t = verdict["variants"]["noun_v2t"]["picks"] + verdict["variants"]["verb_v2t"]["picks"]
    assert verdict["chosen"]["v2t"] == list(dict.fromkeys(of_v2t))
    # Stored frames are 8-bit, so the same video is within half a level; other noise or guidance is levels away.
    assert verdict["replay_difference_levels"] < 0.5

    overlays = read_json(made.path / "overlays.json")
    assert {entry["kind"] for entry in overlays} == {"word", "region"}
    assert {entry["clip_id"] for entry in overlays} == {best[-1]}
    figures = [f"figures/{name}.png" for name in ("layers", "heatmap", "stability", "heads")]
    for name in [entry["file"] for entry in overlays] + figures:
        assert read_image(made.path / name).std() > 10
    for entry in overlays:
        assert len(read_video(made.path / entry["video"]).frames) == grid.frames
    table = pq.read_table(made.path / "heads.parquet").to_pydict()
    assert len(table["head"]) == len(VARIANTS) * layers * heads
    assert None not in table["separation"]
    assert verdict["published"] is None
    assert verdict["draws"] == 1


@pytest.mark.usefixtures("no_figures")
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


@pytest.mark.usefixtures("no_figures")
def test_replay_shows_maps_and_reads_markers_as_the_generation_did(clips, backbone_folder, store, tmp_path):
    backbone = load_backbone(str(backbone_folder))
    installed = install(backbone, MatrixConfig(binding="markers"))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in installed.trained:  # an untrained map says nothing
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    save_adapter(backbone, tmp_path / "adapter", installed, lora=False)
    guided = {"cag_scale": 0.5, "cag_layers": (1,), "cmg_scale": 2.0, "cmg_layers": (0, 1)}
    config = GenerateConfig.model_validate(
        {"backbone": str(backbone_folder), "steps": 2, "limit": 2, "guidance": guided, "negative_prompt": "a dog"}
        | {"guidance_scale": 2.0, "size": "32x32x9"}
    )
    generation = generate.run(config, clips, tmp_path / "generation", adapter=tmp_path / "adapter")
    fit = Fit(store.get(store.ids[0]).size_hw, (32, 32))

    def judge(folder):
        tracks = {
            clip_id: {name: fit.track(t) for name, t in store.get(clip_id).tracks.items()} for clip_id in store.ids
        }
        write_json(folder / "tracks.json", {clip_id: _as_json(of_clip) for clip_id, of_clip in tracks.items()})
        write_json(folder / "scores.json", {"clips": {clip_id: {"if": None} for clip_id in store.ids}})
        return {}

    evaluation = artifacts.build(
        tmp_path / "evaluation", kind="evaluation", config={}, inputs={"generation": generation}, make=judge
    )
    made = analyze.run(_replay(overlay_clips=2), clips, tmp_path / "out", generation=generation, evaluation=evaluation)
    verdict = read_json(made.path / "layers.json")
    assert verdict["replay_difference_levels"] < 0.5
    assert verdict["clips"] == 2
    # The words that are measured are the marker tokens, for they are what this adapter binds.
    words = set(pq.read_table(made.path / "scores.parquet")["words"].to_pylist())
    assert {"<id1>", "<id2>"} <= words


def _as_json(tracks):
    return {
        name: {"size_hw": list(track.size_hw), "frames": [codes and codes.decode() for codes in track.frames]}
        for name, track in tracks.items()
    }


def test_data_mode_has_no_labels_and_says_so(clips, backbone_folder, backbone, tmp_path):
    config = _data(backbone_folder, timesteps=(0.9, 0.2), draws=2, layers_per_variant=2)
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
    assert set(rows["draw"]) == {0, 1}
    of_draw = [[aas for aas, d in zip(rows["aas"], rows["draw"], strict=True) if d == draw] for draw in (0, 1)]
    assert len(of_draw[0]) == len(of_draw[1])
    assert of_draw[0] != of_draw[1]
    assert all(len(variant["picks_by_draw"]) == 2 for variant in verdict["variants"].values())
    assert verdict["replay_difference_levels"] is None
    assert read_json(made.path / "overlays.json") == []


@pytest.mark.usefixtures("no_figures")
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


@pytest.mark.usefixtures("no_figures")
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


@pytest.mark.usefixtures("no_figures")
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
    with pytest.raises(InputError, match="needs masks of the generated clips"):
        analyze.run(_replay(), clips, out, generation=generation)
    with pytest.raises(InputError, match="takes no generation"):
        analyze.run(_data("x"), clips, out, generation=generation)
    assert not out.exists()


def _refuse_forwards(monkeypatch):
    def refuse(self, moment, forward):
        raise AssertionError("a forward was run")

    monkeypatch.setattr(Scorer, "__call__", refuse)


@pytest.mark.usefixtures("no_figures")
def test_shards_make_the_analysis_that_one_process_makes(clips, backbone_folder, tmp_path, monkeypatch):
    config, out = _data(backbone_folder, limit=5), tmp_path / "out"
    whole = analyze.run(config, clips, tmp_path / "whole")
    parts = [analyze.run_shard(config, clips, out, Shard(number, 2)) for number in (1, 2)]
    assert [part.path.name for part in parts] == ["out.shard-1-of-2", "out.shard-2-of-2"]
    assert [part.summary["clips"] for part in parts] == [3, 2]
    _refuse_forwards(monkeypatch)
    joined = analyze.run(config, clips, out)
    for name in ("scores.parquet", "heads.parquet", "layers.json"):
        assert (joined.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert joined.identity == whole.identity
    with pytest.raises(InputError, match="another pool"):
        analyze.run(_data(backbone_folder, limit=5, pool="nearest"), clips, out, overwrite=True)


@pytest.mark.usefixtures("no_figures")
def test_a_shard_takes_over_scores_and_checks_labels_first(clips, backbone_folder, store, tmp_path, monkeypatch):
    first = analyze.run(_data(backbone_folder, limit=5), clips, tmp_path / "first")
    labels = tmp_path / "labels.csv"
    given = {"clips": clips.path, "backbone": str(backbone_folder), "limit": 5, "labels": labels, "shard": "2/2"}
    settings = ["timesteps=2", "draws=1", "batch_size=2", "overlay_clips=0", "bootstrap=20"]
    _refuse_forwards(monkeypatch)
    labels.write_text("clip_id,label\nnobody,success\n")
    with pytest.raises(InputError, match="names the clip 'nobody'"):
        command(**given, out=tmp_path / "out", overrides=settings)
    labels.write_text(
        "clip_id,label\n" + "".join(f"{c},{('success', 'failure')[k % 2]}\n" for k, c in enumerate(store.ids))
    )
    command(**given, out=tmp_path / "out", overrides=settings, scores=[first.path])
    parts = sorted((tmp_path / "out.shard-2-of-2" / "parts").iterdir())
    assert tuple(part.stem for part in parts) == store.ids[2:4]  # the second of three batches, and no other
    for part in parts:
        whole = pq.read_table(first.path / "scores.parquet", filters=[("clip_id", "=", part.stem)])
        assert pq.read_table(part).equals(whole)
    with pytest.raises(InputError, match="another seed"):
        command(**given, out=tmp_path / "other", overrides=settings, scores=[first.path], seed=1)


@pytest.mark.usefixtures("no_figures")
def test_labels_are_checked_before_anything_is_scored(clips, backbone_folder, tmp_path, monkeypatch):
    _refuse_forwards(monkeypatch)
    (tmp_path / "labels.json").write_text('{"nobody": "success"}')
    with pytest.raises(InputError, match="names the clip 'nobody'"):
        analyze.run(_data(backbone_folder), clips, tmp_path / "out", labels=tmp_path / "labels.json")


@pytest.mark.usefixtures("no_figures")
def test_another_rule_and_labels_cost_no_forward(clips, backbone_folder, store, tmp_path, monkeypatch):
    first = analyze.run(_data(backbone_folder, limit=5), clips, tmp_path / "first")
    (tmp_path / "labels.csv").write_text(
        "clip_id,label\n" + "".join(f"{c},{'success' if k % 2 else 'failure'}\n" for k, c in enumerate(store.ids))
    )
    _refuse_forwards(monkeypatch)
    config = _data(backbone_folder, limit=5, measure="aas_per_area", top_k=2)
    made = analyze.run(config, clips, tmp_path / "second", labels=tmp_path / "labels.csv", scores=[first])
    assert (made.path / "scores.parquet").read_bytes() == (first.path / "scores.parquet").read_bytes()
    verdict = read_json(made.path / "layers.json")
    assert (verdict["n_success"], verdict["n_failure"]) == (2, 3)
    assert "labels.csv" in verdict["labels"]
    assert any("not equally many" in note for note in verdict["notes"])
    assert all(row["separation"] is not None for row in verdict["variants"]["noun_v2t"]["table"])
    assert set(made.manifest["inputs"]) == {"clips", "backbone", "labels"}
    with pytest.raises(InputError, match="another seed"):
        analyze.run(_data(backbone_folder, limit=5, seed=1), clips, tmp_path / "third", scores=[first])
    with pytest.raises(InputError, match='of the kind "clips"'):
        analyze.run(_data(backbone_folder), clips, tmp_path / "third", scores=[clips])


@pytest.mark.usefixtures("no_figures")
def test_the_dataset_itself_may_be_judged(clips, backbone_folder, store, tmp_path):
    def judge(folder):
        rows = {clip_id: {"if": k / 10, "state": "scored"} for k, clip_id in enumerate(store.ids)}
        write_json(folder / "scores.json", {"clips": rows})
        return {}

    judged = artifacts.build(tmp_path / "judged", kind="evaluation", config={}, inputs={"clips": clips}, make=judge)
    config = _data(backbone_folder, limit=None, timesteps=1, heads=False)
    verdict = read_json(analyze.run(config, clips, tmp_path / "out", evaluation=judged).path / "layers.json")
    assert verdict["success"] == [store.ids[-1], store.ids[-2]]
    assert verdict["variants"]["noun_v2t"]["heads"] is None
    assert pq.read_table(tmp_path / "out" / "heads.parquet").num_rows == 0
    assert set(pq.read_table(tmp_path / "out" / "scores.parquet")["head"].to_pylist()) == {-1}


@pytest.mark.usefixtures("no_figures")
def test_clips_of_any_size_come_through_buckets(clips, backbone_folder, backbone, store, tmp_path):
    config = _data(backbone_folder, limit=2, timesteps=1, buckets={"sizes": ["32x32x5"], "max_crop": 0.5})
    source = Noising(config, store, backbone, {})
    case, clip = source.cases[0], store.get(source.cases[0].clip.clip_id)
    assert (case.clip.num_frames, case.clip.size_hw) == (5, (32, 32))
    frames = source.frames(case)
    assert np.array_equal(frames, store.frames(clip)[:5, :, 8:40])
    for name, track in case.tracks.items():
        assert np.array_equal(track.to_array(), clip.tracks[name].to_array()[:5, :, 8:40])
    made = analyze.run(config, clips, tmp_path / "out")
    assert made.summary["clips"] == 2
    small = _data(backbone_folder, limit=2, buckets={"sizes": ["480x480x5"]})
    with pytest.raises(InputError, match="no clip can be analysed: 33% of the 48x32 picture"):
        analyze.run(small, clips, tmp_path / "small")


# --- two experts that share the noise levels (Wan 2.2) ----------------------------------------------------------------


@pytest.fixture(scope="module")
def experts_folder(tmp_path_factory) -> Path:
    """A small Wan whose two transformers differ; the boundary is 900."""
    backbone = experts()
    generator = torch.Generator().manual_seed(1)
    for transformer in backbone.transformers:
        for block in transformer.blocks:
            for norm in (block.attn1.norm_q, block.attn1.norm_k, block.attn2.norm_q, block.attn2.norm_k):
                torch.nn.init.normal_(norm.weight, std=1.5, generator=generator)
    folder = tmp_path_factory.mktemp("experts")
    backbone.save(folder)
    return folder


def _of_experts(analysis) -> set[tuple[int, int]]:
    """Which step was whose."""
    rows = pq.read_table(analysis.path / "scores.parquet", columns=["step", "expert"])
    return set(zip(rows["step"].to_pylist(), rows["expert"].to_pylist(), strict=True))


@pytest.mark.usefixtures("no_figures")
def test_two_experts_are_judged_apart(clips, experts_folder, tmp_path, monkeypatch):
    drawn: dict[str, tuple[str, ...]] = {}
    monkeypatch.setattr(overlays, "draw_strip", lambda strip, path: drawn.update({path.name: strip.row_labels}))
    monkeypatch.setattr(overlays, "draw_film", lambda strip, fps, path: None)
    settings = {"limit": 3, "draws": 2, "batch_size": 3}
    made = analyze.run(
        _data(experts_folder, timesteps=(0.95, 0.6, 0.2), overlay_clips=1, **settings), clips, tmp_path / "both"
    )
    assert _of_experts(made) == {(0, 0), (1, 1), (2, 1)}
    verdict = read_json(made.path / "layers.json")
    assert list(verdict["variants"]) == [f"{name}.expert{k}" for name in _ORDER for k in (0, 1)]
    noisy, clean = told = verdict["experts"]
    assert (noisy["timesteps"], noisy["steps"]) == ([900, 999], [0])
    assert (clean["timesteps"], clean["steps"]) == ([0, 899], [1, 2])
    for relation in ("v2t", "v2v"):
        assert set(verdict["chosen"][relation]) == {*noisy["chosen"][relation], *clean["chosen"][relation]}
    assert "expert 0 at 900 to 999, expert 1 at 0 to 899" in verdict["notes"][0]
    assert not any("No step of this analysis" in note for note in verdict["notes"])
    assert pc.value_counts(pq.read_table(made.path / "heads.parquet")["expert"]).to_pylist() == [
        {"values": k, "counts": len(_ORDER) * 2 * 2} for k in (0, 1)
    ]
    entries = read_json(made.path / "overlays.json")
    assert {entry["file"] for entry in entries} == {f"overlays/{name}" for name in drawn}
    assert len(drawn) == len(entries)
    for entry in entries:
        number = int(entry["variant"][-1])
        assert entry["steps"] == told[number]["steps"]
        assert len(drawn[Path(entry["file"]).name]) == len(entry["steps"])
        assert f"expert {number}" in entry["title"]

    # A training aligns each at the layers that it chose itself.
    open_recipe = TrainConfig(backbone="x", matrix=MatrixConfig(), steps=1, batch_size=1, learning_rate=1e-3)
    matrix = with_chosen_layers(open_recipe, made).matrix
    for relation, layers in (("v2t", matrix.v2t_layers), ("v2v", matrix.v2v_layers)):
        assert lists_of_each(layers, 2, where="x") == tuple(tuple(expert["chosen"][relation]) for expert in told)

    # What the noisy expert is found to do does not depend on whether the other one was looked at.
    alone = analyze.run(_data(experts_folder, timesteps=(0.95,), **settings), clips, tmp_path / "alone")
    assert _of_experts(alone) == {(0, 0)}
    of_one = read_json(alone.path / "layers.json")
    assert list(of_one["variants"]) == [f"{name}.expert0" for name in _ORDER]
    for name, entry in of_one["variants"].items():
        assert entry == verdict["variants"][name]
    assert of_one["chosen"] == of_one["experts"][0]["chosen"] == noisy["chosen"]
    assert any("No step of this analysis runs expert 1" in note for note in of_one["notes"])


@pytest.mark.usefixtures("no_figures")
def test_a_replay_tells_experts_apart_too(clips, experts_folder, store, tmp_path):
    config = GenerateConfig(backbone=str(experts_folder), steps=4, limit=2, guidance_scale=2.0)
    generation = generate.run(config, clips, tmp_path / "generation")

    def judge(folder):
        write_json(folder / "tracks.json", {name: _as_json(store.get(name).tracks) for name in store.ids[:2]})
        write_json(folder / "scores.json", {"clips": {name: {"if": None} for name in store.ids[:2]}})
        return {}

    evaluation = artifacts.build(
        tmp_path / "evaluation", kind="evaluation", config={}, inputs={"generation": generation}, make=judge
    )
    made = analyze.run(_replay(heads=False), clips, tmp_path / "out", generation=generation, evaluation=evaluation)
    rows = pq.read_table(made.path / "scores.parquet")
    assert rows["expert"].to_pylist() == [int(timestep < 900) for timestep in rows["timestep"].to_pylist()]
    told = read_json(made.path / "layers.json")["experts"]
    assert [step for expert in told for step in expert["steps"]] == [0, 1, 2, 3]
    assert all(expert["steps"] and expert["chosen"]["v2t"] for expert in told)
