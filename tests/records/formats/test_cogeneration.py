"""Clips with companions told apart by the end of their names: drawn ones, broken ones, and the real examples."""

import dataclasses
import filecmp

import numpy as np
import pytest

from cointeract_fixtures import BEIGE, BLUE, HEIGHT, NUM_FRAMES, WIDTH, arm_heights, draw
from interplay.core.errors import InputError
from interplay.records.clip import Instance
from interplay.records.formats.base import LocatedClip, Rejected
from interplay.records.formats.cogeneration import CogenerationFormat, CogenerationOptions
from interplay.records.formats.registry import detect
from interplay.records.media.video import read_video, write_image, write_video


@pytest.fixture
def case(tmp_path):
    """``case(folder)`` draws a clip, its structure video (twice as large, one frame longer) and two pictures."""

    def make(folder=tmp_path / "cases", name="case1", arm=None):
        arm = arm_heights(NUM_FRAMES + 1) if arm is None else arm
        write_video(folder / f"{name}.mp4", draw((120, 90, 60), arm[:-1]), 25.0)
        large = draw((0, 0, 0), arm).repeat(2, axis=1).repeat(2, axis=2)
        write_video(folder / f"{name}_hoi.mp4", large, 25.0)
        for end in ("person", "product"):
            write_image(folder / f"{name}_{end}.png", draw((9, 9, 9), [20])[0])
        return folder

    return make


def read(source, **options):
    return list(CogenerationFormat(CogenerationOptions(**options)).read(source))


def write(clips, out):
    return list(CogenerationFormat(CogenerationOptions()).write(clips, out))


def test_a_clip_and_its_tracks(case):
    source = case()
    assert detect(source) == "cogeneration"
    (located,) = read(source)
    clip = located.clip
    assert (clip.clip_id, clip.caption, clip.fps) == ("case1", "", 25.0)
    assert set(clip.media) == {"structure_video", "person_image", "product_image"}
    assert clip.instances == (Instance("id1", "person"), Instance("id2", "product"))
    frames = read_video(located.video).frames.astype(int)
    for instance_id, colour in (("id1", BEIGE), ("id2", BLUE)):
        masks = clip.tracks[instance_id].to_array()
        assert masks.shape == (NUM_FRAMES, HEIGHT, WIDTH)
        assert (np.abs(frames[masks] - colour).max(axis=1) < 40).mean() > 0.95
    assert [note.problem.split(",")[0] for note in located.notes] == [
        "is 96x128 pixels", "has 25 frames",
    ]  # fmt: skip


def test_a_folder_per_case_and_expert_maps(case, tmp_path):
    root = tmp_path / "root"
    case(root / "case2", "case2")
    write_video(root / "case1" / "case1.mp4", draw((9, 9, 9), [20] * 4), 25.0)
    for end in ("base", "hand", "head"):
        write_video(root / "case1" / f"case1_{end}.mp4", draw((9, 9, 9), [20] * 2)[:, ::2, ::2], 25.0)
    (root / "case1" / "notes.txt").write_text("x")
    write_video(root / "deep" / "er" / "x.mp4", draw((9, 9, 9), [20]), 25.0)
    first, second, third = read(root)
    assert [item.clip.clip_id for item in (first, second, third)] == ["case1", "case2", "deep-er-x"]
    assert set(first.clip.media) == {"expert_base", "expert_hand", "expert_head"}
    assert (first.clip.tracks, first.clip.instances) == ({}, ())
    assert first.notes[0].problem == "has 2 frames, and the video 4"
    assert second.clip.tracks.keys() == {"id1", "id2"}


def test_a_round_trip_keeps_everything(case, tmp_path):
    (first,) = read(case())
    (written,) = write([first], tmp_path / "out")
    assert (written.clip_id, written.lost) == ("case1", ())
    (second,) = read(tmp_path / "out")
    assert second.clip == first.clip
    assert all(filecmp.cmp(path, second.files[name], shallow=False) for name, path in first.files.items())


