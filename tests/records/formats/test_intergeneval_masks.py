"""Masks of the first frame beside tracks of the video: which counts, and what becomes of the other."""

import shutil

import pytest

from intergeneval_fixtures import HEIGHT, NUM_FRAMES, WIDTH, mask
from interplay.core.errors import InputError
from interplay.records.formats.common.mask_files import write_mask
from interplay.records.formats.common.mask_values import MaskOptions
from interplay.records.formats.intergeneval.items import Beside
from interplay.records.formats.intergeneval.layout import open_layout
from interplay.records.formats.intergeneval.masks import apart_as_json, apart_from_json, read_masks
from interplay.records.masks import MaskTrack
from interplay.records.media.video import probe_video


def read(folder, number=0, shown="videos/000.mp4", ids=("id1", "id2"), beside=None, follow_links=False):
    layout = open_layout(folder, first_number=None, follow_links=follow_links)
    info = probe_video(folder / shown)
    return read_masks(layout, number, ids, info, beside or Beside(), MaskOptions())


def test_tracks_and_masks_that_agree_are_one_track(benchmark_folder):
    found = read(benchmark_folder)
    assert list(found.tracks) == ["id1", "id2"]
    expected = [mask(12 + frame) for frame in range(NUM_FRAMES)]
    assert (found.tracks["id2"].to_array() == expected).all()
    assert (found.apart, found.notes) == ({}, [])


def test_a_mask_alone_is_known_in_the_first_frame_only(benchmark_folder):
    shutil.rmtree(benchmark_folder / "tracks/000/id1")
    track = read(benchmark_folder).tracks["id1"]
    assert track.known().tolist() == [True] + [False] * (NUM_FRAMES - 1)
    assert (track.to_array()[0] == mask()).all()


def test_the_masks_of_a_still_are_its_track(benchmark_folder):
    found = read(benchmark_folder, 1, "images/001.png", ids=("id1",))
    assert (found.tracks["id1"].to_array() == [mask(5)]).all()


def test_a_still_with_tracks_and_no_masks_has_their_first_frame(benchmark_folder):
    shutil.copytree(benchmark_folder / "tracks/000/id2", benchmark_folder / "tracks/001/id1")
    shutil.rmtree(benchmark_folder / "masks/001")
    found = read(benchmark_folder, 1, "images/001.png", ids=("id1",))
    assert (found.tracks["id1"].to_array() == [mask(12)]).all()
    assert (
        found.notes[0].problem == f"holds masks of {NUM_FRAMES} frames, and there is no video, only its first picture"
    )


def test_a_mask_that_is_not_frame_0_of_the_track_is_kept_apart(benchmark_folder):
    write_mask(benchmark_folder / "masks/000/id1.png", mask(1))
    found = read(benchmark_folder)
    assert (found.tracks["id1"].to_array()[0] == mask()).all()
    assert (found.apart["id1"].to_array()[0] == mask(1)).all()
    assert "(32 pixels differ)" in found.notes[0].problem
    assert apart_from_json(apart_as_json(found.apart), where="x") == found.apart


def test_a_mask_of_the_picture_s_size_beside_a_video_of_another_is_kept_apart(benchmark_folder):
    shutil.rmtree(benchmark_folder / "tracks/000/id1")
    write_mask(benchmark_folder / "masks/000/id1.png", mask().repeat(2, 0).repeat(2, 1))
    found = read(benchmark_folder)
    assert "id1" not in found.tracks
    assert found.apart["id1"].size_hw == (2 * HEIGHT, 2 * WIDTH)
    assert "and is no track" in found.notes[0].done


def test_recorded_gaps_are_gaps(benchmark_folder):
    write_mask(benchmark_folder / "tracks/000/id1/002.png", mask() & False)
    found = read(benchmark_folder, beside=Beside(gaps={"id1": ((2, 3), (90, 10**12))}))
    assert found.tracks["id1"].known().tolist() == [True, True, False, True, True]


@pytest.mark.parametrize("name", ["<id1>", "ID1"])
def test_other_spellings_of_an_object_are_read(benchmark_folder, name):
    (benchmark_folder / "tracks/000/id1").rename(benchmark_folder / f"tracks/000/{name}")
    assert "id1" in read(benchmark_folder).tracks
    shutil.copytree(benchmark_folder / f"tracks/000/{name}", benchmark_folder / "tracks/000/id1")
    with pytest.raises(InputError, match="two entries for object 1"):
        read(benchmark_folder)


def test_masks_of_an_object_beyond_the_list_keep_their_own_number(benchmark_folder):
    assert list(read(benchmark_folder, ids=("id7",)).tracks) == ["id7", "id2"]


def test_a_track_one_frame_short_is_refused(benchmark_folder):
    (benchmark_folder / "tracks/000/id1/004.png").unlink()
    with pytest.raises(InputError, match=r"004\.png is missing"):
        read(benchmark_folder)


def test_a_file_in_the_place_of_a_folder_of_masks_is_refused(benchmark_folder):
    (benchmark_folder / "tracks/000/id3").write_bytes(b"x")
    with pytest.raises(InputError, match="is no folder"):
        read(benchmark_folder)


def test_a_link_out_of_the_dataset_is_refused(benchmark_folder, tmp_path):
    (benchmark_folder / "masks/000/id1.png").rename(tmp_path / "out.png")
    (benchmark_folder / "masks/000/id1.png").symlink_to(tmp_path / "out.png")
    with pytest.raises(InputError, match="leaves the dataset's folder"):
        read(benchmark_folder)
    assert "id1" in read(benchmark_folder, follow_links=True).tracks


@pytest.mark.parametrize(
    "value",
    [3, {"id1": 4}, {"id1": {}}, {"id1": {"size": [4, 4], "counts": "zzz"}}, {"id1": {"size": [4, 4], "counts": None}}],
)
def test_masks_in_a_clip_s_remarks_are_checked(value):
    with pytest.raises(InputError, match=r"^here"):
        apart_from_json(value, where="here")
    assert apart_from_json(None, where="here") == {}


def test_a_mask_kept_apart_is_a_plain_encoding():
    one = MaskTrack.from_array(mask()[None])
    assert apart_as_json({"id1": one})["id1"] == {"size": [HEIGHT, WIDTH], "counts": one.frames[0].decode()}
