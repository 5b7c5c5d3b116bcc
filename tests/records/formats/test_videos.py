"""Any folder of videos: captions and pictures beside them, what is broken, links, and the real outputs."""

import dataclasses
import filecmp
import os

import pytest

from cointeract_fixtures import draw, write_sound
from interplay.core.errors import InputError
from interplay.records.clip import Clip, Instance
from interplay.records.formats.base import LocatedClip, Rejected
from interplay.records.formats.registry import detect
from interplay.records.formats.videos import VideosFormat, VideosOptions
from interplay.records.media.video import write_image, write_video

ARM = [20, 24, 28]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "clips"
    write_video(folder / "b.mp4", draw((120, 90, 60), ARM), 25.0)
    write_video(folder / "deep" / "er" / "a b.mp4", draw((9, 90, 60), ARM[:2]), 8.0)
    return folder


def read(source, **options):
    return list(VideosFormat(VideosOptions(**options)).read(source))


def write(clips, out, **options):
    return list(VideosFormat(VideosOptions(**options)).write(clips, out))


def test_every_video_at_whatever_depth_in_order(folder):
    write_video(folder / "c.mp4", draw((1, 2, 3), ARM), 25.0)
    (folder / "c.mp4").rename(folder / " A.MP4")
    (folder / ".hidden.mp4").write_bytes(b"x")
    assert detect(folder) == "videos"
    items = read(folder)
    assert [item.clip.clip_id for item in items] == ["A", "b", "deep-er-a-b"]
    assert items[0].clip.video == "videos/A.mp4"
    clip = items[2].clip
    assert (clip.video, clip.num_frames, clip.fps, clip.caption) == ("videos/deep-er-a-b.mp4", 2, 8.0, "")
    assert items[2].files == {clip.video: folder / "deep/er/a b.mp4"}


def test_pipes_are_refused_and_not_waited_for(folder):
    os.mkfifo(folder / "b.txt")
    os.mkfifo(folder / "pipe.mp4")
    caption, video, fine = sorted(read(folder), key=lambda item: isinstance(item, LocatedClip))
    assert isinstance(fine, LocatedClip)
    assert [caption.clip_id, video.clip_id] == ["b", "pipe"]
    assert caption.where == str(folder / "b.txt")
    assert caption.reason == video.reason == "is no regular file"


def test_a_single_video(folder):
    assert detect(folder / "b.mp4") == "videos"
    (item,) = read(folder / "b.mp4")
    assert (item.clip.clip_id, item.video) == ("b", folder / "b.mp4")


def test_captions_sound_and_pictures_beside_the_videos(folder):
    (folder / "b.txt").write_text("\ufeffa <id1> man <b>runs</b>\n", encoding="utf-8")
    write_sound(folder / "b.wav", 0.1)
    for name in ("b", "person", "object", "product", "else"):
        write_image(folder / f"{name}.png", draw((9, 9, 9), [20])[0])
    first, second = read(folder)
    assert first.clip.instances == (Instance("id1", "man"),)
    assert first.clip.made_by("caption").maker == "text file beside the video"
    assert {name: first.files[path].name for name, path in first.clip.media.items()} == {
        "audio": "b.wav",
        "reference_image": "b.png",
        "person_image": "person.png",
        "product_image": "product.png",
    }
    assert any(note.problem.startswith("is another product_image") for note in first.notes)
    assert any("shows what the clips of clips show" in note.problem for note in first.notes)
    assert (second.clip.media, second.clip.caption) == ({}, "")


