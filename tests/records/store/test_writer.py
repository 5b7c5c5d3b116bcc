"""The writer: clips go in once and whole, the same clips give the same bytes, and a full disk tears nothing."""

import errno
import os

import numpy as np
import pytest
from PIL import Image

from interplay.core import files as files_module
from interplay.core.artifacts import build
from interplay.core.errors import InputError
from interplay.records.clip import Boxes, Instance
from interplay.records.formats.base import LocatedClip
from interplay.records.masks import MaskTrack
from interplay.records.store import parts as parts_module
from interplay.records.store import writer as writer_module
from interplay.records.store.card import write_card
from interplay.records.store.layout import is_own_place, media_path, video_path
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter


@pytest.fixture
def located(tmp_path, make_clip):
    """Makes a clip whose video and sound lie in a folder of somebody's."""

    def make(clip_id="c0"):
        folder = tmp_path / "source" / clip_id
        folder.mkdir(parents=True)
        (folder / "film.mov").write_bytes(os.urandom(3_000_000))
        (folder / "sound.wav").write_bytes(b"sound")
        clip = make_clip(clip_id, video=video_path(clip_id, ".mov"))
        return LocatedClip(clip, {clip.video: folder / "film.mov", clip.media["audio"]: folder / "sound.wav"})

    return make


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_exception_keeps_the_clips_before_it(tmp_path, add):
    def interrupted():
        with StoreWriter(tmp_path) as writer:
            add(writer)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert StoreWriter(tmp_path).done == {"c0"}


def test_a_writer_goes_on_where_another_ended(tmp_path, add, monkeypatch):
    monkeypatch.setattr(writer_module, "CLIPS_PER_PART", 2)
    for clip_ids in (("c0", "c1", "c2"), ("c3",), ("c4", "c5")):
        with StoreWriter(tmp_path) as writer:
            for clip_id in clip_ids:
                add(writer, clip_id)
    assert ClipStore(tmp_path).ids == tuple(f"c{k}" for k in range(6))
    assert len(list((tmp_path / "clips").iterdir())) == 4


def test_the_same_clips_give_the_same_bytes(tmp_path, add, monkeypatch):
    monkeypatch.setattr(writer_module, "CLIPS_PER_PART", 3)
    for folder in ("one", "two"):
        with StoreWriter(tmp_path / folder) as writer:
            for k in range(5):
                add(writer, f"c{k}")
    assert names(tmp_path / "one") == names(tmp_path / "two")
    for name in names(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_a_card_of_somebodys_own_stays(tmp_path, add):
    (tmp_path / "README.md").write_text("mine")
    with StoreWriter(tmp_path) as writer:
        add(writer)
    assert (tmp_path / "README.md").read_text() == "mine"


@pytest.mark.parametrize("clip_id", ["../evil", "a/b", "", ".hidden", "a b", "a\n", "x" * 201])
def test_ids_that_are_no_file_names(tmp_path, make_clip, frames, clip_id):
    with pytest.raises(InputError, match="cannot be a file name"):
        StoreWriter(tmp_path).add(make_clip(clip_id), frames=frames)
    assert not list(tmp_path.iterdir())


def test_the_longest_id(tmp_path, add):
    with StoreWriter(tmp_path) as writer:
        add(writer, "x" * 200)
    assert ClipStore(tmp_path).ids == ("x" * 200,)


def test_an_id_is_given_once(tmp_path, add):
    with StoreWriter(tmp_path) as writer:
        add(writer)
        with pytest.raises(InputError, match="clip c0: the clip id is taken already"):
            add(writer)


def test_a_clip_that_contradicts_itself_is_not_stored(tmp_path, make_clip, frames):
    writer = StoreWriter(tmp_path)
    with pytest.raises(InputError, match="is at frame 9 and the clip has 4"):
        writer.add(make_clip(boxes={"face": Boxes({9: None})}, media={}), frames=frames)
    with pytest.raises(InputError, match="the mask track is"):
        writer.add(make_clip(tracks={"id1": MaskTrack.from_array(frames[:3, ..., 0] > 9)}, media={}), frames=frames)
    with pytest.raises(ValueError, match="against \\(4"):
        writer.add(make_clip(media={}), frames=np.concatenate([frames, frames]))
    with pytest.raises(ValueError, match=r"there is no media/c0/audio\.wav"):
        writer.add(make_clip(), frames=frames)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "changes",
    [
        {"instances": (Instance("id1", "half a character: \ud83d"), Instance("id2", "ball"))},
        {"split": "\udcff"},
        {"boxes": {"face": Boxes({0: None})}, "num_frames": 2**31},
        {"extra": {"matrix": {"score": float("nan")}}},
    ],
)
def test_what_parquet_cannot_hold_costs_one_clip(tmp_path, make_clip, frames, changes):
    bad = make_clip("bad", media={}, tracks={}, **changes)
    with StoreWriter(tmp_path) as writer:
        writer.add(make_clip("c0", media={}), frames=frames)
        located = LocatedClip(bad, {bad.video: tmp_path / "videos/c0.mp4"})
        with pytest.raises(InputError, match=r"clip bad(, extra)?: (cannot be stored|holds NaN)"):
            writer.add_files(located)
    assert ClipStore(tmp_path).ids == ("c0",)
    assert names(tmp_path / "videos") == ["c0.mp4"]


def test_a_finished_artifact_is_closed(tmp_path, add):
    build(tmp_path / "a", kind="clips", config={}, inputs={}, make=lambda folder: {})
    with pytest.raises(InputError, match="is a finished artifact; write into a new folder"):
        add(StoreWriter(tmp_path / "a"), media={})


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOLCK])
def test_a_folder_that_cannot_be_written(tmp_path, add, monkeypatch, number):
    def refused(*_, **__):
        raise OSError(number, "told by the system")

    monkeypatch.setattr(writer_module, "Claims", refused)
    with pytest.raises(InputError, match=r"cannot be written \(told by the system\); choose a folder"):
        add(StoreWriter(tmp_path), media={})


