"""A check's findings as a table for a terminal: one row per code, with counts, clips, an example and the cure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from interplay.data.check import CheckReport
from interplay.data.codes import CODES, SEVERITIES, Finding, within

# Where nobody looks (a log, a pipe) rich knows no width; this one keeps a row on a few lines.
_WIDTH_OF_A_LOG = 150
_LEAST_WIDTH = 100
_CLIPS_NAMED = 3
_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def print_report(report: CheckReport, root: Path, console: Console) -> None:
    """The table, and the totals below it; files of the dataset at ``root`` are named from there."""
    for line in _survey(report):
        console.print(line, highlight=False)
    if report.findings:
        console.print(_table(report, root))
    for line in _totals(report):
        console.print(line, highlight=False)


def make_console() -> Console:
    """A console on standard output that is wide enough for the table."""
    console = Console()
    width = max(_LEAST_WIDTH, console.width) if console.is_terminal else _WIDTH_OF_A_LOG
    return Console(width=width)


def _table(report: CheckReport, root: Path) -> Table:
    table = Table(show_lines=True, expand=True)
    table.add_column("code", no_wrap=True)
    table.add_column("times", justify="right", no_wrap=True)
    table.add_column("clips", justify="right", no_wrap=True)
    table.add_column("what it means, and the first that was found", ratio=5, overflow="fold")
    table.add_column("cure", ratio=3, overflow="fold")
    for code, findings in report.by_code().items():
        style = _STYLES[CODES[code].severity]
        clips = dict.fromkeys(finding.clip_id for finding in findings if finding.clip_id is not None)
        example = escape(_example(within(findings[0], root)) + _others(list(clips)))
        name = f"[{style}]{code}[/{style}]\n[dim]{CODES[code].severity}[/dim]"
        table.add_row(
            name, str(len(findings)), str(len(clips)), f"{CODES[code].meaning}\n[dim]{example}[/dim]", CODES[code].cure
        )
    return table


def _example(first: Finding) -> str:
    clip = "" if first.clip_id is None else f"{first.clip_id}, "
    return f"{clip}{first.where}: {first.problem}"


def _others(clips: Sequence[str]) -> str:
    if len(clips) < 2:
        return ""
    named = ", ".join(clips[1 : 1 + _CLIPS_NAMED])
    more = len(clips) - 1 - _CLIPS_NAMED
    return f" (also {named}{f' and {more} more' if more > 0 else ''})"


def _survey(report: CheckReport) -> Iterator[str]:
    for name, counts in report.survey.items():
        most = list(counts.items())
        shown = ", ".join(f"{value} ({count})" for value, count in most[:6])
        more = f" and {len(most) - 6} more" if len(most) > 6 else ""
        yield f"[dim]{name:<7}[/dim] {escape(shown)}{more}"


def _totals(report: CheckReport) -> Iterator[str]:
    yield f"{_count(report.found, 'clip')} found: {report.checked} checked, {report.rejected} cannot be read"
    counts = {severity: report.count(severity) for severity in SEVERITIES}
    yield ", ".join(f"[{_STYLES[severity]}]{_count(count, severity)}[/]" for severity, count in counts.items())


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