def test_what_the_layout_has_no_place_for(make_clip, frames, tmp_path):
    write_video(tmp_path / "video.mp4", frames, 8.0)
    (tmp_path / "sound.wav").write_bytes(b"x")
    clip = make_clip("a_hoi", split="test")
    files = {clip.video: tmp_path / "video.mp4", clip.media["audio"]: tmp_path / "sound.wav"}
    (written,) = write([LocatedClip(clip, files)], tmp_path / "out")
    lost = "\n".join(written.lost)
    for told in ("the caption", "id1, id2", "audio", "provenance of tracks", "split", "boxes face", "a companion's"):
        assert told in lost


def test_changed_tracks_are_lost(case, tmp_path):
    (first,) = read(case())
    gone = dataclasses.replace(first.clip, tracks={"id1": first.clip.tracks["id1"]})
    (written,) = write([dataclasses.replace(first, clip=gone)], tmp_path / "out")
    assert "they differ from its structure video" in written.lost[0]


def test_bad_cases_are_rejected_and_the_others_go_on(case, tmp_path):
    source = case()
    case(source, "case2")
    (source / "case2_hoi.mp4").write_bytes(b"")
    case(source, "case3")
    (source / "case3.mp4").unlink()
    case(source, "case4")
    (source / "case4.mov").write_bytes((source / "case4.mp4").read_bytes())
    (source / "case5.mp4").symlink_to(tmp_path / "away.mp4")
    (tmp_path / "away.mp4").write_bytes((source / "case1.mp4").read_bytes())
    (source / "loop").symlink_to(source)
    items = read(source)
    assert [item.clip.clip_id for item in items if isinstance(item, LocatedClip)] == ["case1"]
    rejected = {item.clip_id: item.reason for item in items if isinstance(item, Rejected)}
    assert rejected["case3"] == "there is no video of this name, only companions of it"
    assert rejected["case4"] == "case4.mp4 is there in two formats"
    assert "is a link that leaves" in rejected["case5"]
    assert "is a link to a folder" in rejected["loop"]
    assert "case2" in rejected
    assert len(items) == 6


def test_without_tracks_nothing_is_decoded(case):
    source = case()
    write_video(source / "case1_hoi.mp4", draw((99, 99, 99), [20] * NUM_FRAMES), 25.0)
    assert read(source, tracks=False)[0].clip.tracks == {}
    assert "is no structure video" in read(source)[0].reason


def test_what_is_no_such_folder(tmp_path):
    write_video(tmp_path / "a.mp4", draw((9, 9, 9), [20]), 25.0)
    assert not CogenerationFormat.recognises(tmp_path)
    assert not CogenerationFormat.recognises(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="there is no such folder"):
        read(tmp_path / "absent")


def test_the_real_examples(samples):
    for name in ("cogeneration_case1", "cogeneration_case2", "expert_routing"):
        assert detect(samples / name) == "cogeneration"
    (first,) = read(samples / "cogeneration_case1", tracks=False)
    assert [note.problem for note in first.notes][1] == "has 230 frames, and the video 229"
    (second,) = read(samples / "cogeneration_case2", tracks=False)
    assert (second.clip.clip_id, second.clip.num_frames, second.clip.size_hw) == ("case2", 80, (832, 480))
    (experts,) = read(samples / "expert_routing")
    assert set(experts.clip.media) == {"expert_base", "expert_hand", "expert_head"}


def test_the_tracks_of_a_real_example(samples, tmp_path):
    for end in ("", "_hoi"):  # a tenth of the clip, for the time's sake
        frames = read_video(samples / f"cogeneration_case2/case2{end}.mp4", indices=range(36, 44)).frames
        write_video(tmp_path / f"case2{end}.mp4", frames, 25.0)
    (located,) = read(tmp_path)
    person, product = (located.clip.tracks[name].to_array()[4] for name in ("id1", "id2"))
    # The picture is the witness: the clock is round and of light wood, the man wears linen and black.
    x1, y1, x2, y2 = located.clip.tracks["id2"].boxes()[4]
    assert abs((x2 - x1) / (y2 - y1) - 1) < 0.1
    frame = read_video(located.video, indices=[4]).frames[0].astype(int)
    assert frame[product].mean() > frame[person].mean() + 40
    redness = frame[..., 0] - frame[..., 2]
    assert redness[product].mean() > redness[person].mean() + 25
