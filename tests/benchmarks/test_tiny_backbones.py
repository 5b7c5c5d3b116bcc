"""Backbones are measured one by one, and their page keeps what was measured before."""

from __future__ import annotations

from pathlib import Path

from tiny_backbones import write_section


def test_a_section_takes_the_place_of_its_older_one_and_leaves_the_others(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for name, said in (("tiny-wan", "old"), ("tiny-cogvideox", "20 steps.\n\n| a |\n|---|"), ("tiny-wan", "new")):
        write_section(page, name, said)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# The tiny backbones, measured\n\n*Present*:")
    assert text.split("## ", 1)[1] == "tiny-cogvideox\n\n20 steps.\n\n| a |\n|---|\n\n## tiny-wan\n\nnew\n"


def test_the_page_in_the_repository_is_written_in_this_way(tmp_path: Path) -> None:
    kept = Path(__file__).parents[2] / "benchmarks" / "tiny_backbones.md"
    again = tmp_path / "again.md"
    again.write_text(kept.read_text(encoding="utf-8"), encoding="utf-8")
    last = kept.read_text(encoding="utf-8").split("## tiny-wan\n\n")[1].split("\n\n## ")[0].strip()
    write_section(again, "tiny-wan", last)
    assert again.read_text(encoding="utf-8") == kept.read_text(encoding="utf-8")
