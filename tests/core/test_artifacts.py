from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from interplay.core import artifacts
from interplay.core.artifacts import Artifact, External, build, open_artifact, scratch, verify
from interplay.core.config import Config
from interplay.core.errors import InputError

Make = Callable[[Path], Mapping[str, Any]]


def write(name: str = "a/b.txt", text: str = "hello") -> Make:
    def make(folder: Path) -> Mapping[str, Any]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        return {"n": 1}

    return make


def build_at(
    out: Path, *, value: int = 1, make: Make | None = None, overwrite: bool = False, **inputs: Artifact
) -> Artifact:
    make = write() if make is None else make
    return build(out, kind="thing", config={"value": value}, inputs=inputs, make=make, overwrite=overwrite)


def never(folder: Path) -> Mapping[str, Any]:
    pytest.fail("made again what was there")


def interrupt_after(name: str) -> Make:
    def make(folder: Path) -> Mapping[str, Any]:
        (folder / name).write_text("half")
        raise KeyboardInterrupt

    return make


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


# --- a finished artifact --------------------------------------------------------------------------------------------


def test_the_manifest_says_what_it_is_and_holds(tmp_path: Path) -> None:
    class Settings(Config):
        layers: tuple[int, ...] = (1, 2)

    source = build_at(tmp_path / "source")
    made = build(tmp_path / "out", kind="analysis", config=Settings(), inputs={"clips": source}, make=write())
    assert (made.kind, made.config, made.summary) == ("analysis", {"layers": [1, 2]}, {"n": 1})
    assert made.manifest["inputs"] == {"clips": {"path": "../source", "identity": source.identity}}
    assert made.input_path("clips") == source.path
    assert made.manifest["files"] == {
        "a/b.txt": {"bytes": 5, "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}
    }
    assert made.manifest["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert names(tmp_path) == ["out", "source"]
    assert names(made.path) == ["a", "manifest.json"]


def test_what_is_built_opens_again(tmp_path: Path) -> None:
    made = build_at(tmp_path / "out")
    assert open_artifact(tmp_path / "out", "thing") == made


def test_a_tree_of_artifacts_moves_as_one(tmp_path: Path) -> None:
    source = build_at(tmp_path / "runs" / "clips")
    build_at(tmp_path / "runs" / "deep" / "out", clips=source)
    (tmp_path / "runs").rename(tmp_path / "moved")
    assert open_artifact(tmp_path / "moved" / "deep" / "out").input_path("clips") == tmp_path / "moved" / "clips"


def test_the_same_question_is_answered_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = build_at(tmp_path / "out")
    assert build_at(tmp_path / "out", make=never) == made
    assert "already there" in capsys.readouterr().err


def test_identity_follows_kind_config_and_inputs(tmp_path: Path) -> None:
    one, two = build_at(tmp_path / "1"), build_at(tmp_path / "2", value=2)
    assert one.identity != two.identity
    assert build_at(tmp_path / "copy").identity == one.identity
    using = {build_at(tmp_path / f"use{i}", x=x).identity for i, x in enumerate((one, two))}
    renamed = build_at(tmp_path / "use-y", y=one).identity
    assert len({*using, renamed, one.identity}) == 4
    other_kind = build(tmp_path / "k", kind="other", config={"value": 1}, inputs={}, make=write())
    assert other_kind.identity != one.identity


def test_an_empty_folder_and_a_relative_path_are_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    assert build_at(Path("../out")).path == tmp_path / "out"


# --- what is in the way ---------------------------------------------------------------------------------------------


def test_another_identity_is_not_replaced_unasked(tmp_path: Path) -> None:
    build_at(tmp_path / "out")
    with pytest.raises(InputError, match=r"out: exists already, .*; give another --out, or --overwrite"):
        build_at(tmp_path / "out", value=2, make=never)
    assert open_artifact(tmp_path / "out").config == {"value": 1}


def test_overwrite_replaces_at_the_very_end(tmp_path: Path) -> None:
    build_at(tmp_path / "out", make=write("old.txt"))

    def make(folder: Path) -> Mapping[str, Any]:
        assert (tmp_path / "out" / "old.txt").exists()
        return write("new.txt")(folder)

    build_at(tmp_path / "out", value=2, make=make, overwrite=True)
    assert names(tmp_path / "out") == ["manifest.json", "new.txt"]
    assert names(tmp_path) == ["out"]


def test_an_overwrite_that_fails_keeps_the_old(tmp_path: Path) -> None:
    old = build_at(tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        build_at(tmp_path / "out", value=2, make=interrupt_after("x"), overwrite=True)
    assert open_artifact(tmp_path / "out") == old


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_foreign_folder_is_never_touched(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"home: exists and is no artifact; give another --out"):
        build_at(tmp_path / "home", make=never, overwrite=overwrite)
    assert names(tmp_path / "home") == ["thesis.tex"]


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="exists and is no artifact"):
        build_at(tmp_path / "out", make=never, overwrite=True)


def test_a_foreign_partial_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "mine.txt").write_text("")
    with pytest.raises(InputError, match=r"out.partial: exists and is no unfinished artifact"):
        build_at(tmp_path / "out", make=never)
    assert names(tmp_path / "out.partial") == ["mine.txt"]


# --- interruptions --------------------------------------------------------------------------------------------------


def test_the_next_run_goes_on_from_the_unfinished_work(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build_at(tmp_path / "out", make=interrupt_after("half.txt"))
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match=r"out: is not finished; run the command that makes it again"):
        open_artifact(tmp_path / "out")

    def resume(folder: Path) -> Mapping[str, Any]:
        assert (folder / "half.txt").read_text() == "half"
        return write("rest.txt")(folder)

    made = build_at(tmp_path / "out", make=resume)
    assert sorted(made.manifest["files"]) == ["half.txt", "rest.txt"]
    assert names(tmp_path) == ["out"]


def test_scratch_helps_to_resume_and_is_dropped(tmp_path: Path) -> None:
    def stop(folder: Path) -> Mapping[str, Any]:
        (scratch(folder) / "step.txt").write_text("7")
        raise KeyboardInterrupt

    def go_on(folder: Path) -> Mapping[str, Any]:
        return {"step": int((scratch(folder) / "step.txt").read_text())}

    with pytest.raises(KeyboardInterrupt):
        build_at(tmp_path / "out", make=stop)
    made = build_at(tmp_path / "out", make=go_on)
    assert made.summary == {"step": 7}
    assert names(made.path) == ["manifest.json"]


CHILD = """
import sys, time
from pathlib import Path
from interplay.core.artifacts import build

def make(folder):
    (folder / "first.bin").write_bytes(b"x" * 100)
    Path(sys.argv[2]).touch()
    time.sleep(60)

build(Path(sys.argv[1]), kind="thing", config={"value": 1}, inputs={}, make=make)
"""


@pytest.fixture
def working_child(tmp_path: Path) -> Any:
    """A process in the middle of ``build(tmp_path / "out")``."""
    sign = tmp_path / "sign"
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path / "out"), str(sign)])
    deadline_s = time.monotonic() + 60
    while not sign.exists():
        assert child.poll() is None, "the child died before it began"
        assert time.monotonic() < deadline_s, "the child did not begin"
        time.sleep(0.02)
    sign.unlink()
    yield child
    child.kill()
    child.wait()


