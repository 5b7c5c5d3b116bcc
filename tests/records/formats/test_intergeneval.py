"""Whole InterGenEval folders: read, written, read again; through the store and back; and wrong in every way."""

import dataclasses
import json
import random
import shutil

import numpy as np
import pytest

from intergeneval_fixtures import EVAL_META, ITEM, NUM_FRAMES, QUESTIONS, STILL, frames, mask, spoilt, write_text
from interplay.core.errors import InputError
from interplay.records.check import check_clip
from interplay.records.clip import STILL_FPS, Instance
from interplay.records.formats.base import LocatedClip, Rejected
from interplay.records.formats.common.mask_files import write_mask
from interplay.records.formats.intergeneval.format import InterGenEvalFormat, InterGenEvalOptions
from interplay.records.formats.registry import detect
from interplay.records.masks import MaskTrack
from interplay.records.media.video import read_video, write_image, write_video
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter


def read(folder, **options):
    return list(InterGenEvalFormat(InterGenEvalOptions(**options)).read(folder))


def write(clips, out, **options):
    return list(InterGenEvalFormat(InterGenEvalOptions(**options)).write(clips, out))


def files_of(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def same_clips(first, second):
    """The same clips with the same bytes behind them."""
    assert [one.clip for one in first] == [one.clip for one in second]
    for one, other in zip(first, second, strict=True):
        assert {path: file.read_bytes() for path, file in one.files.items()} == {
            path: file.read_bytes() for path, file in other.files.items()
        }


def through_a_store(clips, folder):
    with StoreWriter(folder) as writer:
        for located in clips:
            writer.add_files(located)
    store = ClipStore(folder)
    return [store.located(clip) for clip in store]


# --- reading ---------------------------------------------------------------------------------------------------------


def test_an_item_with_a_video(benchmark_folder):
    assert detect(benchmark_folder) == "intergeneval"
    located, _ = read(benchmark_folder)
    clip = located.clip
    assert (clip.clip_id, clip.num_frames, clip.fps, clip.size_hw) == ("000", NUM_FRAMES, 8.0, (32, 48))
    assert clip.instances == (Instance("id1", "man", "in a red shirt"), Instance("id2", "woman", "with a hat"))
    assert (clip.interactions[0].verb, clip.interactions[0].category) == ("hands a cup to", "contact")
    assert (clip.tracks["id2"].to_array()[3] == mask(15)).all()
    assert clip.extra["intergeneval"] == {"meta": ITEM, "eval_meta": EVAL_META, "questions": QUESTIONS}
    assert located.files[clip.media["first_frame"]] == benchmark_folder / "images/000.png"
    assert (read_video(located.video).frames == frames()).all()
    assert located.notes == ()
    check_clip(clip, where="x")


def test_an_item_without_a_video_is_its_first_frame(benchmark_folder):
    located = read(benchmark_folder)[1]
    assert located.video == benchmark_folder / "images/001.png"
    assert (located.clip.num_frames, located.clip.fps, located.clip.media) == (1, STILL_FPS, {})
    assert (located.clip.tracks["id1"].to_array()[0] == mask(5)).all()
    assert located.clip.extra["intergeneval"] == {"meta": STILL}


def test_only_meta_and_pictures_are_required(tmp_path):
    write_text(tmp_path / "meta.json", "```json\n" + json.dumps({"items": [STILL]}) + "\n```")
    write_image(tmp_path / "images/000.png", frames()[0])
    (located,) = read(tmp_path)
    assert (located.clip.tracks, located.clip.caption) == ({}, "a dog  runs")


def test_masks_of_an_object_that_nobody_describes_are_kept(benchmark_folder):
    write_mask(benchmark_folder / "masks/001/id4.png", mask())
    located = read(benchmark_folder)[1]
    assert located.clip.instances[-1] == Instance("id4", "")
    assert "no object is given for the masks of id4" in [note.problem for note in located.notes]
    check_clip(located.clip, where="x")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: (folder / "images/001.png").unlink(), "neither a first frame nor a video"),
        (lambda folder: (folder / "images/001.png").write_bytes(b""), "empty"),
        (lambda folder: (folder / "images/001.png").write_bytes(b"\x89PNG\r\n"), "picture"),
        (lambda folder: (folder / "masks/001/id1.png").write_bytes(b"x"), "PNG"),
        (lambda folder: write_mask(folder / "tracks/001/id1/000.png", mask().T), "the mask is 32x48"),
        (lambda folder: write_text(folder / "questions/001.json", "no"), "not valid JSON"),
        (lambda folder: write_text(folder / "meta.json", [ITEM, 5]), "is no object"),
        (
            lambda folder: write_text(folder / "meta.json", [ITEM, STILL | {"interplay": {"clip_id": "../x"}}]),
            "file name",
        ),
        (lambda folder: write_text(folder / "meta.json", [ITEM, STILL | {"interplay": {"clip_id": "000"}}]), "'000'"),
    ],
)
def test_a_bad_item_is_rejected_and_the_others_go_on(benchmark_folder, damage, told):
    damage(benchmark_folder)
    good, bad = read(benchmark_folder)
    assert isinstance(good, LocatedClip)
    assert isinstance(bad, Rejected)
    assert told in bad.reason
    assert bad.cure


