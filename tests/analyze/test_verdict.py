from __future__ import annotations

import numpy as np

from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.judging import VariantVerdict, judge_variant
from interplay.analyze.labels import Labels
from interplay.analyze.table import VariantScores
from interplay.analyze.verdict import choose, summarise

CONFIG = AnalyzeConfig(mode="replay", bootstrap=50, top_k=2)
NAMES = tuple(f"c{k:02}" for k in range(12))
LABELS = Labels(NAMES[:4], NAMES[-4:], "by hand")
NO_LABELS = Labels((), (), "no labels: nobody scored")
# Clips are the better the earlier they come.
QUALITY = np.repeat([1.0, 0.0, -1.0], 4)[:, None]
LAYERS = np.array([3, 5, 8, 9])


def _scores(values: np.ndarray, clips: tuple[str, ...] = NAMES, *, cross: bool = False) -> VariantScores:
    steps = np.stack([values, values], axis=2)
    numbers, timesteps = np.array([0, 1]), np.array([900, 100])
    return VariantScores(clips, LAYERS, numbers, timesteps, steps, np.stack([values, values]), cross)


def _verdict(values: np.ndarray, labels: Labels = LABELS, clips: tuple[str, ...] = NAMES) -> VariantVerdict:
    return judge_variant("noun_v2t", _scores(values, clips), labels, CONFIG)


CLEAR = _verdict(np.array([0.0, 2.0, 1.0, 0.0]) + QUALITY * np.array([0.0, 0.1, 0.4, 0.0]))
BACKWARDS = _verdict(np.array([3.0, 2.0, 1.0, 0.0]) - QUALITY * 0.1)


def test_layers_are_named_by_number_and_ranked_by_separation():
    entry = CLEAR.to_json()
    assert entry["influential"] == [5, 8]
    assert entry["dominant"] == [8, 5]
    assert entry["picks"] == [8]
    assert entry["picks_by_draw"] == [[8], [8]]
    row = entry["table"][2]
    assert (row["layer"], row["frequency"], row["picked_share"]) == (8, 12, 1.0)
    assert (row["influential_share"], row["dominant_share"], row["dummy"]) == (1.0, 1.0, False)
    np.testing.assert_allclose([row["success_gap"], row["failure_gap"], row["separation"]], [0.4, -0.4, 0.8])


def test_v2t_takes_noun_and_verb_and_v2v_the_noun_alone():
    verdicts = {"noun_v2t": CLEAR, "verb_v2t": BACKWARDS, "noun_v2v": BACKWARDS, "verb_v2v": CLEAR}
    assert choose(verdicts) == {"v2t": [8, 3], "v2v": [3]}
    assert choose({"noun_v2t": CLEAR, "verb_v2t": CLEAR}) == {"v2t": [8], "v2v": []}


def test_experts_are_judged_apart_and_the_layers_of_either_are_chosen():
    verdicts = {"noun_v2t.expert0": CLEAR, "noun_v2t.expert1": BACKWARDS, "noun_v2v.expert1": CLEAR}
    summary = summarise(verdicts, LABELS, CONFIG)
    assert summary["chosen"] == {"v2t": [8, 3], "v2v": [8]}
    assert summary["picked_share"]["v2t"] == {"8": 1.0, "3": 1.0}
    told = {name: (entry["variant"], entry["expert"]) for name, entry in summary["variants"].items()}
    assert told["noun_v2t.expert0"] == ("noun_v2t", 0)
    assert told["noun_v2v.expert1"] == ("noun_v2v", 1)
    fallback, missing = summary["notes"]
    assert fallback.startswith("noun_v2t.expert1: no influential layer")
    assert missing.startswith("verb_v2t: no clip has this variant")
    assert summarise({"noun_v2t": CLEAR}, LABELS, CONFIG)["variants"]["noun_v2t"]["expert"] is None


def test_a_fall_back_is_said():
    summary = summarise({"noun_v2t": BACKWARDS, "noun_v2v": CLEAR}, LABELS, CONFIG, ["first note"])
    assert summary["chosen"] == {"v2t": [3], "v2v": [8]}
    assert summary["picked_share"] == {"v2t": {"3": 1.0}, "v2v": {"8": 1.0}}
    assert summary["stable"] == {"v2t": {"3": True}, "v2v": {"8": True}}
    notes = summary["notes"]
    assert notes[0] == "first note"
    assert "noun_v2t: no influential layer" in notes[1]
    assert "verb_v2t: no clip has this variant" in notes[2]
    assert len(notes) == 3


def test_an_unstable_choice_and_few_clips_are_said():
    divided = np.stack([np.roll([3.0, 2.0, 1.0, 0.0], clip) for clip in range(4)])
    summary = summarise({"noun_v2t": _verdict(divided, NO_LABELS, NAMES[:4])}, NO_LABELS, CONFIG)
    assert "Only 4 clips" in summary["notes"][0]
    assert any("the choice is not stable" in note for note in summary["notes"])
    assert list(summary["stable"]["v2t"].values()) == [False]
    assert summary["labels"] == "no labels: nobody scored: influential layers only"
    assert "Dominant: none; no labels" in summary["rule"]


