"""Labels of drawn structure frames, and of the real ones against boxes that others measured."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from cointeract_fixtures import BEIGE, BLUE, HEIGHT, WIDTH, arm_heights, draw
from interplay.core.errors import InputError
from interplay.records.structure.config import StructureVideoConfig
from interplay.records.structure.tracks import BACKGROUND, PERSON, PRODUCT, label_frame, majority, read_tracks

CONFIG = StructureVideoConfig()


def truth(frames):
    labels = np.full(frames.shape[:3], BACKGROUND, dtype=np.uint8)
    labels[(frames == BEIGE).all(-1)] = PERSON
    labels[(frames == BLUE).all(-1)] = PRODUCT
    return labels


def test_drawn_frames_are_read_exactly_but_for_corners():
    frames = draw((0, 0, 0), arm_heights(4))
    tracks = read_tracks(frames, CONFIG, where="s.mp4")
    for track, label in ((tracks.person, PERSON), (tracks.product, PRODUCT)):
        assert (track.to_array() != (truth(frames) == label)).sum() <= 4 * 8


def test_shading_and_a_clip_s_own_tone_do_not_matter():
    frame = draw((0, 0, 0), [20])[0].astype(float)
    shade = np.linspace(0.35, 1.0, HEIGHT)[:, None, None]
    for tone in ((1.0, 1.0, 1.0), (1.0, 0.97, 0.98)):
        shaded = (frame * shade * tone).astype(np.uint8)
        assert (label_frame(shaded, CONFIG) != truth(draw((0, 0, 0), [20]))[0]).mean() < 0.01


def test_a_beige_label_and_a_dark_hand_on_the_product_are_product():
    frame = draw((0, 0, 0), [20])[0]
    frame[34:40, 31:37] = BEIGE
    frame[42:46, 31:37] = 0
    labels = label_frame(frame, CONFIG)
    assert (labels[31:49, 29:39] == PRODUCT).all()
    assert (labels[20:58, 17:26] == PERSON).all()


def without(colour):
    frame = draw((0, 0, 0), [20])[0]
    frame[(frame == colour).all(-1)] = 0
    return frame


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (np.full((HEIGHT, WIDTH, 3), 120, dtype=np.uint8), "it has no black background"),
        (without(BEIGE), "shows no beige body"),
        (without(BLUE), "shows no product"),
    ],
)
def test_what_is_no_structure_video(frame, problem):
    with pytest.raises(InputError) as error:
        read_tracks([frame], CONFIG, where="s.mp4")
    assert problem in str(error.value)
    assert str(error.value).startswith("s.mp4: ")


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 5), (2, 2), (2, 7), (33, 47)])
def test_the_majority_is_pillow_s(size_hw):
    labels = np.random.default_rng(0).choice(3, (20, *size_hw), p=[0.5, 0.3, 0.2]).astype(np.uint8)
    for frame in labels:
        assert (majority(frame, 3) == np.asarray(Image.fromarray(frame).filter(ImageFilter.ModeFilter(3)))).all()
