"""``interplay data`` as a user and a script meet it: output, exit codes, bad input, interrupted work."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interplay.core.additions import extend
from interplay.core.artifacts import Artifact


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-c", "from interplay.cli.main import main; main()", "data", *map(str, words)]


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The command in this process, which has paid its imports already; signals are tried in processes of their own."""
    from interplay.cli.main import main

    given, handler = sys.argv, signal.getsignal(signal.SIGINT)
    sys.argv = ["interplay", "data", *map(str, words)]
    code, output, errors = 0, io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.argv = given
        signal.signal(signal.SIGINT, handler)
    return subprocess.CompletedProcess(words, code, output.getvalue(), errors.getvalue())


def expect_one_sentence(result: subprocess.CompletedProcess[str], *needed: str) -> None:
    assert result.returncode == 2, result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "Traceback" not in result.stderr
    for word in needed:
        assert word in errors[0]


@pytest.fixture
def damaged(clips: Artifact, tmp_path: Path) -> Path:
    """The world's clips with one video that breaks off and one that is missing."""
    folder = tmp_path / "damaged"
    shutil.copytree(clips.path, folder)
    (folder / "manifest.json").unlink()
    first, second, *_ = sorted((folder / "videos").iterdir())
    first.write_bytes(first.read_bytes()[:500])
    second.unlink()
    return folder


# --- check -----------------------------------------------------------------------------------------------------------


def test_check_prints_a_table_and_writes_everything(clips: Artifact, tmp_path: Path) -> None:
    result = run("check", clips.path, "--json", tmp_path / "found.json")
    assert result.returncode == 0, result.stderr
    assert "mask-tiny" in result.stdout
    assert "7 clips found: 7 checked, 0 cannot be read" in result.stdout
    told = json.loads((tmp_path / "found.json").read_text())
    assert told["format"] == "store"
    assert told["clips"] == {"found": 7, "checked": 7, "rejected": 0}
    assert {finding["severity"] for finding in told["findings"]} == {"warning"}
    assert run("check", clips.path, "--strict").returncode == 1


def test_check_ends_with_1_when_there_are_errors(damaged: Path) -> None:
    result = run("check", damaged, "--buckets", "80x48x17,160x96x33")
    assert result.returncode == 1, result.stderr
    assert "video-unreadable" in result.stdout
    assert "rejected" in result.stdout
    assert "buckets 80x48x17 (6)" in result.stdout


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        (("check", "NOWHERE"), ("nowhere", "there is no such file or folder")),
        (("check", "CLIPS", "--from", "matrx"), ('"matrx"', "known are", "matrix")),
        (("check", "CLIPS", "--set", "folow_links=true"), ("folow_links", "follow_links")),
        (("check", "CLIPS", "--fps", "-3"), ("field fps", "-3")),
        (("check", "CLIPS", "--buckets", "480by720"), ("480by720", "480x720x49")),
        (("check", "CLIPS", "--max-tokens", "9"), ("--tokenizer",)),
        (("check", "CLIPS", "--json", "CLIPS"), ("cannot be written",)),
        (("convert", "CLIPS", "--to", "nothing", "--out", "OUT"), ('"nothing"', "known are")),
        (("convert", "CLIPS", "--set-to", "a=b", "--out", "OUT"), ('unknown key "a"',)),
        (("convert", "CLIPS", "--out", "CLIPS"), ("lie in one another",)),
        (("convert", "CLIPS", "--append", "--out", "OUT"), ("there is no such folder",)),
        (("show", "CLIPS", "--page-size", "0", "--out", "OUT"), ("field page_size",)),
    ],
)
def test_bad_input_is_one_sentence(
    words: tuple[str, ...], needed: tuple[str, ...], clips: Artifact, tmp_path: Path
) -> None:
    places = {"CLIPS": str(clips.path), "OUT": str(tmp_path / "out"), "NOWHERE": str(tmp_path / "nowhere")}
    expect_one_sentence(run(*(places.get(word, word) for word in words)), *needed)
    assert not (tmp_path / "out").exists()


# --- convert ---------------------------------------------------------------------------------------------------------


