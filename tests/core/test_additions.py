"""Adding to a finished artifact: what was there stays, whatever dies when, and nobody opens what is half done."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from interplay.core import additions
from interplay.core.additions import extend
from interplay.core.artifacts import ADDING, Artifact, External, build, open_artifact, scratch, verify
from interplay.core.errors import InputError
from interplay.core.files import read_json, write_json

Make = Callable[[Path], Mapping[str, Any]]


def write(**texts: str) -> Make:
    def make(folder: Path) -> Mapping[str, Any]:
        for name, text in texts.items():
            (folder / f"{name}.txt").write_text(text)
        return {"files": len(list(folder.glob("*.txt")))}

    return make


def never(folder: Path) -> Mapping[str, Any]:
    pytest.fail("made again what was there")


@pytest.fixture
def old(tmp_path: Path) -> Artifact:
    return build(tmp_path / "out", kind="clips", config={"seed": 1}, inputs={}, make=write(a="old"))


def add(old: Artifact, make: Make, *, value: int = 1, overwrite: bool = False, **inputs: External) -> Artifact:
    return extend(old.path, kind="clips", config={"more": value}, inputs=inputs, make=make, overwrite=overwrite)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_the_manifest_tells_what_was_added(tmp_path: Path, old: Artifact) -> None:
    new = add(old, write(b="new"), source=External(tmp_path / "source", "abc"))
    verify(new)
    assert sorted(new.manifest["files"]) == ["a.txt", "b.txt"]
    assert (new.config, new.summary, new.manifest["created"]) == ({"seed": 1}, {"files": 2}, old.manifest["created"])
    (entry,) = new.manifest["added"]
    assert entry["config"] == {"more": 1}
    assert entry["inputs"] == {"source": {"path": "../source", "identity": "abc"}}
    assert new.identity != old.identity
    assert (names(new.path), names(tmp_path)) == (["a.txt", "b.txt", "manifest.json"], ["out"])


def test_the_same_is_added_once(old: Artifact) -> None:
    first = add(old, write(b="new"))
    second = add(old, write(c="more"), value=2)
    assert (add(old, never), add(old, never, value=2)) == (second, second)
    assert len({old.identity, first.identity, second.identity}) == 3


def test_the_identity_comes_from_what_was_there_and_what_was_added(tmp_path: Path, old: Artifact) -> None:
    twin = build(tmp_path / "twin", kind="clips", config={"seed": 1}, inputs={}, make=write(a="old"))
    other = build(tmp_path / "other", kind="clips", config={"seed": 2}, inputs={}, make=write(a="old"))
    identities = [add(artifact, write(b="new")).identity for artifact in (old, twin, other)]
    assert identities[0] == identities[1] != identities[2]


def test_the_old_question_is_answered_no_more(old: Artifact) -> None:
    add(old, write(b="new"))
    with pytest.raises(InputError, match="exists already, made from another config or other inputs"):
        build(old.path, kind="clips", config={"seed": 1}, inputs={}, make=never)


def test_while_it_works_nobody_opens_it(old: Artifact) -> None:
    def look(folder: Path) -> Mapping[str, Any]:
        with pytest.raises(InputError, match="out: is not finished: something is being added to it; run the command"):
            open_artifact(folder)
        return {}

    add(old, look)
    assert open_artifact(old.path).manifest["added"]


def test_there_must_be_something_to_add_to(tmp_path: Path, old: Artifact) -> None:
    with pytest.raises(InputError, match="none: there is no such folder"):
        extend(tmp_path / "none", kind="clips", config={}, inputs={}, make=never)
    with pytest.raises(InputError, match='is an artifact of the kind "clips"'):
        extend(old.path, kind="scores", config={}, inputs={}, make=never)
    assert open_artifact(old.path) == old


def stopped_after(name: str) -> Make:
    def make(folder: Path) -> Mapping[str, Any]:
        (folder / f"{name}.txt").write_text("half")
        (scratch(folder) / "notes").write_text("so far")
        raise KeyboardInterrupt

    return make


def test_an_addition_that_was_broken_off_goes_on(old: Artifact) -> None:
    (old.path / "mine.txt").write_text("a file of somebody's own")
    with pytest.raises(KeyboardInterrupt):
        add(old, stopped_after("b"))
    for refused in (open_artifact, lambda path: build(path, kind="clips", config={}, inputs={}, make=never)):
        with pytest.raises(InputError, match="is not finished: something is being added to it"):
            refused(old.path)

    def go_on(folder: Path) -> Mapping[str, Any]:
        assert (scratch(folder) / "notes").read_text() == "so far"
        return write(b=(folder / "b.txt").read_text() + " and whole")(folder)

    new = add(old, go_on)
    assert (new.path / "b.txt").read_text() == "half and whole"
    assert sorted(new.manifest["files"]) == ["a.txt", "b.txt"]
    assert names(new.path) == ["a.txt", "b.txt", "manifest.json", "mine.txt"]


def test_what_was_half_added_is_not_dropped_unasked(
    tmp_path: Path, old: Artifact, capsys: pytest.CaptureFixture[str]
) -> None:
    (old.path / "mine.txt").write_text("a file of somebody's own")
    with pytest.raises(KeyboardInterrupt):
        add(old, stopped_after("b"))
    cure = "; run it as it was begun, or --overwrite to drop the unfinished work$"
    with pytest.raises(InputError, match=rf"out: holds unfinished work, begun with more 1 \(now 2\){cure}"):
        add(old, never, value=2)
    with pytest.raises(InputError, match=rf"begun with no input source{cure}"):
        add(old, never, source=External(tmp_path / "source", "abc"))
    assert (old.path / "b.txt").read_text() == "half"
    new = add(old, write(c="other"), value=2, overwrite=True)
    assert "out: unfinished work, begun with more 1 (now 2), cleared" in capsys.readouterr().err
    assert names(new.path) == ["a.txt", "c.txt", "manifest.json", "mine.txt"]
    assert [entry["config"] for entry in new.manifest["added"]] == [{"more": 2}]


def test_a_note_of_before_settings_were_told_is_refused_all_the_same(old: Artifact) -> None:
    with pytest.raises(KeyboardInterrupt):
        add(old, stopped_after("b"))
    note = read_json(old.path / ADDING)
    write_json(old.path / ADDING, {name: note[name] for name in ("identity", "manifest", "besides")})
    with pytest.raises(InputError, match="begun with another config or other inputs"):
        add(old, never, value=2)


def test_an_addition_that_added_nothing_yet_is_in_nobodys_way(
    old: Artifact, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(folder: Path) -> Mapping[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add(old, stop)
    assert [entry["config"] for entry in add(old, write(c="c"), value=2).manifest["added"]] == [{"more": 2}]
    assert capsys.readouterr().err == ""


def test_an_error_keeps_what_was_added_and_says_so(old: Artifact, capsys: pytest.CaptureFixture[str]) -> None:
    def wrong(folder: Path) -> Mapping[str, Any]:
        (folder / "b.txt").write_text("half")
        raise InputError("is no table", where="x.csv", cure="mend it")

    with pytest.raises(InputError, match=r"x\.csv: is no table"):
        add(old, wrong)
    assert "out: what is done is kept; a run with the same settings and inputs goes on" in capsys.readouterr().err
    assert sorted(add(old, write(b="whole")).manifest["files"]) == ["a.txt", "b.txt"]


def test_an_error_before_anything_was_added_changes_nothing(old: Artifact) -> None:
    def wrong(folder: Path) -> Mapping[str, Any]:
        raise InputError("is no table", where="x.csv", cure="mend it")

    with pytest.raises(InputError, match=r"x\.csv: is no table"):
        add(old, wrong)
    assert open_artifact(old.path) == old
    assert names(old.path) == ["a.txt", "manifest.json"]


def test_what_was_there_may_not_change(old: Artifact) -> None:
    with pytest.raises(RuntimeError, match=r"a\.txt was changed while something was added beside it"):
        add(old, write(a="changed"))


@pytest.mark.parametrize("step", ["write_json", "write_json twice", "fsync_folder", "entry_of", "rmtree"])
def test_dying_at_any_step_loses_nothing(old: Artifact, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    owner, name = (additions.shutil, "rmtree") if step == "rmtree" else (additions, step.split()[0])
    real, calls = getattr(owner, name), 0

    def dying(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > step.count("twice"):
            raise KeyboardInterrupt
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dying)
        with pytest.raises(KeyboardInterrupt):
            add(old, write(b="new"))
    new = add(old, write(b="new"))
    verify(new)
    assert sorted(new.manifest["files"]) == ["a.txt", "b.txt"]
    assert len(new.manifest["added"]) == 1
    assert add(old, never) == new
    assert names(old.path) == ["a.txt", "b.txt", "manifest.json"]


CHILD = """
import os, signal, sys
from pathlib import Path
from interplay.core.additions import extend

def make(folder):
    (folder / "b.txt").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

extend(Path(sys.argv[1]), kind="clips", config={"more": 1}, inputs={}, make=make)
"""


def test_a_killed_process_loses_nothing(old: Artifact) -> None:
    assert subprocess.run([sys.executable, "-c", CHILD, str(old.path)], check=False).returncode == -9
    with pytest.raises(InputError, match="is not finished"):
        open_artifact(old.path)
    new = add(old, write(b="new"))
    verify(new)
    assert (new.manifest["files"]["a.txt"], len(new.manifest["files"])) == (old.manifest["files"]["a.txt"], 2)
