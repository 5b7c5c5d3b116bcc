"""The reader: everything comes back equal, in any order, and no more is read than is asked for."""

import pickle
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interplay.core.errors import InputError
from interplay.records.store import parts as parts_module
from interplay.records.store import reader as reader_module
from interplay.records.store import writer as writer_module
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter
from records_version_1 import VERSION_1

BARE = {
    "caption": "a street",
    "instances": (),
    "interactions": (),
    "tracks": {},
    "boxes": {},
    "media": {},
    "truth": None,
    "provenance": {},
}


@pytest.fixture
def ten(tmp_path, add, monkeypatch):
    """Ten clips, every third of the split test, in parts of four and groups of two."""
    monkeypatch.setattr(writer_module, "CLIPS_PER_PART", 4)
    monkeypatch.setattr(parts_module, "ROWS_PER_GROUP", 2)
    with StoreWriter(tmp_path) as writer:
        for k in range(10):
            add(writer, f"c{k}", split="train" if k % 3 else "test")
    return ClipStore(tmp_path)


@pytest.fixture
def groups_read(monkeypatch):
    """The groups that were read, as (part, group)."""
    read = []

    def noted(part, group):
        read.append((part.path.stem, group))
        return parts_module.read_group(part, group)

    monkeypatch.setattr(reader_module, "read_group", noted)
    return read


def test_a_clip_comes_back_equal(tmp_path, make_clip, add, frames):
    with StoreWriter(tmp_path) as writer:
        add(writer)
        writer.add(make_clip("bare", **BARE), frames=frames)
    store = ClipStore(tmp_path)
    assert list(store) == [make_clip(), make_clip("bare", **BARE)]
    assert store.get("c0") == make_clip()
    assert (store.frames(store.get("c0")) == frames).all()
    assert store.path(store.get("c0"), "audio") == tmp_path / "media/c0/audio.wav"
    assert (len(store), store.ids) == (2, ("c0", "bare"))


def test_select(ten):
    assert [clip.clip_id for clip in ten.select("test")] == ["c0", "c3", "c6", "c9"]
    assert [clip.clip_id for clip in ten.select("test", limit=2)] == ["c0", "c3"]
    assert [clip.clip_id for clip in ten.select(limit=3)] == ["c0", "c1", "c2"]
    with pytest.raises(InputError, match="no clip is in the split 'val'; use one of: test, train"):
        ten.select("val")
    with pytest.raises(InputError, match="there is no clip 'c10'"):
        ten.get("c10")


def test_one_clip_costs_its_group_and_its_neighbour_nothing(ten, groups_read, make_clip):
    assert groups_read == []
    assert ten.get("c7") == make_clip("c7")
    assert ten.get("c6") == make_clip("c6", split="test")
    assert groups_read == [("part-00001", 1)]
    ten.get("c8")
    assert groups_read[1:] == [("part-00002", 0)]


def test_a_stream_reads_group_by_group(ten, groups_read):
    stream = iter(ten)
    assert next(stream).clip_id == "c0"
    assert groups_read == [("part-00000", 0)]
    assert [clip.clip_id for clip in stream] == [f"c{k}" for k in range(1, 10)]
    assert groups_read == [(f"part-{p:05d}", g) for p, g in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0))]


def test_columns_without_clips(ten, groups_read):
    table = ten.columns(["clip_id", "num_frames", "interactions.verb", "tracks.id"])
    assert table.column_names == ["clip_id", "num_frames", "interactions", "tracks"]
    assert table.slice(7, 1).to_pylist() == [
        {
            "clip_id": "c7",
            "num_frames": 4,
            "interactions": [{"verb": "pushes"}],
            "tracks": [{"id": "id1"}, {"id": "id2"}],
        }
    ]
    assert groups_read == []
    with pytest.raises(InputError, match=r"has no column 'tracks\.color'; use some of: clip_id, split"):
        ten.columns(["tracks.color"])


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_shards_are_disjoint_and_complete_and_share_out_every_split(ten, count):
    shards = [ten.shard(index, count) for index in range(count)]
    assert sorted(clip_id for shard in shards for clip_id in shard.ids) == sorted(ten.ids)
    assert [len(list(shard)) for shard in shards] == [len(shard) for shard in shards]
    for split, total in (("test", 4), ("train", 6)):
        sizes = [len(shard.select(split)) for shard in shards]
        assert (sum(sizes), max(sizes) - min(sizes) <= 1) == (total, True)


