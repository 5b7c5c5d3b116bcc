from __future__ import annotations

import pytest

from interplay.analyze.shards import Shard, own_device
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


def test_processes_of_a_launcher_take_a_gpu_each():
    third = {"RANK": "7", "LOCAL_RANK": "3"}
    assert own_device("cuda", "env", third) == "cuda:3"
    assert own_device("cuda", "env", {"RANK": "7"}) == "cuda"
    assert own_device("cuda", "env", {"LOCAL_RANK": ""}) == "cuda"
    # What was named is what is taken, and only a launcher's processes ask for their place.
    assert own_device("cuda:1", "env", third) == "cuda:1"
    assert own_device("cpu", "env", third) == "cpu"
    assert own_device("cuda", "2/4", third) == "cuda"
    assert own_device("cuda", None, third) == "cuda"
    with pytest.raises(InputError, match="LOCAL_RANK is 'first' and no number"):
        own_device("cuda", "env", {"LOCAL_RANK": "first"})