def test_broken_files_are_rejected_and_the_others_go_on(folder, tmp_path):
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "none.gif").write_bytes(b"GIF89a nothing")
    whole = (folder / "b.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "b.gif").write_bytes(b"x")
    for name, text in (("c", b"\xff\xfe"), ("d", b"a <id1>"), ("e", b"nul \0")):
        (folder / f"{name}.mp4").write_bytes(whole)
        (folder / f"{name}.txt").write_bytes(text)
    (folder / "f.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (folder / "g.mp4").mkdir()
    (folder / "up").symlink_to(folder)
    items = read(folder)
    assert [item.clip.clip_id for item in items if isinstance(item, LocatedClip)] == ["deep-er-a-b"]
    rejected = {f"{item.clip_id}: {item.reason}" for item in items if isinstance(item, Rejected)}
    assert len(items) == 11
    assert {told.partition(":")[0] for told in rejected} == {"empty", "none", "cut", "b", "c", "d", "e", "f", "up"}
    assert "up: is a link to a folder, which is not followed" in rejected
    assert any(told.startswith("b: would be called 'b'") for told in rejected)
    assert all(item.cure for item in items if isinstance(item, Rejected))


def test_links_are_followed_when_asked_and_loops_end(folder, tmp_path):
    away = tmp_path / "away"
    write_video(away / "x.mp4", draw((1, 2, 3), ARM), 25.0)
    (folder / "link").symlink_to(away)
    (away / "back").symlink_to(folder)
    (folder / "y.mp4").symlink_to(away / "x.mp4")
    assert sum(isinstance(item, Rejected) for item in read(folder)) == 2
    items = read(folder, follow_links=True)
    ids = [item.clip.clip_id for item in items if isinstance(item, LocatedClip)]
    assert ids == ["b", "y", "deep-er-a-b", "link-x"]
    (loop,) = [item for item in items if isinstance(item, Rejected)]
    assert (loop.clip_id, "which was read already" in loop.reason) == ("link-back", True)


def test_a_picture_that_cannot_be_read_is_a_note_and_no_verdict(folder):
    (folder / "person.png").write_bytes(b"no picture")
    first, _ = read(folder)
    assert first.clip.media == {}
    assert "left out" in first.notes[0].done


def test_a_round_trip(folder, tmp_path):
    (folder / "b.txt").write_text("a man runs")
    first = read(folder)
    written = write(first, tmp_path / "out")
    assert [item.lost for item in written] == [(), ()]
    assert detect(tmp_path / "out") == "videos"
    second = read(tmp_path / "out")
    assert [item.clip for item in second] == [item.clip for item in first]
    for before, after in zip(first, second, strict=True):
        assert filecmp.cmp(before.video, after.video, shallow=False)
    assert sorted(path.name for path in (tmp_path / "out" / "videos").iterdir()) == [
        "b.mp4", "b.txt", "deep-er-a-b.mp4",
    ]  # fmt: skip


def test_captions_keep_their_markers_when_asked(folder, tmp_path):
    first, _ = read(folder)
    caption = "a <id1> man <verb> runs"
    marked = dataclasses.replace(first, clip=dataclasses.replace(first.clip, caption=caption))
    (written,) = write([marked], tmp_path / "plain")
    assert written.lost == ("the caption's markers id1, verb: not kept",)
    assert read(tmp_path / "plain")[0].clip.caption == "a man runs"
    write([marked], tmp_path / "markup", captions="markup")
    assert read(tmp_path / "markup")[0].clip.caption == caption


def test_what_the_layout_has_no_place_for(make_clip, frames, tmp_path):
    write_video(tmp_path / "video.mp4", frames, 12.0)
    clip = make_clip(split="test", media={})
    (written,) = write([LocatedClip(clip, {clip.video: tmp_path / "video.mp4"})], tmp_path / "out")
    lost = "\n".join(written.lost)
    for told in ("markers", "the video file says 12", "split", "provenance of tracks", "mask track id1, id2", "truth"):
        assert told in lost
    write_image(tmp_path / "still.png", frames[0])
    still = Clip("still", "videos/still.png", "", 1, (16, 24), 1.0)
    (written,) = write([LocatedClip(still, {still.video: tmp_path / "still.png"})], tmp_path / "still")
    assert len(written.lost) == 1
    assert read(tmp_path / "still")[0].clip.num_frames == 1


def test_what_is_no_folder_of_videos(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    assert not VideosFormat.recognises(tmp_path)
    assert not VideosFormat.recognises(tmp_path / "a.txt")
    assert read(tmp_path) == []
    with pytest.raises(InputError, match="there is no such folder"):
        read(tmp_path / "absent" / "b")


def test_the_real_outputs(samples):
    items = read(samples / "interaction_outputs")
    assert len(items) == 15
    assert {(item.clip.num_frames, item.clip.size_hw, item.clip.fps) for item in items} == {(49, (480, 720), 8.0)}
    products = read(samples / "product_outputs")
    assert {item.clip.clip_id: item.clip.num_frames for item in products}["case1-anchorcrafter"] == 41
    assert all(set(item.clip.media) == {"person_image", "product_image"} for item in products)
    assert detect(samples / "product_outputs" / "case1") == detect(samples / "interaction_outputs") == "videos"
