from __future__ import annotations

from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.labels import label_clips

THIRDS = AnalyzeConfig(mode="replay")
THRESHOLDS = AnalyzeConfig(mode="replay", success_at_least=0.8, failure_at_most=0.3)


def _fidelity(*values: float | None) -> dict[str, float | None]:
    return {f"c{k}": value for k, value in enumerate(values)}


def test_upper_and_lower_third():
    labels = label_clips(_fidelity(0.1, 0.9, 0.5, None, 0.2, 0.8, 0.6, 0.4), THIRDS)
    assert labels.success == ("c1", "c5")
    assert labels.failure == ("c4", "c0")


def test_no_success_scores_like_a_failure():
    labels = label_clips(_fidelity(1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.0, 0.0), THIRDS)
    assert labels.success == ("c0", "c1")
    assert labels.failure == ("c7", "c8")
    assert not label_clips(_fidelity(*[0.5] * 9), THIRDS)


def test_thresholds_make_sets_of_equal_size():
    labels = label_clips(_fidelity(0.9, 0.8, 1.0, 0.0, 0.3, 0.5), THRESHOLDS)
    assert labels.success == ("c2", "c0")
    assert labels.failure == ("c4", "c3")
    assert "IF >= 0.8" in labels.rule


def test_too_few_clips_give_no_labels_and_say_so():
    labels = label_clips(_fidelity(0.9, 0.1, 0.5), THIRDS)
    assert not labels
    assert "3 scored clips" in labels.rule
    assert "no clip has" in label_clips(_fidelity(None, None), THIRDS).rule
