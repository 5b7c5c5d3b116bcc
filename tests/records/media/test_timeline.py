"""Which frame is shown when, and which frames stand for a clip of another rate."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interplay.core.errors import InputError
from interplay.records.media.timeline import Timeline, as_rate, choose_frames, even_timeline

UNEVEN = Timeline((0, 100, 150, 400, 1000), 1040, Fraction(1, 1000))


def chosen(timeline, **clip):
    return choose_frames(timeline, where="a.mp4", **clip).indices


def test_a_frame_is_shown_until_the_next_one():
    assert [UNEVEN.index_at(time, where="a") for time in (0, 0.0999, 0.1, 0.39999, 0.4, 1.039)] == [0, 0, 1, 2, 3, 4]
    assert (UNEVEN.num_frames, UNEVEN.duration_s, UNEVEN.start_s(3), UNEVEN.start_s(5)) == (5, 1.04, 0.4, 1.04)


@given(st.integers(1, 400), st.sampled_from([8.0, 23.976, 24.0, 25.0, 29.97, 30000 / 1001, 60.0]))
def test_a_frames_own_time_as_a_float_shows_that_frame(count, fps):
    timeline = even_timeline(count, fps)
    for index in {0, count // 3, count - 1}:
        assert timeline.index_at(timeline.start_s(index), where="a") == index


def test_the_time_of_a_clock_finer_than_a_float_tells():
    timeline = Timeline(tuple(range(0, 7_000_003 * 9, 7_000_001)), 7_000_003 * 9, Fraction(1, 7_000_003))
    found = [timeline.index_at(timeline.start_s(index), where="a") for index in range(timeline.num_frames)]
    assert found == list(range(timeline.num_frames))


@pytest.mark.parametrize("time", [-0.001, 1.04, 7])
def test_outside_of_it_nothing_is_shown(time):
    with pytest.raises(InputError, match=r"a\.mp4: shows nothing at .* it lasts 1\.04 s; ask for times from 0"):
        UNEVEN.index_at(time, where="a.mp4")


def test_the_nearest_presentation_time_and_of_two_the_earlier():
    assert [UNEVEN.nearest(Fraction(ms, 1000)) for ms in (-5, 0, 50, 51, 125, 126, 700, 701, 5000)] == [
        0, 0, 0, 1, 1, 2, 3, 4, 4,
    ]  # fmt: skip


def test_the_same_rate_takes_every_frame():
    assert chosen(even_timeline(81, 25), num_frames=81, fps=25) == tuple(range(81))
    assert chosen(even_timeline(81, 30000 / 1001), num_frames=81, fps=30000 / 1001) == tuple(range(81))


def test_halving_and_a_start():
    assert chosen(even_timeline(30, 30), num_frames=5, fps=15, start_s=0.2) == (6, 8, 10, 12, 14)


def test_ties_go_to_the_earlier_frame_at_every_step():
    assert chosen(even_timeline(12, 24), num_frames=8, fps=16) == (0, 1, 3, 4, 6, 7, 9, 10)


def test_a_faster_clip_repeats_and_says_so():
    choice = choose_frames(even_timeline(24, 24), num_frames=25, fps=25, where="a")
    assert choice.indices == (*range(13), *range(12, 24))
    assert choice.repeats == (13,)


def test_an_uneven_video():
    assert chosen(UNEVEN, num_frames=5, fps=5) == (0, 2, 3, 3, 4)
    assert choose_frames(UNEVEN, num_frames=5, fps=5, where="a").repeats == (3,)


@pytest.mark.parametrize(
    ("clip", "cure"),
    [
        ({"num_frames": 9, "fps": 8}, "take 8 frames or fewer, or a higher rate"),
        ({"num_frames": 2, "fps": 8, "start_s": 0.9}, "take 1 frames or fewer"),
        ({"num_frames": 1, "fps": 8, "start_s": 1.0}, "start inside of it"),
        ({"num_frames": 1, "fps": 8, "start_s": -0.1}, "start inside of it"),
    ],
)
def test_a_video_that_is_too_short(clip, cure):
    with pytest.raises(InputError) as error:
        choose_frames(even_timeline(24, 24), where="a.mp4", **clip)
    assert str(error.value).startswith("a.mp4: lasts 1 s, and ")
    assert cure in error.value.cure


def test_what_the_cure_names_works():
    timeline = even_timeline(49, 8)
    with pytest.raises(InputError, match="take 153 frames or fewer"):
        choose_frames(timeline, num_frames=200, fps=25, start_s=0.03, where="a")
    assert len(chosen(timeline, num_frames=153, fps=25, start_s=0.03)) == 153


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=40),
    st.integers(1, 20),
    st.sampled_from([1.0, 7.5, 23.976, 25.0]),
    st.floats(0, 0.3),
)
def test_it_is_the_nearest_frame_by_plain_search(durations, count, fps, start):
    ticks = tuple(sum(durations[:place]) for place in range(len(durations)))
    timeline = Timeline(ticks, sum(durations), Fraction(1, 100))
    try:
        choice = choose_frames(timeline, num_frames=count, fps=fps, start_s=start, where="a")
    except InputError:
        assert start + (count - 1) / fps >= timeline.duration_s - 2e-6
        return
    for number, index in enumerate(choice.indices):
        time = Fraction(start).limit_denominator(1_000_000) + number / as_rate(fps)
        assert index == min(range(len(ticks)), key=lambda place: (abs(Fraction(ticks[place], 100) - time), place))
    assert list(choice.indices) == sorted(choice.indices)


def test_rates_are_the_fractions_that_are_meant():
    assert as_rate(29.97002997) == Fraction(30000, 1001)
    assert as_rate(25.0) == 25
    assert not UNEVEN.keeps_rate(UNEVEN.mean_fps)
    assert Timeline((0, 33, 67, 100), 133, Fraction(1, 1000)).keeps_rate(Fraction(30))