def test_a_shard_knows_only_its_own(ten):
    shard = ten.shard(1, 2)
    assert shard.ids == ("c5", "c6", "c7", "c8", "c9")
    assert [clip.clip_id for clip in shard.select("test")] == ["c6", "c9"]
    assert shard.columns(["clip_id"])["clip_id"].to_pylist() == list(shard.ids)
    with pytest.raises(InputError, match="there is no clip 'c0'"):
        shard.get("c0")
    assert shard.shard(0, 2).ids == ("c5", "c6")
    with pytest.raises(ValueError, match="share 2 of 2"):
        ten.shard(2, 2)


def test_a_store_goes_to_another_process(ten):
    assert list(pickle.loads(pickle.dumps(ten.shard(0, 2)))) == list(ten.shard(0, 2))  # noqa: S301


def test_where_a_clips_files_lie(tmp_path, add):
    with StoreWriter(tmp_path / "store") as writer:
        clip = add(writer)
    store = ClipStore(tmp_path / "store")
    files = {"videos/c0.mp4": store.folder / "videos/c0.mp4", "media/c0/audio.wav": store.folder / "media/c0/audio.wav"}
    assert (store.located(clip).clip, store.located(clip).files) == (clip, files)
    audio = store.path(clip, "audio")
    audio.rename(tmp_path / "elsewhere.wav")
    with pytest.raises(InputError, match=r"clip c0: there is no file .*audio\.wav"):
        store.located(clip)
    audio.symlink_to(tmp_path / "elsewhere.wav")
    with pytest.raises(InputError, match="is a link that leaves the dataset's folder"):
        store.located(clip)
    assert store.located(clip, follow_links=True).files == files


def test_part_100000_comes_after_part_99999(tmp_path, add):
    for number in (99999, 100000):
        with StoreWriter(tmp_path) as writer:
            add(writer, f"c{number}")
        (tmp_path / "clips" / "part-00000.parquet").rename(tmp_path / "clips" / "moved")
        (tmp_path / "clips" / "moved").rename(tmp_path / "clips" / f"part-{number}.parquet")
        if number == 99999:
            (tmp_path / "clips" / "part-99999.parquet").rename(tmp_path / "kept")
    (tmp_path / "kept").rename(tmp_path / "clips" / "part-99999.parquet")
    assert ClipStore(tmp_path).ids == ("c99999", "c100000")


# --- what is no store -------------------------------------------------------------------------------------------------


def test_what_is_no_store(tmp_path):
    with pytest.raises(InputError, match="there is no such folder"):
        ClipStore(tmp_path / "absent")
    with pytest.raises(InputError, match="holds no clips"):
        ClipStore(tmp_path)


@pytest.fixture
def part(tmp_path, add):
    with StoreWriter(tmp_path) as writer:
        add(writer)
        add(writer, "c1")
    return tmp_path / "clips/part-00000.parquet"


def rewritten(part, change):
    rows = pq.read_table(part).to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(part)), part)
    return ClipStore(part.parent.parent)


def test_another_schema(part):
    pq.write_table(pa.table({"x": [1]}), part)
    with pytest.raises(InputError, match=r"part-00000\.parquet: has no column 'clip_id', so it holds no clips"):
        ClipStore(part.parent.parent)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("tracks", ["a", "b"]),
        ("num_frames", [1.5, 2.5]),
        ("tracks", [[{"id": 1}], [{"id": 2}]]),
        ("media", [[{"name": "audio"}], []]),
    ],
)
def test_a_column_of_another_type(part, name, values):
    table = pq.read_table(part)
    pq.write_table(table.set_column(table.column_names.index(name), name, pa.array(values)), part)
    with pytest.raises(InputError, match=f"part-00000.parquet: the column '{name}' holds"):
        ClipStore(part.parent.parent)


