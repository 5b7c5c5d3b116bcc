"""Frames, masks and boxes through one transform must land on the same pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.core.errors import InputError
from interplay.records.geometry import Fit, same_picture
from interplay.records.masks import MaskTrack

sides = st.integers(16, 120)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.tuples(sides, sides), st.tuples(sides, sides), st.sampled_from(["cover", "contain"]), st.data())
def test_a_rectangle_stays_in_lockstep(source, target, mode, data):
    y1, x1 = (data.draw(st.integers(0, side - 8)) for side in source)
    y2, x2 = (data.draw(st.integers(low + 8, side)) for low, side in zip((y1, x1), source, strict=True))
    masks = np.zeros((1, *source), dtype=bool)
    masks[0, y1:y2, x1:x2] = True
    fit = Fit(source, target, mode)
    mask, frame = fit.masks(masks)[0], fit.frames((masks[..., None] * 255).repeat(3, -1).astype(np.uint8))[0, ..., 0]
    box = fit.box((float(x1), float(y1), float(x2), float(y2)))
    tight = MaskTrack.from_array(mask[None]).boxes()[0]
    if tight is not None:
        assert np.abs(np.subtract(tight, box)).max() <= 1.0
        # A pixel whose centre is inside is covered at least half each way, hence a quarter of its area.
        assert (frame[mask] >= 255 * 0.2).all()
        assert (frame[~mask] <= 255 * 0.8).all()
    elif box is not None:
        assert min(box[2] - box[0], box[3] - box[1]) <= 1.0


def test_cover_crops_the_centre_and_contain_keeps_all():
    frames = np.zeros((1, 40, 80, 3), dtype=np.uint8)
    frames[:, :, 20:60] = 200
    assert (Fit((40, 80), (20, 20)).frames(frames) == 200).all()
    contained = Fit((40, 80), (20, 20), "contain").frames(frames)[0, ..., 0]
    assert (contained[:5] == 0).all()
    assert (contained[15:] == 0).all()
    assert (contained[5:15, 5:15] == 200).all()


def test_identity():
    frames = np.random.default_rng(0).integers(0, 256, (2, 12, 20, 3), dtype=np.uint8)
    fit = Fit((12, 20), (12, 20))
    assert (fit.frames(frames) == frames).all()
    assert (fit.masks(frames[..., 0] > 99) == (frames[..., 0] > 99)).all()
    assert fit.box((1.0, 2.0, 3.0, 4.0)) == (1.0, 2.0, 3.0, 4.0)


def test_disjoint_masks_stay_disjoint_and_leave_no_hole():
    label = np.random.default_rng(1).integers(0, 2, (3, 37, 53)).astype(bool)
    fit = Fit((37, 53), (16, 16))
    assert (fit.masks(label) ^ fit.masks(~label)).all()


def test_boxes_by_hand():
    fit = Fit((1920, 1080), (80, 48))  # scale 2/45: 1920 -> 85.3, so 60 source rows are cropped above and below
    assert fit.source_box == pytest.approx((0, 60, 1080, 1860))
    assert fit.box((540.0, 60.0, 1080.0, 960.0)) == pytest.approx((24, 0, 48, 40))
    assert fit.box((0.0, 0.0, 1080.0, 60.0)) is None
    assert fit.box((-50.0, 0.0, 5000.0, 5000.0)) == (0, 0, 48, 80)


def test_another_resolution_of_the_same_picture():
    fit = Fit((1920, 1080), (80, 48))
    assert fit.for_source((960, 540), where="m.mp4").source_box == pytest.approx((0, 30, 540, 930))
    with pytest.raises(InputError, match=r"m\.mp4: is 1110x640 pixels .* cannot be the same picture as 1920x1080"):
        fit.for_source((1110, 640), where="m.mp4")


def test_same_picture_allows_rounding_only():
    assert same_picture((480, 832), (48, 83))
    assert same_picture((100, 1000), (33, 333))
    assert not same_picture((832, 480), (1110, 644))
    assert not same_picture((480, 832), (832, 480))


def test_a_picture_of_another_size_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="this fit is for"):
        Fit((8, 8), (4, 4)).masks(np.zeros((1, 9, 8), dtype=bool))
