from __future__ import annotations

import pytest

from interplay.analyze.shards import Shard
from interplay.core.errors import InputError


def test_a_shard_is_written_as_which_of_how_many(tmp_path):
    shard = Shard.parse("2/4")
    assert (shard, str(shard)) == (Shard(2, 4), "2/4")
    assert shard.out(tmp_path / "analysis") == tmp_path / "analysis.shard-2-of-4"


@pytest.mark.parametrize("text", ["0/4", "5/4", "2", "a/b", "2/0"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(InputError, match="is no shard"):
        Shard.parse(text)


def test_a_launcher_of_processes_says_which(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(InputError, match="RANK and WORLD_SIZE"):
        Shard.parse("env")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert Shard.parse("env") == Shard(2, 3)
