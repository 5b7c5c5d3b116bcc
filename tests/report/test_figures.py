import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from interplay.core.estimates import Estimate
from interplay.report.absent import Absent
from interplay.report.alignment import Grid, Term, Terms
from interplay.report.figures import svg
from interplay.report.figures.curves import curve_figure, thinned
from interplay.report.figures.heat import colour, heat_figure
from interplay.report.figures.intervals import difference_figure
from interplay.report.figures.layer_bars import layer_figure
from interplay.report.figures.stability import agreement_figure, share_figure
from interplay.report.figures.words import word_figure
from interplay.report.layers import LayerRow, Measured, Need, Variant
from interplay.report.scores import ScoreRow
from interplay.report.training import Curve, moving_mean, read_training

NASTY = '"<script>&'


def parse(figure):
    """The figure's tree; raises when it is not well formed."""
    return ET.fromstring(str(figure))


def all_text(figure):
    return [element.text for element in parse(figure).iter() if element.text]


def row(layer, magnitude=0.1, success=0.02, failure=-0.03, dominant=False, picked=False, shares=(0.0, 0.0, 0.0)):
    gaps = [
        Measured(gap, None if gap is None else gap - 0.01, None if gap is None else gap + 0.01)
        for gap in (success, failure)
    ]
    score = Measured(
        magnitude, None if magnitude is None else magnitude - 0.05, None if magnitude is None else magnitude + 0.05
    )
    separation = Measured(None if success is None else success - failure)
    return LayerRow(layer, 3, score, *gaps, separation, *shares, layer < 3, dominant, picked, False)


def variant(*rows, name="noun_v2t", expert=None, clips=8, curve=((2, 0.25), (8, 0.5), (32, 1.0)), clips_needed=32):
    nothing = Absent("", "")
    need = Need(0.9, clips_needed, curve)
    return Variant(name, name, expert, NASTY, "", clips, rows, (), None, need, nothing, nothing, nothing)


def curve(values, steps=None):
    values = tuple(values)
    return Curve("x", NASTY, steps or tuple(range(len(values))), values, values, 1)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.00731), (-3.4, 12), (-0.004, 0.0021), (0, 123456)])
def test_ticks_are_round_and_on_the_axis(low, high):
    scale = svg.value_scale([low, high], 100, 0)
    ticks = scale.ticks()
    assert 3 <= len(ticks) <= 8
    assert scale.low <= low
    assert scale.high >= high
    assert ticks[0] == pytest.approx(scale.low)
    assert ticks[-1] == pytest.approx(scale.high)
    assert any(abs(tick) < 1e-12 for tick in ticks)


@pytest.mark.parametrize("value", [0.0, 5.0, -5.0, 1e-9])
def test_an_axis_of_one_value_has_extent(value):
    scale = svg.value_scale([value], 100, 0)
    assert scale.high > scale.low


def test_text_is_escaped():
    assert "<script>" not in svg.drawing(1, 1, NASTY, [svg.text(0, 0, NASTY), svg.rect(0, 0, 1, 1, "x", title=NASTY)])
    assert parse(svg.drawing(1, 1, NASTY, [])).get("aria-label") == NASTY


def titled(figure):
    """The shapes that a pointer can ask, by what they say."""
    return {e.find("{*}title").text: e for e in parse(figure).iter() if e.find("{*}title") is not None}


def test_layer_bars_are_as_high_as_their_score():
    figure = layer_figure(variant(row(0, 0.1), row(1, 0.2, dominant=True, picked=True)))
    bars = [float(e.get("height")) for title, e in titled(figure).items() if "mean score" in title]
    assert bars[1] == pytest.approx(2 * bars[0], abs=0.02)
    whiskers = [e for e in parse(figure).iter() if e.get("class") == "error"]
    assert len(whiskers) == 2 + 2 * 2  # means, success and failure gaps
    assert float(whiskers[0].get("y1")) - float(whiskers[0].get("y2")) == pytest.approx(bars[0], abs=0.02)
    assert "★" in all_text(figure)
    assert "☆" in all_text(layer_figure(variant(row(0, picked=True), name="verb_v2v")))


def test_layers_without_gaps_have_one_chart():
    figure = layer_figure(variant(row(0, success=None, failure=None)))
    assert not any("gap" in text for text in all_text(figure))
    assert len(titled(figure)) == 1


def test_layers_without_means_or_rows():
    assert layer_figure(variant()) is None
    assert share_figure(variant()) is None
    assert "no mean score was recorded" in all_text(layer_figure(variant(row(0, magnitude=None))))


def test_many_layers_keep_their_numbers_apart():
    rows = tuple(row(layer, picked=layer == 41) for layer in range(60))
    numbers = [int(text) for text in all_text(layer_figure(variant(*rows))) if text.isdigit() and int(text) > 1]
    assert 41 in numbers
    assert {40, 42}.isdisjoint(numbers)
    assert len(numbers) < 36


def test_shares_of_resamples_are_drawn_to_scale():
    figure = share_figure(variant(row(0, shares=(1.0, 0.5, 0.25), picked=True), row(1)))
    heights = [float(e.get("height")) for e in parse(figure).iter() if "bar" in str(e.get("class"))]
    assert heights[0] == pytest.approx(2 * heights[1]) == pytest.approx(4 * heights[2])
    assert heights[3:] == [0.0, 0.0, 0.0]
    assert "layer 0 in 25%" in parse(figure).get("aria-label")


