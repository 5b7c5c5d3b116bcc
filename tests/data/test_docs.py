"""The user's page lists what there is: every code with its meaning, every format, every column of the store."""

from __future__ import annotations

from pathlib import Path

from interplay.data.codes import CODES
from interplay.records.formats.registry import FORMATS
from interplay.records.rows import SCHEMA

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")


def test_every_code_stands_on_the_page_as_it_is() -> None:
    rows = {line for line in PAGE.splitlines() if line.startswith("| `") and line.count("|") == 5}
    assert {f"| `{c.name}` | {c.severity} | {c.meaning} | {c.cure} |" for c in CODES.values()} <= rows


def test_every_format_and_every_column_of_the_store_stands_on_the_page() -> None:
    for name in FORMATS.names():
        assert f"\n| `{name}` |" in PAGE
    for name in SCHEMA.names:
        assert f"`{name}`" in PAGE
