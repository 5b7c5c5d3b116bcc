import io
import os
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from damaged_datasets import huge_png, palette_png, png, zero_one_png
from interplay.core.errors import InputError
from interplay.records.formats.common.mask_files import (
    frame_name,
    mask_png,
    numbered_pictures,
    read_mask,
    read_mask_track,
    write_mask,
    write_mask_track,
)
from interplay.records.formats.common.mask_values import MaskOptions
from interplay.records.masks import MaskTrack

SIZE = (12, 20)


def squares(count=5):
    masks = np.zeros((count, *SIZE), dtype=bool)
    for frame in range(1, count):  # the first frame is empty: the encoding shows only in the others
        masks[frame, 2:8, frame : frame + 9] = True
    return masks


@pytest.fixture
def folder(tmp_path):
    """``folder(picture, first=0, digits=3)`` writes the squares as files and returns their folder."""

    def make(picture=mask_png, first=0, digits=3, step=1, masks=None):
        for index, mask in enumerate(squares() if masks is None else masks):
            (tmp_path / f"{first + index * step:0{digits}d}.png").write_bytes(picture(mask))
        return tmp_path

    return make


def read(folder, num_frames=5, **options):
    return read_mask_track(folder, num_frames=num_frames, size_hw=SIZE, options=MaskOptions(**options))


def rgb(colour):
    return lambda mask: png(Image.fromarray(mask[..., None] * np.array(colour, dtype=np.uint8)))


def values(value, dtype=np.uint8):
    return lambda mask: png(Image.fromarray((mask * np.array(value)).astype(dtype)))


def one_bit(mask):
    return png(Image.fromarray(mask))


def swapped_palette(mask):
    """Black and white as some tools shrink them: index 0 is white, index 1 is black."""
    image = Image.fromarray((~mask).astype(np.uint8))
    image.putpalette([255, 255, 255, 0, 0, 0])
    return png(image)


def lost_palette(mask):
    image = Image.fromarray(mask.astype(np.uint8))
    image.putpalette([0, 0, 0, 0, 0, 0])
    return png(image)


def with_alpha(mask):
    return png(Image.merge("LA", [Image.fromarray(mask.astype(np.uint8) * 255), Image.new("L", SIZE[::-1], 255)]))


@pytest.mark.parametrize(
    ("picture", "note"),
    [
        (mask_png, None),
        (one_bit, None),
        (rgb((255, 255, 255)), None),
        (values(65535, np.uint16), None),
        (swapped_palette, None),
        (with_alpha, None),
        (zero_one_png, "the value 1 beside 0, which the official loader takes for empty"),
        (values(128), "the value 128 beside 0, which the official loader takes for empty"),
        (values(200), "the value 200 beside 0"),
        (values(255, np.uint16), "the value 255 beside 0, which the official loader takes for empty"),
        (palette_png, "the palette index 1 beside 0"),
        (lost_palette, "the palette index 1 beside 0"),
        (rgb((255, 0, 0)), "the colour 0xFF0000 beside 0"),
    ],
)
def test_one_value_is_the_mask_however_it_is_written(folder, picture, note):
    found = read(folder(picture))
    assert found.track == MaskTrack.from_array(squares())
    assert [note is not None] * len(found.notes) == [True] * len(found.notes)
    assert (note is None and not found.notes) or note in found.notes[0].problem


def test_the_encoding_is_decided_for_the_track_and_not_for_a_picture(folder):
    # Frame 0 is blank, frame 1 full: neither shows by itself whether 1 or 255 is white.
    masks = squares()
    masks[1] = True
    assert read(folder(zero_one_png, masks=masks)).track == MaskTrack.from_array(masks)


def test_ids_in_different_frames_are_no_single_mask(folder):
    where = folder(values(1))
    (where / "003.png").write_bytes(values(2)(squares()[3]))
    with pytest.raises(InputError, match=r"values 1, 2 beside 0.*masks\.value=N"):
        read(where)


def test_kinds_of_pictures_do_not_mix(folder):
    where = folder(mask_png)
    (where / "003.png").write_bytes(palette_png(squares()[3]))
    with pytest.raises(InputError, match=r"003.png.*is a palette picture, and the masks before it are grey"):
        read(where)


def test_soft_edges_are_cut_at_half(folder):
    soft = (np.linspace(0, 255, 17).round().astype(np.uint8)[None] * np.ones((1, 1), np.uint8)).astype(np.uint8)

    def smoothed(mask):
        grey = np.where(mask, 255, 0).astype(np.uint8)
        if mask.any():
            grey[11, :17] = soft
        return png(Image.fromarray(grey))

    found = read(folder(smoothed))
    expected = squares()
    expected[1:, 11, :17] = soft[0] > 127
    assert found.track == MaskTrack.from_array(expected)
    assert "soft edges" in found.notes[0].done