def test_agreement_rises_to_the_right():
    figure = agreement_figure([variant(row(0)), variant(row(0), name="verb_v2t", curve=((4, 1.0),), clips=4)])
    points = [
        (float(e.get("cx")), float(e.get("cy"))) for e in parse(figure).iter() if e.get("class") == "point kind-0"
    ]
    assert points == sorted(points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    at_hand = [float(e.get("x1")) for e in parse(figure).iter() if e.get("class") == "at-hand"]
    assert at_hand[1] == pytest.approx(points[1][0])
    assert at_hand[0] == pytest.approx((points[0][0] + points[1][0]) / 2)  # 4 lies midway between 2 and 8
    assert {"2", "4", "8", "16", "32"} <= set(all_text(figure))
    assert agreement_figure([variant(row(0), curve=())]) is None


def test_lines_of_experts_are_told_apart():
    drawn = agreement_figure([variant(row(0), expert=0), variant(row(0), expert=1), variant(row(0), name="verb_v2t")])
    lines = [e.get("class") for e in parse(drawn).iter() if str(e.get("class")).startswith("agreement")]
    assert lines == ["agreement kind-0 expert-0", "agreement kind-0 expert-1", "agreement kind-1"]


def test_words_are_dots_with_intervals():
    terms = Terms(
        3, (Term(NASTY, Estimate(0.4, 0.2, 0.6, 5, 5), 12.0), Term("x" * 40, Estimate(0.1, None, None, 1, 1), 3.4)), 0
    )
    figure = parse(word_figure(variant(row(3)), terms))
    dots = [float(e.get("cx")) for e in figure.iter() if e.get("class") == "dot"]
    assert dots[0] > dots[1]
    assert len([e for e in figure.iter() if e.get("class") == "whisker"]) == 1
    texts = [e.text for e in figure.iter() if e.text]
    assert {"5 clips, 12 tokens", "1 clip, 3 tokens", "x" * 19 + "…", NASTY} <= set(texts)
    unscored = Terms(3, (Term("cup", Estimate(None, None, None, 0, 1), 1.0),), 0)
    assert word_figure(variant(row(3)), unscored) is None


def test_heat_map_colours_follow_the_values():
    grid = Grid("step", (0, 1), (0, 1), ((0.0, 1.0), (None, 0.5)), (999.0, 500.0))
    figure = heat_figure(variant(row(0, picked=True)), grid)
    assert [cell.get("fill") for cell in titled(figure).values()] == [colour(0), colour(1), None, colour(0.5)]
    assert "step (noise timestep 999 to 500)" in all_text(figure)
    assert colour(0) == "#440154"
    assert colour(1) == "#fde725"


def test_heat_map_of_nothing_and_of_one_value():
    empty = Grid("head", (0,), (0,), ((None,),))
    assert heat_figure(variant(), empty) is None
    single = replace(empty, values=((0.3,),))
    assert "layer 0, head 0: 0.3" in titled(heat_figure(variant(), single))


def test_differences_are_drawn_where_they_are():
    known = ScoreRow("if", None, None, Estimate(0.1, -0.1, 0.3, 5, 5))
    lone = ScoreRow("spi", None, None, Estimate(-0.2, None, None, 1, 5))
    unknown = ScoreRow("sgi", None, None, Estimate(None, None, None, 0, 5))
    figure = parse(difference_figure([known, lone, unknown]))
    dots = [float(e.get("cx")) for e in figure.iter() if e.get("class") == "dot"]
    whiskers = [e for e in figure.iter() if e.get("class") == "whisker"]
    assert len(dots) == 2
    assert dots[1] < dots[0]
    assert len(whiskers) == 1
    assert float(whiskers[0].get("x1")) < dots[0] < float(whiskers[0].get("x2"))
    assert difference_figure([unknown, ScoreRow("if", None, None, None)]) is None


@pytest.mark.parametrize(
    "values", [[1.0], [0.5, 0.5, 0.5], [-1.0, 2.0], np.random.default_rng(0).random(5000).tolist()]
)
def test_curves_of_any_length(values):
    figure = parse(curve_figure(curve(values)))
    assert NASTY in figure.get("aria-label")


def test_a_curve_begins_at_zero():
    texts = all_text(curve_figure(curve([1.0, 1.1, 1.2])))
    assert "0" in texts


def test_thinning_keeps_the_extremes():
    values = np.random.default_rng(0).random(10_000)
    values[1234] = 7.0
    points = thinned(range(len(values)), values.tolist(), 800)
    assert len(points) <= 800
    assert (1234, 7.0) in points
    assert [x for x, _ in points] == sorted(x for x, _ in points)


def test_the_moving_mean_by_hand():
    assert moving_mean(np.array([3.0, 0.0, 6.0, 9.0]), 3).tolist() == [1.5, 3.0, 5.0, 7.5]
    assert moving_mean(np.array([3.0]), 1).tolist() == [3.0]


def test_reads_a_training(story):
    training = read_training(story.inputs.training)
    names = [c.name for c in training.curves]
    assert names[:3] == ["loss", "diffusion", "sga_subject"]
    assert "seconds" not in names
    lengths = {c.name: len(c.raw) for c in training.curves}
    assert lengths["diffusion"] == 120
    assert lengths["spa_object"] == 120 - 17
    assert ("trainable parameters", "24,576") in training.facts
