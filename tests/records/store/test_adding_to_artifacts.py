"""A dataset that is an artifact grows: clips are added to it, also after a run that died."""

import multiprocessing

import pytest

from interplay.core.additions import extend
from interplay.core.artifacts import build, open_artifact, verify
from interplay.core.errors import InputError
from interplay.records.store import writer as writer_module
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter
from store_processes import gray, grow_until_killed, small_clip

SPAWN = multiprocessing.get_context("spawn")


def adding(clip_ids, value):
    def make(folder):
        with StoreWriter(folder) as writer:
            for clip_id in clip_ids:
                if clip_id not in writer.done:
                    writer.add(small_clip(clip_id), frames=gray(value))
        return {"clips": len(writer.done)}

    return make


@pytest.fixture
def old(tmp_path):
    return build(tmp_path / "clips", kind="clips", config={}, inputs={}, make=adding(["a0", "a1"], 1))


def test_clips_are_added(old):
    new = extend(old.path, kind="clips", config={"n": 1}, inputs={}, make=adding(["b0"], 2))
    verify(new)
    assert ClipStore(new.path).ids == ("a0", "a1", "b0")
    assert new.summary == {"clips": 3}
    assert set(new.manifest["files"]) - set(old.manifest["files"]) == {"clips/part-00001.parquet", "videos/b0.mp4"}


def test_a_killed_addition_is_completed(old, monkeypatch):
    monkeypatch.setattr(writer_module, "CLIPS_PER_PART", 3)
    clip_ids = [f"b{k}" for k in range(5)]
    process = SPAWN.Process(target=grow_until_killed, args=(old.path, clip_ids))
    process.start()
    process.join(60)
    assert process.exitcode == -9
    with pytest.raises(InputError, match="is not finished: something is being added to it"):
        open_artifact(old.path)
    new = extend(old.path, kind="clips", config={"n": 1}, inputs={}, make=adding(clip_ids, 2))
    verify(new)
    store = ClipStore(new.path)
    assert store.ids == ("a0", "a1", *clip_ids)
    assert [int(store.frames(clip).max()) for clip in store] == [1, 1, 3, 3, 3, 2, 2]
    assert not [name for name in new.manifest["files"] if name.endswith(".tmp")]
