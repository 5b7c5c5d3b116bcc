"""``interplay world make`` at any size, by any number of processes, and stopped in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from interplay.cli.main import app
from interplay.core.artifacts import open_artifact
from interplay.core.errors import InputError
from interplay.records.store.reader import ClipStore

FEW = ["--train", "1", "--test", "3", "--heldout", "1"]


def make(*words: str) -> None:
    CliRunner().invoke(app, ["world", "make", *words], catch_exceptions=False)


def test_size_rate_and_twins_are_options(tmp_path: Path) -> None:
    make(*FEW, "--size", "64x40x9", "--fps", "12", "--twins", "--seed", "1", "--out", str(tmp_path / "clips"))
    clips = open_artifact(tmp_path / "clips")
    found = list(ClipStore(clips.path))
    assert {(clip.size_hw, clip.num_frames, clip.fps) for clip in found} == {((40, 64), 9, 12.0)}
    twins = [clip.clip_id for clip in found if clip.split == "twins"]
    assert clips.summary["clips"]["twins"] == len(twins) == 4 - clips.summary["without_twin"]


def test_the_defaults_are_those_of_the_config(tmp_path: Path) -> None:
    from interplay.world.make import WorldConfig

    make(*FEW, "--out", str(tmp_path / "clips"))
    config = WorldConfig(train=1, test=3, heldout=1)
    assert WorldConfig.model_validate(open_artifact(tmp_path / "clips").config) == config


@pytest.mark.parametrize("size", ["480x720", "80x48x17x2", "big"])
def test_a_size_that_is_none_is_refused_in_one_sentence(size: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"--size {size}: is no size; write width x height x frames"):
        make("--size", size, "--out", str(tmp_path / "clips"))


def test_ctrl_c_stops_all_workers_and_the_next_run_goes_on(tmp_path: Path) -> None:
    code = "from interplay.cli.main import main\nif __name__ == '__main__': main()"
    words = ["--train", "4000", "--size", "40x24x5", "--workers", "2", "--out", str(tmp_path / "clips")]
    # A group of its own: a terminal sends Ctrl-C to the workers too.
    process = subprocess.Popen(
        [sys.executable, "-c", code, "world", "make", *words], stderr=subprocess.PIPE, text=True, process_group=0
    )
    videos = tmp_path / "clips.partial" / "videos"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not videos.is_dir() or len(os.listdir(videos)) < 10):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)  # ends when no worker holds the pipe any more
    assert process.returncode == 130
    assert "go on" in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "clips").exists()
    assert len(ClipStore(tmp_path / "clips.partial")) >= 9
