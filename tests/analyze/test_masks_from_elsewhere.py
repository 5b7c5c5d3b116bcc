"""Generate, then analyze, where no evaluation knows the masks: somebody made tracks of the generated videos."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from interplay.analyze import run as analyze
from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.scoring import Scorer
from interplay.analyze.shards import Shard, moving
from interplay.cli.analyze import analyze as command
from interplay.cli.data import convert
from interplay.core import artifacts
from interplay.core.artifacts import Artifact
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.generate.config import GenerateConfig
from interplay.generate.run import run_prompts
from interplay.records.formats.common.mask_files import write_mask_track
from interplay.records.geometry import Fit
from interplay.records.media.images import write_image
from interplay.records.store.opening import open_clips
from interplay.records.store.writer import StoreWriter

SETTINGS = {"overlay_clips": 0, "bootstrap": 20, "batch_size": 3}


@pytest.fixture
def no_figures(monkeypatch):
    """Figures take longer than everything else here."""
    monkeypatch.setattr(analyze, "_draw", lambda verdicts, folder: None)


@pytest.fixture(scope="module")
def painted(tmp_path_factory, generation, store) -> Path:
    """What a tracker or a person leaves behind: the generated videos, and a picture for each mask of each frame."""
    root = tmp_path_factory.mktemp("painted")
    (root / "videos").mkdir()
    rows = []
    for clip_id in store.ids[1:]:  # nobody looked at the first clip
        shutil.copyfile(generation.path / "videos" / f"{clip_id}.mp4", root / "videos" / f"{clip_id}.mp4")
        for name, track in store.get(clip_id).tracks.items():
            write_mask_track(root / "mask_annotation" / clip_id / f"<{name}>", track)
        rows.append({"video": f"{clip_id}.mp4", "prompt": "a <id1> man, a <id2> ball and a <id3> woman"})
    with (root / "metadata.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, ("video", "prompt"))
        table.writeheader()
        table.writerows(rows)
    return root


@pytest.fixture(scope="module")
def tracks(tmp_path_factory, painted) -> Artifact:
    out = tmp_path_factory.mktemp("tracks") / "tracks"
    convert(painted, out, source_format="matrix", target_format="store", options=[], target_options=[])
    return open_clips(out)


@pytest.fixture
def labels(tmp_path, store) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text(
        "clip_id,label\n" + "".join(f"{c},{('success', 'failure')[k % 2]}\n" for k, c in enumerate(store.ids))
    )
    return path


def _replay(**settings) -> AnalyzeConfig:
    return AnalyzeConfig(mode="replay", **(SETTINGS | settings))


def _scores(analysis: Path):
    return pq.read_table(analysis / "scores.parquet")


@pytest.mark.usefixtures("no_figures")
def test_masks_that_somebody_made_of_the_generated_videos_and_labels_from_a_file(
    clips, generation, tracks, labels, evaluate, store, tmp_path
):
    overrides = [f"{name}={value}" for name, value in (SETTINGS | {"overlay_clips": 1}).items()]
    places = {"clips": clips.path, "generation": generation.path, "tracks": tracks.path}
    command(**places, out=tmp_path / "out", labels=labels, overrides=overrides)
    made = artifacts.open_artifact(tmp_path / "out", "analysis")
    inputs = made.manifest["inputs"]
    assert {name: entry["identity"] for name, entry in inputs.items() if name != "labels"} == {
        "clips": clips.identity,
        "generation": generation.identity,
        "tracks": tracks.identity,
    }
    verdict = read_json(made.path / "layers.json")
    assert verdict["mode"] == "replay"
    assert verdict["skipped"] == {store.ids[0]: "no instance of its interactions has a mask track"}
    assert (verdict["success"], verdict["failure"]) == (list(store.ids[2::2]), list(store.ids[1::2]))
    assert all(row["separation"] is not None for row in verdict["variants"]["noun_v2t"]["table"])
    assert verdict["replay_difference_levels"] < 0.5

    # The very scores of an evaluation that recovered the same masks.
    judged = evaluate(dict.fromkeys(store.ids[1:], None))
    twin = analyze.run(_replay(), clips, tmp_path / "twin", generation=generation, evaluation=judged, labels=labels)
    assert _scores(made.path).equals(_scores(twin.path))


@pytest.mark.usefixtures("no_figures")
def test_tracks_move_scores_and_an_evaluation_beside_them_does_not(
    clips, generation, tracks, evaluate, store, tmp_path, monkeypatch
):
    shards = [
        analyze.run_shard(_replay(), clips, tmp_path / "out", Shard(k, 2), generation=generation, tracks=tracks)
        for k in (1, 2)
    ]
    assert all(set(shard.manifest["inputs"]) == {"clips", "generation", "tracks"} for shard in shards)
    monkeypatch.setattr(Scorer, "__call__", _refuse)
    judged = evaluate({clip_id: k / len(store.ids) for k, clip_id in enumerate(store.ids)})
    (judged.path / "tracks.json").write_text("not read: the masks are those of the tracks")
    both = {"generation": generation, "evaluation": judged, "tracks": tracks}
    made = analyze.run(_replay(), clips, tmp_path / "out", **both)
    verdict = read_json(made.path / "layers.json")
    assert (verdict["success"], verdict["failure"]) == (list(store.ids[:-3:-1]), list(store.ids[2:0:-1]))
    others = _stored(tmp_path / "others", [clip for clip in store if clip.clip_id != store.ids[1]], store)
    with pytest.raises(InputError, match="scored with another tracks"):
        analyze.run(_replay(), clips, tmp_path / "third", generation=generation, tracks=others, scores=[made])


def _refuse(self, moment, forward):
    raise AssertionError("a forward was run")


def test_which_inputs_move_scores():
    given = ["clips", "backbone", "generation", "evaluation", "labels"]
    assert moving(given, _replay()) == ["clips", "backbone", "generation", "evaluation"]
    assert moving([*given, "tracks"], _replay()) == ["clips", "backbone", "generation", "tracks"]
    assert moving(given, AnalyzeConfig(mode="data", backbone="b")) == ["clips", "backbone", "generation"]


def test_tracks_that_cannot_be_of_the_generated_videos_are_refused(clips, generation, tracks, store, tmp_path):
    out = tmp_path / "out"

    def refuse(problem: str, given: Artifact) -> None:
        with pytest.raises(InputError, match=problem):
            analyze.run(_replay(), clips, out, generation=generation, tracks=given)

    refuse("their masks fit their own videos alone; give clips whose tracks were made of the videos in", clips)
    renamed = [replace(clip, clip_id=f"other-{clip.clip_id}", video="videos/x.mp4") for clip in store.select(limit=1)]
    refuse(f"holds no clip of the generation .*: {store.ids[0]}", _stored(tmp_path / "renamed", renamed, store))
    (clip,) = store.select(limit=1)
    fit = Fit(clip.size_hw, (16, 24))
    small = replace(clip, size_hw=(16, 24), tracks={name: fit.track(track) for name, track in clip.tracks.items()})
    refuse(
        rf"clip {clip.clip_id}: has 9 frames of 24x16, its generated video 9 of 48x32; make its tracks of .*mp4",
        _stored(tmp_path / "small", [small], store, fit),
    )
    data = AnalyzeConfig(mode="data", backbone="b")
    with pytest.raises(InputError, match=r"mode data .* takes no tracks"):
        analyze.run(data, clips, out, tracks=tracks)
    assert not out.exists()


def test_videos_of_a_table_of_prompts_are_refused_with_the_way_to_analyze_them(
    clips, tracks, backbone_folder, store, tmp_path
):
    write_image(tmp_path / "first.png", store.frames(store.get(store.ids[0]))[0])
    table = tmp_path / "prompts.csv"
    table.write_text(f"prompt,clip_id,image\na man gives a ball to a woman,{store.ids[1]},first.png\n")
    made = run_prompts(GenerateConfig(backbone=str(backbone_folder), steps=1), table, tmp_path / "made")
    for given in ({"tracks": tracks}, {}):
        with pytest.raises(InputError, match=r"made: was made from a table of prompts \(.*prompts\.csv\).* mode data"):
            analyze.run(_replay(), clips, tmp_path / "out", generation=made, **given)


def _stored(out: Path, chosen, store, fit: Fit | None = None) -> Artifact:
    """An artifact of these clips; their videos are those of the first ones of ``store``."""

    def write(folder: Path) -> dict[str, object]:
        with StoreWriter(folder) as writer:
            for clip, source in zip(chosen, store, strict=False):
                frames = store.frames(source)
                writer.add(
                    replace(clip, video=f"videos/{clip.clip_id}.mp4"), frames=fit.frames(frames) if fit else frames
                )
        return {}

    return artifacts.build(out, kind="clips", config={"of": out.name}, inputs={}, make=write)
