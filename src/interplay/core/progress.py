"""Progress with a time estimate: a bar on a terminal, a plain line now and then in a log.

Both go to standard error, so that the output of a command stays clean.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol, TypeVar, runtime_checkable

LINE_EVERY_S = 10.0

T = TypeVar("T")

_SHOWN = ContextVar("_SHOWN", default=True)


@runtime_checkable
class Stream(Protocol):
    """What progress needs of the place it is written to."""

    def write(self, text: str, /) -> object:
        """Take ``text``."""

    def flush(self) -> None:
        """Show what was written so far."""

    def isatty(self) -> bool:
        """Whether a person is looking."""


def track(items: Iterable[T], *, label: str, total: int | None = None) -> Iterator[T]:
    """Iterate over ``items`` and show how far it is; ``total`` is taken from ``items`` where that has a length."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(label, total) as progress:
        for item in items:
            yield item
            progress.advance()


@contextmanager
def shown(by_this_process: bool) -> Iterator[None]:
    """Inside, progress is shown or not: of several processes that do the same work, one speaks."""
    before = _SHOWN.set(by_this_process and _SHOWN.get())
    try:
        yield
    finally:
        _SHOWN.reset(before)


class Progress:
    """Shows ``done`` of ``total`` steps of ``label`` while the ``with`` block runs.

    ``done`` is what an earlier run has finished: it counts as progress and not as speed.
    """

    def __init__(
        self,
        label: str,
        total: int | None = None,
        *,
        done: int = 0,
        stream: Stream | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.label = label
        self.total = total
        self.done = done
        self._start_done = done
        self._stream: Stream = (sys.stderr if _SHOWN.get() else _Nowhere()) if stream is None else stream
        self._clock = clock
        self._bar: _Bar | None = None
        self._started_s = self._spoke_s = clock()

    def __enter__(self) -> Progress:
        self._started_s = self._spoke_s = self._clock()
        if self._stream.isatty():
            self._bar = _Bar(self.label, self.total, self.done)
        return self

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        """Count ``steps`` more; ``note`` is a word on how it goes ("loss 0.21")."""
        self.done += steps
        if self._bar is not None:
            self._bar.update(self.done, note)
        elif self._clock() - self._spoke_s >= LINE_EVERY_S:
            self._spoke_s = self._clock()
            self._print(self._line(note))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        else:
            outcome = "done" if kind is None else "stopped"
            took = format_seconds(self._clock() - self._started_s)
            self._print(f"{self.label}: {outcome}, {self._count()} in {took}")

    def remaining_s(self) -> float | None:
        """The estimated seconds to the end; ``None`` while there is nothing to estimate from."""
        fresh = self.done - self._start_done
        if self.total is None or fresh <= 0:
            return None
        return (self._clock() - self._started_s) / fresh * max(self.total - self.done, 0)

    def _line(self, note: str) -> str:
        remaining = self.remaining_s()
        estimate = "" if remaining is None else f", about {format_seconds(remaining)} left"
        return f"{self.label}: {self._count()}{estimate}" + (f" ({note})" if note else "")

    def _count(self) -> str:
        return str(self.done) if self.total is None else f"{self.done}/{self.total}"

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class _Nowhere:
    """Where progress goes that nobody is to see."""

    def write(self, text: str, /) -> object:
        return len(text)

    def flush(self) -> None:
        return None

    def isatty(self) -> bool:
        return False


class _Bar:
    """The bar of :mod:`rich`, which is imported only where somebody can see it."""

    def __init__(self, label: str, total: int | None, done: int) -> None:
        from rich import progress as rich_progress
        from rich.console import Console

        self._rich = rich_progress.Progress(
            rich_progress.TextColumn("{task.description}"),
            rich_progress.BarColumn(),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TimeElapsedColumn(),
            rich_progress.TimeRemainingColumn(),
            rich_progress.TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )
        self._rich.start()
        self._task = self._rich.add_task(label, total=total, completed=done, note="")

    def update(self, done: int, note: str) -> None:
        self._rich.update(self._task, completed=done, note=note)

    def close(self) -> None:
        self._rich.stop()


def format_seconds(seconds: float) -> str:
    """``75`` as ``1 min 15 s``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