def test_few_clips_cannot_vouch_for_a_layer():
    values = np.array([0.0, 2.0, 1.0, 0.0]) + QUALITY * 0.1
    for clips, stable in ((9, False), (10, True)):
        verdict = _verdict(values[:clips], NO_LABELS, NAMES[:clips])
        assert verdict.share_of(5) == 1.0
        assert summarise({"noun_v2t": verdict}, NO_LABELS, CONFIG)["stable"]["v2t"] == {"5": stable}


def test_noises_that_choose_other_layers_are_said():
    first, second = np.tile([3.0, 2.0, 0.0, 0.0], (12, 1)), np.tile([2.0, 2.9, 0.0, 0.0], (12, 1))
    mean = (first + second) / 2
    steps, timesteps = np.array([0]), np.array([900])
    scores = VariantScores(NAMES, LAYERS, steps, timesteps, mean[..., None], np.stack([first, second]), False)
    verdict = judge_variant("noun_v2v", scores, NO_LABELS, CONFIG)
    assert verdict.by_draw == ((3,), (5,))
    summary = summarise({"noun_v2v": verdict}, NO_LABELS, CONFIG)
    assert summary["stable"]["v2v"] == {"3": False} if verdict.picks == [3] else {"5": False}
    assert any("not chosen by every noise" in note for note in summary["notes"])


def test_dummies_of_cross_attention_are_left_out_and_said():
    values = np.array([0.0, 2.0, 1.0, 0.0]) + QUALITY * np.array([0.0, 0.0, 0.4, 0.2])
    names = {"noun_v2t": judge_variant("noun_v2t", _scores(values, cross=True), LABELS, CONFIG)}
    entry = names["noun_v2t"].to_json()
    assert entry["dummies"] == [3, 5]
    assert set(entry["influential"]) == {8, 9}
    assert any("2 of 4 layers say the same" in note for note in summarise(names, LABELS, CONFIG)["notes"])
    joint = judge_variant("noun_v2t", _scores(values), LABELS, CONFIG).to_json()
    assert joint["dummies"] == []
    assert 5 in joint["influential"]
    constant = {"noun_v2t": judge_variant("noun_v2t", _scores(np.ones((12, 4)), cross=True), LABELS, CONFIG)}
    summary = summarise(constant, LABELS, CONFIG)
    assert summary["chosen"]["v2t"] == []
    assert any("every layer is a dummy" in note for note in summary["notes"])


def test_the_other_measure_stands_beside_and_a_difference_is_said():
    values = np.array([0.0, 2.0, 1.0, 0.0]) + QUALITY * 0.1
    other = values[:, [0, 2, 1, 3]]
    verdict = judge_variant("noun_v2t", _scores(values), NO_LABELS, CONFIG, beside=_scores(other))
    entry = verdict.to_json()["beside"]
    assert (entry["measure"], entry["picks"], verdict.picks) == ("aas_per_area", [8], [5])
    notes = summarise({"noun_v2t": verdict}, NO_LABELS, CONFIG)["notes"]
    assert any("by aas_per_area it would choose layer 8" in note for note in notes)


def test_single_heads_have_means_intervals_and_separations():
    heads = np.zeros((12, 4, 3))
    heads[:, 2, 1] = 1.0 + QUALITY[:, 0]
    values = np.array([0.0, 2.0, 1.0, 0.0]) + QUALITY * np.array([0.0, 0.1, 0.4, 0.0])
    verdict = judge_variant("noun_v2t", _scores(values), LABELS, CONFIG, heads=heads)
    assert verdict.heads is not None
    best = verdict.to_json()["heads"]["8"][0]
    assert (best["head"], best["magnitude"], best["separation"]) == (1, 1.0, 2.0)
    low, high = best["magnitude_interval"]
    assert low <= 1.0 <= high
    rows = verdict.heads.table("noun_v2t", LAYERS.tolist()).to_pylist()
    assert len(rows) == 12
    assert {(r["variant"], r["expert"]) for r in rows} == {("noun_v2t", 0)}
    of_expert = verdict.heads.table("noun_v2t.expert1", LAYERS.tolist()).to_pylist()
    assert {(r["variant"], r["expert"]) for r in of_expert} == {("noun_v2t", 1)}
    (row,) = [r for r in rows if (r["layer"], r["head"]) == (8, 1)]
    assert row["separation_low"] == row["separation_high"] == 2.0


def test_a_variant_that_no_failure_has_is_not_separated_and_says_so():
    scores = np.array([0.0, 2.0, 1.0, 0.0]) + QUALITY[:8] * 0.1
    verdict = _verdict(scores, LABELS, NAMES[:8])
    assert verdict.ranking.separation is None
    notes = summarise({"noun_v2t": verdict}, LABELS, CONFIG)["notes"]
    assert any("no success or no failure has this variant" in note for note in notes)