def test_a_killed_process_leaves_nothing_half_written(tmp_path: Path, working_child: subprocess.Popen[bytes]) -> None:
    working_child.send_signal(signal.SIGKILL)
    working_child.wait()
    assert names(tmp_path) == ["out.lock", "out.partial"]

    def resume(folder: Path) -> Mapping[str, Any]:
        assert (folder / "first.bin").stat().st_size == 100
        return {}

    build_at(tmp_path / "out", make=resume)
    assert names(tmp_path) == ["out"]


def test_two_processes_do_not_write_the_same(tmp_path: Path, working_child: subprocess.Popen[bytes]) -> None:
    with pytest.raises(InputError, match=r"out: is being written by another process; wait"):
        build_at(tmp_path / "out", make=never)
    assert working_child.poll() is None
    assert (tmp_path / "out.partial" / "first.bin").exists()


@pytest.mark.parametrize("dies_at", [1, 2])
def test_dying_inside_the_swap_loses_neither_old_nor_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    build_at(tmp_path / "out", make=write("old.txt"))
    real, calls = os.rename, 0

    def dying(source: Path, target: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == dies_at:
            raise KeyboardInterrupt
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(artifacts.os, "rename", dying)
        with pytest.raises(KeyboardInterrupt):
            build_at(tmp_path / "out", value=2, make=write("new.txt"), overwrite=True)

    again = build_at(tmp_path / "out", make=never)  # the old one is still what answers the old question
    assert sorted(again.manifest["files"]) == ["old.txt"]
    new = build_at(tmp_path / "out", value=2, make=lambda folder: {"kept": names(folder)}, overwrite=True)
    assert new.summary["kept"] == [".interplay", "manifest.json", "new.txt"]
    assert names(tmp_path) == ["out"]


def test_an_old_artifact_that_outlived_the_swap_is_removed(tmp_path: Path) -> None:
    build_at(tmp_path / "out")
    (tmp_path / "out.replaced").mkdir()
    build_at(tmp_path / "out", make=never)
    assert names(tmp_path) == ["out"]


def test_a_full_disk_is_named_and_the_work_is_kept(tmp_path: Path) -> None:
    def full(folder: Path) -> Mapping[str, Any]:
        (folder / "half.txt").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="the disk is full") as caught:
        build_at(tmp_path / "out", make=full)
    assert caught.value.where == str(tmp_path)
    assert names(tmp_path / "out.partial") == [".interplay", "half.txt"]