def test_jpeg_masks_are_read(folder, tmp_path):
    big = np.zeros((5, 64, 64), dtype=bool)
    big[:, 16:48, 16:48] = True
    for frame, mask in enumerate(big):
        Image.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / f"{frame}.jpg", quality=70)
    found = read_mask_track(tmp_path, num_frames=5, size_hw=(64, 64))
    assert found.track == MaskTrack.from_array(big)


@pytest.mark.parametrize("ramp", [[1, 2, 3], [0, 1, 255], [60, 120, 180, 240], list(range(0, 256, 4))])
def test_maps_of_several_values_are_refused(folder, ramp):
    def id_map(mask):
        return png(Image.fromarray(np.resize(np.array(ramp, dtype=np.uint8), SIZE)))

    with pytest.raises(InputError, match="what the mask is stays open"):
        read(folder(id_map))


def test_an_id_map_gives_the_chosen_id(folder):
    masks = squares()

    def id_map(mask):
        codes = mask.astype(np.uint8) * 3
        codes[10:] = 7
        return png(Image.fromarray(codes))

    where = folder(id_map)
    assert read(where, value=3).track == MaskTrack.from_array(masks)
    assert read(where, threshold=4).track.areas().tolist() == [40] * 5
    with pytest.raises(InputError, match="values 3, 7 beside 0, and not what was chosen"):
        read(where, value=5)


def test_a_colour_is_chosen_from_palettes_and_rgb(folder):
    def merged(mask):
        image = Image.fromarray(np.where(mask, 2, np.uint8(1)).astype(np.uint8))
        image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
        return png(image if mask[2, 2] else image.convert("RGB"))

    masks = squares()
    masks[:] = masks[2]
    assert read(folder(merged, masks=masks), colour=(0, 255, 0)).track == MaskTrack.from_array(masks)


def test_choices_exclude_each_other():
    with pytest.raises(ValueError, match="exclude each other"):
        MaskOptions(value=1, threshold=3)


@pytest.mark.parametrize(("first", "digits", "step"), [(1, 3, 1), (0, 5, 1), (17, 1, 1), (0, 5, 5)])
def test_numbers_may_start_anywhere_and_have_any_digits(folder, first, digits, step):
    found = read(folder(first=first, digits=digits, step=step))
    assert found.track == MaskTrack.from_array(squares())
    assert bool(found.notes) == (first > 0 or step > 1)


def test_numbers_count_and_not_names(tmp_path):
    masks = np.zeros((12, *SIZE), dtype=bool)
    for frame in range(12):
        masks[frame, 0, frame] = True
        (tmp_path / f"mask_{frame}.png").write_bytes(mask_png(masks[frame]))
    assert read(tmp_path, num_frames=12).track == MaskTrack.from_array(masks)  # by name, 10 would come before 2


@pytest.mark.parametrize(
    ("gone", "told"),
    [(["004.png"], "004.png is missing"), (["002.png"], "002.png is missing"), (["000.png"], "000.png is missing")],
)
def test_a_missing_frame_is_named(folder, gone, told):
    where = folder()
    for name in gone:
        (where / name).unlink()
    with pytest.raises(InputError, match=told):
        read(where)
    track = read(where, missing="gap").track
    assert [len(gap) for gap in track.gaps()] == [1]


def test_a_track_that_counts_from_one_and_lacks_a_frame(folder):
    where = folder(first=1)
    (where / "003.png").unlink()
    with pytest.raises(InputError, match=r"003.png is missing"):
        read(where)
    assert read(where, missing="gap").track.gaps() == [range(2, 3)]


def test_more_masks_than_frames_are_refused_in_any_case(folder):
    for missing in ("refuse", "gap"):
        with pytest.raises(InputError, match="holds 5 masks and the video has 4 frames"):
            read(folder(), num_frames=4, missing=missing)


def test_gaps_come_back_and_a_mask_in_one_is_believed(folder):
    where = folder()
    found = read_mask_track(where, num_frames=5, size_hw=SIZE, gaps={0, 3, 99})
    assert found.track.gaps() == [range(1)]  # frame 0 is blank; frame 3 has a mask after all
    assert "frame 3" in found.notes[0].problem


def test_what_is_no_picture_is_noted_and_hidden_files_are_not(folder):
    where = folder()
    (where / "readme.txt").write_text("x")
    (where / ".DS_Store").write_text("x")
    (where / "._000.png").write_text("x")
    assert [note.problem for note in read(where).notes] == ["1 entries are no numbered pictures (readme.txt)"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["1.png", "001.png"], "two pictures of number 1"),
        (["a_1.png", "b_2.png"], "several sequences"),
        (["x.txt"], "no numbered mask pictures"),
    ],
)
def test_an_order_that_stays_open_is_refused(tmp_path, names, told):
    for name in names:
        (tmp_path / name).write_bytes(mask_png(squares()[1]))
    with pytest.raises(InputError, match=told):
        read(tmp_path, num_frames=len(names))


