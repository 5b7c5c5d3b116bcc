"""Unfinished work goes on, waits, or is dropped by who asks for it: never because somebody asked something else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from interplay.core import unfinished
from interplay.core.artifacts import Artifact, build, scratch
from interplay.core.config import Config
from interplay.core.errors import InputError, InterplayError

CURE = r"; run it as it was begun, give another --out, or --overwrite to drop the unfinished work$"


class Lora(Config):
    rank: int = 16


class Settings(Config):
    steps: int = 100
    layers: tuple[int, ...] = (1, 2)
    lora: Lora | None = Lora()
    caption: str = ""


def asked(
    out: Path, settings: Config | None = None, kind: str = "training", overwrite: bool = False, **inputs: Artifact
) -> Artifact:
    """A run that saves a checkpoint and is interrupted, or goes on from the checkpoint and ends."""

    def make(folder: Path) -> Mapping[str, Any]:
        checkpoint = scratch(folder) / "step-1.pt"
        if not checkpoint.is_file():
            checkpoint.write_text("an hour's work")
            raise KeyboardInterrupt
        return {"from": checkpoint.read_text()}

    return build(out, kind=kind, config=settings or Settings(), inputs=inputs, make=make, overwrite=overwrite)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    with pytest.raises(KeyboardInterrupt):
        asked(tmp_path / "out")
    return tmp_path / "out"


def checkpoint_of(out: Path) -> Path:
    return out.with_name("out.partial") / ".interplay" / "step-1.pt"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"steps": 50}, r"steps 100 \(now 50\)"),
        ({"layers": (1, 3), "steps": 50}, r"steps 100 \(now 50\), layers \[1, 2\] \(now \[1, 3\]\)"),
        ({"lora": Lora(rank=4)}, r"lora\.rank 16 \(now 4\)"),
        ({"lora": None}, r'lora {"rank": 16} \(now null\)'),
        ({"caption": "x" * 100}, r'caption "" \(now "x{56}\.\.\.\)'),
    ],
)
def test_another_config_is_refused_and_the_fields_are_named(out: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=rf"out\.partial: holds unfinished work, begun with {told}{CURE}"):
        asked(out, Settings(**change))
    assert asked(out).summary == {"from": "an hour's work"}, "the run as it was begun goes on"


def test_other_inputs_and_another_kind_are_named(out: Path, tmp_path: Path) -> None:
    clips, others = (
        build(tmp_path / name, kind="clips", config={"name": name}, inputs={}, make=lambda folder: {})
        for name in ("clips", "others")
    )
    with pytest.raises(InputError, match=rf"begun with no input clips{CURE}"):
        asked(out, clips=clips)
    with pytest.raises(InputError, match=rf'begun with another kind of artifact \("training"\){CURE}'):
        asked(out, kind="generation")
    with pytest.raises(KeyboardInterrupt):
        asked(out, clips=clips, overwrite=True)
    with pytest.raises(InputError, match=rf"begun with another input clips{CURE}"):
        asked(out, clips=others)
    with pytest.raises(InputError, match=rf"begun with an input clips{CURE}"):
        asked(out)


def test_of_many_differences_a_few_are_told(tmp_path: Path) -> None:
    def stop(folder: Path) -> Mapping[str, Any]:
        (folder / "half.txt").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "out", kind="k", config={"common": 0}, inputs={}, make=stop)
    config = {"common": 0, **{f"field_{number}": number for number in range(6)}}
    with pytest.raises(InputError, match=r"field_0 nothing \(now 0\), .*field_3 nothing \(now 3\) and 2 more;"):
        build(tmp_path / "out", kind="k", config=config, inputs={}, make=stop)


def test_overwrite_drops_it_and_says_what_was_dropped(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint_of(out).write_text("of the other run")
    with pytest.raises(KeyboardInterrupt):  # which only a run without a checkpoint meets
        asked(out, Settings(steps=50), overwrite=True)
    (line,) = capsys.readouterr().err.splitlines()
    assert "out.partial: unfinished work, begun with steps 100 (now 50), cleared" in line
    assert asked(out, Settings(steps=50), overwrite=True).summary == {"from": "an hour's work"}


def test_a_mark_of_an_earlier_version_goes_on_or_is_refused_without_details(out: Path) -> None:
    mark = checkpoint_of(out).with_name("identity.json")
    mark.write_text(json.dumps({"identity": json.loads(mark.read_text())["identity"]}))
    with pytest.raises(InputError, match=rf"begun with another config or other inputs{CURE}"):
        asked(out, Settings(steps=50))
    assert asked(out).summary == {"from": "an hour's work"}


def test_an_empty_one_is_in_nobodys_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(folder: Path) -> Mapping[str, Any]:
        (folder / "videos").mkdir()
        raise KeyboardInterrupt

    for steps in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            build(tmp_path / "out", kind="k", config=Settings(steps=steps), inputs={}, make=stop)
    assert capsys.readouterr().err == ""


def test_an_error_whose_cure_changes_a_setting_says_what_that_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def diverges(folder: Path) -> Mapping[str, Any]:
        (scratch(folder) / "step-1.pt").touch()
        raise InterplayError("the loss is no number; lower the learning rate")

    with pytest.raises(InterplayError, match="lower the learning rate"):
        build(tmp_path / "out", kind="k", config={}, inputs={}, make=diverges)
    assert "any other needs another --out or --overwrite, which drops it" in capsys.readouterr().err


def test_dying_while_it_is_cleared_leaves_it_known_as_ours(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(unfinished.shutil, "rmtree", dying)
        with pytest.raises(KeyboardInterrupt):
            asked(out, Settings(steps=50), overwrite=True)
    # The mark outlives the rest, so nobody takes what is left for work of his own.
    assert not checkpoint_of(out).exists()
    assert checkpoint_of(out).with_name("identity.json").is_file()


def test_a_mark_that_is_none_is_named(out: Path) -> None:
    checkpoint_of(out).with_name("identity.json").write_text("[]")
    with pytest.raises(InputError, match=r"identity\.json: is no mark of unfinished work; remove .*out\.partial"):
        asked(out)
