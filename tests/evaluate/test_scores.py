from __future__ import annotations

import pytest

from interplay.core.estimates import estimate
from interplay.evaluate.protocol import Answer, Presence, Question, State, judged_frames
from interplay.evaluate.scores import ClipScore, count_answers, score_clip, spi, summarize, summarize_groups

CALM = Presence(State.ANSWERED, (), (), 10)


def answers(pattern: str, interaction: int = 0) -> list[tuple[Question, Answer]]:
    """``y`` yes, ``n`` no, ``i`` no (visually implausible), ``?`` unparsable, ``-`` not asked."""
    said = {"y": "yes", "n": "no", "i": "no (visually implausible)"}
    return [
        (
            Question(interaction, f"Q{number}", "topic", "text?"),
            Answer(State.ANSWERED, said[c], 3) if c in said else Answer(State.UNPARSABLE, reply="hm"),
        )
        for number, c in enumerate(pattern, start=1)
        if c != "-"
    ]


@pytest.mark.parametrize(
    ("emergent", "vanished", "expected"),
    # The first three are the values that the released code gives (1 of 10 emergent; 2 of 10 both; all frames both).
    [
        ((3,), (), 0.75),
        ((1, 2), (4, 9), 0.0),
        (tuple(range(10)), tuple(range(10)), -4.0),
        ((), (), 1.0),
        ((), (5,), 0.75),
    ],
)
def test_spi_is_that_of_the_protocol(emergent, vanished, expected):
    assert spi(Presence(State.ANSWERED, emergent, vanished, 10)) == pytest.approx(expected)


def test_all_yes_is_one():
    score = score_clip(answers("y" * 10), CALM)
    assert (score.state, score.kisa, score.sgi, score.spi, score.fidelity) == ("scored", 1.0, 1.0, 1.0, 1.0)


def test_a_worked_example():
    """4 of 6, 1 of 4, one of ten frames emergent: SPI 0.75, KISA 0.5, SGI 0.1875, IF 0.34375."""
    score = score_clip(answers("yyyynnynnn"), Presence(State.ANSWERED, (7,), (), 10))
    assert score.kisa_raw == pytest.approx(4 / 6)
    assert score.sgi_raw == pytest.approx(1 / 4)
    assert score.spi == pytest.approx(0.75)
    assert score.kisa == pytest.approx(0.5)
    assert score.sgi == pytest.approx(0.1875)
    assert score.fidelity == pytest.approx(0.34375)
    assert score.to_json()["if"] == pytest.approx(0.34375)


def test_products_may_be_negative():
    score = score_clip(answers("y" * 10), Presence(State.ANSWERED, tuple(range(10)), tuple(range(10)), 10))
    assert (score.kisa, score.fidelity) == (-4.0, -4.0)


def test_visually_implausible_is_a_no():
    assert score_clip(answers("iyyyyyyyyy"), CALM).kisa_raw == pytest.approx(5 / 6)


def test_interactions_are_averaged_not_pooled():
    score = score_clip(answers("yyyyyyyyyy", 0) + answers("nnnnnnyynn", 1), CALM)
    assert (score.kisa_raw, score.sgi_raw) == (0.5, 0.75)


@pytest.mark.parametrize(
    ("answered", "presence", "state"),
    [
        ([], Presence(State.UNANSWERED, reply="there is no judge"), "not scored: no judge"),
        ([], CALM, "not scored: no interaction"),
        (answers("yyy?yyyyyy"), CALM, "not scored: 1 of 10 questions have no answer (Q4 unparsable)"),
        (answers("yyyyyyyyy-"), CALM, "not scored: Q10 was not asked"),
        (
            answers("y" * 10),
            Presence(State.REFUSED, reply="no"),
            "not scored: emergence and disappearance are refused",
        ),
        (answers("y" * 10), Presence(State.ANSWERED, (), (), 0), "not scored: the video has no frame but the first"),
    ],
)
def test_what_is_missing_is_neither_yes_nor_no(answered, presence, state):
    score = score_clip(answered, presence)
    assert score == ClipScore(state)
    assert [score.kisa, score.sgi, score.spi, score.fidelity] == [None] * 4


def test_an_answer_without_words_is_no_answer():
    with pytest.raises(ValueError, match="no answer of the state"):
        Answer(State.ANSWERED)
    with pytest.raises(ValueError, match="no answer of the state"):
        Answer(State.REFUSED, "no")
    with pytest.raises(ValueError, match="no answer of the state"):
        Answer(State.ANSWERED, "maybe")


def test_means_say_how_many_they_are_over():
    scores = [score_clip(answers(p), CALM) for p in ("yyyyyyyyyy", "nnnnnnnnnn", "yyyyyy????")]
    summary = summarize(scores, seed=0, resamples=200)
    assert summary["if"]["mean"] == pytest.approx(0.5)
    assert (summary["if"]["n_scored"], summary["if"]["n"]) == (2, 3)
    assert summary["if"]["low"] == 0.0
    assert summary["if"]["high"] == 1.0


def test_groups_have_their_own_means():
    scores = {"a": score_clip(answers("y" * 10), CALM), "b": score_clip(answers("n" * 10), CALM)}
    groups = summarize_groups(scores, {"a": "test", "b": "heldout"}, seed=0, resamples=200)
    assert list(groups) == ["heldout", "test"]
    assert [groups[name]["if"]["mean"] for name in groups] == [0.0, 1.0]


def test_answers_are_counted_per_question():
    tally = count_answers([answers("yn????????"), answers("yyyyyyyyyy")])
    assert tally["Q1"] == {"yes": 2, "answered": 2, "asked": 2}
    assert tally["Q2"] == {"yes": 1, "answered": 2, "asked": 2}
    assert tally["Q3"] == {"yes": 1, "answered": 1, "asked": 2}


@pytest.mark.parametrize(("num_frames", "count"), [(49, 11), (81, 17)])
def test_model_judges_see_the_frames_of_the_protocol(num_frames, count):
    frames = judged_frames(num_frames)
    assert len(frames) == count
    assert (frames[0], frames[1], frames[-1]) == (0, 5, num_frames - 1)


def test_short_videos_have_frames_to_judge_too():
    assert judged_frames(1) == (0,)
    assert judged_frames(6) == (0, 5)
    assert judged_frames(7) == (0, 5, 6)


def test_intervals_cover_the_mean_and_need_two_clips():
    many = estimate([0.0, 1.0] * 50, seed=1, resamples=500)
    assert many.low is not None
    assert many.high is not None
    assert 0.38 < many.low < many.mean == 0.5 < many.high < 0.62
    assert estimate([0.3], seed=1, resamples=500).low is None
    assert estimate([None, None], seed=1, resamples=500).mean is None
    assert many == estimate([0.0, 1.0] * 50, seed=1, resamples=500)
