import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interplay.core.estimates import Estimate
from interplay.report.absent import Absent
from interplay.report.figures import svg
from interplay.report.figures.curves import curve_figure, thinned
from interplay.report.figures.heat import colour, heat_figure
from interplay.report.figures.intervals import difference_figure
from interplay.report.figures.layer_bars import layer_figure
from interplay.report.layers import Grid, LayerRow, Variant, read_grids, read_layers, read_overlays
from interplay.report.scores import ScoreRow
from interplay.report.training import Curve, moving_mean, read_training

NASTY = '"<script>&'


def parse(figure):
    """The figure's tree; raises when it is not well formed."""
    return ET.fromstring(str(figure))


def all_text(figure):
    return [element.text for element in parse(figure).iter() if element.text]


def row(layer, magnitude=0.1, success=0.02, failure=-0.03, dominant=False):
    return LayerRow(layer, 3.0, magnitude, success, failure, layer < 3, dominant)


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


def test_layer_bars_are_as_high_as_their_score():
    figure = layer_figure(Variant("noun_v2t", "", (row(0, 0.1), row(1, 0.2, dominant=True)), Absent("", "")))
    bars = {e.find("{*}title").text.split(",")[0]: e for e in parse(figure).iter() if e.find("{*}title") is not None}
    bars = [float(e.get("height")) for title, e in bars.items() if "mean AAS" in title]
    assert bars[1] == pytest.approx(2 * bars[0], abs=0.02)
    assert "★" in all_text(figure)


def test_layers_without_gaps_say_so():
    figure = layer_figure(Variant("n", "", (row(0, success=None, failure=None),), Absent("", "")))
    assert any("no gaps" in text for text in all_text(figure))


def test_layers_without_means_or_rows():
    assert layer_figure(Variant("n", "", (), Absent("", ""))) is None
    figure = layer_figure(Variant(NASTY, "", (row(0, magnitude=None),), Absent("", "")))
    assert "no mean score was recorded" in all_text(figure)


def test_many_layers_keep_their_numbers_apart():
    rows = tuple(row(layer, dominant=layer == 41) for layer in range(60))
    numbers = [text for text in all_text(layer_figure(Variant("n", "", rows, Absent("", "")))) if text.isdigit()]
    assert "41" in numbers
    assert len(numbers) < 36


def test_heat_map_colours_follow_the_values():
    grid = Grid((0, 1), (0, 1), (999.0, 500.0), ((0.0, 1.0), (None, 0.5)))
    cells = [
        e
        for e in parse(heat_figure(Variant("n", "", (row(0, dominant=True),), grid), grid)).iter()
        if "title" in str([c.tag for c in e])
    ]
    assert [cell.get("fill") for cell in cells] == [colour(0), colour(1), None, colour(0.5)]
    assert colour(0) == "#440154"
    assert colour(1) == "#fde725"


def test_scores_that_are_no_numbers_are_unknown(tmp_path):
    row = {"clip_id": "one", "variant": "v", "layer": 0, "timestep": 9, "head": -1}
    rows = [{**row, "step": 0, "aas": float("nan")}, {**row, "step": 1, "aas": 0.5}, {**row, "step": 1, "aas": 0.25}]
    pq.write_table(pa.Table.from_pylist([*rows, {**row, "head": 0, "step": 1, "aas": 9.0}]), tmp_path / "s.parquet")
    assert read_grids(tmp_path / "s.parquet")["v"].values == ((None, 0.375),)


def test_a_clip_with_more_terms_counts_no_more(tmp_path):
    row = {"variant": "v", "layer": 0, "step": 0, "timestep": 9, "head": -1}
    rows = [*({**row, "clip_id": "two nouns", "aas": aas} for aas in (0.2, 0.4)), {**row, "clip_id": "one", "aas": 0.5}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "s.parquet")
    assert read_grids(tmp_path / "s.parquet")["v"].values == ((pytest.approx(0.4),),)


def test_heat_map_of_nothing_and_of_one_value():
    empty = Grid((0,), (0,), (1.0,), ((None,),))
    assert heat_figure(Variant("n", "", (), empty), empty) is None
    single = replace(empty, values=((0.3,),))
    assert parse(heat_figure(Variant("n", "", (), single), single)) is not None


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


def test_reads_an_analysis(story):
    layers = read_layers(story.inputs.analysis)
    assert [v.name for v in layers.variants] == ["noun_v2t", "verb_v2t", "noun_v2v", "verb_v2v"]
    noun = layers.variants[0]
    assert [r.layer for r in noun.rows if r.dominant] == [2]
    assert (noun.grid.layers, len(noun.grid.steps)) == (tuple(range(6)), 20)
    assert noun.grid.timesteps[0] == 999.0
    assert np.argmax([r[-1] for r in noun.grid.values]) == 2
    overlays = read_overlays(story.inputs.analysis, ["test-00001"], 3)
    assert [(o.clip_id, o.variant) for o in overlays.first] == [("test-00001", "noun_v2t"), ("test-00001", "verb_v2t")]
    assert [(o.clip_id, o.variant) for o in overlays.others] == [("test-00000", "noun_v2t")]
    assert layers.notes == ("v2t: layer 2 is <unstable>.",)
