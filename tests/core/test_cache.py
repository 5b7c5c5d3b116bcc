from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interplay.core.cache import Cache, KindSize, is_cache, open_cache
from interplay.core.config import Config
from interplay.core.errors import InputError


class Maker:
    """Counts how often something had to be made."""

    def __init__(self, data: bytes = b"made") -> None:
        self.data, self.calls = data, 0

    def __call__(self) -> bytes:
        self.calls += 1
        return self.data


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*/??/*"))


def test_what_was_made_once_is_not_made_again(tmp_path: Path) -> None:
    make = Maker()
    assert [Cache(tmp_path).get_or_make("latents", {"clip": 1}, make) for _ in range(3)] == [b"made"] * 3
    assert make.calls == 1


def test_another_key_or_kind_is_another_entry(tmp_path: Path) -> None:
    cache, make = Cache(tmp_path), Maker()
    for kind, key in (("a", 1), ("a", "1"), ("a", [1]), ("b", 1)):
        cache.get_or_make(kind, key, make)
    assert make.calls == 4


def test_the_order_of_a_mapping_is_no_part_of_the_key(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("a", {"x": 1, "y": [2]}, b"1")
    assert cache.get("a", {"y": (2,), "x": 1}) == b"1"


def test_a_config_is_a_key(tmp_path: Path) -> None:
    class Rule(Config):
        name: str

    cache = Cache(tmp_path)
    cache.put("a", Rule(name="area"), b"1")
    assert cache.get("a", Rule(name="area")) == b"1"
    assert cache.get("a", Rule(name="max")) is None


def test_an_entry_lies_at_kind_and_digest(tmp_path: Path) -> None:
    Cache(tmp_path).put("text", "key", b"1")
    (path,) = files_of(tmp_path)
    assert path.parts[-3] == "text"
    assert path.name.startswith(path.parts[-2])
    assert len(path.name) == 64


@pytest.mark.parametrize("kind", ["", "..", "a/b", "A", "1a", "a b"])
def test_a_kind_must_be_a_plain_name(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ValueError, match="kind"):
        Cache(tmp_path).put(kind, 1, b"")


@given(data=st.binary(max_size=300))
def test_any_bytes_come_back(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    cache = Cache(tmp_path_factory.mktemp("cache"))
    assert cache.get_or_make("a", 1, lambda: data) == data
    assert cache.get("a", 1) == data


@given(position=st.integers(0, 200), cut=st.booleans())
def test_any_damage_is_noticed_told_and_mended(
    tmp_path_factory: pytest.TempPathFactory, position: int, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    cache, make = Cache(folder), Maker(bytes(range(100)))
    cache.get_or_make("a", 1, make)
    (path,) = files_of(folder)
    whole = path.read_bytes()
    position %= len(whole)
    path.write_bytes(
        whole[:position] if cut else whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :]
    )
    assert cache.get_or_make("a", 1, make) == make.data
    assert make.calls == 2
    assert path.read_bytes() == whole


def test_a_damaged_entry_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Cache(tmp_path).put("a", 1, b"1")
    files_of(tmp_path)[0].write_bytes(b"")
    assert Cache(tmp_path).get("a", 1) is None
    assert "damaged cache entry, made again" in capsys.readouterr().err


def test_rebuilding_makes_every_entry_anew_once(tmp_path: Path) -> None:
    Cache(tmp_path).put("a", 1, b"old")
    cache, make = Cache(tmp_path, rebuild=True), Maker(b"new")
    assert not cache.has("a", 1)
    assert cache.get("a", 1) is None
    assert [cache.get_or_make("a", 1, make) for _ in range(2)] == [b"new"] * 2
    assert make.calls == 1
    assert cache.has("a", 1)
    assert Cache(tmp_path).get("a", 1) == b"new"


def test_when_making_fails_nothing_is_kept(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        Cache(tmp_path).get_or_make("a", 1, fail)
    assert files_of(tmp_path) == []


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)

    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match="the disk is full") as caught:
        cache.put("a", 1, b"1")
    assert caught.value.where == str(tmp_path)
    assert files_of(tmp_path) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written") as caught:
        Cache(tmp_path / "file" / "cache").put("a", 1, b"1")
    assert "--cache" in caught.value.cure


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="is no cache"):
        Cache(tmp_path)
    with pytest.raises(InputError, match="is no cache"):
        open_cache(tmp_path)
    assert not is_cache(tmp_path)


def test_nothing_is_written_before_there_is_an_entry(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    assert cache.get("a", 1) is None
    assert cache.sizes() == ()
    assert cache.prune(0) == 0
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_was_deleted_under_a_process_is_a_cache_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.put("a", 1, b"1")
    shutil.rmtree(tmp_path / "cache")
    assert cache.get_or_make("a", 1, lambda: b"2") == b"2"
    assert open_cache(tmp_path / "cache").get("a", 1) == b"2"


def test_another_process_may_be_making_the_same_cache(tmp_path: Path) -> None:
    (tmp_path / ".CACHEDIR.TAG.0123.tmp").write_text("")  # what one sees while the other writes its tag
    Cache(tmp_path).put("a", 1, b"1")
    assert is_cache(tmp_path)


def test_sizes_by_kind(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for number in range(3):
        cache.put("latents", number, b"x" * 100)
    cache.put("text", 0, b"")
    head = 48
    assert cache.sizes() == (KindSize("latents", 3, 3 * (100 + head)), KindSize("text", 1, head))


def test_clearing_a_kind_leaves_the_others(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("latents", 0, b"x" * 100)
    cache.put("text", 0, b"y")
    assert cache.clear("latents") == 148
    assert not cache.has("latents", 0)
    assert cache.get("text", 0) == b"y"
    assert cache.clear() == 49
    assert is_cache(tmp_path)


def test_clearing_an_unknown_kind_lists_what_there_is(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with pytest.raises(InputError, match="empty already"):
        cache.clear("latents")
    cache.put("text", 0, b"y")
    with pytest.raises(InputError, match="choose one of: text"):
        cache.clear("latents")


def test_pruning_takes_what_was_not_used_for_longest(tmp_path: Path) -> None:
    cache, known = Cache(tmp_path), set[Path]()
    for number, days in enumerate((40, 30, 20, 10)):
        cache.put("a", number, b"x" * 52)  # 100 bytes with the head
        (new,) = set(files_of(tmp_path)) - known
        os.utime(new, (time.time() - days * 86400,) * 2)
        known.add(new)
    assert cache.get("a", 0) is not None  # and thereby used
    assert cache.prune(200) == 200
    assert [cache.has("a", number) for number in range(4)] == [True, False, False, True]
    assert cache.prune(200) == 0


def test_what_a_dead_process_left_is_swept_away_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("a", 1, b"1")
    folder = files_of(tmp_path)[0].parent
    dead, alive = folder / ".dead.0.tmp", folder / ".alive.0.tmp"
    for path in (dead, alive):
        path.write_bytes(b"half")
    os.utime(dead, (time.time() - 7200,) * 2)
    cache.clear()
    assert not dead.exists()
    assert alive.exists()


# Two of these run at once over one cache: entries are small and many, so that they meet.
_WORKER = """
import sys, hashlib, time
from pathlib import Path
from interplay.core.cache import Cache
cache, seed = Cache(Path(sys.argv[1])), int(sys.argv[2])
made = 0
def make(number):
    global made
    made += 1
    return hashlib.sha256(str(number).encode()).digest() * 1000
for step in range(400):
    number = (step * (3 + seed)) % 97
    assert cache.get_or_make("a", number, lambda: make(number)) == hashlib.sha256(str(number).encode()).digest() * 1000
    if step % 100 == 50:
        cache.clear()
print(made)
"""


def test_two_processes_on_one_cache(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(folder), str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for seed in range(2)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=120)
        assert worker.returncode == 0, errors.decode()
        assert b"damaged" not in errors
    assert [path for path in files_of(folder) if path.name.endswith(".tmp")] == []


def test_a_process_that_is_killed_leaves_no_half_entry(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from interplay.core.cache import Cache\n"
        "cache = Cache(Path(sys.argv[1])); print('ready', flush=True)\n"
        "for number in range(100000): cache.put('a', number, bytes([number % 256]) * 200000)\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "cache")], stdout=subprocess.PIPE)
    assert worker.stdout is not None
    worker.stdout.readline()
    while len(files_of(tmp_path / "cache")) < 20:
        time.sleep(0.005)
    worker.kill()
    worker.wait()
    worker.stdout.close()
    cache = Cache(tmp_path / "cache")
    for number in range(len(files_of(tmp_path / "cache")) + 1):
        assert cache.get("a", number) in (None, bytes([number % 256]) * 200000)
