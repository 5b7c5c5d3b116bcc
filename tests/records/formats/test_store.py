"""The store as a format: good rows pass, bad ones are verdicts, and copies are exact."""

import shutil
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from interplay.core.errors import InputError
from interplay.records.formats.base import LocatedClip, Rejected
from interplay.records.formats.registry import FORMATS, detect
from interplay.records.formats.store import StoreFormat, StoreOptions
from interplay.records.store import parts as parts_module
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter

STORE = StoreFormat(StoreOptions())


@pytest.fixture
def store(tmp_path, make_clip, frames, monkeypatch):
    """Two parts of three clips and one, in groups of two."""
    monkeypatch.setattr(parts_module, "ROWS_PER_GROUP", 2)
    folder = tmp_path / "store"
    with StoreWriter(folder) as writer:
        for k in range(4):
            sound = folder / f"media/c{k}/audio.wav"
            sound.parent.mkdir(parents=True)
            sound.write_bytes(bytes([k]))
            writer.add(make_clip(f"c{k}"), frames=frames)
            if k == 2:
                writer.flush()
    return folder


def changed(part, change):
    table = pq.read_table(part)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), part, row_group_size=2)


def read(folder, **options):
    return list(StoreFormat(StoreOptions(**options)).read(folder))


def verdicts(found):
    return {item.clip.clip_id if isinstance(item, LocatedClip) else item.clip_id: item for item in found}


def test_it_is_known_by_its_folders(store, tmp_path):
    assert detect(store) == "store"
    assert FORMATS.get("store") is StoreFormat
    assert not StoreFormat.recognises(tmp_path)
    assert not StoreFormat.recognises(store / "clips/part-00000.parquet")


def test_from_store_to_store(store, tmp_path):
    clips = read(store)
    assert [located.clip for located in clips] == list(ClipStore(store))
    written = list(STORE.write(clips, tmp_path / "copy"))
    assert [(one.clip_id, one.lost) for one in written] == [(f"c{k}", ()) for k in range(4)]
    assert list(ClipStore(tmp_path / "copy")) == list(ClipStore(store))
    for located in clips:
        for path in located.files:
            assert (tmp_path / "copy" / path).read_bytes() == (store / path).read_bytes()


def test_other_places_become_those_of_the_store(store, tmp_path, make_clip, frames):
    (tmp_path / "pictures").mkdir()
    for k, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / "pictures" / f"{k}.png")
    clip = make_clip("c9", video="pictures", media={"audio": "sounds/nine.mp3"})
    located = LocatedClip(clip, {"pictures": tmp_path / "pictures", "sounds/nine.mp3": store / "media/c1/audio.wav"})
    (written,) = STORE.write([located], tmp_path / "copy")
    assert written.lost == ("the picture files of pictures (their pixels stand in a lossless video)",)
    stored = ClipStore(tmp_path / "copy").get("c9")
    assert stored == replace(clip, video="videos/c9.mp4", media={"audio": "media/c9/audio.mp3"})
    assert (ClipStore(tmp_path / "copy").frames(stored) == frames).all()


def test_a_folder_of_frames_inside_a_store(store, tmp_path, frames):
    (store / "videos/c3.mp4").unlink()
    (store / "videos/c3.mp4").mkdir()
    for k, frame in enumerate(frames):
        Image.fromarray(frame).save(store / "videos/c3.mp4" / f"{k}.png")
    (store / "media/c0/audio.wav").unlink()
    (store / "media/c0/audio.wav").mkdir()
    outcomes = verdicts(STORE.write(read(store), tmp_path / "copy"))
    assert isinstance(outcomes["c0"], Rejected)
    copy = ClipStore(tmp_path / "copy")
    assert copy.ids == ("c1", "c2", "c3")
    assert (copy.frames(copy.get("c3")) == frames).all()