# --- files ------------------------------------------------------------------------------------------------------------


def test_files_are_copied_byte_for_byte(tmp_path, located):
    one = located()
    with StoreWriter(tmp_path / "store") as writer:
        writer.add_files(one)
    store = ClipStore(tmp_path / "store")
    assert list(store) == [one.clip]
    for path, source in one.files.items():
        assert (tmp_path / "store" / path).read_bytes() == source.read_bytes()
    assert names(tmp_path / "store") == [
        "README.md",
        "clips/part-00000.parquet",
        "media/c0/audio.wav",
        "videos/c0.mov",
    ]


def test_files_that_lie_in_their_places_already_stay(tmp_path, located):
    one = located()
    store = tmp_path / "store"
    (store / "videos").mkdir(parents=True)
    one.video.rename(store / one.clip.video)
    inode = (store / one.clip.video).stat().st_ino
    with StoreWriter(store) as writer:
        writer.add_files(LocatedClip(one.clip, {**one.files, one.clip.video: store / one.clip.video}))
    assert (store / one.clip.video).stat().st_ino == inode
    assert ClipStore(store).ids == ("c0",)


def test_a_folder_of_frames_becomes_a_lossless_video(tmp_path, make_clip, frames):
    (tmp_path / "frames").mkdir()
    for k, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / "frames" / f"{k:03d}.png")
    clip = make_clip(media={})
    with StoreWriter(tmp_path / "store") as writer:
        writer.add_files(LocatedClip(clip, {clip.video: tmp_path / "frames"}))
    store = ClipStore(tmp_path / "store")
    assert (store.frames(clip) == frames).all()
    (tmp_path / "frames" / "003.png").unlink()
    other = make_clip("c1", media={})
    with (
        StoreWriter(tmp_path / "store") as writer,
        pytest.raises(InputError, match="holds 3 frames of 24x16, and the clip says 4 frames of 24x16"),
    ):
        writer.add_files(LocatedClip(other, {other.video: tmp_path / "frames"}))


@pytest.mark.parametrize("fault", ["absent", "pipe"])
def test_after_an_error_nothing_of_the_clip_is_there(tmp_path, located, fault):
    one = located()
    sound = one.files["media/c0/audio.wav"]
    sound.unlink()
    if fault == "pipe":
        os.mkfifo(sound)  # reading it would wait for ever
    store = tmp_path / "store"
    with StoreWriter(store) as writer:
        with pytest.raises(InputError, match="there is no such file" if fault == "absent" else "is no ordinary file"):
            writer.add_files(one)
        assert names(store / "videos") == []
        sound.unlink(missing_ok=True)
        sound.write_bytes(b"found")
        writer.add_files(one)
    assert ClipStore(store).ids == ("c0",)


def test_files_that_are_not_the_clips(tmp_path, located):
    one = located()
    writer = StoreWriter(tmp_path / "store")
    with pytest.raises(ValueError, match="clip c0: names"):
        writer.add_files(LocatedClip(one.clip, {one.clip.video: one.video}))
    with pytest.raises(ValueError, match="clip c0: names"):
        writer.add_files(LocatedClip(one.clip, {**one.files, "videos/c1.mp4": one.video}))


@pytest.mark.parametrize(
    ("clip_id", "path", "own"),
    [
        ("a", video_path("a"), True),
        ("a.b", video_path("a.b", ".gif"), True),
        ("a", media_path("a", "audio", ".wav"), True),
        ("a", "media/a/frames/000.png", True),
        ("a", "videos/a.b.mp4", False),
        ("a", "videos/b.mp4", False),
        ("a", "media/b/audio.wav", False),
        ("a", "media/a", False),
        ("a", "media/a/../b/audio.wav", False),
        ("a", "videos/../a.mp4", False),
        ("a", "/videos/a.mp4", False),
        ("a", "videos//a.mp4", False),
        ("a", "clips/a.parquet", False),
    ],
)
def test_the_places_of_a_clip(clip_id, path, own):
    assert is_own_place(clip_id, path) is own


# --- a full disk ------------------------------------------------------------------------------------------------------


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("module", "function"),
    [
        (files_module.shutil, "copyfileobj"),
        (parts_module.pq, "write_table"),
        (parts_module.os, "fsync"),
        (writer_module, "write_card"),
    ],
)
def test_a_full_disk_tears_nothing(tmp_path, located, monkeypatch, module, function):
    one = located()
    store = tmp_path / "store"
    if function == "fsync":
        write_card(store)  # so that the part is the first to wait for the disk
    writer = StoreWriter(store)
    with monkeypatch.context() as patch:
        patch.setattr(module, function, full)
        with pytest.raises(InputError, match="the disk is full"):  # noqa: PT012
            writer.add_files(one)
            writer.flush()
        assert [name for name in names(store) if name.endswith(".tmp") or name.startswith("clips")] == []
    with writer:
        if "c0" not in writer.done:
            writer.add_files(one)
    assert list(ClipStore(store)) == [one.clip]


def test_a_full_disk_at_the_very_end(tmp_path, located, monkeypatch):
    one = located()
    writer = StoreWriter(tmp_path / "store")
    writer.add_files(one)
    with monkeypatch.context() as patch:
        patch.setattr(parts_module.pq, "write_table", full)
        with pytest.raises(InputError, match="the disk is full"):
            writer.close()
    assert writer.done == set()
    with StoreWriter(tmp_path / "store") as other:
        other.add_files(one)
    with pytest.raises(InputError, match="the clip id is taken already"):
        writer.add_files(one)
