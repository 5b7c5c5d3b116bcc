"""Frames, masks and boxes through one transform must land on the same pixels."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.core.errors import InputError
from interplay.records.geometry import Chain, Crop, Fit, Flip, same_picture
from interplay.records.masks import MaskTrack
from mask_strategies import sizes, tracks

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
    with pytest.raises(InputError, match=r"m\.mp4: is 640x1110 pixels, which cannot be the same picture as 1080x1920"):
        fit.for_source((1110, 640), where="m.mp4")


def test_same_picture_allows_rounding_only():
    assert same_picture((480, 832), (48, 83))
    assert same_picture((100, 1000), (33, 333))
    assert not same_picture((832, 480), (1110, 644))
    assert not same_picture((480, 832), (832, 480))


def test_a_picture_of_another_size_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="this fit is for"):
        Fit((8, 8), (4, 4)).masks(np.zeros((1, 9, 8), dtype=bool))


# --- every transform -------------------------------------------------------------------------------------------------


@st.composite
def steps(draw, source_hw):
    """One transform for pictures of ``source_hw``."""
    kind = draw(st.sampled_from(["cover", "contain", "stretch", "crop", "horizontal", "vertical"]))
    if kind in ("horizontal", "vertical"):
        return Flip(source_hw, kind)
    if kind == "crop":
        (y1, y2), (x1, x2) = (sorted(draw(st.sets(st.integers(0, side), min_size=2, max_size=2))) for side in source_hw)
        return Crop(source_hw, (x1, y1, x2, y2))
    return Fit(source_hw, draw(sizes()), kind)


@st.composite
def several_steps(draw, source_hw):
    """Up to three transforms, each for what the one before it gives."""
    chosen = []
    for _ in range(draw(st.integers(0, 3))):
        chosen.append(draw(steps(chosen[-1].target_hw if chosen else source_hw)))
    return chosen


def in_one(source_hw, chosen):
    return chosen[0] if len(chosen) == 1 else Chain(source_hw, tuple(chosen))


@settings(max_examples=300)
@given(st.data())
def test_a_track_goes_through_like_its_masks(data):
    drawn = data.draw(tracks())
    source_hw = drawn.masks.shape[1:]
    transform = in_one(source_hw, data.draw(several_steps(source_hw)))
    dense = transform.masks(drawn.masks)
    assert dense.shape == (len(drawn.masks), *transform.target_hw)
    assert transform.track(drawn.track) == MaskTrack.from_array(dense, drawn.gaps)


@settings(max_examples=100)
@given(st.data())
def test_a_chain_is_its_steps_one_after_the_other(data):
    drawn = data.draw(tracks())
    chosen = data.draw(several_steps(drawn.masks.shape[1:]))
    chain = Chain(drawn.masks.shape[1:], tuple(chosen))
    frames = drawn.masks[..., None].repeat(3, axis=-1).astype(np.uint8) * 255
    box = (0.5, 0.25, float(frames.shape[2]), float(frames.shape[1]))
    masks, pictures, boxes = drawn.masks, frames, box
    for step in chosen:
        masks, pictures = step.masks(masks), step.frames(pictures)
        boxes = None if boxes is None else step.box(boxes)
    assert (chain.masks(drawn.masks) == masks).all()
    assert (chain.frames(frames) == pictures).all()
    assert chain.box(box) == boxes


@settings(max_examples=60)
@given(sizes(), sizes(), st.sampled_from(["cover", "contain", "stretch"]))
def test_masks_take_the_pixel_under_the_centre(source, target, mode):
    fit = Fit(source, target, mode)
    ratios = [Fraction(into, side) for side, into in zip(source, target, strict=True)]
    chosen = {"cover": max, "contain": min, "stretch": None}[mode]
    scales = ratios if chosen is None else [chosen(ratios)] * 2
    for taken, side, into, scale in zip(fit.sampled(), source, target, scales, strict=True):
        held = min(into, max(1, round(side * scale)))
        seen = min(Fraction(side), into / scale)
        first = (into - held) // 2
        for position, row in enumerate(taken.tolist()):
            centre = (side - seen) / 2 + (position - first + Fraction(1, 2)) * seen / held
            assert row == (centre.__floor__() if first <= position < first + held else -1)


@settings(max_examples=60)
@given(st.data(), st.sampled_from(["horizontal", "vertical"]))
def test_flipping_twice_changes_nothing(data, direction):
    drawn = data.draw(tracks())
    flip = Flip(drawn.masks.shape[1:], direction)
    assert flip.track(flip.track(drawn.track)) == drawn.track
    assert flip.then(flip).track(drawn.track) == drawn.track
    frames = drawn.masks[..., None].repeat(3, axis=-1).astype(np.uint8)
    assert (flip.frames(flip.frames(frames)) == frames).all()


@settings(max_examples=100)
@given(st.data())
def test_boxes_flip_and_are_cropped_with_their_masks(data):
    drawn = data.draw(tracks())
    source_hw = drawn.masks.shape[1:]
    step = data.draw(steps(source_hw).filter(lambda step: not isinstance(step, Fit)))
    if isinstance(step, Flip):
        assert step.boxes(drawn.track.boxes()) == step.track(drawn.track).boxes()
    for frame, tight in step.track(drawn.track).boxes().items():
        moved = step.boxes(drawn.track.boxes())[frame]
        # What is left of a mask lies in what is left of its box, and a box that is gone leaves no mask.
        assert tight is None or (np.subtract(tight, moved) * (1, 1, -1, -1) >= 0).all()


def test_stretch_by_hand():
    fit = Fit((2, 4), (4, 2), "stretch")
    masks = np.array([[[1, 0, 0, 1], [0, 1, 1, 0]]], dtype=bool)
    # Centres of the columns at 1.0 and 3.0 lie on borders: the right pixel it is.
    assert fit.masks(masks)[0].astype(int).tolist() == [[0, 1], [0, 1], [1, 0], [1, 0]]
    assert fit.box((0.0, 0.0, 2.0, 1.0)) == (0, 0, 1, 2)
    frames = masks[..., None].repeat(3, axis=-1).astype(np.uint8) * 200
    assert fit.frames(frames).shape == (1, 4, 2, 3)


def test_crop_by_hand():
    crop = Crop((4, 6), (1, 2, 5, 4))
    assert crop.target_hw == (2, 4)
    frames = np.arange(72, dtype=np.uint8).reshape(1, 4, 6, 3)
    assert (crop.frames(frames) == frames[:, 2:4, 1:5]).all()
    assert crop.box((0.0, 0.0, 3.0, 3.0)) == (0, 0, 2, 1)
    assert crop.box((0.0, 0.0, 1.0, 1.0)) is None
    with pytest.raises(ValueError, match=r"this crop is for pictures of \(4, 6\)"):
        crop.track(MaskTrack.from_array(np.zeros((1, 6, 4), dtype=bool)))


@pytest.mark.parametrize("box", [(0, 0, 7, 4), (-1, 0, 3, 3), (3, 0, 3, 2), (4, 0, 3, 2), (0, 3, 2, 2), (0, 0, 1, 5)])
def test_a_crop_outside_of_the_picture_is_refused(box):
    with pytest.raises(InputError, match=r"is no part .* of a picture of 6x4 pixels; choose 0 <= x1 < x2 <= 6"):
        Crop((4, 6), box)


def test_a_chain_of_steps_that_do_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"this flip is for pictures of \(4, 6\), not \(4, 4\)"):
        Fit((4, 6), (4, 4)).then(Flip((4, 6)))


def test_an_empty_chain_changes_nothing():
    chain, masks = Chain((3, 5), ()), np.eye(3, 5, dtype=bool)[None]
    assert chain.target_hw == (3, 5)
    assert (chain.masks(masks) == masks).all()
    assert chain.box((-1.0, 1.0, 9.0, 2.0)) == (0, 1, 5, 2)


_SIDES = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-50, 50) | st.integers(-50, 50)


@settings(max_examples=250)
@given(st.data())
def test_four_thousand_boxes_of_any_numbers(data):
    source_hw = data.draw(sizes())
    transform = in_one(source_hw, data.draw(several_steps(source_hw)))
    height, width = transform.target_hw
    for box in data.draw(st.lists(st.tuples(*[_SIDES] * 4), min_size=16, max_size=16)):
        try:
            moved = transform.box(box)
        except InputError:
            x1, y1, x2, y2 = box
            assert not (np.isfinite(box).all() and x1 <= x2 and y1 <= y2)
            continue
        assert moved is None or (0 <= moved[0] < moved[2] <= width and 0 <= moved[1] < moved[3] <= height)


@pytest.mark.parametrize("box", [(np.nan, 0, 1, 1), (0, 0, np.inf, 1), (0, -np.inf, 1, 1), (2, 0, 1, 1), (0, 2, 1, 1)])
@pytest.mark.parametrize(
    "transform", [Fit((4, 4), (2, 2)), Crop((4, 4), (0, 0, 2, 2)), Flip((4, 4)), Chain((4, 4), ())]
)
def test_what_is_no_box_is_refused(transform, box):
    with pytest.raises(InputError, match="is no box; give"):
        transform.box(tuple(map(float, box)))
