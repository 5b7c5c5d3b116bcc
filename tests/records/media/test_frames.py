"""The table of frames: what a file shows, whatever its header says."""

import shutil
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from interplay.core.errors import InputError
from interplay.records.media.frames import frame_table
from interplay.records.media.video import probe_video, read_video, stream_video, timeline_of, write_video
from media_files import encode, numbered, numbers, patch

AT_THE_FRONT = {"movflags": "+faststart"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.mp4"


def cut(path, part):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])


def test_an_edit_list_hides_frames(path):
    encode(path, numbered(40), options={"g": "12", "bf": "3"})
    patch(path, b"elst", 12, ">i", 1024 + 10 * 512)  # the time in the track at which the film begins
    info = probe_video(path)
    assert (info.num_frames, info.declared_frames, info.fps, info.duration_s) == (30, 40, 25.0, 1.2)
    assert numbers(read_video(path).frames) == list(range(10, 40))
    assert [numbers(read_video(path, indices=[k]).frames) for k in (0, 5, 29)] == [[10], [15], [39]]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_variable_rate_and_a_late_start(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    encode(path, numbered(5), times=[500, 600, 650, 900, 1500])
    info, timeline = probe_video(path), timeline_of(path)
    assert info.variable_rate
    assert [timeline.start_s(k) for k in range(5)] == pytest.approx([0, 0.1, 0.15, 0.4, 1.0])
    assert info.fps == pytest.approx(5 / info.duration_s)
    assert frame_table(path).origin_s == Fraction(1, 2)
    assert numbers(read_video(path).frames) == list(range(5))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("rate", [8, 25, Fraction(24000, 1001), Fraction(30000, 1001)])
def test_a_coarse_clock_is_no_variable_rate(tmp_path, suffix, rate):
    path = tmp_path / f"a.{suffix}"
    encode(path, numbered(40), rate=rate)
    info = probe_video(path)
    assert not info.variable_rate
    assert info.fps == pytest.approx(float(rate), rel=1e-5)
    assert info.duration_s == pytest.approx(40 / float(rate), abs=2e-3)


def test_gif_delays(tmp_path):
    from PIL import Image

    pictures = [Image.fromarray(frame).quantize(8) for frame in numbered(3)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=[100, 300, 50])
    timeline = timeline_of(tmp_path / "a.gif")
    assert [timeline.start_s(k) for k in range(4)] == pytest.approx([0, 0.1, 0.4, 0.45])
    assert probe_video(tmp_path / "a.gif").variable_rate
    assert numbers(read_video(tmp_path / "a.gif").frames) == [0, 1, 2]


def test_pictures_before_the_cut_of_an_open_gop_are_no_frames(tmp_path):
    whole, part = tmp_path / "a.mkv", tmp_path / "b.mkv"
    encode(whole, numbered(40), options={"g": "12", "x264-params": "open-gop=1:bframes=3:b-adapt=0:scenecut=0"})
    with av.open(str(whole)) as source, av.open(str(part), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        second = [place for place, packet in enumerate(packets) if packet.is_keyframe][1]
        leading = [packet for packet in packets[second:] if packet.pts < packets[second].pts]
        for packet in packets[second:]:
            packet.stream = stream
            target.mux(packet)
    assert leading  # shown before the key frame that they follow, and made from what was cut away
    frames = numbers(read_video(part).frames)
    assert frames == list(range(40 - len(frames), 40))
    assert probe_video(part).num_frames == len(frames) == len(packets) - second - len(leading)


def test_pictures_that_are_only_referred_to_are_no_frames(tmp_path):
    whole, part = tmp_path / "a.webm", tmp_path / "b.webm"
    encode(whole, numbered(30), codec="libvpx")
    with av.open(str(whole)) as source, av.open(str(part), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size:
                data = bytearray(bytes(packet))
                data[0] &= 0xEF if number == 10 else 0xFF  # the bit "show this frame" (RFC 6386, section 9.1)
                hidden = av.Packet(bytes(data))
                hidden.stream, hidden.pts, hidden.dts, hidden.time_base = (
                    stream,
                    packet.pts,
                    packet.dts,
                    packet.time_base,
                )
                hidden.is_keyframe = packet.is_keyframe
                target.mux(hidden)
    shown = [number for number in range(30) if number != 10]
    assert probe_video(part).num_frames == 29
    assert numbers(read_video(part).frames) == shown
    assert numbers(read_video(part, indices=[9, 10, 28]).frames) == [9, 11, 29]


# --- files that break off ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.mp4", {"layout": AT_THE_FRONT, "options": {"bf": "0"}}),
        ("b.mp4", {"layout": AT_THE_FRONT, "options": {"bf": "3"}}),
        ("c.mp4", {"layout": {"movflags": "+frag_keyframe+empty_moov"}, "options": {"g": "10"}}),
        ("a.mkv", {}),
        ("a.webm", {"codec": "libvpx"}),
        ("a.gif", {"codec": "gif", "pixels": "rgb8", "rate": 10}),
    ],
)
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_file_that_breaks_off(tmp_path, name, how, part):
    path = tmp_path / name
    rng = np.random.default_rng(0)
    frames = numbered(60) // 2 + rng.integers(0, 90, (60, 32, 64, 3), dtype=np.uint8)
    encode(path, frames, **how)
    whole = read_video(path).frames
    cut(path, part)
    declared = "of 60 declared frames" if name in ("a.mp4", "b.mp4") else "frames"
    message = rf"{name}: breaks off: only the first (\d+) {declared} can be read"
    for read in (probe_video, read_video, timeline_of, lambda path: list(stream_video(path))):
        with pytest.raises(InputError, match=message):
            read(path)
    readable = frame_table(path).readable
    assert 0 < readable < 60
    assert (read_video(path, indices=range(readable)).frames == whole[:readable]).all()
    assert (read_video(path, indices=[readable - 1]).frames[0] == whole[readable - 1]).all()
    with pytest.raises(InputError, match=message):
        read_video(path, indices=[0, readable])


def test_every_frame_before_the_cut_is_counted_when_none_is_reordered(path):
    encode(path, numbered(60), layout=AT_THE_FRONT, options={"bf": "0"})
    with av.open(str(path)) as container:
        ends = [packet.pos + packet.size for packet in container.demux(video=0) if packet.size]
    path.write_bytes(path.read_bytes()[: ends[24] + 1])
    assert frame_table(path).readable == 25


def test_no_frame_is_counted_behind_one_that_is_missing(path):
    encode(path, numbered(60), layout=AT_THE_FRONT, options={"x264-params": "bframes=3:b-adapt=0:scenecut=0"})
    whole = read_video(path).frames
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        ends, shown_at = [packet.pos + packet.size for packet in packets], [packet.pts // 512 for packet in packets]
    data = path.read_bytes()
    for count in range(20, 29):  # some of these end with a picture that is shown after others which are cut away
        path.write_bytes(data[: ends[count - 1]])
        gapless = next(number for number in range(61) if number not in shown_at[:count])
        readable = frame_table(path).readable
        assert gapless - 3 <= readable <= gapless
        assert (read_video(path, indices=range(readable)).frames == whole[:readable]).all()


@pytest.mark.parametrize("first", [10, 30])
def test_an_edit_list_and_no_cut(path, first):
    encode(path, numbered(40), options={"g": "12", "bf": "3"}, layout=AT_THE_FRONT)
    patch(path, b"elst", 12, ">i", 1024 + first * 512)
    assert numbers(read_video(path).frames) == list(range(first, 40))
    assert probe_video(path).declared_frames == 40


def test_an_edit_list_and_a_cut(path):
    encode(path, numbered(40), options={"g": "12", "bf": "3"}, layout=AT_THE_FRONT)
    patch(path, b"elst", 12, ">i", 1024 + 10 * 512)
    cut(path, 0.9)
    with pytest.raises(InputError, match=r"only the first \d+ of 40 declared frames"):
        probe_video(path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
def test_a_cut_before_or_in_the_header(path, part):
    write_video(path, numbered(20), 8.0)
    cut(path, part)
    with pytest.raises(InputError, match=r"breaks off before its header ends \(moov\)"):
        probe_video(path)


# --- headers that lie -------------------------------------------------------------------------------------------------


def test_a_header_of_half_a_thousand_million_frames(path):
    write_video(path, numbered(4), 8.0)
    patch(path, b"stsz", 4, ">II", 1, 500_000_000)  # 12 GB of the library's index entries
    with pytest.raises(InputError, match=r"declares 500000000 samples, and the file has \d+ bytes"):
        probe_video(path)


def test_a_fragment_of_a_thousand_million_frames(path):
    encode(path, numbered(10), layout={"movflags": "+frag_keyframe+empty_moov"})
    patch(path, b"trun", 4, ">I", 1_000_000_000)
    with pytest.raises(InputError, match="declares 10000"):
        probe_video(path)


@pytest.mark.parametrize(("side", "problem"), [(16000, "declares pictures of 16000x16000 pixels"), (65535, "decoded")])
def test_a_gif_of_a_thousand_million_pixels(tmp_path, side, problem):
    path = tmp_path / "a.gif"
    encode(path, numbered(3), codec="gif", pixels="rgb8", rate=10)
    data = bytearray(path.read_bytes())
    struct.pack_into("<HH", data, 6, side, side)
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=problem):
        probe_video(path)


def test_an_avi_that_breaks_off(tmp_path):
    path = tmp_path / "a.avi"
    encode(path, numbered(60), codec="mpeg4")
    cut(path, 0.7)  # the library finds little in an AVI without its index; that it breaks off is what counts
    with pytest.raises(InputError, match="breaks off"):
        read_video(path)


def test_an_avi_without_its_index_holds_all_its_frames(tmp_path):
    path = tmp_path / "a.avi"
    encode(path, numbered(20), codec="mpeg4")
    path.write_bytes(path.read_bytes()[:-100])
    assert numbers(read_video(path).frames) == list(range(20))


def test_no_header(path):
    write_video(path, numbered(4), 8.0)
    path.write_bytes(path.read_bytes().replace(b"moov", b"free"))
    with pytest.raises(InputError, match=r"has no header \(moov\)"):
        probe_video(path)


def test_a_cover_is_no_video(tmp_path):
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.height, cover.width, cover.pix_fmt = 32, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(numbered(1)[0], format="rgb24")))
        container.mux(cover.encode(None))
    with pytest.raises(InputError, match="holds no video stream"):
        probe_video(path)


def test_the_table_is_remembered_by_the_files_own_state(path, tmp_path):
    write_video(path, numbered(4), 8.0)
    assert frame_table(path) is frame_table(path)
    write_video(tmp_path / "b.mp4", numbered(6), 8.0)
    shutil.copy(tmp_path / "b.mp4", path)
    assert frame_table(path).num_frames == 6
