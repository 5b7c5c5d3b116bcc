from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from interplay.core.artifacts import build, open_artifact
from interplay.core.errors import InputError
from interplay.core.files import read_json, write_json
from interplay.evaluate.config import EvaluateConfig
from interplay.evaluate.judges.world import WorldJudge
from interplay.evaluate.run import run
from interplay.records.masks import MaskTrack
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter

QUICK = EvaluateConfig(resamples=100)


def same(frames: np.ndarray) -> np.ndarray:
    return frames


def frozen(frames: np.ndarray) -> np.ndarray:
    return np.repeat(frames[:1], len(frames), axis=0)


def test_the_true_videos_score_one(clips, tmp_path):
    artifact = run(QUICK, clips, None, tmp_path / "scores")
    content = read_json(artifact.path / "scores.json")
    assert content["judge"] == "world"
    assert {row["state"] for row in content["clips"].values()} == {"scored"}
    assert content["summary"]["if"] == {"mean": 1.0, "low": 1.0, "high": 1.0, "n_scored": 5, "n": 5}
    assert {name: group["if"]["n"] for name, group in content["splits"].items()} == {"heldout": 2, "test": 3}
    assert content["questions"]["Q6"] == {"yes": 5, "answered": 5, "asked": 5}


def test_every_answer_is_in_the_ledger(clips, tmp_path):
    artifact = run(QUICK, clips, None, tmp_path / "scores")
    rows = [json.loads(line) for line in (artifact.path / "ledger.jsonl").read_text().splitlines()]
    assert len({row["key"] for row in rows}) == len(rows) == 5 * 11
    questions = [row for row in rows if row.get("question_id")]
    assert Counter(row["question_id"] for row in questions)["Q10"] == 5
    assert all(row["state"] == "answered" and row["answer"] == "yes" for row in questions)
    assert all(0 <= row["frame_index"] < 17 for row in questions)


def test_recovered_tracks_can_be_read_back(clips, tmp_path):
    tracks = read_json(run(QUICK, clips, None, tmp_path / "scores").path / "tracks.json")
    clip = ClipStore(clips.path).get("test-00000")
    found = tracks[clip.clip_id]["id1"]
    track = MaskTrack(tuple(found["size_hw"]), tuple(counts.encode("ascii") for counts in found["frames"]))
    true = clip.tracks["id1"].to_array()
    assert (track.to_array() & true).sum() > 0.75 * true.sum()


def test_who_touches_whom_is_written_in_the_terms_of_the_truth(clips, generate, tmp_path):
    found = read_json(run(QUICK, clips, None, tmp_path / "scores").path / "contacts.json")
    touched = 0
    for clip in ClipStore(clips.path):
        wanted = {(c["who"], c["what"]): c for c in clip.truth["contacts"]}
        said = {(c["who"], c["what"]): c for c in found[clip.clip_id]}
        assert set(said) == set(wanted)
        for pair, contact in said.items():
            assert abs(contact["first"] - wanted[pair]["first"]) <= 2
            assert contact["holding"] == wanted[pair]["holding"]
        touched += len(said)
    assert touched
    still = read_json(run(QUICK, clips, generate(frozen), tmp_path / "frozen").path / "contacts.json")
    assert all(contact["first"] == 0 and contact["holding"] for said in still.values() for contact in said)


def test_a_generation_is_judged_against_the_scene(clips, generate, tmp_path):
    generation = generate(frozen)
    artifact = run(QUICK, clips, generation, tmp_path / "scores")
    content = read_json(artifact.path / "scores.json")
    for row in content["clips"].values():
        # The state before is true; who waves or points may also be turned to the other from the start.
        assert row["kisa_raw"] in (pytest.approx(1 / 6), pytest.approx(2 / 6))
        assert (row["sgi_raw"], row["spi"]) == (0.0, 1.0)
        assert row["if"] == pytest.approx(row["kisa_raw"] / 2)
    assert {entry["identity"] for entry in artifact.manifest["inputs"].values()} == {
        clips.identity,
        generation.identity,
    }


