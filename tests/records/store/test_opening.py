"""Clips as the input of a stage: an artifact opens, a folder that a script filled says what to do."""

import pytest

from interplay.core.additions import extend
from interplay.core.artifacts import build
from interplay.core.errors import InputError
from interplay.records.store.opening import open_clips
from interplay.records.store.writer import StoreWriter
from store_processes import gray, small_clip


def fill(folder):
    with StoreWriter(folder) as writer:
        writer.add(small_clip("c0"), frames=gray(1))
    return {}


def test_an_artifact_of_clips_opens(tmp_path):
    made = build(tmp_path / "clips", kind="clips", config={}, inputs={}, make=fill)
    assert open_clips(tmp_path / "clips") == made


def test_a_folder_that_a_script_filled(tmp_path):
    fill(tmp_path / "mine")
    with pytest.raises(
        InputError, match=r"mine: holds clips, but no manifest .* convert .*mine --from store --out NEW"
    ):
        open_clips(tmp_path / "mine")


def test_what_open_artifact_says_of_the_rest(tmp_path):
    build(tmp_path / "clips", kind="clips", config={}, inputs={}, make=fill)

    def stopped(folder):
        (folder / "more").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extend(tmp_path / "clips", kind="clips", config={}, inputs={}, make=stopped)
    for name, message in (("clips", "is not finished"), ("none", "there is no such folder"), (".", "is no artifact")):
        with pytest.raises(InputError, match=message):
            open_clips(tmp_path / name)
