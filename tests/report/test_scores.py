import pytest

from interplay.core.errors import InputError
from interplay.report.absent import Absent
from interplay.report.config import ReportConfig
from interplay.report.scores import ClipScores, ModelScores, judge_models, read_scores, tabulate

CONFIG = ReportConfig(resamples=500)


def model(values, state="scored"):
    clips = {
        f"c{i}": ClipScores(dict.fromkeys(("kisa", "sgi", "spi", "if"), v), state if v is None else "scored")
        for i, v in enumerate(values)
    }
    return ModelScores(clips, "a judge")


def verdict(base, aligned):
    return judge_models(base, aligned, tabulate(base, aligned, {}, CONFIG))


def test_better_when_the_whole_interval_is_above_zero():
    found = verdict(model([0.1, 0.2, 0.3, 0.4]), model([0.3, 0.45, 0.5, 0.7]))
    assert found.outcome == "better"
    assert found.sentence.startswith("The aligned model is better than the base. Interaction fidelity (IF) changes by")
    assert "+0.237, 95% interval +0.200 to" in found.sentence
    assert "over the 4 clips scored for both" in found.sentence


def test_not_better_yet_when_the_whole_interval_is_below_zero():
    found = verdict(model([0.3, 0.45, 0.5, 0.7]), model([0.1, 0.2, 0.3, 0.4]))
    assert found.outcome == "worse"
    assert "not better than the base yet" in found.sentence


@pytest.mark.parametrize(("base", "aligned"), [([0.1, 0.9], [0.9, 0.1]), ([0.5, 0.5], [0.5, 0.5]), ([0.1], [0.9])])
def test_undecided_when_zero_is_possible_or_there_is_one_clip(base, aligned):
    found = verdict(model(base), model(aligned))
    assert found.outcome == "undecided"
    assert "cannot be told apart" in found.sentence


def test_without_a_judge_it_says_so():
    found = verdict(model([None, None], "not scored: no judge"), model([None, None], "not scored: no judge"))
    assert found.outcome == "open"
    assert found.sentence.startswith("Not scored: no judge. Nothing here says")


def test_a_missing_evaluation_is_named():
    found = verdict(model([0.1, 0.2]), Absent("aligned evaluation", "No aligned evaluation was given."))
    assert found.outcome == "open"
    assert "the aligned evaluation is missing" in found.sentence


def test_the_table_has_every_split_and_all_clips():
    base, aligned = model([0.0, 1.0, None]), model([0.5, 1.0, 1.0])
    table = tabulate(base, aligned, {"c0": "test", "c1": "heldout"}, CONFIG)
    assert [split.split for split in table.splits] == ["test", "heldout", "not in the clips", "all clips"]
    row = table.overall.rows[-1]
    assert (row.metric, row.base.mean, row.aligned.mean) == ("if", 0.5, pytest.approx(2.5 / 3))
    assert (row.difference.mean, row.difference.n_scored, row.difference.n) == (0.25, 2, 3)


def test_a_single_split_is_not_said_twice():
    table = tabulate(model([0.1]), model([0.2]), {"c0": "test"}, CONFIG)
    assert [split.split for split in table.splits] == ["all clips"]


def test_one_model_alone_has_no_difference():
    table = tabulate(model([0.1, 0.3]), Absent("x", "y"), {}, CONFIG)
    row = table.overall.rows[0]
    assert row.base.mean == pytest.approx(0.2)
    assert row.aligned is None
    assert row.difference is None


def test_unscored_videos_are_counted_by_reason():
    table = tabulate(model([0.1, None], "unparsable"), model([None, None], "refused"), {}, CONFIG)
    assert table.unscored == {"refused": 2, "unparsable": 1}


def test_reads_the_scores_of_an_evaluation(story):
    scores = read_scores(story.inputs.base_evaluation)
    assert scores.judge == "exact world judge"
    assert scores.clips["test-00002"].state == "unparsable"
    assert scores.clips["test-00002"].values["if"] is None
    assert len(scores.clips) == 11


def test_an_artifact_without_scores_is_an_input_error(story):
    with pytest.raises(InputError, match=r"holds no scores\.json"):
        read_scores(story.inputs.training)
