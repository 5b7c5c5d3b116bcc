"""Folders of numbered pictures are videos."""

import numpy as np
import pytest
from PIL import Image

from interplay.core.errors import InputError
from interplay.records.media.video import probe_video, read_video, stream_video, write_image


def make(folder, *names, size=(4, 6)):
    for place, name in enumerate(names):
        write_image(folder / name, np.full((*size, 3), place, dtype=np.uint8))
    return folder


def shown(folder):
    return read_video(folder).frames[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(
    "names",
    [
        ("8.png", "9.png", "10.png", "11.png"),
        ("000.png", "001.png", "002.png"),
        ("clip2_take07_frame_99.png", "clip2_take07_frame_100.png"),
        ("frame_5_rgb.png", "frame_6_rgb.png"),
        ("7.png",),
    ],
)
def test_the_last_number_orders_and_may_begin_anywhere(tmp_path, names):
    folder = make(tmp_path / "frames", *names)
    assert shown(folder) == list(range(len(names)))
    info = probe_video(folder)
    assert (info.num_frames, info.size_hw, info.has_rate, info.codec) == (len(names), (4, 6), False, "picture")


def test_what_is_no_picture_is_no_frame(tmp_path):
    folder = make(tmp_path / "frames", "0.png", "1.png")
    (folder / "notes.txt").write_text("hello")
    (folder / ".2.png").write_text("a hidden leftover")
    (folder / "7").mkdir()
    assert shown(folder) == [0, 1]


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("0.png", "2.png"), "frame 1 is missing between 0.png and 2.png"),
        (("007.png", "008.png", "012.png"), "frame 9 to 11 is missing between 008.png and 012.png"),
        (("1.png", "01.png"), "01.png and 1.png both are number 1"),
        (("0.png", "cover.png"), "the picture cover.png has no number"),
        ((), "is a folder that holds no pictures"),
    ],
)
def test_a_numbering_that_does_not_hold(tmp_path, names, problem):
    folder = tmp_path / "frames"
    folder.mkdir()
    make(folder, *names)
    for read in (probe_video, read_video, lambda path: next(stream_video(path))):
        with pytest.raises(InputError) as error:
            read(folder)
        assert str(error.value).startswith(f"{folder}: {problem}")


def test_sizes_must_agree(tmp_path):
    folder = make(tmp_path / "frames", "0.png", "1.png")
    make(folder, "2.png", size=(4, 7))
    for read in (probe_video, read_video):
        with pytest.raises(InputError, match=r"2\.png: is 7x4 pixels, and 0\.png is 6x4"):
            read(folder)
    assert len(read_video(folder, indices=[0, 1]).frames) == 2


def test_one_bad_picture_is_named(tmp_path):
    folder = make(tmp_path / "frames", "0.png", "1.png")
    (folder / "2.png").write_text("no picture")
    with pytest.raises(InputError, match=r"2\.png: is not a picture"):
        probe_video(folder)


def test_a_folder_may_mix_kinds(tmp_path):
    folder = make(tmp_path / "frames", "0.png")
    Image.new("RGB", (6, 4), (1, 1, 1)).save(folder / "1.bmp")
    assert shown(folder) == [0, 1]
