"""Finished pages of a sheet under construction: their cards as HTML, and what the index needs to know of them.

They lie in the scratch place of the artifact, so they are there when a killed run goes on, and gone when it is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from interplay.core.artifacts import scratch
from interplay.core.files import read_json, write_json
from interplay.data.show import pages
from interplay.data.show.cards import Card

# Clips that the index names for each code.
EXAMPLES = 5


@dataclass(frozen=True)
class PageEntry:
    """A page in the index: its file, its first and last clip, how often each code was found, and where to see it.

    ``examples`` are (clip id, address) pairs.
    """

    number: int
    name: str
    first: str
    last: str
    clips: int
    findings: Mapping[str, int]
    examples: Mapping[str, Sequence[Sequence[str]]]


class Fragments:
    """The finished pages of the sheet in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._place = scratch(folder) / "pages"

    def find(self, number: int) -> PageEntry | None:
        """The page, if it is finished."""
        path = self._place / f"{number:05d}.json"
        return PageEntry(**read_json(path)) if path.is_file() else None

    def keep(self, number: int, cards: Sequence[Card]) -> PageEntry:
        """Render the cards of a page and keep them."""
        pages.write_page(self._html(number), "cards.html.j2", cards=cards)
        entry = _entry(number, cards)
        write_json(self._place / f"{number:05d}.json", asdict(entry))  # last: it says that the page is whole
        return entry

    def html(self, number: int) -> str:
        """The cards of a finished page."""
        return self._html(number).read_text(encoding="utf-8")

    def _html(self, number: int) -> Path:
        return self._place / f"{number:05d}.html"


def _entry(number: int, cards: Sequence[Card]) -> PageEntry:
    name = pages.page_name(number)
    examples: dict[str, list[tuple[str, str]]] = {}
    for card in cards:
        for group in card.findings:
            examples.setdefault(group[0].code, []).append((card.clip_id, f"{name}#clip-{card.number}"))
    return PageEntry(
        number=number,
        name=name,
        first=cards[0].clip_id,
        last=cards[-1].clip_id,
        clips=len(cards),
        findings=dict(Counter(finding.code for card in cards for group in card.findings for finding in group)),
        examples={code: found[:EXAMPLES] for code, found in examples.items()},
    )
