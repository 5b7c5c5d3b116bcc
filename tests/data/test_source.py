"""The fingerprint of a source changes with what it holds, and ends however its links lead."""

from __future__ import annotations

from pathlib import Path

import pytest

from interplay.core.errors import InputError
from interplay.data.source import check_apart, choose_format, fingerprint, open_source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "videos").mkdir(parents=True)
    (folder / "videos" / "a.mp4").write_bytes(b"12345")
    (folder / "data.csv").write_text("a,b\n")
    return folder


def test_it_does_not_depend_on_where_the_folder_lies(folder: Path, tmp_path: Path) -> None:
    before = fingerprint(folder)
    folder.rename(tmp_path / "elsewhere")
    assert fingerprint(tmp_path / "elsewhere") == before


def test_names_sizes_and_the_text_of_tables_count(folder: Path) -> None:
    seen = {fingerprint(folder)}
    (folder / "videos" / "a.mp4").write_bytes(b"123456")
    seen.add(fingerprint(folder))
    (folder / "videos" / "a.mp4").rename(folder / "videos" / "b.mp4")
    seen.add(fingerprint(folder))
    (folder / "data.csv").write_text("a,c\n")
    seen.add(fingerprint(folder))
    (folder / "link").symlink_to("videos")
    seen.add(fingerprint(folder))
    assert len(seen) == 5


def test_loops_and_dead_links_end(folder: Path) -> None:
    (folder / "loop").symlink_to(folder)
    (folder / "self.json").symlink_to(folder / "self.json")
    (folder / "dead").symlink_to("nowhere")
    assert len(fingerprint(folder)) == 16


def test_a_single_file_is_a_source_too(folder: Path) -> None:
    assert fingerprint(folder / "data.csv") != fingerprint(folder / "videos" / "a.mp4")


@pytest.mark.parametrize("out", ["source", "source/out", "."])
def test_what_is_written_lies_outside_of_what_is_read(folder: Path, out: str) -> None:
    with pytest.raises(InputError, match="lie in one another"):
        check_apart(folder, folder.parent / out)
    check_apart(folder, folder.parent / "source-2")


def test_formats_and_options_that_do_not_exist(folder: Path) -> None:
    with pytest.raises(InputError, match='dataset format "matrx": is not a known dataset format; known are: co'):
        open_source(folder, "matrx")
    with pytest.raises(InputError, match=r'--set folow_links=true: unknown key "folow_links"; did you mean "follow_li'):
        choose_format("store", ["folow_links=true"])
    with pytest.raises(InputError, match="there is no such file or folder"):
        open_source(folder / "nowhere")


def test_the_clips_of_a_store_are_counted_before_they_are_read(tmp_path: Path) -> None:
    from interplay.world.make import WorldConfig
    from interplay.world.make import run as make

    store = make(WorldConfig(train=3), tmp_path / "clips").path
    assert open_source(store).count() == 3
    next((store / "clips").glob("*.parquet")).write_bytes(b"no table")
    assert open_source(store, "store").count() is None
