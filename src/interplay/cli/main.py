"""The ``interplay`` command: its sub-commands, and how mistakes, interrupts and full disks end.

Exit codes: 0 done, 1 something failed inside, 2 an input that the user can mend (one sentence says how), 130 stopped
with Ctrl-C (finished work is kept; the same command goes on from there).
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

import typer
from pydantic import ValidationError

from interplay.cli import analyze, cache, data, demo, doctor, stages, world
from interplay.core.errors import InputError, InterplayError

app = typer.Typer(
    name="interplay",
    help="Who does what to whom in video diffusion: curate, analyze, train, generate, evaluate, report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(world.app, name="world")
app.add_typer(cache.app, name="cache")
app.add_typer(data.app, name="data")
app.command()(demo.demo)
app.command()(doctor.doctor)
app.command()(stages.curate)
app.command()(analyze.analyze)
app.command()(stages.train)
app.command()(stages.generate)
app.command()(stages.evaluate)
app.command()(stages.report)


class _Stopped(BaseException):
    """Ctrl-C, under a name that the command-line library does not catch and answer for us."""


def main() -> None:
    """Entry point of the console script."""
    signal.signal(signal.SIGINT, _stop)
    try:
        app()
    except InterplayError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except ValidationError as error:
        print(f"error: {_sentence(error)}", file=sys.stderr)
        sys.exit(InputError.exit_code)
    except _Stopped:
        print("stopped; finished work is kept, run the same command again to go on", file=sys.stderr)
        sys.exit(130)


def _sentence(error: ValidationError) -> str:
    """A value of the command line that a config refuses, as one sentence."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    message = first["msg"][:1].lower() + first["msg"][1:]
    return f"{error.title}, field {field}: is {first['input']!r}, {message}; correct the value"


def _stop(signum: int, frame: FrameType | None) -> None:
    raise _Stopped