def test_a_conversion_that_was_broken_off_goes_on(store, tmp_path):
    clips = [replace(one, clip=replace(one.clip, extra={"matrix": {"at": (1, 2)}})) for one in read(store)]
    writing = STORE.write(clips, tmp_path / "copy")
    next(writing)
    writing.close()
    assert ClipStore(tmp_path / "copy").ids == ("c0",)
    assert [one.clip_id for one in STORE.write(clips, tmp_path / "copy")] == ["c0", "c1", "c2", "c3"]
    assert ClipStore(tmp_path / "copy").ids == ClipStore(store).ids
    other = replace(clips[0], clip=replace(clips[0].clip, split="test"))
    (rejected,) = STORE.write([other], tmp_path / "copy")
    assert (rejected.clip_id, rejected.reason) == ("c0", "another clip of this id is there")
    assert ClipStore(tmp_path / "copy").get("c0").split == "train"


def test_a_clip_that_comes_twice(store, tmp_path):
    clips = read(store)
    first, second, third = STORE.write([clips[0], clips[0], clips[1]], tmp_path / "copy")
    assert (first.lost, second.reason, third.lost) == ((), "the clip id is taken already", ())


# --- bad rows ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda row: row.update(video="../secret.mp4"), "is no path inside the store"),
        (lambda row: row.update(video="videos/absent.mp4"), "there is no file"),
        (lambda row: row["tracks"][0]["counts"].__setitem__(1, "~"), "has a character that counts are never"),
        (lambda row: row["tracks"][0].update(height=15), "has runs of"),
        (lambda row: row.update(num_frames=5), "the mask track is"),
        (lambda row: row.update(caption="a <id7> man"), "id7 is not among"),
        (lambda row: row.update(record_version=3), "is a record of version 3"),
        (lambda row: row.update(clip_id="a/b"), "cannot be a file name"),
        (lambda row: row.update(clip_id="c0"), "the clip is listed twice"),
        (lambda row: row.update(clip_id=None), "the column 'clip_id' is empty"),
    ],
)
def test_a_bad_row_is_a_verdict_and_the_others_go_on(store, change, reason):
    changed(store / "clips/part-00000.parquet", lambda rows: change(rows[1]))
    found = read(store)
    assert [isinstance(item, Rejected) for item in found] == [False, True, False, False]
    assert reason in found[1].reason
    assert found[1].where.startswith(str(store / "clips/part-00000.parquet"))
    assert found[1].cure


def test_a_part_that_cannot_be_read_is_one_verdict(store):
    (store / "clips/part-00000.parquet").write_bytes(b"PAR1 nothing PAR1")
    first, *others = read(store)
    assert (first.clip_id, "not a readable Parquet file" in first.reason) == ("part-00000.parquet", True)
    assert [located.clip.clip_id for located in others] == ["c3"]


def test_a_damaged_group_costs_its_own_rows(store):
    part = store / "clips/part-00000.parquet"
    column = pq.ParquetFile(part).metadata.row_group(0).column(pq.read_schema(part).names.index("caption"))
    data = bytearray(part.read_bytes())
    at = column.dictionary_page_offset or column.data_page_offset
    data[at + 25 : at + column.total_compressed_size] = bytes(column.total_compressed_size - 25)
    part.write_bytes(bytes(data))
    found = verdicts(read(store))
    assert {name for name, item in found.items() if isinstance(item, Rejected)} == {"c0", "c1"}
    assert "not a readable Parquet file" in found["c0"].reason


def test_a_link_that_leaves_the_store(store, tmp_path):
    video = store / "videos/c1.mp4"
    shutil.move(video, tmp_path / "elsewhere.mp4")
    video.symlink_to(tmp_path / "elsewhere.mp4")
    rejected = verdicts(read(store))["c1"]
    assert (isinstance(rejected, Rejected), "leaves the dataset's folder" in rejected.reason) == (True, True)
    assert verdicts(read(store, follow_links=True))["c1"].video == video


def test_a_column_that_is_none_of_ours_is_noted(store):
    part = store / "clips/part-00001.parquet"
    pq.write_table(pq.read_table(part).append_column("score", pa.array([0.5])), part)
    (note,) = verdicts(read(store))["c3"].notes
    assert (note.where, note.problem, note.done) == (str(part), "the column 'score' is not one of a clip's", "left out")
    assert verdicts(read(store))["c0"].notes == ()


def test_what_is_no_store(tmp_path):
    with pytest.raises(InputError, match="holds no clips"):
        read(tmp_path)
    with pytest.raises(InputError, match="there is no such folder"):
        read(tmp_path / "absent")
