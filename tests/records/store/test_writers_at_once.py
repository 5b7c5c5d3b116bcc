"""Several processes write one store: nothing is lost, nothing is torn, and no clip has two owners."""

import multiprocessing
import threading

import numpy as np
import pytest

from interplay.core.errors import InputError
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter
from store_processes import add_all, add_until_killed, gray, small_clip

SPAWN = multiprocessing.get_context("spawn")


def leftovers(folder):
    """Everything hidden or unfinished in a store."""
    return [path.name for path in folder.rglob("*") if path.name.startswith(".") or path.suffix == ".tmp"]


def test_two_processes_lose_nothing_and_share_nothing(tmp_path):
    own = {1: [f"a{k}" for k in range(10)], 2: [f"b{k}" for k in range(10)]}
    contested = [f"both{k}" for k in range(10)]
    orders = {
        value: [clip_id for pair in zip(clip_ids, contested, strict=True) for clip_id in pair]
        for value, clip_ids in own.items()
    }
    barrier, outcomes = SPAWN.Barrier(2), SPAWN.Queue()
    processes = [
        SPAWN.Process(target=add_all, args=(tmp_path, order, value, barrier, outcomes))
        for value, order in orders.items()
    ]
    for process in processes:
        process.start()
    told = dict(outcomes.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(60)
    store = ClipStore(tmp_path)
    assert sorted(store.ids) == sorted([*own[1], *own[2], *contested])
    for value, clip_ids in own.items():
        assert [told[value][clip_id] for clip_id in clip_ids] == [None] * 10
    for clip_id in contested:
        (loser,) = [value for value in told if told[value][clip_id] is not None]
        assert told[loser][clip_id].startswith(f"clip {clip_id}: ")
        assert (store.frames(store.get(clip_id)) == gray(3 - loser)).all()
    assert leftovers(tmp_path) == []


# Renames: the videos of three clips, the card, the part with their rows; then the videos of the next three, a part.
@pytest.mark.parametrize(("dies_at", "finished"), [(1, 0), (4, 0), (6, 3)])
def test_a_killed_writer_leaves_whole_clips_and_no_claim(tmp_path, dies_at, finished):
    clip_ids = [f"c{k}" for k in range(7)]
    process = SPAWN.Process(target=add_until_killed, args=(tmp_path, clip_ids, dies_at))
    process.start()
    process.join(60)
    assert process.exitcode == -9
    with StoreWriter(tmp_path) as writer:
        assert sorted(writer.done) == clip_ids[:finished]
        if finished:
            rows = ClipStore(tmp_path)
            assert all((rows.frames(clip) == gray(1)).all() for clip in rows)
        for clip_id in clip_ids[finished:]:
            writer.add(small_clip(clip_id), frames=gray(2))
    store = ClipStore(tmp_path)
    assert store.ids == tuple(clip_ids)
    assert [int(store.frames(clip).max()) for clip in store] == [1] * finished + [2] * (7 - finished)
    assert leftovers(tmp_path) == []


# --- the same inside one process: every writer has its own locks ------------------------------------------------------


def die(writer):
    """What the system does for a process that was killed: it closes the files."""
    writer._claims._log.close()
    writer._claims._me.close()


def test_a_clip_that_another_writer_is_adding(tmp_path):
    first, second = StoreWriter(tmp_path), StoreWriter(tmp_path)
    first.add(small_clip("c0"), frames=gray(1))
    with pytest.raises(InputError, match="clip c0: another writer is adding it at this moment"):
        second.add(small_clip("c0"), frames=gray(2))
    second.add(small_clip("c1"), frames=gray(2))
    first.close()
    with pytest.raises(InputError, match="clip c0: the clip id is taken already"):
        second.add(small_clip("c0"), frames=gray(2))
    second.close()
    store = ClipStore(tmp_path)
    assert (store.frames(store.get("c0")) == gray(1)).all()
    assert leftovers(tmp_path) == []


def test_a_clip_that_a_writer_finished_between_two_looks(tmp_path):
    late = StoreWriter(tmp_path)
    with StoreWriter(tmp_path) as early:
        early.add(small_clip("c0"), frames=gray(1))
    assert not late.done
    with pytest.raises(InputError, match="clip c0: the clip id is taken already"):
        late.add(small_clip("c0"), frames=gray(2))
    late.close()


def test_the_claims_of_a_dead_writer_are_void_while_others_live(tmp_path):
    living, dead = StoreWriter(tmp_path), StoreWriter(tmp_path)
    living.add(small_clip("c0"), frames=gray(1))
    dead.add(small_clip("c1"), frames=gray(2))
    dead.flush()
    dead.add(small_clip("c2"), frames=gray(2))
    die(dead)
    with pytest.raises(InputError, match="clip c1: the clip id is taken already"):
        living.add(small_clip("c1"), frames=gray(1))
    living.add(small_clip("c2"), frames=gray(1))
    living.close()
    assert sorted(ClipStore(tmp_path).ids) == ["c0", "c1", "c2"]
    assert leftovers(tmp_path) == []


def test_a_writer_waits_while_another_claims_or_publishes(tmp_path):
    first, second = StoreWriter(tmp_path), StoreWriter(tmp_path)
    first.add(small_clip("c0"), frames=gray(1))
    second.add(small_clip("c1"), frames=gray(1))
    waiting = threading.Thread(target=second.add, args=(small_clip("c2"),), kwargs={"frames": gray(1)})
    with first._claims.alone():
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        assert "c2" not in second.done
    waiting.join(60)
    assert "c2" in second.done
    first.close()
    second.close()


def test_a_lock_that_ctrl_c_left_behind_is_let_go_without_a_word(tmp_path):
    """The interrupt fell between taking the lock and entering the block; the collector ends the block later."""
    writer = StoreWriter(tmp_path)
    writer.add(small_clip("c0"), frames=gray(1))
    interrupted = writer._claims.alone()
    interrupted.__enter__()
    writer.close()
    interrupted.__exit__(None, None, None)
    assert leftovers(tmp_path) == []


def test_half_a_line_in_the_log_is_no_claim(tmp_path):
    writer = StoreWriter(tmp_path)
    writer.add(small_clip("c0"), frames=gray(1))
    log = tmp_path / ".interplay/writers/log"
    with log.open("ab") as stream:
        stream.write(b"somebody c")
    writer.add(small_clip("c1"), frames=gray(1))
    assert [line.split()[1] for line in log.read_text().splitlines()] == ["c0", "c1"]
    writer.close()


def test_only_a_writer_that_is_alone_clears_away(tmp_path):
    dead, living = StoreWriter(tmp_path), StoreWriter(tmp_path)
    dead.add(small_clip("c0"), frames=gray(1))
    living.add(small_clip("c1"), frames=gray(1))
    die(dead)
    unfinished = [tmp_path / name for name in ("videos/.c0.mp4.7.tmp", "clips/.part.7.tmp")]
    for path in unfinished:
        path.write_bytes(b"")
    third = StoreWriter(tmp_path)
    third.add(small_clip("c2"), frames=gray(1))
    assert all(path.exists() for path in unfinished)
    die(living)
    die(third)
    with StoreWriter(tmp_path) as last:
        last.add(small_clip("c3"), frames=gray(1))
    assert leftovers(tmp_path) == []
    assert np.array_equal(ClipStore(tmp_path).ids, ["c3"])


def test_writers_take_turns_with_part_names(tmp_path):
    first, second = StoreWriter(tmp_path), StoreWriter(tmp_path)
    for k in range(3):
        first.add(small_clip(f"a{k}"), frames=gray(1))
        second.add(small_clip(f"b{k}"), frames=gray(1))
        first.flush()
        second.flush()
    first.close()
    second.close()
    assert ClipStore(tmp_path).ids == ("a0", "b0", "a1", "b1", "a2", "b2")