def test_without_a_judge_nothing_is_scored(clips, generate, tmp_path):
    artifact = run(EvaluateConfig(judge="none"), clips, generate(same), tmp_path / "scores")
    content = read_json(artifact.path / "scores.json")
    for row in content["clips"].values():
        assert row["state"] == "not scored: no judge"
        assert [row[metric] for metric in ("kisa", "sgi", "spi", "if")] == [None] * 4
    assert content["summary"]["if"] == {"mean": None, "low": None, "high": None, "n_scored": 0, "n": 5}
    assert read_json(artifact.path / "tracks.json") == read_json(artifact.path / "contacts.json") == {}


def test_the_world_judge_does_not_judge_other_videos(clips, tmp_path):
    store = ClipStore(clips.path)

    def strip(folder):
        from dataclasses import replace

        with StoreWriter(folder) as writer:
            for clip in store:
                writer.add(replace(clip, truth=None), frames=store.frames(clip))
        return {}

    foreign = build(tmp_path / "foreign", kind="clips", config={}, inputs={}, make=strip)
    content = read_json(run(QUICK, foreign, None, tmp_path / "scores").path / "scores.json")
    assert {row["state"] for row in content["clips"].values()} == {"not scored: no judge"}


def test_a_video_of_another_shape_is_refused_and_not_scored(clips, generate, tmp_path):
    narrow = generate(lambda frames: np.ascontiguousarray(frames[:, :, :48]))
    artifact = run(QUICK, clips, narrow, tmp_path / "scores")
    row = read_json(artifact.path / "scores.json")["clips"]["test-00000"]
    assert row["state"].startswith("not scored: 10 of 10 questions have no answer (Q1 refused")
    rows = [json.loads(line) for line in (artifact.path / "ledger.jsonl").read_text().splitlines()]
    assert "times as wide as high" in rows[0]["reply"]


def test_a_run_that_was_cut_short_asks_only_for_the_rest(clips, tmp_path, monkeypatch):
    calls: list[str] = []
    judge_clip = WorldJudge._judge

    def counted(self, media):
        calls.append(media.clip_id)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return judge_clip(self, media)

    monkeypatch.setattr(WorldJudge, "_judge", counted)
    with pytest.raises(KeyboardInterrupt):
        run(QUICK, clips, None, tmp_path / "scores")
    assert not (tmp_path / "scores").exists()
    artifact = run(QUICK, clips, None, tmp_path / "scores")
    assert Counter(calls) == {**dict.fromkeys(ClipStore(clips.path).ids, 1), calls[2]: 2}
    assert run(QUICK, clips, None, tmp_path / "scores").manifest == artifact.manifest
    assert len(calls) == 6
    whole = run(QUICK, clips, None, tmp_path / "whole")
    for name in ("scores.json", "ledger.jsonl", "tracks.json", "contacts.json"):
        assert (artifact.path / name).read_bytes() == (whole.path / name).read_bytes()


def test_splits_and_limit_choose_among_the_datasets_videos(clips, tmp_path):
    config = EvaluateConfig(resamples=100, splits=("heldout",), limit=1)
    content = read_json(run(config, clips, None, tmp_path / "scores").path / "scores.json")
    assert list(content["clips"]) == ["heldout-00000"]


def test_unknown_judge(clips, tmp_path):
    with pytest.raises(InputError, match="known are: none, world"):
        run(EvaluateConfig(judge="oracle"), clips, None, tmp_path / "scores")
    assert not (tmp_path / "scores").exists()


def test_an_index_without_clips_is_named(clips, tmp_path):
    def make(folder):
        write_json(folder / "index.json", {"videos": []})
        return {}

    generation = build(tmp_path / "generation", kind="generation", config={}, inputs={"clips": clips}, make=make)
    with pytest.raises(InputError, match=r"index\.json: is no index of generated videos"):
        run(QUICK, clips, generation, tmp_path / "scores")


def test_the_artifact_is_an_evaluation(clips, tmp_path):
    run(QUICK, clips, None, tmp_path / "scores")
    artifact = open_artifact(tmp_path / "scores", "evaluation")
    assert artifact.summary["if"]["n_scored"] == 5
    assert set(artifact.manifest["files"]) == {"ledger.jsonl", "scores.json", "tracks.json", "contacts.json"}
