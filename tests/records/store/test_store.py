"""The store: what goes in comes out, in any order of crashes; other tools read the rows."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interplay.core.errors import InputError
from interplay.records.masks import MaskTrack
from interplay.records.store import writer as store_module
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter


def test_a_clip_comes_back_equal(tmp_path, make_clip, frames):
    bare = make_clip(
        "bare",
        caption="a street",
        instances=(),
        interactions=(),
        tracks={},
        boxes={},
        media={},
        truth=None,
        provenance={},
    )
    with StoreWriter(tmp_path) as writer:
        writer.add(make_clip(), frames=frames)
        writer.add(bare, frames=frames)
    store = ClipStore(tmp_path)
    assert list(store) == [make_clip(), bare]
    assert store.get("c0") == make_clip()
    assert (store.frames(store.get("c0")) == frames).all()
    assert store.path(store.get("c0"), "audio") == tmp_path / "media/c0/audio.wav"
    assert (len(store), store.ids) == (2, ("c0", "bare"))


def test_select(tmp_path, make_clip, frames):
    with StoreWriter(tmp_path) as writer:
        for k in range(5):
            writer.add(make_clip(f"c{k}", split="test" if k % 2 else "train"), frames=frames)
    store = ClipStore(tmp_path)
    assert [clip.clip_id for clip in store.select("train")] == ["c0", "c2", "c4"]
    assert [clip.clip_id for clip in store.select("train", limit=2)] == ["c0", "c2"]
    assert [clip.clip_id for clip in store.select(limit=3)] == ["c0", "c1", "c2"]
    with pytest.raises(InputError, match="no clip is in the split 'val'; use one of: test, train"):
        store.select("val")
    with pytest.raises(InputError, match="there is no clip 'c9'"):
        store.get("c9")


def test_a_crash_loses_only_what_was_not_flushed(tmp_path, make_clip, frames, monkeypatch):
    monkeypatch.setattr(store_module, "CLIPS_PER_PART", 2)
    first = StoreWriter(tmp_path)
    for k in range(5):
        first.add(make_clip(f"c{k}"), frames=frames)
    # No close(): the process died here.
    second = StoreWriter(tmp_path)
    assert second.done == {"c0", "c1", "c2", "c3"}
    for k in range(6):
        if f"c{k}" not in second.done:
            second.add(make_clip(f"c{k}"), frames=frames)
    second.close()
    assert ClipStore(tmp_path).ids == tuple(f"c{k}" for k in range(6))


def test_an_exception_keeps_the_clips_before_it(tmp_path, make_clip, frames):
    def interrupted():
        with StoreWriter(tmp_path) as writer:
            writer.add(make_clip(), frames=frames)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert StoreWriter(tmp_path).done == {"c0"}


def test_other_tools_read_the_rows(tmp_path, make_clip, frames):
    with StoreWriter(tmp_path) as writer:
        writer.add(make_clip(), frames=frames)
    table = pq.read_table(tmp_path / "clips").to_pydict()
    assert table["text"] == ["a man pushes a red ball"]
    assert table["tracks"][0][1]["counts"][2] is None
    assert table["interactions"][0][0]["verb"] == "pushes"


@pytest.mark.parametrize("clip_id", ["../evil", "a/b", "", ".hidden", "a b"])
def test_ids_that_are_no_file_names(tmp_path, make_clip, frames, clip_id):
    with pytest.raises(InputError, match="cannot be a file name"):
        StoreWriter(tmp_path).add(make_clip(clip_id), frames=frames)
    assert not list((tmp_path / "videos").iterdir())


def test_an_id_is_given_once(tmp_path, make_clip, frames):
    writer = StoreWriter(tmp_path)
    writer.add(make_clip(), frames=frames)
    with pytest.raises(InputError, match="taken already"):
        writer.add(make_clip(), frames=frames)


def test_a_clip_that_contradicts_itself_is_not_stored(tmp_path, make_clip, frames):
    writer = StoreWriter(tmp_path)
    with pytest.raises(InputError, match="<id2> has no mask track"):
        writer.add(make_clip(tracks={"id1": MaskTrack.from_array(frames[..., 0] > 9)}), frames=frames)
    with pytest.raises(ValueError, match="against \\(4"):
        writer.add(make_clip(), frames=np.concatenate([frames, frames]))
    assert not list((tmp_path / "videos").iterdir())


def test_what_is_no_store(tmp_path):
    with pytest.raises(InputError, match="there is no such folder"):
        ClipStore(tmp_path / "absent")
    with pytest.raises(InputError, match="holds no clips"):
        ClipStore(tmp_path)
    (tmp_path / "clips").mkdir()
    pq.write_table(pa.table({"x": [1]}), tmp_path / "clips/part-00000.parquet")
    with pytest.raises(InputError, match="has no column 'clip_id'"):
        ClipStore(tmp_path)
    (tmp_path / "clips/part-00000.parquet").write_text("no parquet")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        ClipStore(tmp_path)
