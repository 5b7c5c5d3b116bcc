"""Writing: bit-exact where it says so, the same bytes each time, whole or not at all, one frame at a time."""

import av
import numpy as np
import pytest

from interplay.core.errors import InputError
from interplay.records.media.audio import Sound
from interplay.records.media.boxes import top_boxes
from interplay.records.media.video import probe_video, read_video, write_video


def noise(frames=5, height=16, width=24, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def tone(seconds, rate=16000):
    return Sound((np.sin(np.arange(round(seconds * rate)) / 7) * 0.5).astype(np.float32), rate)


def test_the_browser_file_is_close_and_made_to_be_streamed(tmp_path):
    smooth = np.broadcast_to(np.linspace(40, 200, 64, dtype=np.uint8)[None, None, :, None], (4, 64, 64, 3))
    write_video(tmp_path / "a.mp4", smooth, 25.0, lossless=False)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
    assert np.abs(read_video(tmp_path / "a.mp4").frames.astype(int) - smooth).max() < 12
    kinds = [box.kind for box in top_boxes(tmp_path / "a.mp4")]
    assert kinds.index(b"moov") < kinds.index(b"mdat")


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("with_sound", [True, False])
def test_same_frames_same_bytes(tmp_path, lossless, with_sound):
    for name in ("a", "b"):
        sound = tone(5 / 8) if with_sound else None
        write_video(tmp_path / f"{name}.mp4", noise(5, 64, 64), 8.0, lossless=lossless, sound=sound)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_an_iterator_writes_the_same_file_and_is_taken_frame_by_frame(tmp_path):
    frames = noise(40)
    alive = []

    def one_at_a_time():
        for frame in frames:
            alive.append(frame.copy())
            yield alive[-1]
            alive.clear()

    write_video(tmp_path / "a.mp4", frames, 8.0)
    write_video(tmp_path / "b.mp4", one_at_a_time(), 8.0)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    assert alive == []


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (15, 17), (31, 2)])
def test_odd_and_tiny_sizes_are_lossless_too(tmp_path, size):
    frames = noise(3, *size)
    write_video(tmp_path / "a.mp4", frames, 8.0)
    assert (read_video(tmp_path / "a.mp4").frames == frames).all()
    assert probe_video(tmp_path / "a.mp4").size_hw == size


def test_odd_sizes_are_refused_for_browsers_and_nothing_is_left(tmp_path):
    with pytest.raises(InputError, match="even height and width"):
        write_video(tmp_path / "a.mp4", noise(1, 15, 16), 8.0, lossless=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        ([], "at least one, not none"),
        (np.zeros((0, 4, 4, 3), np.uint8), "at least one, not none"),
        ([np.zeros((4, 4, 3), np.uint8), np.zeros((4, 6, 3), np.uint8)], r"frame 1 is \(4, 6, 3\)"),
    ],
)
def test_what_is_no_video_is_not_written(tmp_path, frames, problem):
    with pytest.raises(ValueError, match=problem):
        write_video(tmp_path / "a.mp4", frames, 8.0)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file(tmp_path):
    write_video(tmp_path / "a.mp4", noise(), 8.0)
    before = (tmp_path / "a.mp4").read_bytes()

    def interrupted():
        yield from noise(3, seed=1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "a.mp4", interrupted(), 8.0)
    assert (tmp_path / "a.mp4").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_sound_must_last_as_long_as_the_frames(tmp_path):
    for samples in (0.4, 0.7):
        with pytest.raises(ValueError, match="the frames last 10000"):
            write_video(tmp_path / "a.mp4", noise(5), 8.0, sound=tone(samples))
    assert list(tmp_path.iterdir()) == []