def test_links_stay_inside_and_loops_end(folder, tmp_path_factory):
    where = folder()
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "000.png"
    elsewhere.write_bytes(mask_png(squares()[0]))
    (where / "000.png").unlink()
    (where / "000.png").symlink_to(elsewhere)
    with pytest.raises(InputError, match="link that leaves"):
        read(where)
    assert read_mask_track(where, num_frames=5, size_hw=SIZE, follow_links=True).track.areas()[1] == 54
    (where / "000.png").unlink()
    (where / "000.png").symlink_to("000.png")
    with pytest.raises(InputError, match="cannot be followed"):
        read(where)


def test_a_pipe_does_not_block(folder):
    where = folder()
    (where / "002.png").unlink()
    os.mkfifo(where / "002.png")
    with pytest.raises(InputError, match="is no regular file"):
        read(where)


def test_one_mask_and_its_size(tmp_path):
    path = tmp_path / "mask.png"
    write_mask(path, squares()[2])
    mask, notes = read_mask(path, size_hw=SIZE)
    assert np.array_equal(mask, squares()[2])
    assert notes == ()
    with pytest.raises(InputError, match=r"the mask is 20x12 and the video 12x20"):
        read_mask(path, size_hw=(20, 12))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "the file is empty"),
        (b"no picture", "no readable PNG or JPEG"),
        (mask_png(squares()[1])[:-30], "no readable PNG or JPEG"),
        (huge_png(), "more pixels"),
        (huge_png(12_000, 12_000), "more than"),
    ],
)
def test_damaged_pictures(tmp_path, data, told):
    path = tmp_path / "mask.png"
    path.write_bytes(data)
    with pytest.raises(InputError, match=told):
        read_mask(path)


def test_a_mask_that_is_not_there(tmp_path):
    for path in (tmp_path / "absent.png", tmp_path):
        with pytest.raises(InputError, match=r"no such file|is a folder"):
            read_mask(path)
    with pytest.raises(InputError, match="cannot be read as a folder"):
        read(tmp_path / "absent")


def test_the_published_masks(samples):
    for name in ("mask_0.png", "mask_2.png"):
        mask, notes = read_mask(samples / "target_mask" / name, size_hw=(480, 720))
        assert 0.001 < mask.mean() < 0.5
        assert notes == ()


def test_transparency_and_photographs_are_no_masks(tmp_path):
    path = tmp_path / "mask.png"
    grey = Image.fromarray(squares()[1].astype(np.uint8) * 255)
    Image.merge("LA", [grey, grey]).save(path)
    with pytest.raises(InputError, match="partly transparent"):
        read_mask(path)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)).resize((99, 99)).save(path)
    with pytest.raises(InputError, match="photograph"):
        read_mask(path)


def chunks_of(data):
    """The chunks of a PNG as ``(kind, content)``."""
    at = 8
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def joined(chunks):
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


@settings(max_examples=400)
@given(base=st.sampled_from([mask_png, palette_png, one_bit, rgb((255, 0, 0))]), data=st.data())
def test_no_damage_of_a_picture_gives_another_error(tmp_path_factory, base, data):
    chunks = list(chunks_of(base(squares()[2])))
    which = data.draw(st.integers(0, len(chunks) - 1))
    kind, content = chunks[which]
    at = data.draw(st.integers(0, len(content)))
    kind = data.draw(st.sampled_from([kind, b"tRNS", b"PLTE", b"iCCP", b"acTL", b"gAMA"]))
    chunks[which] = (
        kind,
        content[:at] + data.draw(st.binary(max_size=6)) + content[at + data.draw(st.integers(0, 4)) :],
    )
    path = tmp_path_factory.getbasetemp() / "damaged.png"
    path.write_bytes(joined(chunks)[: data.draw(st.integers(20, 10_000))])
    with suppress(InputError):
        read_mask(path, size_hw=SIZE)


def test_written_masks_are_0_and_255_and_the_same_every_time(tmp_path):
    track = MaskTrack.from_array(squares(), gaps=[4])
    write_mask_track(tmp_path / "<id1>", track)
    written = {path.name: path.read_bytes() for path in (tmp_path / "<id1>").iterdir()}
    assert sorted(written) == [f"{frame:03d}.png" for frame in range(5)]
    with Image.open(io.BytesIO(written["002.png"])) as image:
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image), squares()[2].astype(np.uint8) * 255)
    with Image.open(io.BytesIO(written["004.png"])) as image:
        assert not np.asarray(image).any()
    (tmp_path / "<id1>" / "777.png").write_bytes(b"of an earlier, longer track")
    write_mask_track(tmp_path / "<id1>", track)
    assert {path.name: path.read_bytes() for path in (tmp_path / "<id1>").iterdir()} == written
    assert [path.name for path in tmp_path.iterdir()] == ["<id1>"]


def test_a_long_video_gets_more_digits():
    assert frame_name(7, 81) == "007.png"
    assert frame_name(7, 1001) == "0007.png"


def test_numbered_pictures_are_in_order(folder):
    pictures, notes = numbered_pictures(folder(first=8, digits=1))
    assert list(pictures) == [8, 9, 10, 11, 12]
    assert notes == ()
