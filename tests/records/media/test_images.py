"""Pictures of every kind come out as 8-bit RGB, as they are displayed."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from interplay.core.errors import InputError
from interplay.records.media.images import image_size_hw, read_image, write_image
from interplay.records.media.video import probe_video, read_video

SIZE = (6, 9)


def noise(channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, channels), dtype=np.uint8)


def saved(tmp_path, image, name="a.png", **options):
    image.save(tmp_path / name, **options)
    return read_image(tmp_path / name)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff", "PNG"])
def test_lossless_kinds(tmp_path, suffix):
    assert (saved(tmp_path, Image.fromarray(noise()), f"a.{suffix}") == noise()).all()


def test_webp_and_jpeg(tmp_path):
    assert (saved(tmp_path, Image.fromarray(noise()), "a.webp", lossless=True) == noise()).all()
    smooth = np.full((16, 16, 3), (200, 120, 40), dtype=np.uint8)
    assert np.abs(saved(tmp_path, Image.fromarray(smooth), "a.jpg", quality=95).astype(int) - smooth).max() < 4


def test_written_is_read(tmp_path):
    write_image(tmp_path / "deep" / "a.png", noise())
    assert (read_image(tmp_path / "deep" / "a.png") == noise()).all()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.png"]


def test_grey_and_black_and_white(tmp_path):
    grey = noise(1)[..., 0]
    assert (saved(tmp_path, Image.fromarray(grey)) == grey[..., None]).all()
    assert (saved(tmp_path, Image.fromarray(grey > 100)) == ((grey > 100) * 255)[..., None]).all()


def test_sixteen_bits_by_their_high_byte(tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, SIZE, dtype=np.uint16)
    deep[0, :3] = (0, 255, 65535)
    assert (saved(tmp_path, Image.fromarray(deep)) == (deep >> 8).astype(np.uint8)[..., None]).all()


def test_sixteen_bit_colour(tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (*SIZE, 3), dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    head = struct.pack(">IIBBBBB", SIZE[1], SIZE[0], 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    assert (read_image(tmp_path / "a.png") == (deep >> 8).astype(np.uint8)).all()


def test_a_palette(tmp_path):
    colours = np.array([[255, 0, 0], [0, 255, 0], [9, 8, 7]], dtype=np.uint8)
    places = np.random.default_rng(0).integers(0, 3, SIZE, dtype=np.uint8)
    image = Image.fromarray(places)
    image.putpalette(colours.tobytes())
    assert (saved(tmp_path, image) == colours[places]).all()
    clear = np.where((places == 2)[..., None], 255, colours[places])
    assert (saved(tmp_path, image, transparency=2) == clear).all()


def test_transparency_is_shown_over_white(tmp_path):
    picture = noise(4)
    picture[0, 0] = (1, 2, 3, 0)
    picture[1:, :, 3] = 255
    shown = saved(tmp_path, Image.fromarray(picture))
    assert (shown[1:] == picture[1:, :, :3]).all()
    assert (shown[0, 0] == 255).all()
    alpha = picture[0, :, 3:] / 255
    assert np.abs(shown[0] - (picture[0, :, :3] * alpha + 255 * (1 - alpha))).max() < 1.01


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_exif_orientation(tmp_path, orientation, name):
    stored = np.repeat(np.repeat(noise(seed=1)[::3, ::3], 16, 0), 16, 1)  # large blocks, which JPEG keeps
    turned = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: np.rot90(p, -1),
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
        8: lambda p: np.rot90(p, 1),
    }[orientation](stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95, "subsampling": 0} if name.endswith("jpg") else {}
    shown = saved(tmp_path, Image.fromarray(stored), name, exif=exif, **options)
    assert shown.shape == turned.shape
    assert np.abs(shown.astype(int) - turned).mean() < 4
    assert image_size_hw(tmp_path / name) == turned.shape[:2]
    assert probe_video(tmp_path / name).size_hw == turned.shape[:2]
    assert read_video(tmp_path / name).frames.shape == (1, *turned.shape)


def test_numbers_without_a_white_are_refused(tmp_path):
    Image.fromarray(np.ones(SIZE, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"holds numbers \(mode F\)"):
        read_image(tmp_path / "a.tif")


def test_an_animation_is_no_picture(tmp_path):
    pictures = [Image.fromarray(noise(seed=seed)) for seed in range(3)]
    for name in ("a.png", "a.webp", "a.tif"):
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:])
        with pytest.raises(InputError, match="is an animation of 3 pictures"):
            read_image(tmp_path / name)


@pytest.mark.parametrize("side", [10_000, 100_000])
def test_a_header_of_a_hundred_million_pixels_and_more(tmp_path, side):
    write_image(tmp_path / "a.png", noise())
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[16:24] = struct.pack(">II", side, side)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "a.png").write_bytes(bytes(data))
    for read in (read_image, image_size_hw, probe_video, read_video):
        with pytest.raises(InputError, match=r"a\.png: declares .*more than"):
            read(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_text("no picture"), "is not a picture"),
        (lambda path: path.mkdir(), "is a folder, not a file"),
    ],
)
def test_what_is_no_picture(tmp_path, make, problem):
    make(tmp_path / "b.png")
    with pytest.raises(InputError, match=rf"b\.png: {problem}"):
        read_image(tmp_path / "b.png")


def test_a_picture_that_breaks_off(tmp_path):
    for name in ("a.png", "a.jpg", "a.webp", "a.bmp"):
        Image.fromarray(np.tile(noise(), (9, 9, 1))).save(tmp_path / name)
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-200])
        with pytest.raises(InputError, match="is not a picture"):
            read_image(tmp_path / name)
