"""The main job at a small size: every stage for real, on the shipped backbone, on the world and on real media."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interplay.cli import demo
from interplay.core.artifacts import open_artifact
from interplay.core.files import read_json

STAGES = {
    "clips": "clips",
    "base": "generation",
    "base-scores": "evaluation",
    "analysis": "analysis",
    "training": "training",
    "aligned": "generation",
    "aligned-scores": "evaluation",
    "report": "report",
}
SAMPLES = Path(os.environ.get("INTERPLAY_SAMPLES", Path(__file__).parents[3] / "shared" / "samples"))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "TRAIN_CLIPS", 4)
    monkeypatch.setattr(demo, "TEST_CLIPS", 6)
    monkeypatch.setattr(demo, "HELDOUT_CLIPS", 4)
    monkeypatch.setattr(demo, "ANALYZED_CLIPS", 10)
    full = demo._recipe
    monkeypatch.setattr(demo, "_recipe", lambda *given: full(*given, "steps=3", "batch_size=2", "warmup_steps=1"))


def run(out: Path, data: Path | None = None) -> None:
    demo.demo(out=out, data=data, seed=0, threads=1, overwrite=False)


def test_the_main_job_on_the_world(small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "demo")
    for name, kind in STAGES.items():
        open_artifact(tmp_path / "demo" / name, kind)
    page = tmp_path / "demo" / "report" / "index.html"
    assert str(page) in capsys.readouterr().out
    assert page.read_text().count("data:video/mp4;base64,") >= 3
    scores = read_json(tmp_path / "demo" / "base-scores" / "scores.json")
    assert scores["summary"]["if"]["n_scored"] == scores["summary"]["if"]["n"] == 10
    before = {name: (tmp_path / "demo" / name / "manifest.json").stat().st_mtime_ns for name in STAGES}
    run(tmp_path / "demo")
    after = {name: (tmp_path / "demo" / name / "manifest.json").stat().st_mtime_ns for name in STAGES}
    assert before == after, "a second run finds everything there"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no real media at {SAMPLES}: set INTERPLAY_SAMPLES")
def test_the_main_job_on_real_media(small: None, tmp_path: Path) -> None:
    run(tmp_path / "demo", SAMPLES / "hoi_training_clip")
    for name, kind in STAGES.items():
        open_artifact(tmp_path / "demo" / name, kind)
    scores = read_json(tmp_path / "demo" / "aligned-scores" / "scores.json")
    assert scores["summary"]["if"]["mean"] is None
    assert {clip["state"] for clip in scores["clips"].values()} == {"not scored: no judge"}
    assert "not scored: no judge" in (tmp_path / "demo" / "report" / "index.html").read_text()
