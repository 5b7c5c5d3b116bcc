"""The parts of a contact sheet: captions in pieces, colours, arrangement, time lines, drawing, navigation."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from data_fixtures import HEIGHT, WIDTH, square
from interplay.data.show.captions import pieces
from interplay.data.show.drawing import PIXEL_RATIO, Layer, Picture, draw, reduced
from interplay.data.show.layout import GAP, STRIP_HEIGHT, STRIP_WIDTH, arrange, choose_frames, place_tags
from interplay.data.show.pages import navigation
from interplay.data.show.palette import paint, paints
from interplay.data.show.tracks import mask_at, states_of, stretches, top_of
from interplay.records.masks import MaskTrack

# --- captions and colours --------------------------------------------------------------------------------------------


def test_a_caption_is_cut_at_its_bindings() -> None:
    assert [(piece.text, piece.label) for piece in pieces("a <id1> man <verb> holds <id2> tea </id2>!")] == [
        ("a ", ""),
        ("man", "id1"),
        (" ", ""),
        ("holds", "verb"),
        (" ", ""),
        ("tea", "id2"),
        ("!", ""),
    ]


def test_the_inner_one_of_two_bindings_counts() -> None:
    found = pieces("<id1> a man with a <id2> hat </id2> on </id1> runs")
    assert [(piece.text, piece.label) for piece in found if piece.label] == [
        ("a man with a ", "id1"),
        ("hat", "id2"),
        (" on", "id1"),
    ]


def test_text_that_is_no_markup_is_shown_as_it_stands() -> None:
    assert [piece.text for piece in pieces("a <id1>")] == ["a <id1>"]
    assert pieces("") == ()


def test_an_id_has_its_colour_in_every_clip() -> None:
    assert paints(["id1", "id2", "id7"])["id2"] == paints(["id2"])["id2"] == paint(2)
    named = paints(["id2", "cup", "person"])
    assert (named["cup"], named["person"]) == (paint(3), paint(4))


def test_forty_instances_have_forty_colours_and_readable_ink() -> None:
    colours = [paint(number) for number in range(1, 41)]
    assert len({colour.rgb for colour in colours}) == 40
    for colour in colours:
        ink = 0.0 if colour.ink == "#000" else 1.0
        assert contrast(colour.rgb, ink) > 3.0, colour.css


def contrast(rgb: tuple[int, int, int], ink: float) -> float:
    """The contrast of WCAG 2 between a colour and black (0) or white (1) text."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (value / 255 for value in rgb)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (max(luminance, ink) + 0.05) / (min(luminance, ink) + 0.05)


# --- arrangement -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "size_hw", "columns"),
    [
        (4, (1920, 1080), 4),
        (4, (480, 720), 2),
        (4, (100, 1000), 1),
        (1, (480, 720), 1),
        (6, (480, 854), 2),
        (6, (480, 480), 3),
    ],
)
def test_pictures_are_as_large_as_the_room_allows(cells: int, size_hw: tuple[int, int], columns: int) -> None:
    grid = arrange(cells, size_hw)
    assert grid.columns == columns
    assert grid.width <= STRIP_WIDTH + 1e-6
    assert grid.height <= STRIP_HEIGHT + 1e-6
    assert grid.cell_height / grid.cell_width == pytest.approx(size_hw[0] / size_hw[1])
    x, y = grid.corner(cells - 1)
    assert x + grid.cell_width <= grid.width + 1e-6
    assert y + grid.cell_height == pytest.approx(grid.height)


def test_frames_are_spread_evenly_and_step_to_boxes() -> None:
    assert choose_frames(81, 4) == (0, 27, 53, 80)
    assert choose_frames(81, 4, with_boxes=range(2, 79, 4)) == (2, 26, 54, 78)
    assert choose_frames(3, 4) == (0, 1, 2)
    assert choose_frames(1, 4) == choose_frames(81, 1) == (0,)


def test_labels_stay_in_their_cell_and_off_each_other() -> None:
    wanted = [
        ("id1", "id1 a very long noun indeed", 2.0, 1.0),
        ("id2", "id2 cup", 4.0, 3.0),
        ("id3", "id3", 150.0, 99.0),
    ]
    placed = place_tags(wanted, 150.0, 100.0)
    assert [tag.key for tag in placed] == ["id1", "id2", "id3"]
    assert placed[0].text == "id1 a very long…"
    assert placed[1].y >= placed[0].y + 15
    for tag in placed:
        assert 0 <= tag.x <= 150
        assert 0 <= tag.y <= 85


# --- tracks ----------------------------------------------------------------------------------------------------------


