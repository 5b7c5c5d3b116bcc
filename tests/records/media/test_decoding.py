"""Frame i is frame i, reached from the start or from anywhere, in every kind of file."""

import numpy as np
import pytest

from interplay.core.errors import InputError
from interplay.records.media import decoding
from interplay.records.media.frames import frame_table
from interplay.records.media.video import probe_video, read_video, write_video
from media_files import encode, numbered, numbers, plain_decoding

COUNT = 60
LONG = {"g": "30", "bf": "3"}
FILES = {
    "long_gop.mp4": {"options": LONG},
    "one_key_frame.mp4": {"options": {"g": "999", "bf": "3"}},
    "every_second_a_key.mp4": {"options": {"g": "2"}},
    "open_gop.mp4": {"options": {"g": "12", "x264-params": "open-gop=1:bframes=3:scenecut=0"}},
    "refreshed_by_columns.mp4": {"options": {"g": "12", "x264-params": "intra-refresh=1:bframes=0:scenecut=0"}},
    "fragments.mp4": {"options": LONG, "layout": {"movflags": "+frag_keyframe+empty_moov"}},
    "other.mkv": {"options": LONG},
    "other.ts": {"options": LONG},
    "old.avi": {"codec": "mpeg4", "options": {"g": "12", "bf": "2"}},
    "other.webm": {"codec": "libvpx", "options": {"g": "12"}},
    "no_clock.h264": {"options": LONG},
    "few_times.mpg": {"codec": "mpeg2video", "options": {"g": "12", "bf": "2"}},
    "moving.gif": {"codec": "gif", "pixels": "rgb8", "rate": 10},
    "uneven.mp4": {"options": LONG, "times": [number * 40 + number % 3 * 10 for number in range(COUNT)]},
}


@pytest.mark.parametrize("name", FILES)
def test_every_index_by_random_access_equals_decoding_from_the_start(tmp_path, name):
    path = tmp_path / name
    encode(path, numbered(COUNT), **FILES[name])
    plain = plain_decoding(path)
    whole = read_video(path).frames
    assert len(plain) == probe_video(path).num_frames == COUNT
    assert numbers(whole) == list(range(COUNT))
    assert (whole == plain).all()
    for index in range(COUNT):
        assert (read_video(path, indices=[index]).frames[0] == plain[index]).all(), index
    for first in range(0, COUNT, 9):
        some = [first, min(first + 1, COUNT - 1), min(first + 23, COUNT - 1), COUNT - 1]
        assert (read_video(path, indices=some).frames == plain[some]).all(), some


def test_seeking_is_used_and_lands_where_it_should(tmp_path, monkeypatch):
    path = tmp_path / "a.mp4"
    encode(path, numbered(70), options={"g": "10", "bf": "2"})
    decoded = []
    monkeypatch.setattr(decoding._Walk, "_is_sound", lambda self, frame: decoded.append(frame.pts) or True)
    assert numbers(read_video(path, indices=[57]).frames) == [57]
    assert len(decoded) <= 10


def test_a_file_that_lands_elsewhere_is_read_from_its_start(tmp_path, monkeypatch):
    path = tmp_path / "a.mp4"
    encode(path, numbered(70), options={"g": "10"})
    table = frame_table(path)
    elsewhere = type(table)(**{**vars(table), "key_dts": table.key_dts[1:] + table.key_dts[-1:]})
    monkeypatch.setattr(decoding, "frame_table", lambda _: elsewhere)
    indices = [3, 41, 42, 68]
    assert numbers(np.stack(list(decoding.decode_frames(path, indices)))) == indices


def test_damaged_data_is_said_and_what_lies_before_it_can_be_read(tmp_path):
    path = tmp_path / "a.mp4"
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    write_video(path, frames, 8.0)
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half : half + 3000] = bytes(3000)
    path.write_bytes(bytes(data))
    assert probe_video(path).num_frames == 20  # a header that tells the truth: only decoding finds this
    with pytest.raises(InputError, match=r"a\.mp4: frame \d+ cannot be decoded") as error:
        read_video(path)
    place = int(error.value.problem.split()[1])
    assert 0 < place < 20
    assert (read_video(path, indices=range(place)).frames == frames[:place]).all()


def test_transparency_is_shown_over_white_and_opaque_pixels_stay():
    picture = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 100, 200, 128]]], dtype=np.uint8)
    assert decoding.over_white(picture).tolist() == [[[10, 20, 30], [255, 255, 255], [127, 177, 227]]]


def test_a_video_with_transparency(tmp_path):
    import av

    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("qtrle", rate=10)
        stream.height, stream.width, stream.pix_fmt = 8, 8, "argb"
        for alpha in (255, 0):
            picture = np.full((8, 8, 4), (alpha, 10, 20, 30), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="argb")))
        container.mux(stream.encode(None))
    assert read_video(path).frames[:, 0, 0].tolist() == [[10, 20, 30], [255, 255, 255]]
