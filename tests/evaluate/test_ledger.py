from __future__ import annotations

import json

import pytest

from interplay.core.errors import InputError
from interplay.evaluate.ledger import Ledger


def row(key: str, clip_id: str = "a", **more) -> dict:
    return {"key": key, "clip_id": clip_id, **more}


def test_rows_survive_the_process(tmp_path):
    Ledger(tmp_path / "ledger.jsonl").append([row("k1", answer="yes"), row("k2", answer="no")])
    again = Ledger(tmp_path / "ledger.jsonl")
    assert again.find("k2") == row("k2", answer="no")
    assert again.find("k3") is None


def test_a_row_is_written_once_per_clip(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append([row("k1")])
    ledger.append([row("k1"), row("k1", "b")])
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert lines == [row("k1"), row("k1", "b")]


def test_half_a_line_is_dropped_and_the_rest_stays(tmp_path):
    path = tmp_path / "ledger.jsonl"
    Ledger(path).append([row("k1")])
    with path.open("a") as stream:
        stream.write('{"key": "k2", "cli')
    ledger = Ledger(path)
    assert ledger.find("k1") is not None
    ledger.append([row("k3")])
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["k1", "k3"]


def test_a_line_that_is_no_row_is_named(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_text('{"key": "k1", "clip_id": "a"}\n[]\n')
    with pytest.raises(InputError, match="line 2"):
        Ledger(path)
