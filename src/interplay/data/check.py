"""Checking a dataset: every clip by itself, then all of them together.

A clip is looked at once and let go, so a dataset of any size can be checked; what is kept are counts and findings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from interplay.core.errors import InputError
from interplay.core.files import write_json
from interplay.data.codes import SEVERITIES, Finding, Severity, found, grouped
from interplay.data.config import CheckConfig
from interplay.data.rules import boxes, names, tracks, training, video
from interplay.data.rules.training import JsonTokenizer
from interplay.data.survey import Survey
from interplay.grid.assignment import Assignment, ClipShape, Drop, assign
from interplay.grid.buckets import make_buckets
from interplay.records.clip import Clip
from interplay.records.formats.base import LocatedClip, Rejected


@dataclass(frozen=True)
class CheckReport:
    """What a check found. ``found`` clips are ``checked`` plus ``rejected``; ``survey`` counts sizes, rates, splits."""

    checked: int
    rejected: int
    findings: tuple[Finding, ...]
    survey: Mapping[str, Any]

    @property
    def found(self) -> int:
        """How many clips the source names."""
        return self.checked + self.rejected

    def count(self, severity: Severity) -> int:
        """How many findings are of this severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def passes(self, *, strict: bool = False) -> bool:
        """Whether there is no error, and with ``strict`` no warning either."""
        return not self.count("error") and not (strict and self.count("warning"))

    def by_code(self) -> Mapping[str, tuple[Finding, ...]]:
        """The findings of each code that occurs, the gravest first."""
        return {group[0].code: group for group in grouped(self.findings)}

    def to_json(self) -> Mapping[str, Any]:
        """Everything as plain JSON values."""
        return {
            "clips": {"found": self.found, "checked": self.checked, "rejected": self.rejected},
            "findings_by_severity": {severity: self.count(severity) for severity in SEVERITIES},
            "findings_by_code": dict(Counter(finding.code for finding in self.findings)),
            "survey": dict(self.survey),
            "findings": [asdict(finding) for finding in self.findings],
        }


class Checker:
    """Everything that is needed to check clips by themselves: the settings, and what they name, loaded once."""

    def __init__(self, config: CheckConfig) -> None:
        self._config = config
        if (config.tokenizer is None) != (config.max_tokens is None):
            cure = "give both --tokenizer and --max-tokens, or neither"
            raise InputError("needs a tokenizer and its greatest number of tokens", where="caption-long", cure=cure)
        self._tokenizer = None if config.tokenizer is None else JsonTokenizer(config.tokenizer)
        self._buckets = None if config.buckets is None else make_buckets(config.buckets)

    def one(self, located: LocatedClip) -> tuple[Finding, ...]:
        """What is to be said about one clip by itself."""
        return (*_notes(located), *video.check_files(located, self._config), *self._record(located.clip))

    def bucket(self, clip: Clip) -> Assignment | Drop | None:
        """Where training puts the clip; ``None`` when no buckets were named."""
        if self._buckets is None or self._config.buckets is None or not clip.fps > 0:
            return None
        return assign(ClipShape.of(clip), self._buckets, self._config.buckets)

    def _record(self, clip: Clip) -> Iterator[Finding]:
        config = self._config
        yield from video.check_rate(clip, config)
        yield from video.check_frame_count(clip, config)
        yield from video.check_size(clip, config)
        yield from tracks.check_tracks(clip, config)
        yield from boxes.check_boxes(clip)
        yield from names.check_caption(clip)
        yield from names.check_names(clip)
        yield from names.check_interactions(clip)
        if self._tokenizer is not None and config.max_tokens is not None:
            yield from training.check_length(clip, self._tokenizer, config.max_tokens)
        if (decided := self.bucket(clip)) is not None:
            yield from training.check_bucket(clip, decided)


def check(items: Iterable[LocatedClip | Rejected], config: CheckConfig) -> CheckReport:
    """Check what a format's reader yields; bad clips become findings, never exceptions."""
    checker, survey, rejected = Checker(config), Survey(), 0
    findings: list[Finding] = []
    for item in items:
        if isinstance(item, Rejected):
            rejected += 1
            findings.append(of_rejected(item))
        else:
            survey.add(item.clip, checker.bucket(item.clip))
            findings += checker.one(item)
    return CheckReport(survey.clips, rejected, (*findings, *survey.findings()), survey.to_json())


def save(report: CheckReport, settings: Mapping[str, Any], path: Path) -> None:
    """Write everything that was found, after the ``settings`` it was found with, into a JSON file."""
    try:
        write_json(path, {**settings, **report.to_json()})
    except OSError as error:
        cure = "name a file that you may write, in a folder that you may write to"
        raise InputError(f"cannot be written ({error.strerror})", where=path, cure=cure) from error


def of_rejected(item: Rejected) -> Finding:
    """The finding that a rejected clip amounts to."""
    return found("rejected", item.clip_id, item.where, item.reason, item.cure)


def _notes(located: LocatedClip) -> Iterator[Finding]:
    for note in located.notes:
        yield found("repaired", located.clip.clip_id, note.where, f"{note.problem}: {note.done}")
