"""The stage itself: clips in, pages out, one page at a time.

A page's cards are drawn and kept as a fragment of HTML as soon as its clips are read; a run that was killed finds them
and goes on after them. How many pages there are is known at the end only, so what links pages to each other is put
around the fragments then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from interplay.core.artifacts import Artifact, build
from interplay.core.progress import Progress
from interplay.data.check import Checker, of_rejected
from interplay.data.codes import CODES, SEVERITIES, Code, shortened
from interplay.data.config import ShowConfig
from interplay.data.ledger import Verdict, read_quarantine
from interplay.data.show import pages
from interplay.data.show.cards import CardMaker
from interplay.data.show.fragments import EXAMPLES, Fragments, PageEntry
from interplay.data.source import Source, check_apart, fingerprint
from interplay.data.survey import Survey
from interplay.records.formats.base import LocatedClip, Rejected

# Rows of the quarantine on one page.
_ROWS_PER_PAGE = 500


@dataclass(frozen=True)
class CodeEntry:
    """A code in the index: how often it was found, and where to see it: (clip id, address) pairs."""

    code: Code
    count: int
    examples: tuple[Sequence[str], ...]


def show(config: ShowConfig, source: Source, out: Path, *, overwrite: bool = False) -> Artifact:
    """Write the contact sheet of ``source`` into ``out`` (kind ``sheet``)."""
    check_apart(source.path, out)
    identity = {**config.model_dump(mode="json"), "content": fingerprint(source.path)}
    return build(
        out,
        kind="sheet",
        config=identity,
        inputs={},
        make=lambda folder: _Sheet(config, source, folder).write(),
        overwrite=overwrite,
    )


class _Sheet:
    """One sheet under construction."""

    def __init__(self, config: ShowConfig, source: Source, folder: Path) -> None:
        self._config, self._source, self._folder = config, source, folder
        self._title = source.path.resolve().name
        self._cards = CardMaker(config, Checker(config.check), source.root, folder)
        self._fragments = Fragments(folder)
        self._survey = Survey()
        self._rejected: list[Rejected] = []

    def write(self) -> Mapping[str, Any]:
        """Every page, and the summary of the sheet."""
        total, limit = self._source.count(), self._config.limit
        expected = total if limit is None else limit if total is None else min(total, limit)
        with Progress("show", expected) as progress:
            entries = [
                self._finished_page(number, batch, progress) for number, batch in enumerate(self._batches(), start=1)
            ]
        for entry in entries:
            self._publish(entry, len(entries))
        summary = self._summary(entries)
        self._write_index(entries, self._write_quarantine(), summary)
        return summary

    def _batches(self) -> Iterator[list[LocatedClip]]:
        """The clips by pages; what cannot be used is put aside."""
        batch: list[LocatedClip] = []
        for item in self._source:
            if isinstance(item, Rejected):
                self._rejected.append(item)
                continue
            self._survey.add(item.clip)
            batch.append(item)
            if len(batch) == self._config.page_size:
                yield batch
                batch = []
            if self._survey.clips == self._config.limit:
                break
        if batch:
            yield batch

    def _finished_page(self, number: int, batch: Sequence[LocatedClip], progress: Progress) -> PageEntry:
        entry = self._fragments.find(number)
        if entry is not None:
            progress.advance(len(batch))
            return entry
        cards, first = [], (number - 1) * self._config.page_size + 1
        for index, located in enumerate(batch):
            cards.append(self._cards.make(located, first + index, f"thumbs/{number:05d}"))
            progress.advance()
        return self._fragments.keep(number, cards)

    def _publish(self, entry: PageEntry, total: int) -> None:
        pages.write_page(
            self._folder / entry.name,
            "page.html.j2",
            title=self._title,
            entry=entry,
            navigation=pages.navigation(entry.number, total),
            cards=pages.trusted(self._fragments.html(entry.number)),
        )

    def _write_quarantine(self) -> str:
        """The clips that cannot be used, and those that a conversion left out before; the name of the first page."""
        root = self._source.root
        now = (Verdict.of(replace(item, where=shortened(item.where, root))) for item in self._rejected)
        before = (verdict for verdict in read_quarantine(root) if verdict.verdict == "quarantined")
        rows = [*((verdict, "now") for verdict in now), *((verdict, "when it was converted") for verdict in before)]
        total = -(-len(rows) // _ROWS_PER_PAGE)
        for number in range(1, total + 1):
            first = (number - 1) * _ROWS_PER_PAGE
            pages.write_page(
                self._folder / pages.quarantine_name(number),
                "quarantine.html.j2",
                title=self._title,
                rows=rows[first : first + _ROWS_PER_PAGE],
                count=len(rows),
                navigation=pages.navigation(number, total, pages.quarantine_name),
            )
        return pages.quarantine_name(1) if total else ""

    def _write_index(self, entries: Sequence[PageEntry], quarantine: str, summary: Mapping[str, Any]) -> None:
        pages.write_page(
            self._folder / pages.INDEX,
            "index.html.j2",
            title=self._title,
            limit=self._config.limit,
            summary=summary,
            spread=self._survey.to_json(),
            general=tuple(finding for finding in self._survey.findings() if finding.clip_id is None),
            pages=entries,
            codes=self._codes(entries),
            quarantine=quarantine,
        )

    def _codes(self, entries: Sequence[PageEntry]) -> list[CodeEntry]:
        counts = Counter(finding.code for finding in (*map(of_rejected, self._rejected), *self._survey.findings()))
        for entry in entries:
            counts.update(entry.findings)
        order = sorted(CODES.values(), key=lambda code: SEVERITIES.index(code.severity))
        examples = {code: [pair for entry in entries for pair in entry.examples.get(code, ())] for code in counts}
        return [
            CodeEntry(code, counts[code.name], tuple(examples[code.name][:EXAMPLES]))
            for code in order
            if counts[code.name]
        ]

    def _summary(self, entries: Sequence[PageEntry]) -> Mapping[str, Any]:
        return {
            "source": str(self._source.path.resolve()),
            "format": self._source.choice.name,
            "found": self._survey.clips + len(self._rejected),
            "shown": self._survey.clips,
            "quarantined": len(self._rejected),
            "pages": len(entries),
            "findings": {entry.code.name: entry.count for entry in self._codes(entries)},
        }
