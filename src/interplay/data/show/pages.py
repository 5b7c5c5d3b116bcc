"""The sheet's HTML: pages of cards, the quarantine, the index; and how a reader gets from one to another.

Everything is a plain file that needs no script and loads nothing but the thumbnails beside it. All text is escaped by
the templates; no markup comes from anywhere but the templates and the style sheet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from interplay.core.files import atomic_write_text
from interplay.data.codes import CODES, SEVERITIES

TEMPLATES = Path(__file__).parent / "templates"
INDEX = "index.html"
# Pages on both sides of the present one that its page list names.
_NEIGHBOURS = 3


def page_name(number: int) -> str:
    """The file of page ``number``, counted from 1."""
    return f"page-{number:05d}.html"


def quarantine_name(number: int) -> str:
    """The file of part ``number`` of the quarantine, counted from 1."""
    return f"quarantine-{number:05d}.html"


@dataclass(frozen=True)
class Step:
    """An entry of a page list: a page, or ``None`` for the ones that are left out."""

    number: int | None
    name: str = ""


@dataclass(frozen=True)
class Navigation:
    """The ways from one page to the others; an empty name is a way that ends here."""

    number: int
    total: int
    first: str
    previous: str
    next: str
    last: str
    steps: tuple[Step, ...]


def navigation(number: int, total: int, name: Callable[[int], str] = page_name) -> Navigation:
    """From page ``number`` of ``total``: the ends, the neighbours, and a list that stays short for any total."""
    shown = sorted({1, total, *range(max(1, number - _NEIGHBOURS), min(total, number + _NEIGHBOURS) + 1)})
    steps: list[Step] = []
    for page in shown:
        if steps and steps[-1].number is not None and page > steps[-1].number + 1:
            steps.append(Step(None))
        steps.append(Step(page, name(page)))
    return Navigation(
        number=number,
        total=total,
        first=name(1) if number > 1 else "",
        previous=name(number - 1) if number > 1 else "",
        next=name(number + 1) if number < total else "",
        last=name(total) if number < total else "",
        steps=tuple(steps),
    )


def hundreds(pages: Sequence[Any]) -> list[tuple[int, Sequence[Any]]]:
    """The entries of a long page list in groups of a hundred, each with the number of its first."""
    return [(start + 1, pages[start : start + 100]) for start in range(0, len(pages), 100)]


def worst(codes: Iterable[str]) -> str:
    """The gravest severity among codes that is worth a mark in a list of pages; "" for notes and nothing."""
    severities = {CODES[code].severity for code in codes}
    return next((severity for severity in SEVERITIES[:2] if severity in severities), "")


def render(template: str, **values: Any) -> str:
    """One template with its values; a name that is missing is an error."""
    return environment().get_template(template).render(values)


def write_page(path: Path, template: str, **values: Any) -> None:
    """Render ``template`` into the file ``path``, in one step."""
    atomic_write_text(path, render(template, **values))


@cache
def environment() -> Environment:
    """The templates; autoescape is on for all of them."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["style"] = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))
    made.filters["thousands"] = lambda number: f"{number:,}".replace(",", " ")
    made.filters["hundreds"] = hundreds
    made.globals["worst"] = lambda entry: worst(entry.findings)
    return made


def trusted(html: str) -> Markup:
    """HTML that these templates have made before, to be put into a page as it is."""
    return Markup(html)