def test_everything_in_the_folder_is_told_of(benchmark_folder):
    write_image(benchmark_folder / "images/002.png", frames()[0])
    found = read(benchmark_folder)
    assert [type(one) for one in found] == [LocatedClip, LocatedClip, Rejected]


def test_a_folder_without_meta_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"meta\.json"):
        read(tmp_path)


# --- round trips -----------------------------------------------------------------------------------------------------


def test_a_folder_comes_back_as_it_was(benchmark_folder, tmp_path):
    write_mask(benchmark_folder / "masks/000/id1.png", mask(1))  # not frame 0 of its track
    first = read(benchmark_folder)
    written = write(first, tmp_path / "again")
    assert [one.lost for one in written] == [(), ()]
    same_clips(first, read(tmp_path / "again"))
    assert files_of(tmp_path / "again") == files_of(benchmark_folder)
    for name in ("meta.json", "eval_metas/000.json", "questions/000.json"):
        assert json.loads((tmp_path / "again" / name).read_text()) == json.loads((benchmark_folder / name).read_text())


def test_a_folder_comes_back_through_a_store(benchmark_folder, tmp_path):
    first = read(benchmark_folder)
    stored = through_a_store(first, tmp_path / "store")
    same_clips(first, stored)
    write(stored, tmp_path / "again")
    same_clips(first, read(tmp_path / "again"))


@pytest.fixture
def foreign(make_clip, tmp_path):
    """A clip of another origin that uses every field, and one that is a still."""
    shown = frames(7)[:4, :16, :24]
    write_video(tmp_path / "c0.mp4", shown, 8.0)
    write_image(tmp_path / "c1.png", shown[0])
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    moving = make_clip("c0", media={"audio": "media/c0/audio.wav"})
    still = make_clip(
        "c1", num_frames=1, video="videos/c1.png", fps=STILL_FPS, media={}, truth=None, provenance={}, boxes={}
    )
    still = dataclasses.replace(still, tracks={name: track.select([0]) for name, track in still.tracks.items()})
    return [
        LocatedClip(moving, {moving.video: tmp_path / "c0.mp4", "media/c0/audio.wav": tmp_path / "a.wav"}),
        LocatedClip(still, {still.video: tmp_path / "c1.png"}),
    ]


