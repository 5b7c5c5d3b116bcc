"""Ids out of paths, and the places of files."""

from pathlib import Path, PurePosixPath

import pytest

from interplay.core.errors import InputError
from interplay.records.formats.common.naming import Taken, clip_id_from, placed
from interplay.records.store.layout import check_id, is_own_place


@pytest.mark.parametrize(
    ("path", "clip_id"),
    [
        ("input_video/000", "000"),
        ("set A/input_video/my clip (1)", "set-A-my-clip-1-"),
        ("../x/./y", "x-y"),
        ("/data/x", "data-x"),
        (".hidden", "hidden"),
    ],
)
def test_an_id_out_of_a_path(path, clip_id):
    assert clip_id_from(PurePosixPath(path), dropped="input_video") == clip_id


@pytest.mark.parametrize("path", ["---", "日本語", "a" * 300, "deep/" * 100 + "x", "ä" * 10])
def test_an_id_is_safe_whatever_the_path(path):
    clip_id = clip_id_from(PurePosixPath(path))
    check_id(clip_id, where="test")
    assert len(clip_id) <= 150


def test_long_paths_that_begin_alike_have_different_ids():
    assert clip_id_from(PurePosixPath("a" * 300 + "1")) != clip_id_from(PurePosixPath("a" * 300 + "2"))
    assert clip_id_from(PurePosixPath("日")) != clip_id_from(PurePosixPath("本"))


def test_an_id_is_given_once():
    taken = Taken()
    taken.take("a", "row 1")
    with pytest.raises(InputError, match="row 2: would be called 'a', as row 1 is already"):
        taken.take("a", "row 2")


def test_files_lie_in_the_store_s_places():
    video, media, files = placed("c0", Path("/x/a.MP4"), {"audio": Path("/y/b.wav"), "odd": Path("/y/c.w v")})
    assert (video, media) == ("videos/c0.mp4", {"audio": "media/c0/audio.wav", "odd": "media/c0/odd"})
    assert files == {video: Path("/x/a.MP4"), media["audio"]: Path("/y/b.wav"), media["odd"]: Path("/y/c.w v")}
    assert all(is_own_place("c0", path) for path in files)
