"""Checkpoints are whole, the last few stay, and a damaged one is told and passed over."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from interplay.core.errors import InputError
from interplay.train.checkpoints import Checkpoints


def saved(folder: Path, keep: int) -> Checkpoints:
    checkpoints = Checkpoints(folder, "fit", keep)
    for step in (5, 10, 15):
        checkpoints.save(step, {"step": step, "weights": {"w": torch.full((3,), float(step))}})
    return checkpoints


def test_the_last_few_stay_and_the_best_beside_them(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, keep=2)
    checkpoints.save_best({"weights": {}})
    assert checkpoints.steps() == [10, 15]
    assert checkpoints.best() == {"weights": {}}
    assert {path.name for path in checkpoints.folder.iterdir()} == {
        "step-00000010.pt",
        "step-00000015.pt",
        "best.pt",
    }


def test_the_newest_goes_on(tmp_path: Path) -> None:
    state = saved(tmp_path, keep=1).latest()
    assert state is not None
    assert state["step"] == 15
    assert torch.equal(state["weights"]["w"], torch.full((3,), 15.0))
    assert Checkpoints(tmp_path, "other", 1).latest() is None


@pytest.mark.parametrize(
    "spoil", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"no zip at all"]
)
def test_a_damaged_one_is_told_and_the_one_before_goes_on(
    spoil: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = saved(tmp_path, keep=2)
    last = checkpoints.folder / "step-00000015.pt"
    last.write_bytes(spoil(last.read_bytes()))  # type: ignore[operator]
    state = checkpoints.latest()
    assert state is not None
    assert state["step"] == 10
    assert "step-00000015.pt: cannot be read" in capsys.readouterr().err


def test_when_none_can_be_read_nothing_starts_anew_unasked(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, keep=1)
    (checkpoints.folder / "step-00000015.pt").write_bytes(b"")
    with pytest.raises(InputError, match="none of the checkpoints can be read; remove the folder"):
        checkpoints.latest()


def test_what_a_dying_process_left_is_no_checkpoint(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, keep=1)
    (checkpoints.folder / "step-00000020.tmp").write_bytes(b"half")
    assert checkpoints.steps() == [15]