def test_convert_tells_scripts_that_clips_were_left_out(damaged: Path, tmp_path: Path) -> None:
    result = run("convert", damaged, "--from", "store", "--out", tmp_path / "out")
    assert result.returncode == 1, result.stderr
    counts, *_, last = result.stdout.splitlines()
    assert counts.startswith("7 clips found: ")
    assert last == str(tmp_path / "out")
    written = len(list((tmp_path / "out" / "videos").iterdir()))
    left_out = (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()
    assert written + len(left_out) == 7
    assert left_out
    again = run("convert", damaged, "--from", "store", "--out", tmp_path / "out", "--allow-quarantine")
    assert again.returncode == 0
    assert "already there" in again.stderr


def test_what_another_command_has_half_added_goes_with_overwrite_alone(clips: Artifact, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(clips.path, out)

    def stop(folder: Path) -> dict[str, object]:
        (folder / "half.txt").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extend(out, kind="clips", config={"source": "another"}, inputs={}, make=stop)
    words = ("convert", clips.path, "--append", "--out", out)
    expect_one_sentence(run(*words), "holds unfinished work, begun with source", "or --overwrite to drop")
    assert (out / "half.txt").is_file()
    added = run(*words, "--overwrite")
    assert added.returncode == 0, added.stderr
    assert "unfinished work, begun with source" in added.stderr
    assert not (out / "half.txt").exists()


def test_convert_to_a_foreign_layout_and_back(clips: Artifact, tmp_path: Path) -> None:
    there = run("convert", clips.path, "--to", "matrix", "--out", tmp_path / "matrix")
    assert there.returncode == 0, there.stderr
    assert "losses.jsonl" in there.stdout
    back = run("convert", tmp_path / "matrix", "--out", tmp_path / "store")
    assert back.returncode == 0, back.stderr
    from interplay.records.store.reader import ClipStore

    before, after = ClipStore(clips.path), ClipStore(tmp_path / "store")
    assert sorted(after.ids) == sorted(before.ids)
    for clip in before:
        assert after.get(clip.clip_id).tracks == clip.tracks
        assert (after.frames(after.get(clip.clip_id)) == before.frames(clip)).all()


def test_one_process_at_a_time_writes(clips: Artifact, tmp_path: Path) -> None:
    from interplay.core.files import exclusive

    with exclusive(tmp_path / "out.lock", owner=tmp_path / "out"):
        expect_one_sentence(run("convert", clips.path, "--out", tmp_path / "out"), "being written by another process")
        expect_one_sentence(run("show", clips.path, "--out", tmp_path / "out"), "being written by another process")


# --- interrupted work ------------------------------------------------------------------------------------------------


def stop_when(process: subprocess.Popen[str], folder: Path, files: int, how: signal.Signals) -> tuple[int, str]:
    """Send a signal as soon as ``folder`` holds so many files."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if folder.is_dir() and sum(len(names) for _, _, names in os.walk(folder)) >= files:
            break
        time.sleep(0.01)
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


CONVERT, SHOW = ("convert",), ("show", "--page-size", "4", "--frames", "1")


@pytest.mark.parametrize(
    ("words", "place", "how", "code", "used"),
    [
        (CONVERT, "out.partial/videos", signal.SIGINT, 130, True),
        # A killed writer has not finished its part of the table: its media are made again.
        (CONVERT, "out.partial/videos", signal.SIGKILL, -9, False),
        (SHOW, "out.partial/thumbs", signal.SIGKILL, -9, True),
    ],
)
def test_interrupted_work_is_kept_and_goes_on(
    words: tuple[str, ...], place: str, how: signal.Signals, code: int, used: bool, many_clips: Path, tmp_path: Path
) -> None:
    full = command(*words, many_clips, "--out", tmp_path / "out")
    process = subprocess.Popen(full, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    returned, errors = stop_when(process, tmp_path / place, 12, how)
    assert returned == code
    assert "Traceback" not in errors
    assert not (tmp_path / "out").exists()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / place).rglob("[!.]*") if path.is_file()}
    assert kept
    result = run(*words, many_clips, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["summary"]["found"] == 40
    unchanged = [path for path, made in kept.items() if _finished(path, tmp_path).stat().st_mtime_ns == made]
    assert bool(unchanged) == used


def _finished(path: Path, root: Path) -> Path:
    return root / "out" / path.relative_to(root / "out.partial")


@pytest.fixture(scope="session")
def many_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from interplay.world.make import WorldConfig
    from interplay.world.make import run as make

    return make(WorldConfig(train=40), tmp_path_factory.mktemp("many") / "clips").path


@pytest.mark.parametrize("name", ["check", "convert", "show"])
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = run(name, "--help")
    assert result.returncode == 0
    assert f"Example: interplay data {name} DATA" in result.stdout


def test_the_help_names_every_format() -> None:
    from interplay.cli.data import FORMAT_NAMES
    from interplay.records.formats.registry import FORMATS

    assert sorted(FORMAT_NAMES.split(", ")) == list(FORMATS.names())
