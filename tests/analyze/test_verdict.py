from __future__ import annotations

import numpy as np

from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.labels import Labels
from interplay.analyze.table import VariantScores
from interplay.analyze.verdict import VariantVerdict, choose, judge_variant, summarise

CONFIG = AnalyzeConfig(mode="replay", bootstrap=50, top_k=2)
NAMES = tuple(f"c{k:02}" for k in range(12))
LABELS = Labels(NAMES[:4], NAMES[-4:], "by hand")
# Clips are the better the earlier they come.
QUALITY = np.repeat([1.0, 0.0, -1.0], 4)[:, None]
LAYERS = np.array([3, 5, 8, 9])


def _verdict(values: np.ndarray, labels: Labels = LABELS, clips: tuple[str, ...] = NAMES) -> VariantVerdict:
    steps = np.stack([values, values], axis=2)
    return judge_variant("noun_v2t", VariantScores(clips, LAYERS, np.array([900, 100]), steps), labels, CONFIG)


CLEAR = _verdict(np.array([0.0, 2.0, 1.0, 0.0]) + QUALITY * np.array([0.0, 0.1, 0.4, 0.0]))
BACKWARDS = _verdict(np.array([3.0, 2.0, 1.0, 0.0]) - QUALITY * 0.1)


def test_layers_are_named_by_number_and_ranked_by_separation():
    entry = CLEAR.to_json()
    assert entry["influential"] == [5, 8]
    assert entry["dominant"] == [8, 5]
    assert entry["picks"] == [8]
    row = entry["table"][2]
    assert (row["layer"], row["frequency"], row["picked_share"]) == (8, 12, 1.0)
    np.testing.assert_allclose([row["success_gap"], row["failure_gap"], row["separation"]], [0.4, -0.4, 0.8])


def test_v2t_takes_noun_and_verb_and_v2v_the_noun_alone():
    verdicts = {"noun_v2t": CLEAR, "verb_v2t": BACKWARDS, "noun_v2v": BACKWARDS, "verb_v2v": CLEAR}
    assert choose(verdicts) == {"v2t": [8, 3], "v2v": [3]}
    assert choose({"noun_v2t": CLEAR, "verb_v2t": CLEAR}) == {"v2t": [8], "v2v": []}


def test_a_fall_back_is_said():
    summary = summarise({"noun_v2t": BACKWARDS, "noun_v2v": CLEAR}, LABELS, CONFIG, ["first note"])
    assert summary["chosen"] == {"v2t": [3], "v2v": [8]}
    assert summary["picked_share"] == {"v2t": {"3": 1.0}, "v2v": {"8": 1.0}}
    notes = summary["notes"]
    assert notes[0] == "first note"
    assert "noun_v2t: no influential layer" in notes[1]
    assert "verb_v2t: no clip has this variant" in notes[2]
    assert len(notes) == 3


def test_an_unstable_choice_and_few_clips_are_said():
    divided = np.stack([np.roll([3.0, 2.0, 1.0, 0.0], clip) for clip in range(4)])
    none = Labels((), (), "no labels: nobody scored")
    summary = summarise({"noun_v2t": _verdict(divided, none, NAMES[:4])}, none, CONFIG)
    assert "Only 4 clips" in summary["notes"][0]
    assert any("the choice is not stable" in note for note in summary["notes"])
    assert summary["labels"] == "no labels: nobody scored: influential layers only"
    assert "Dominant: none; no labels" in summary["rule"]