def test_a_gap_is_unknown_and_an_empty_mask_is_absence() -> None:
    masks = np.stack([square(4, 4)] * 2 + [np.zeros((HEIGHT, WIDTH), dtype=bool)] + [square(4, 4)] * 3)
    track = MaskTrack.from_array(masks, gaps=[4])
    assert states_of(track) == ["seen", "seen", "absent", "seen", "unknown", "seen"]
    line = stretches(states_of(track))
    assert [(part.state, part.first, part.last) for part in line] == [
        ("seen", 0, 1),
        ("absent", 2, 2),
        ("seen", 3, 3),
        ("unknown", 4, 4),
        ("seen", 5, 5),
    ]
    assert sum(part.share for part in line) == pytest.approx(100)
    assert mask_at(track, 2) is None
    assert mask_at(track, 4) is None
    assert mask_at(track, 99) is None
    mask = mask_at(track, 5)
    assert mask is not None
    assert (mask == square(4, 4)).all()
    assert top_of(mask) == (16 / WIDTH, 4 / HEIGHT)


def test_a_damaged_track_is_unknown() -> None:
    assert states_of(MaskTrack((HEIGHT, WIDTH), (b"zzzz", None))) == ["unknown", "unknown"]


# --- drawing ---------------------------------------------------------------------------------------------------------


def pixels(picture: Picture) -> np.ndarray:
    grid = arrange(1, (HEIGHT, WIDTH), width=200.0)
    image = np.asarray(Image.open(io.BytesIO(draw([picture], grid))))
    assert image.shape[1] == round(grid.width * PIXEL_RATIO)
    return image


def test_the_outline_lies_where_the_mask_ends() -> None:
    grey = np.full((HEIGHT, WIDTH, 3), 128, dtype=np.uint8)
    image = pixels(Picture(grey, (Layer(square(24, 16), (255, 0, 0)),))).astype(int)
    scale = image.shape[1] / WIDTH
    redness = image[..., 0] - image[..., 2]
    row = redness[round(28 * scale)]
    left, right = round(24 * scale), round(48 * scale)
    assert row[left + 1] > 180, "the edge is drawn in full colour"
    assert row[right - 2] > 180
    assert 20 < row[(left + right) // 2] < 120, "the inside is translucent"
    assert abs(row[left - 12 :: -1]).max() < 12, "nothing is drawn outside"
    assert abs(row[right + 12 :]).max() < 12


def test_a_mask_thinner_than_a_pixel_of_the_cell_is_still_drawn() -> None:
    large = np.full((1200, 1800, 3), 128, dtype=np.uint8)
    mask = np.zeros((1200, 1800), dtype=bool)
    mask[600:602, 900:902] = True
    grid = arrange(1, (1200, 1800), width=100.0)
    image = np.asarray(Image.open(io.BytesIO(draw([Picture(large, (Layer(mask, (255, 0, 0)),))], grid)))).astype(int)
    assert (image[..., 0] - image[..., 2]).max() > 60


def test_a_large_frame_is_reduced_before_it_is_kept() -> None:
    large = np.zeros((2160, 3840, 3), dtype=np.uint8)
    small = reduced(large)
    assert small.shape == (523, 930, 3)
    assert reduced(small) is small
    assert reduced(np.zeros((4000, 10, 3), dtype=np.uint8)).shape == (624, 2, 3)


def test_boxes_and_missing_frames() -> None:
    grey = np.full((HEIGHT, WIDTH, 3), 128, dtype=np.uint8)
    image = pixels(Picture(grey, boxes=((10.0, 10.0, 40.0, 40.0), (-50.0, 5.0, 500.0, 20.0)), boxes_hw=(HEIGHT, WIDTH)))
    scale = image.shape[1] / WIDTH
    assert image[round(30 * scale), round(10 * scale)].min() > 170
    assert len(np.unique(pixels(Picture(None)))) == 1


def test_gaps_between_cells_stay_grey() -> None:
    black = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    grid = arrange(2, (HEIGHT, WIDTH), width=200.0, height=60.0)
    image = np.asarray(Image.open(io.BytesIO(draw([Picture(black)] * 2, grid))))
    assert image[5, round((grid.cell_width + GAP / 2) * PIXEL_RATIO)].min() > 100
    assert image[5, round((grid.cell_width - GAP) * PIXEL_RATIO)].max() < 50


# --- navigation ------------------------------------------------------------------------------------------------------


def test_the_first_and_the_last_page_lead_nowhere_further() -> None:
    only = navigation(1, 1)
    assert (only.first, only.previous, only.next, only.last) == ("", "", "", "")
    first = navigation(1, 1000)
    assert (first.previous, first.next, first.last) == ("", "page-00002.html", "page-01000.html")
    last = navigation(1000, 1000)
    assert (last.first, last.previous, last.next) == ("page-00001.html", "page-00999.html", "")


def test_a_page_list_stays_short() -> None:
    numbers = [step.number for step in navigation(500, 1000).steps]
    assert numbers == [1, None, 497, 498, 499, 500, 501, 502, 503, None, 1000]
    assert [step.number for step in navigation(2, 5).steps] == [1, 2, 3, 4, 5]
