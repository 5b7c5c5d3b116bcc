import base64

import av
import numpy as np
import pytest

from interplay.core.errors import InputError
from interplay.records.media.video import Video, read_video
from interplay.report.config import ReportConfig
from interplay.report.videos import embed, enlarge, film_strip, strip_indices


def decode(uri, path):
    head, data = uri.split(",")
    assert head == "data:video/mp4;base64"
    path.write_bytes(base64.b64decode(data))
    return path


def test_pixels_become_squares():
    frames = np.random.default_rng(0).integers(0, 256, (2, 48, 80, 3), dtype=np.uint8)
    large = enlarge(frames, 320)
    assert large.shape == (2, 192, 320, 3)
    for dy, dx in ((0, 0), (3, 3), (1, 2)):
        assert np.array_equal(large[:, dy::4, dx::4], frames)


@pytest.mark.parametrize(
    ("size_hw", "expected"), [((480, 720), (480, 720)), ((401, 321), (402, 322)), ((5, 7), (230, 322))]
)
def test_large_and_odd_sizes(size_hw, expected):
    frames = np.zeros((1, *size_hw, 3), dtype=np.uint8)
    assert enlarge(frames, 320).shape[1:3] == expected


def test_the_embedded_video_plays_everywhere(tmp_path):
    colours = np.array([[220, 40, 40], [40, 160, 60], [30, 90, 220]], dtype=np.uint8)
    frames = np.broadcast_to(colours[:, None, None], (3, 48, 80, 3)).copy()
    media = embed(Video(frames, 8.0), ReportConfig(), tmp_path)
    path = decode(media.video_uri, tmp_path / "x.mp4")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    video = read_video(path)
    assert video.frames.shape == (3, 192, 320, 3)
    assert video.fps == 8.0
    assert np.abs(video.frames.astype(int) - frames[:, :1, :1].astype(int)).max() < 12
    assert (media.width_px, media.height_px, media.num_frames) == (320, 192, 3)


@pytest.mark.parametrize(("frames", "wanted", "expected"), [(17, 5, (0, 4, 8, 12, 16)), (2, 5, (0, 1)), (1, 5, (0,))])
def test_the_strip_spans_the_clip(frames, wanted, expected):
    assert strip_indices(frames, wanted) == expected


def test_the_strip_shows_its_frames_side_by_side():
    frames = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 6, 3), dtype=np.uint8)
    strip = film_strip(frames, (0, 2))
    assert strip.shape == (4, 13, 3)
    assert strip[0, :, 0].tolist() == [0] * 6 + [255] + [2] * 6


def test_a_broken_video_is_an_input_error(tmp_path):
    (tmp_path / "a.mp4").write_text("not a video")
    with pytest.raises(InputError):
        read_video(tmp_path / "a.mp4")