def test_a_foreign_clip_keeps_all_that_the_layout_holds_and_tells_the_rest(foreign, tmp_path):
    out = tmp_path / "out"
    moving, still = write(foreign, out)
    assert moving.lost == (
        "1 interaction is not kept",
        "boxes face: not kept",
        "media audio: not kept",
        "the exact truth of the world is not kept",
        "provenance of tracks: not kept",
    )
    assert still.lost == ("1 interaction is not kept",)
    for before, after in zip(foreign, read(out), strict=True):
        for field in ("clip_id", "caption", "instances", "tracks", "num_frames", "size_hw", "fps"):
            assert getattr(after.clip, field) == getattr(before.clip, field)
        assert (read_video(after.video).frames == read_video(before.video).frames).all()
    assert {"images/000.png", "videos/000.mp4", "masks/000/id1.png", "tracks/000/id2/003.png"} <= files_of(out)
    meta = json.loads((out / "meta.json").read_text())[0]
    assert meta["video_text_prompt"] == "a <id1> man pushes a <id2> red ball"
    assert meta["objects"] == [{"class": "man", "appearance": "in blue"}, {"class": "ball", "appearance": ""}]
    assert meta["interplay"]["gaps"] == {"id2": [[2, 3]]}
    eval_meta = json.loads((out / "eval_metas/000.json").read_text())
    assert (eval_meta["entity"], eval_meta["colors"]) == (["man", "ball"], ["red", "green"])


def test_writing_again_over_the_same_folder_changes_nothing_and_leaves_nothing_old(foreign, tmp_path):
    out = tmp_path / "out"
    write(foreign[::-1], out)
    write(foreign, out)
    fresh = tmp_path / "fresh"
    write(foreign, fresh)
    assert files_of(out) == files_of(fresh)
    assert all((out / name).read_bytes() == (fresh / name).read_bytes() for name in files_of(out))


def test_ids_other_than_the_numbers_of_the_objects_come_back(foreign, tmp_path):
    before = foreign[0].clip
    renamed = dataclasses.replace(
        before,
        caption="a <id3> man <verb> pushes a <id12> red ball </id12>",
        instances=(Instance("id12", "ball"), Instance("id3", "man")),
        tracks={"id12": before.tracks["id2"], "id3": before.tracks["id1"]},
        interactions=(),
    )
    write([dataclasses.replace(foreign[0], clip=renamed)], tmp_path / "out")
    (after,) = read(tmp_path / "out")
    assert (after.clip.caption, after.clip.instances) == (renamed.caption, renamed.instances)
    assert after.clip.tracks == renamed.tracks
    prompt = json.loads((tmp_path / "out/meta.json").read_text())[0]["video_text_prompt"]
    assert prompt == "a <id2> man pushes a <id1> red ball"


def test_more_objects_than_colours(foreign, tmp_path):
    many = tuple(Instance(f"id{number}", "ball") for number in range(1, 15))
    clip = dataclasses.replace(foreign[1].clip, instances=many, interactions=(), caption="balls", tracks={})
    write([dataclasses.replace(foreign[1], clip=clip)], tmp_path / "out")
    colours = json.loads((tmp_path / "out/eval_metas/000.json").read_text())["colors"]
    assert len(set(colours)) == 14
    assert colours[:6] == ["red", "green", "blue", "yellow", "magenta", "cyan"]


def test_a_changed_clip_is_written_as_it_is_now(benchmark_folder, tmp_path):
    located = read(benchmark_folder)[0]
    changed = dataclasses.replace(located.clip, caption="a <id1> man waves at a <id2> woman")
    (written,) = write([dataclasses.replace(located, clip=changed)], tmp_path / "out")
    assert "the questions, which were asked about another prompt or other objects" in written.lost
    (after,) = read(tmp_path / "out")
    assert after.clip.caption == changed.caption
    assert after.clip.extra["intergeneval"]["meta"] == ITEM | {"video_text_prompt": changed.caption}
    assert after.clip.extra["intergeneval"]["eval_meta"]["prompt"] == changed.caption
    assert "questions" not in files_of(tmp_path / "out")