def test_widths_that_other_tools_change(part, make_clip):
    table = pq.read_table(part)
    for name, kind in (("num_frames", pa.int64()), ("clip_id", pa.large_string()), ("fps", pa.float32())):
        at = table.column_names.index(name)
        table = table.set_column(at, name, table[name].cast(kind))
    pq.write_table(table, part)
    assert list(ClipStore(part.parent.parent)) == [make_clip(), make_clip("c1")]


@pytest.mark.parametrize("keep", [0, 3, 100, 0.5, 0.99])
def test_a_truncated_part(part, keep):
    data = part.read_bytes()
    part.write_bytes(data[: keep if keep > 1 or keep == 0 else int(len(data) * keep)])
    with pytest.raises(InputError, match=r"part-00000\.parquet: is not a readable Parquet file"):
        ClipStore(part.parent.parent)


def test_a_damaged_part_is_found_wherever_the_damage_is(part):
    """Every byte of the rows is under a checksum, so no flipped bit passes for data."""
    data, clean = part.read_bytes(), list(ClipStore(part.parent.parent))
    found = 0
    for at in np.random.default_rng(1).integers(4, len(data) - 8, 150):
        part.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        with suppress(InputError):
            assert list(ClipStore(part.parent.parent)) == clean
            continue
        found += 1
    assert found > 100  # the rest hit what nobody reads, such as statistics and padding


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_damage_without_checksums_is_an_error_or_another_clip(part, compression):
    """What other tools write has no checksums: a flipped bit may pass for data, and nothing else may come of it."""
    pq.write_table(pq.read_table(part), part, compression=compression)
    data, rng = part.read_bytes(), np.random.default_rng(2)
    refused = 0
    for at in rng.integers(4, len(data) - 8, 100):
        part.write_bytes(data[:at] + rng.bytes(1) + data[at + 1 :])
        with suppress(InputError):
            assert len(list(ClipStore(part.parent.parent))) == 2
            continue
        refused += 1
    assert 20 < refused < 100


def test_text_that_is_no_utf8(part):
    table = pq.read_table(part)
    for name in ("clip_id", "caption"):
        broken = pa.array([b"c0", b"\xff\xfe"]).view(pa.string())
        pq.write_table(table.set_column(table.column_names.index(name), name, broken), part)
        with pytest.raises(InputError, match=r"part-00000\.parquet: is not a readable Parquet file .*(?i:utf-?8)"):
            list(ClipStore(part.parent.parent))
    with pytest.raises(InputError, match=r"part-00000\.parquet: is not a readable Parquet file"):
        ClipStore(part.parent.parent).columns(["caption"])


def test_a_clip_listed_twice(part):
    with pytest.raises(InputError, match=r"part-00000\.parquet: the clip c0 is listed twice"):
        rewritten(part, lambda rows: rows[1].update(clip_id="c0"))


def test_a_row_without_an_id(part):
    with pytest.raises(InputError, match="has a row without a clip id"):
        rewritten(part, lambda rows: rows[1].update(clip_id=None))


def test_a_newer_version_is_refused(part):
    with pytest.raises(
        InputError, match="clip c1: is a record of version 3, and this Interplay reads versions up to 2"
    ):
        rewritten(part, lambda rows: rows[1].update(record_version=3))


def test_a_part_of_version_1_and_one_of_today(part, make_clip, add):
    rows = [{**row, "record_version": 1} for row in pq.read_table(part).to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, schema=VERSION_1), part)
    with StoreWriter(part.parent.parent) as writer:
        new = add(writer, "c2", extra={"matrix": {"idx": 1}})
    store = ClipStore(part.parent.parent)
    assert list(store) == [make_clip(), make_clip("c1"), new]
    assert store.columns(["clip_id", "interactions.verb", "instances"]).num_rows == 3
    assert store.columns(["extra"])["extra"].to_pylist() == [None, None, '{"matrix": {"idx": 1}}']


def test_a_bad_row_names_part_and_clip(part):
    store = rewritten(part, lambda rows: rows[1]["tracks"][0]["counts"].__setitem__(3, "~~~"))
    assert store.get("c0")
    with pytest.raises(
        InputError, match=r"part-00000\.parquet, clip c1, tracks id1, frame 3: .*cure|encode the mask again"
    ):
        store.get("c1")
