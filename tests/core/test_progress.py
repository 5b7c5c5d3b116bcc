from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from interplay.core.progress import Progress, format_seconds, shown, track


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_plain_line_comes_every_ten_seconds_and_at_the_end() -> None:
    clock, stream = Clock(), io.StringIO()
    with Progress("training", 12, stream=stream, clock=clock) as progress:
        for _ in range(12):
            clock.now_s += 4
            progress.advance(note="loss 0.5")
    assert stream.getvalue().splitlines() == [
        "training: 3/12, about 36 s left (loss 0.5)",
        "training: 6/12, about 24 s left (loss 0.5)",
        "training: 9/12, about 12 s left (loss 0.5)",
        "training: 12/12, about 0 s left (loss 0.5)",
        "training: done, 12/12 in 48 s",
    ]


def test_it_is_shown_by_one_process_of_several(capsys: pytest.CaptureFixture[str]) -> None:
    for by_this_process in (False, True):
        with shown(by_this_process):
            assert list(track([1, 2], label=f"shown: {by_this_process}")) == [1, 2]
    assert capsys.readouterr().err == "shown: True: done, 2/2 in 0 s\n"


def test_what_an_earlier_run_did_is_no_speed() -> None:
    clock = Clock()
    progress = Progress("clips", 100, done=90, stream=io.StringIO(), clock=clock)
    with progress:
        assert progress.remaining_s() is None
        clock.now_s = 5
        progress.advance()
        assert progress.remaining_s() == pytest.approx(5 * 9)


def test_an_unknown_total_has_no_estimate() -> None:
    clock, stream = Clock(), io.StringIO()
    with Progress("frames", stream=stream, clock=clock) as progress:
        clock.now_s = 11
        progress.advance(3)
    assert stream.getvalue().splitlines() == ["frames: 3", "frames: done, 3 in 11 s"]


def test_a_block_that_fails_says_stopped() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyboardInterrupt), Progress("clips", 3, stream=stream, clock=Clock()):
        raise KeyboardInterrupt
    assert stream.getvalue() == "clips: stopped, 0/3 in 0 s\n"


def test_track_passes_items_through_and_knows_the_length(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(["a", "b"], label="letters")) == ["a", "b"]
    captured = capsys.readouterr()
    assert captured.err.startswith("letters: done, 2/2 in")
    assert captured.out == ""


def test_track_takes_what_has_no_length(capsys: pytest.CaptureFixture[str]) -> None:
    def numbers() -> Iterator[int]:
        yield from (1, 2, 3)

    assert sum(track(numbers(), label="sum")) == 6
    assert "done, 3 in" in capsys.readouterr().err


def test_a_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with Progress("clips", 2, stream=stream) as progress:
        progress.advance(2, note="fine")
    assert stream.getvalue() == ""  # the bar belongs to rich, which writes to standard error
    assert "2/2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.7, "1 min 0 s"), (75, "1 min 15 s"), (7325, "2 h 2 min")]
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
