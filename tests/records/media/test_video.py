"""Video files: what is written losslessly is what is read, and what is no video says so."""

import wave

import numpy as np
import pytest

from interplay.core.errors import InputError
from interplay.records.media.video import probe_video, read_image, read_video, write_image, write_video


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


def test_the_browser_file_is_close_and_yuv420p(tmp_path):
    smooth = np.broadcast_to(np.linspace(40, 200, 64, dtype=np.uint8)[None, None, :, None], (4, 64, 64, 3))
    write_video(tmp_path / "a.mp4", smooth, 25.0, lossless=False)
    import av

    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
    assert np.abs(read_video(tmp_path / "a.mp4").frames.astype(int) - smooth).max() < 12


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


def test_same_frames_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_video(tmp_path / f"{name}.mp4", noise(), 8.0)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


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
        (lambda path: path.mkdir(), "is a folder"),
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


def test_odd_sizes_are_refused_for_browsers_and_nothing_is_left(tmp_path):
    with pytest.raises(InputError, match="even height and width"):
        write_video(tmp_path / "a.mp4", noise(1, 15, 16), 8.0, lossless=False)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    write_video(tmp_path / "a.mp4", noise(), 8.0)
    before = (tmp_path / "a.mp4").read_bytes()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("interplay.records.media.video._encode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "a.mp4", noise(seed=1), 8.0)
    assert (tmp_path / "a.mp4").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_pictures(tmp_path):
    picture = noise(1)[0]
    write_image(tmp_path / "a.png", picture)
    assert (read_image(tmp_path / "a.png") == picture).all()
    (tmp_path / "b.png").write_text("no picture")
    with pytest.raises(InputError, match="is not a picture"):
        read_image(tmp_path / "b.png")