# --- opening what is not right --------------------------------------------------------------------------------------


def test_an_absent_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none: there is no such folder"):
        open_artifact(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file: is a file; name the folder"):
        open_artifact(tmp_path / "file")
    with pytest.raises(InputError, match=r"is no artifact \(no manifest.json\)"):
        open_artifact(tmp_path)


def test_the_kind_must_fit(tmp_path: Path) -> None:
    build_at(tmp_path / "out")
    with pytest.raises(InputError, match=r'is an artifact of the kind "thing"; name an artifact of the kind "clips"'):
        open_artifact(tmp_path / "out", "clips")


@pytest.mark.parametrize(
    ("text", "problem"),
    [("{", "is not valid JSON"), ("[]", "is not a manifest"), ('{"kind": "thing"}', "the field identity is missing")],
)
def test_a_corrupt_manifest_is_named(tmp_path: Path, text: str, problem: str) -> None:
    build_at(tmp_path / "out")
    (tmp_path / "out" / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=rf"out/manifest.json: {problem}"):
        open_artifact(tmp_path / "out")
    with pytest.raises(InputError, match=problem):
        build_at(tmp_path / "out", make=never, overwrite=True)


def test_a_file_that_is_gone_or_cut_is_named(tmp_path: Path) -> None:
    made = build_at(tmp_path / "out")
    (made.path / "a" / "b.txt").write_text("hell")
    with pytest.raises(InputError, match=r"out/a/b.txt: is missing or was changed"):
        open_artifact(made.path)
    (made.path / "a" / "b.txt").unlink()
    with pytest.raises(InputError, match=r"out/a/b.txt: is missing or was changed"):
        open_artifact(made.path)


def test_verify_finds_what_kept_its_size(tmp_path: Path) -> None:
    made = build_at(tmp_path / "out")
    verify(made)
    (made.path / "a" / "b.txt").write_text("jello")
    with pytest.raises(InputError, match=r"out/a/b.txt: was changed after it was made"):
        verify(open_artifact(made.path))


def test_a_summary_without_json_leaves_nothing_finished(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        build_at(tmp_path / "out", make=lambda folder: {"bad": object()})
    assert not (tmp_path / "out").exists()
    assert json.loads((tmp_path / "out.partial" / ".interplay" / "identity.json").read_text())["identity"]


def test_an_input_error_before_any_work_leaves_no_partial(tmp_path: Path) -> None:
    def refuse(folder: Path) -> Mapping[str, Any]:
        raise InputError("does not fit", where="a file", cure="mend it")

    with pytest.raises(InputError, match="does not fit"):
        build_at(tmp_path / "out", make=refuse)
    assert names(tmp_path) == []


def test_an_input_error_after_some_work_keeps_it_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse_late(folder: Path) -> Mapping[str, Any]:
        (folder / "done.txt").write_text("an hour's work")
        raise InputError("does not fit", where="a file", cure="mend it")

    with pytest.raises(InputError, match="does not fit"):
        build_at(tmp_path / "out", make=refuse_late)
    assert (tmp_path / "out.partial" / "done.txt").is_file()
    assert "out.partial: what is done is kept" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        build_at(tmp_path / "file" / "below" / "out")


def test_an_infinite_setting_is_named_before_anything_is_begun(tmp_path: Path) -> None:
    settings = {"fps": 8.0, "loop": {"betas": [0.9, float("inf")]}}
    with pytest.raises(InputError, match=r"settings of the clips, field loop\.betas\.1: is inf; give a finite number"):
        build(tmp_path / "out", kind="clips", config=settings, inputs={}, make=lambda folder: {})
    assert not list(tmp_path.iterdir())


def test_an_external_input_counts_by_its_identity(tmp_path: Path) -> None:
    def identity(name: str, digest: str) -> str:
        given = {"backbone": External(tmp_path / "model", digest)}
        return build(tmp_path / name, kind="k", config={}, inputs=given, make=write()).identity

    assert identity("a", "1") == identity("b", "1")
    assert identity("a2", "2") != identity("b", "1")
