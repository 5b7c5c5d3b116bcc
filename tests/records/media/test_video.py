"""The front door: what is written losslessly is what is read, and what is no video says so."""

import wave

import numpy as np
import pytest

from interplay.core.errors import InputError
from interplay.records.clip import STILL_FPS
from interplay.records.media.video import (
    VideoInfo,
    probe_video,
    read_video,
    read_video_at,
    stream_video,
    timeline_of,
    write_image,
    write_video,
)
from media_files import encode, numbered, numbers


def noise(frames=5, height=16, width=24, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(16, 24), (48, 80), (17, 23), (256, 272)])
def test_lossless_means_every_pixel(tmp_path, size):
    frames = noise(3, *size)
    write_video(tmp_path / "a.mp4", frames, 8.0)
    video = read_video(tmp_path / "a.mp4")
    assert (video.frames == frames).all()
    assert video.frames.dtype == np.uint8
    assert video.fps == 8.0


@pytest.mark.parametrize("fps", [8.0, 23.976, 24.0, 25.0, 29.97])
def test_probe(tmp_path, fps):
    write_video(tmp_path / "a.mp4", noise(7), fps)
    info = probe_video(tmp_path / "a.mp4")
    assert (info.num_frames, info.size_hw) == (7, (16, 24))
    assert info.fps == pytest.approx(fps, rel=1e-3)


def test_chosen_frames_come_in_the_order_asked_for(tmp_path):
    frames = noise(9)
    write_video(tmp_path / "a.mp4", frames, 8.0)
    assert (read_video(tmp_path / "a.mp4", indices=[7, 0, 0, 3]).frames == frames[[7, 0, 0, 3]]).all()
    with pytest.raises(InputError, match="has 9 frames, and frame 12 is asked for"):
        read_video(tmp_path / "a.mp4", indices=[0, 12])


def sound(path):
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(16000)
        stream.writeframes(bytes(3200))


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.mkdir(), "is a folder that holds no pictures"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_text("hello, this is no video\n" * 20), "is not a readable video"),
        (sound, "holds no video stream"),
    ],
)
def test_not_a_video(tmp_path, make, problem):
    path = tmp_path / "clip.mp4"
    make(path)
    for read in (read_video, probe_video):
        with pytest.raises(InputError) as error:
            read(path)
        assert str(error.value).startswith(f"{path}: {problem}")


def test_a_video_that_breaks_off_is_not_a_short_video(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, noise(), 8.0)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InputError, match=r"a\.mp4"):
        read_video(path)


def test_every_kind_goes_through_one_door(tmp_path):
    frames = noise(4)
    write_video(tmp_path / "a.mp4", frames, 8.0)
    encode(tmp_path / "a.gif", frames, codec="gif", pixels="rgb8", rate=10)
    write_image(tmp_path / "a.png", frames[0])
    for number, frame in enumerate(frames):
        write_image(tmp_path / "folder" / f"{number}.png", frame)
    kinds = {"a.mp4": (4, 8.0), "a.gif": (4, 10.0), "a.png": (1, STILL_FPS), "folder": (4, STILL_FPS)}
    for name, (count, fps) in kinds.items():
        path = tmp_path / name
        info = probe_video(path)
        assert (info.num_frames, info.size_hw, info.fps) == (count, (16, 24), fps)
        assert info.duration_s == pytest.approx(count / fps)
        assert info.has_rate == (name in ("a.mp4", "a.gif"))
        whole = read_video(path)
        assert (whole.frames.shape, whole.fps) == ((count, 16, 24, 3), fps)
        assert (np.stack(list(stream_video(path))) == whole.frames).all()
        assert (read_video(path, indices=[count - 1, 0]).frames == whole.frames[[count - 1, 0]]).all()
        assert timeline_of(path).num_frames == count
        if name != "a.gif":
            assert (whole.frames == frames[:count]).all()
        with pytest.raises(InputError, match=f"has {count} frames, and frame {count} is asked for"):
            read_video(path, indices=[count])


def test_what_a_probe_tells(tmp_path):
    write_video(tmp_path / "a.mp4", noise(4), 8.0)
    assert probe_video(tmp_path / "a.mp4") == VideoInfo(
        num_frames=4,
        size_hw=(16, 24),
        fps=8.0,
        duration_s=0.5,
        rotation=0,
        mirrored=False,
        variable_rate=False,
        has_rate=True,
        has_audio=False,
        codec="h264",
        pixel_aspect=1.0,
        declared_frames=None,
    )


def test_the_frame_that_is_shown_at_a_time(tmp_path):
    path = tmp_path / "a.mp4"
    encode(path, numbered(5), times=[0, 100, 150, 400, 1000])
    at = {0.0: 0, 0.0999: 0, 0.1: 1, 0.149: 1, 0.15: 2, 0.39: 2, 0.4: 3, 0.99: 3, 1.0: 4, 1.03: 4}
    assert numbers(read_video_at(path, list(at)).frames) == list(at.values())
    for outside in (-0.01, 1.05):
        with pytest.raises(InputError, match=r"a\.mp4: shows nothing at .* it lasts 1\.04 s"):
            read_video_at(path, [outside])


def test_a_stream_takes_ascending_indices_and_repeats(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, numbered(9), 8.0)
    assert numbers(np.stack(list(stream_video(path, [2, 2, 3, 8])))) == [2, 2, 3, 8]
    with pytest.raises(ValueError, match="ascend"):
        list(stream_video(path, [3, 2]))
    with pytest.raises(InputError, match="frame -1 is asked for"):
        list(stream_video(path, [-1, 2]))


def test_a_file_that_is_written_anew_is_read_anew(tmp_path):
    path = tmp_path / "a.mp4"
    for count in (3, 5):
        write_video(path, noise(count), 8.0)
        assert probe_video(path).num_frames == count


def test_a_name_is_never_a_protocol_or_a_pattern(tmp_path, monkeypatch):
    frames = noise(2)
    monkeypatch.chdir(tmp_path)
    for name in ("http:a.mp4", "concat:a|b.mp4", "%03d.mp4", "file:a.mp4"):
        write_video(tmp_path / name, frames, 8.0)
        assert (read_video(tmp_path / name).frames == frames).all()
        assert (read_video(type(tmp_path)(name)).frames == frames).all()


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:a.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile a.ts\n",
    ],
)
def test_a_playlist_opens_no_other_file(tmp_path, text):
    encode(tmp_path / "a.ts", numbered(3))
    (tmp_path / "b.mp4").write_text(text)
    with pytest.raises(InputError, match=r"b\.mp4: is not a readable video"):
        probe_video(tmp_path / "b.mp4")


def test_a_picture_under_a_videos_name_and_the_reverse(tmp_path):
    write_image(tmp_path / "a.png", noise(1)[0])
    (tmp_path / "a.png").rename(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="is not a readable video or sound"):
        probe_video(tmp_path / "a.mp4")
    write_video(tmp_path / "b.mp4", noise(1), 8.0)
    (tmp_path / "b.mp4").rename(tmp_path / "b.png")
    with pytest.raises(InputError, match="is not a picture"):
        probe_video(tmp_path / "b.png")