def test_numbers_and_ids_stay_apart_when_an_item_is_left_out(benchmark_folder, tmp_path):
    write_text(benchmark_folder / "meta.json", [STILL, ITEM])
    for folder in ("images", "videos", "masks", "tracks", "eval_metas", "questions"):
        for path in sorted((benchmark_folder / folder).glob("*")):
            path.rename(path.with_name("x" + path.name))
        for path in (benchmark_folder / folder).glob("*"):
            path.rename(path.with_name({"0": "001", "1": "000"}[path.stem[-1]] + path.suffix))
    write_text(benchmark_folder / "eval_metas/001.json", EVAL_META | {"video_id": "video_001"})
    first, second = read(benchmark_folder)
    assert (first.clip.clip_id, second.clip.clip_id) == ("000", "001")
    write([second], tmp_path / "out")
    (after,) = read(tmp_path / "out")
    assert after.clip.clip_id == "001"
    assert (tmp_path / "out/videos/000.mp4").is_file()
    assert after.clip.extra["intergeneval"]["eval_meta"]["video_id"] == "000"
    write([second], tmp_path / "from 1", first_number=1)
    assert (tmp_path / "from 1/videos/001.mp4").is_file()


def test_a_folder_of_frames_becomes_a_video(foreign, tmp_path):
    folder = tmp_path / "frames"
    shown = read_video(foreign[0].video).frames
    for number, picture in enumerate(shown):
        write_image(folder / f"{number:03d}.png", picture)
    located = dataclasses.replace(foreign[0], files=foreign[0].files | {foreign[0].clip.video: folder})
    (written,) = write([located], tmp_path / "out")
    assert "the picture files of frames" in written.lost[0]
    assert np.array_equal(read_video(tmp_path / "out/videos/000.mp4").frames, shown)


def test_a_clip_whose_file_is_gone_takes_no_number(foreign, tmp_path):
    foreign[0].video.unlink()
    gone, written = write(foreign, tmp_path / "out")
    assert isinstance(gone, Rejected)
    assert written.clip_id == "c1"
    assert (tmp_path / "out/images/000.png").is_file()
    assert len(read(tmp_path / "out")) == 1


def test_a_track_that_is_unknown_in_the_only_frame_is_told_as_lost(foreign, tmp_path):
    clip = foreign[1].clip
    gap = MaskTrack(clip.size_hw, (None,))
    located = dataclasses.replace(foreign[1], clip=dataclasses.replace(clip, tracks=dict(clip.tracks, id2=gap)))
    (written,) = write([located], tmp_path / "out")
    assert "the mask track of id2, which is unknown in its only frame" in written.lost


# --- wrong types -----------------------------------------------------------------------------------------------------


def test_hundreds_of_wrong_types_are_verdicts_and_never_crashes(benchmark_folder):
    draw = random.Random(11)
    for folder in ("masks", "tracks", "videos"):  # JSON is what is tried here, and pictures take time
        shutil.rmtree(benchmark_folder / folder)
    own = {"clip_id": "x", "caption": ITEM["video_text_prompt"], "ids": ["id1", "id2"], "gaps": {"id1": [[1, 2]]}}
    whole = {
        "meta.json": [ITEM | {"interplay": own}, STILL],
        "eval_metas/000.json": EVAL_META,
        "questions/000.json": QUESTIONS,
        "eval_metas.json": [EVAL_META, EVAL_META | {"video_id": "001"}],
    }
    verdicts = {"read": 0, "rejected": 0, "refused": 0}
    for _ in range(150):
        name = draw.choice(list(whole))
        write_text(benchmark_folder / name, json.dumps(spoilt(whole[name], draw)))
        try:
            found = read(benchmark_folder)
        except InputError:
            verdicts["refused"] += 1
        else:
            verdicts["rejected"] += sum(isinstance(one, Rejected) for one in found)
            verdicts["read"] += sum(isinstance(one, LocatedClip) for one in found)
        if name == "eval_metas.json":
            (benchmark_folder / name).unlink()
        else:
            write_text(benchmark_folder / name, whole[name])
    assert all(count > 15 for count in verdicts.values()), verdicts
