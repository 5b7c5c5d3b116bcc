from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from interplay.cli.main import app
from interplay.cli.sizes import size_text
from interplay.core.cache import Cache
from interplay.core.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three latents of 1,000 bytes and one text of 500, each with its head of 48."""
    cache = Cache(tmp_path / "cache")
    for number in range(3):
        cache.put("latents", number, bytes(1000))
    cache.put("text", 0, bytes(500))
    return tmp_path / "cache"


def cache(*words: str) -> Result:
    return CliRunner().invoke(app, ["cache", *words], env={"COLUMNS": "200"})


@pytest.mark.parametrize("command", ["show", "clear", "prune"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    assert f"Example: interplay cache {command}" in cache(command, "--help").output


def test_show_counts_entries_and_bytes_by_kind(folder: Path, tmp_path: Path) -> None:
    shown = cache("show", str(folder), "--json", str(tmp_path / "sizes.json")).output
    assert [line.split() for line in shown.splitlines()] == [
        ["latents", "3", "entries", "3.1", "KB"],
        ["text", "1", "entries", "548", "B"],
        ["together", "4", "entries", "3.7", "KB"],
    ]
    assert json.loads((tmp_path / "sizes.json").read_text())["kinds"] == [
        {"kind": "latents", "entries": 3, "bytes": 3144},
        {"kind": "text", "entries": 1, "bytes": 548},
    ]


def test_an_empty_cache_is_shown_too(folder: Path) -> None:
    cache("clear", str(folder))
    assert cache("show", str(folder)).output.splitlines()[-1].split() == ["together", "0", "entries", "0", "B"]


def test_clear_one_kind_and_then_all(folder: Path) -> None:
    assert cache("clear", str(folder), "--kind", "latents").output == "3.1 KB freed\n"
    assert [size.entries for size in Cache(folder).sizes()] == [0, 1]
    assert cache("clear", str(folder)).output == "548 B freed\n"


def test_prune_leaves_what_fits(folder: Path) -> None:
    assert cache("prune", str(folder), "--max-size", "10 MB").output == "0 B freed\n"
    cache("prune", str(folder), "--max-size", "2kb")
    assert sum(size.bytes for size in Cache(folder).sizes()) <= 2000


@pytest.mark.parametrize("size", ["", "12", "GB", "1 PB", "-1GB", "1,5GB"])
def test_a_size_is_a_number_and_a_unit(folder: Path, size: str) -> None:
    error = cache("prune", str(folder), f"--max-size={size}").exception
    assert isinstance(error, InputError)
    assert "50GB" in error.cure


def test_a_folder_that_is_no_cache_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "latents" / "ab").mkdir(parents=True)
    (tmp_path / "latents" / "ab" / "precious").write_text("")
    for words in (["show"], ["clear"], ["prune", "--max-size", "0B"]):
        assert isinstance(cache(words[0], str(tmp_path), *words[1:]).exception, InputError)
    assert (tmp_path / "latents" / "ab" / "precious").exists()


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (1_500_000, "1.5 MB"),
        (2 * 10**9, "2.0 GB"),
        (3 * 10**12, "3.0 TB"),
    ],
)
def test_sizes_for_people(count: int, text: str) -> None:
    assert size_text(count) == text
