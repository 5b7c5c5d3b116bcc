from __future__ import annotations

import pytest

from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.labels import label_clips, read_labels
from interplay.core.errors import InputError

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


CLIPS = [f"c{k}" for k in range(6)]
CSV = "clip_id,label\nc0,success\nc1,Failure\nc2,success\nc3,failure\nc9,success\n"


@pytest.mark.parametrize("name", ["labels.csv", "labels.json"])
def test_a_file_of_labels(tmp_path, name):
    path = tmp_path / name
    path.write_text(
        CSV if name == "labels.csv" else '{"c0": "success", " c1": "Failure ", "c2": "SUCCESS", "c3": "failure"}'
    )
    labels = read_labels(path, CLIPS, [*CLIPS, "c9"])  # c9 is known and not analysed
    assert (labels.success, labels.failure) == (("c0", "c2"), ("c1", "c3"))
    assert name in labels.rule


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("l.csv", "clip,label\nc0,success\n", "lacks the column"),
        ("l.csv", "clip_id,label\nc0,good\n", "calls the clip c0 'good'"),
        ("l.csv", "clip_id,label\nzz,success\n", "names the clip 'zz'"),
        ("l.csv", "clip_id,label\nc0,success\nc0,failure\n", "twice"),
        ("l.csv", "clip_id,label\nc0,success\nc1,success\nc2,failure\n", "2 of the analysed clips as successes and 1"),
        ("l.json", "[]", "no object"),
        ("l.json", '{"c0": "success", "c0": "failure"}', "names the clip c0 twice"),
        ("l.json", '{"c0": 1}', "no word as the label of the clip c0"),
        ("l.json", '{"c0": {"label": "success"}}', "no word as the label of the clip c0"),
        ("l.json", '{"c0": ', "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path, name, text, problem):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=problem):
        read_labels(tmp_path / name, CLIPS, CLIPS)
