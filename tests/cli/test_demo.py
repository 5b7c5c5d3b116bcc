"""The main job at a small size: every stage for real, on the shipped backbone, on the world and on real media."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interplay.cli import demo
from interplay.core.artifacts import open_artifact
from interplay.core.files import read_json
from interplay.train.config import TrainConfig

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
    """Few clips, few steps of training and sampling: what is made is no better than that, and everything is made."""
    for name, count in {"TRAIN_CLIPS": 4, "TEST_CLIPS": 3, "HELDOUT_CLIPS": 2, "ANALYZED_CLIPS": 5}.items():
        monkeypatch.setattr(demo, name, count)
    recipe, chain = demo._recipe, demo._chain
    measured = ("validation.limit=2", "validation.samples=1", "validation.sample_steps=5")

    def short_recipe(*given: str) -> TrainConfig:
        validation = () if "validation=null" in given else measured
        return recipe(*given, "steps=3", "batch_size=2", "warmup_steps=1", *validation)

    def short_chain(plan: Any, *rest: Any) -> Path:
        return chain(replace(plan, settings=plan.settings.model_copy(update={"steps": 5})), *rest)

    monkeypatch.setattr(demo, "_recipe", short_recipe)
    monkeypatch.setattr(demo, "_chain", short_chain)


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
    assert scores["summary"]["if"]["n_scored"] == scores["summary"]["if"]["n"] == 5
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
