"""Display matrices: frames and sizes are as displayed."""

import numpy as np
import pytest

from interplay.core.errors import InputError
from interplay.records.media.orientation import Orientation
from interplay.records.media.video import probe_video, read_video, write_video
from media_files import patch, turn

# (a, b, c, d) of the matrix, what is shown by NumPy's own words, and what is told of it.
TURNS = {
    "upright": ((1, 0, 0, 1), lambda f: f, 0, False),
    "90": ((0, 1, -1, 0), lambda f: np.rot90(f, -1, (1, 2)), 90, False),
    "180": ((-1, 0, 0, -1), lambda f: np.rot90(f, 2, (1, 2)), 180, False),
    "270": ((0, -1, 1, 0), lambda f: np.rot90(f, 1, (1, 2)), 270, False),
    "mirrored": ((-1, 0, 0, 1), lambda f: f[:, :, ::-1], 0, True),
    "upside down": ((1, 0, 0, -1), lambda f: f[:, ::-1], 180, True),
    "transposed": ((0, 1, 1, 0), lambda f: f.swapaxes(1, 2), 270, True),
    "transposed the other way": ((0, -1, -1, 0), lambda f: np.rot90(f, 2, (1, 2)).swapaxes(1, 2), 90, True),
}


@pytest.mark.parametrize("name", TURNS)
def test_frames_and_sizes_are_as_displayed(tmp_path, name):
    path = tmp_path / "a.mp4"
    stored = np.random.default_rng(0).integers(0, 256, (5, 15, 22, 3), dtype=np.uint8)
    matrix, displayed, rotation, mirrored = TURNS[name]
    write_video(path, stored, 8.0)
    turn(path, *matrix)
    expected = displayed(stored)
    info = probe_video(path)
    assert (info.rotation, info.mirrored, info.size_hw) == (rotation, mirrored, expected.shape[1:3])
    assert (read_video(path).frames == expected).all()
    assert (read_video(path, indices=[3, 1]).frames == expected[[3, 1]]).all()


def test_a_quarter_turn_clockwise_brings_the_left_column_to_the_top():
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[:, 0] = 255
    turned = Orientation(90).apply(picture)
    assert turned.shape == (3, 2, 3)
    assert (turned[0] == 255).all()
    assert not turned[1:].any()


def test_a_slanted_picture_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, np.zeros((2, 16, 16, 3), np.uint8), 8.0)
    patch(path, b"tkhd", 40, ">5i", 46341, 46341, 0, -46341, 46341)
    with pytest.raises(InputError, match="no turn by 0, 90, 180 or 270 degrees"):
        probe_video(path)


def test_the_angle_of_a_frame_whose_side_data_has_no_name(tmp_path):
    from fractions import Fraction
    from io import BytesIO

    import av
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # "turn it by 90 degrees clockwise"
    jpeg = BytesIO()
    Image.new("RGB", (48, 32), "red").save(jpeg, "JPEG", exif=exif)
    with av.open(str(tmp_path / "a.mov"), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuvj420p"
        for time in range(3):
            packet = av.Packet(jpeg.getvalue())
            packet.stream, packet.pts, packet.dts, packet.duration = stream, time, time, 1
            packet.time_base, packet.is_keyframe = Fraction(1, 10), True
            container.mux(packet)
    info = probe_video(tmp_path / "a.mov")
    assert (info.num_frames, info.size_hw, info.rotation) == (3, (48, 32), 90)
