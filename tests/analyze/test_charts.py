"""What the figures say of themselves: which measure, which expert. How they look is for eyes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from interplay.analyze import charts, stability_chart
from interplay.analyze.config import AnalyzeConfig, Measure
from interplay.analyze.judging import VariantVerdict, judge_variant
from interplay.analyze.labels import Labels
from interplay.analyze.table import VariantScores

NAMES = tuple(f"c{k}" for k in range(6))
LABELS, NO_LABELS = Labels(NAMES[:2], NAMES[-2:], "by hand"), Labels((), (), "none")


def _verdict(measure: Measure, labels: Labels) -> VariantVerdict:
    values = np.random.default_rng(0).normal(size=(6, 3, 2))
    scores = VariantScores(
        NAMES, np.arange(3), np.array([4, 7]), np.array([800, 100]), values, values.mean(axis=2)[None], False
    )
    config = AnalyzeConfig(mode="replay", bootstrap=20, measure=measure)
    return judge_variant("noun_v2t", scores, labels, config, heads=np.random.default_rng(1).normal(size=(6, 3, 2)))


@pytest.fixture
def words(monkeypatch) -> list[str]:
    """The titles and labels of every figure that is drawn."""
    told: list[str] = []

    def read(figure, path) -> None:
        for axis in figure.axes:
            told.extend((axis.get_title(loc="left"), axis.get_xlabel(), axis.get_ylabel()))
            told.extend(label.get_text() for label in axis.get_xticklabels())
        told.extend(text.get_text() for legend in figure.legends for text in legend.get_texts())

    monkeypatch.setattr(charts, "save", read)
    monkeypatch.setattr(stability_chart, "save", read)
    return told


def _draw_all(verdicts: dict[str, VariantVerdict]) -> None:
    for draw in (charts.draw_layers, charts.draw_heatmap, charts.draw_heads, stability_chart.draw_stability):
        draw(verdicts, Path("unused.png"))


@pytest.mark.parametrize("labels", [LABELS, NO_LABELS])
@pytest.mark.parametrize(("measure", "name"), [("aas", "AAS"), ("aas_per_area", "AAS per token of the mask")])
def test_figures_name_the_measure_that_they_show(words, measure, name, labels):
    _draw_all({"noun_v2t": _verdict(measure, labels)})
    of_scores = [text for text in words if "AAS" in text]
    assert len(of_scores) >= 3  # the chart of layers, that of steps and that of heads
    assert all((name in text) and ("per token" in text) == ("per token" in name) for text in of_scores)


def test_figures_tell_experts_apart_and_number_the_steps_that_they_show(words):
    _draw_all({f"noun_v2t.expert{k}": _verdict("aas", LABELS) for k in (0, 1)})
    for number in (0, 1):
        assert sum(text.startswith(f"nouns of expert {number}, video to text") for text in words) == 4
    assert {"4\nt=800", "7\nt=100"} <= set(words)
    assert charts.title_of("verb_v2v") == "verbs, video to video"
