"""The errors of the project, and their exit codes.

Whatever a user can mend is an :class:`InputError`: one line that names the place (file, field), the problem and the
cure. The command line prints that line and exits with 2. Everything else is a defect of ours and keeps its traceback.
"""

from __future__ import annotations

from os import PathLike
from typing import ClassVar


class InterplayError(Exception):
    """Base of every error that Interplay raises on purpose."""

    exit_code: ClassVar[int] = 1


class InputError(InterplayError):
    """Something the user gave is not usable, and here is what to do about it.

    Its text is the single line ``{where}: {problem}; {cure}``.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, problem: str, *, where: str | PathLike[str], cure: str) -> None:
        self.problem = _one_line(problem)
        self.where = _one_line(str(where))
        self.cure = _one_line(cure)
        super().__init__(f"{self.where}: {self.problem}; {self.cure}")

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions unpickle by calling the class with ``args``; ours needs its keywords to cross a process border.
        return _rebuild, (self.problem, self.where, self.cure)


def _rebuild(problem: str, where: str, cure: str) -> InputError:
    return InputError(problem, where=where, cure=cure)


def _one_line(text: str) -> str:
    return " ".join(text.split())
