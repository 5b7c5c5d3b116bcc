from interplay.report.config import ReportConfig
from interplay.report.selection import select

CONFIG = ReportConfig(best=2, worst=1, typical=2)
GAINS = {"a": 0.3, "b": -0.2, "c": 0.0, "d": 0.1, "e": 0.3, "f": None, "g": 0.05}


def test_best_worst_and_typical():
    chosen = select(GAINS, list("abcdefg"), CONFIG)
    assert chosen.groups == {"best": ("a", "e"), "worst": ("b",), "typical": ("d", "g")}
    assert "6 clips scored for both" in chosen.rule


def test_a_loss_is_never_a_best_gain():
    chosen = select({"a": -0.1, "b": -0.3}, ["a", "b"], CONFIG)
    assert chosen.groups == {"best": (), "worst": ("b",), "typical": ("a",)}


def test_clips_that_were_not_generated_are_not_chosen():
    assert select(GAINS, ["b"], CONFIG).groups["best"] == ()


def test_without_gains_the_first_clips():
    chosen = select({"a": None}, list("abcdefg"), CONFIG)
    assert chosen.groups == {"first": tuple("abcde")}
    assert "the first 5 of 7 clips" in chosen.rule
