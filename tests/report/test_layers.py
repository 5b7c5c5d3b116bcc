"""The verdict of an analysis and its scores, read back from the real format."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interplay.core.errors import InputError
from interplay.report.absent import Absent
from interplay.report.alignment import read_grids, read_heads, read_terms
from interplay.report.analysis import read_layers
from interplay.report.config import ReportConfig
from interplay.report.films import fitting, read_films
from interplay.report.layers import Measured
from report.synthetic import NASTY
from report.synthetic_analysis import CLIPS, FILM_HW, HEADS, make_analysis

CONFIG = ReportConfig(resamples=100)
ROW = {"clip_id": "one", "variant": "v", "layer": 0, "step": 0, "timestep": 9, "head": -1, "term": "id1", "area": 4.0}


def table(path, rows):
    pq.write_table(pa.Table.from_pylist([{**ROW, "words": "cup", **row} for row in rows]), path)
    return path


def test_reads_the_verdict_of_an_analysis(story):
    layers = read_layers(story.inputs.analysis, CONFIG)
    assert [v.name for v in layers.variants] == ["noun_v2t", "verb_v2t", "noun_v2v", "verb_v2v"]
    noun = layers.variants[0]
    assert [r.layer for r in noun.picks] == [2]
    assert [r.layer for r in noun.rows] == list(range(6))
    peak = noun.rows[2]
    assert peak.dominant
    assert peak.magnitude.low < peak.magnitude.value < peak.magnitude.high
    assert peak.success_gap.value > 0 > peak.failure_gap.value
    assert noun.told[0] is peak
    assert layers.chosen == {"v2t": (2, 1), "v2v": (3,)}
    assert [(c.relation, c.layer, [v.name for v, _ in c.variants]) for c in layers.choices] == [
        ("v2t", 2, ["noun_v2t"]),
        ("v2t", 1, ["verb_v2t"]),
        ("v2v", 3, ["noun_v2v"]),
    ]
    assert [v.star for v in layers.variants] == ["★", "★", "★", "☆"]
    assert ("clips", str(CLIPS)) in layers.facts
    assert layers.published is None
    assert layers.table_is_short


def test_the_claim_says_where_and_how_sure(story):
    layers = read_layers(story.inputs.analysis, CONFIG)
    where = "In layers 1 and 2 words are bound to regions; in layer 3 regions are followed through the frames."
    assert layers.claim == f"{where} None of these choices is stable."  # six clips are too few to say so
    one, *others = (replace(choice, stable=True) for choice in layers.choices)
    unsure = replace(others[0], stable=False)
    assert replace(layers, choices=(one, *others)).claim.endswith("All 3 choices are stable.")
    assert replace(layers, choices=(one, unsure, unsure)).claim.endswith("1 of these 3 choices is stable.")
    assert replace(layers, chosen={"v2t": (), "v2v": (7,)}, choices=(one,)).claim == (
        "In no layer words are bound to regions; in layer 7 regions are followed through the frames. "
        "The choice is stable."
    )


def test_without_labels_there_are_no_gaps(story, tmp_path):
    plain = make_analysis(tmp_path / "analysis", story.inputs.clips, labelled=False, films=False)
    noun = read_layers(plain, CONFIG).variants[0]
    assert not noun.has_gaps
    assert noun.rows[2].separation == Measured(None)
    assert [row.layer for row in noun.picks] == [2]


def test_published_layers_stand_beside_ours(story, tmp_path):
    known = make_analysis(
        tmp_path / "analysis", story.inputs.clips, films=False, layers=42, published="cogvideox-5b-i2v"
    )
    layers = read_layers(known, CONFIG)
    assert not layers.table_is_short  # ten influential layers of each kind
    published = layers.published
    assert [row.dominant for row in published.rows] == [(7, 11), (12, 19)]
    assert [row.trained for row in published.rows] == [(7, 11), (12,)]
    assert [row.chosen for row in published.rows] == [(2, 1), (3,)]
    assert [row.shared for row in published.rows] == [(), ()]


def test_experts_stand_side_by_side(story, tmp_path):
    made = make_analysis(tmp_path / "analysis", story.inputs.clips, films=False, layers=8, experts=2)
    layers = read_layers(made, CONFIG)
    noisy, clean, *others = layers.variants
    assert [(v.name, v.kind, v.expert) for v in (noisy, clean)] == [
        ("noun_v2t.expert0", "noun_v2t", 0),
        ("noun_v2t.expert1", "noun_v2t", 1),
    ]
    assert (noisy.title, clean.meaning) == ("Nouns of expert 0, video to text", noisy.meaning)
    assert [r.layer for v in (noisy, clean) for r in v.picks] == [4, 2]
    assert (noisy.steps.columns, clean.steps.columns) == ((0,), (1, 2, 3, 4))
    assert [np.argmax([sum(heads) for heads in v.heads.values]) for v in (noisy, clean)] == [4, 2]
    assert [v.terms.layer for v in (noisy, clean)] == [4, 2]
    assert [v.star for v in others] == ["★"] * 4 + ["☆"] * 2
    assert layers.chosen == {"v2t": (4, 2, 3, 1), "v2v": (5, 3)}
    assert [[v.name for v, _ in choice.variants] for choice in layers.choices if choice.relation == "v2v"] == [
        ["noun_v2v.expert0"],
        ["noun_v2v.expert1"],
    ]


def test_an_older_analysis_is_refused(story, tmp_path):
    made = make_analysis(tmp_path / "analysis", story.inputs.clips, films=False)
    path = made.path / "layers.json"
    content = json.loads(path.read_text())
    del content["stable"]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match='the field "stable" is missing'):
        read_layers(made, CONFIG)


def test_scores_that_are_no_numbers_are_unknown(tmp_path):
    rows = [{"step": 0, "aas": float("nan")}, {"step": 1, "aas": 0.5}, {"step": 1, "aas": 0.25}]
    path = table(tmp_path / "s.parquet", [*rows, {"head": 0, "step": 1, "aas": 9.0}])
    assert read_grids(path, "v", "aas").values == ((None, 0.375),)
    assert isinstance(read_grids(path, "w", "aas"), Absent)


def test_a_clip_with_more_terms_counts_no_more(tmp_path):
    rows = [*({"clip_id": "two nouns", "aas": aas} for aas in (0.2, 0.4)), {"aas": 0.5}]
    assert read_grids(table(tmp_path / "s.parquet", rows), "v", "aas").values == ((pytest.approx(0.4),),)


def test_steps_and_heads_of_a_story(story):
    variant = read_layers(story.inputs.analysis, CONFIG).variants[0]
    assert (variant.steps.layers, variant.steps.columns, variant.steps.span) == (
        tuple(range(6)),
        tuple(range(5)),
        (900, 100),
    )
    assert np.argmax([row[-1] for row in variant.steps.values]) == 2
    assert variant.heads.columns == tuple(range(HEADS))
    assert np.argmax(variant.heads.values[2]) == HEADS - 1
    assert isinstance(read_heads(story.inputs.analysis.path / "heads.parquet", "none"), Absent)


def test_words_count_by_clips_in_the_chosen_layer(tmp_path):
    rows = [
        {"clip_id": "a", "words": "cup", "aas": 0.2},
        {"clip_id": "a", "words": "cup", "aas": 0.4},
        {"clip_id": "b", "words": "cup", "aas": 0.6, "area": 8.0},
        {"clip_id": "b", "words": "", "aas": 0.9},
        {"clip_id": "b", "words": "rope", "aas": 0.1},
        {"clip_id": "a", "words": "cup", "aas": 50.0, "layer": 1},
    ]
    path = table(tmp_path / "s.parquet", rows)
    terms = read_terms(path, "v", "aas", [0], ReportConfig(resamples=100, words=2))
    assert [(t.words, t.score.mean, t.score.n, t.area_tokens) for t in terms.shown] == [
        ("id1", pytest.approx(0.9), 1, 4.0),
        ("cup", pytest.approx(0.45), 2, 6.0),
    ]
    assert terms.others == 1
    assert terms.shown[0].score.low is None  # one clip has no spread
    assert isinstance(read_terms(path, "v", "aas", [], CONFIG), Absent)


def test_films_of_a_success_and_a_failure(story, tmp_path):
    clips = story.inputs.clips
    films = read_films(story.inputs.analysis, ["test-00001", "test-00002"], CONFIG, tmp_path)
    assert list(films.by_variant) == ["noun_v2t", "verb_v2t", "noun_v2v"]
    shown = films.by_variant["noun_v2t"]
    assert [(film.clip_id, film.outcome) for film in shown] == [("test-00001", "success"), ("test-00002", "failure")]
    assert [film.words for film in shown] == [NASTY, NASTY]  # the first noun, not the ball
    assert films.by_variant["noun_v2v"][0].words == "id1"
    assert (shown[0].width_px, shown[0].height_px) == FILM_HW[::-1]
    assert "6 of the 16 films" in films.rule
    small = read_films(story.inputs.analysis, [], ReportConfig(film_width_px=200, films=1), tmp_path)
    assert [(film.width_px, film.height_px) for film in small.by_variant["verb_v2t"]] == [(200, 32)]
    assert len(small.by_variant["verb_v2t"][0].uri) < len(shown[0].uri)
    none = make_analysis(tmp_path / "none", clips, films=False)
    assert read_films(none, [], CONFIG, tmp_path) == Absent("films of attention", "The analysis drew none.")


def test_films_keep_their_proportions_and_even_sides():
    assert fitting((480, 1440), 1440) == (480, 1440)
    assert fitting((514, 2914), 1440) == (254, 1440)
    assert fitting((3, 4000), 101) == (2, 100)
