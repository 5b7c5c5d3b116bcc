"""The command line as a user meets it: help, one sentence for bad input, exit codes, Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interplay.core.artifacts import Artifact

COMMANDS = [
    ["demo"],
    ["curate"],
    ["analyze"],
    ["train"],
    ["generate"],
    ["evaluate"],
    ["report"],
    ["world", "make"],
    ["world", "pretrain"],
]


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from interplay.cli.main import main; main()", *words]


def run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, cwd=cwd, timeout=120)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(words: list[str]) -> None:
    from typer.testing import CliRunner

    from interplay.cli.main import app

    result = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "Example: interplay " + " ".join(words) in result.output
    assert "--out" in result.output


def test_help_imports_no_torch() -> None:
    code = (
        "import sys\nfrom interplay.cli.main import app\nfrom typer.testing import CliRunner\n"
        "CliRunner().invoke(app, ['--help'])\nprint('torch' in sys.modules, 'diffusers' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]


def expect_one_sentence(result: subprocess.CompletedProcess[str], *needed: str) -> None:
    assert result.returncode == 2, result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "Traceback" not in result.stderr
    for word in needed:
        assert word in errors[0]


def test_a_missing_data_folder(tmp_path: Path) -> None:
    result = run("demo", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out"))
    expect_one_sentence(result, "nowhere")
    assert not (tmp_path / "out" / "clips").exists()


def test_a_missing_clips_artifact(tmp_path: Path) -> None:
    out = tmp_path / "g"
    words = ("generate", "--clips", str(tmp_path / "no"), "--backbone", "tiny-cogvideox", "--out", str(out))
    expect_one_sentence(run(*words), "no")
    assert not out.exists()


def test_an_artifact_of_another_kind(clips: Artifact, tmp_path: Path) -> None:
    result = run("evaluate", "--clips", str(clips.path), "--generation", str(clips.path), "--out", str(tmp_path / "e"))
    expect_one_sentence(result, '"clips"', '"generation"')


def test_an_unknown_recipe_key(clips: Artifact, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("backbone: tiny-cogvideox\nsteps: 1\nbatch_size: 1\nlearning_rate: 1e-3\nlearning_rat: 2\n")
    result = run("train", str(recipe), "--clips", str(clips.path), "--out", str(tmp_path / "t"))
    expect_one_sentence(result, "recipe.yaml", "learning_rat", "learning_rate")
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("world", "make", "--train", "-3"), "field train"),
        (("generate", "--backbone", "tiny-cogvideox", "--clips", "CLIPS", "--steps", "0"), 'key "steps"'),
        (("curate", "DATA", "--height", "-8", "--width", "8"), "field target_hw"),
    ],
)
def test_a_value_that_cannot_be(words: tuple[str, ...], named: str, clips: Artifact, tmp_path: Path) -> None:
    given = [str(clips.path) if word == "CLIPS" else word for word in words]
    expect_one_sentence(run(*given, "--out", str(tmp_path / "out")), named)
    assert not (tmp_path / "out").exists()


def test_ctrl_c_leaves_no_artifact_and_the_next_run_goes_on(tmp_path: Path) -> None:
    words = ("world", "make", "--train", "4000", "--test", "1", "--heldout", "1", "--out", str(tmp_path / "clips"))
    process = subprocess.Popen(command(*words), stderr=subprocess.PIPE, text=True)
    partial = tmp_path / "clips.partial" / "videos"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(list(partial.glob("*.mp4"))) < 30:  # not the one that is being written
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on" in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "clips").exists()
    kept = {path: path.stat().st_mtime_ns for path in partial.iterdir()}
    assert len(kept) >= 30
