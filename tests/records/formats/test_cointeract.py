"""The training layout: every trap on a drawn clip, every bad row, both directions, and the published sample."""

import csv
import dataclasses
import filecmp
import json

import numpy as np
import pytest

from cointeract_fixtures import BEIGE, BLUE, HEIGHT, NUM_FRAMES, PROMPT, WIDTH, arm_heights, draw, write_sound
from interplay.core.errors import InputError
from interplay.records.clip import Boxes, Clip, Instance, Interaction, Provenance
from interplay.records.formats.base import LocatedClip, Rejected
from interplay.records.formats.cointeract.clip import CoInteractOptions
from interplay.records.formats.cointeract.training import CoInteractFormat
from interplay.records.formats.common.tables import read_table, write_table
from interplay.records.formats.registry import detect
from interplay.records.media.video import read_video, write_image, write_video
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter


def read(source, **options):
    return list(CoInteractFormat(CoInteractOptions(**options)).read(source))


def write(clips, out, **options):
    return list(CoInteractFormat(CoInteractOptions(**options)).write(clips, out))


def only(source, **options):
    (located,) = read(source, **options)
    assert isinstance(located, LocatedClip), located
    return located


def told(located):
    return [f"{note.where} {note.problem} {note.done}" for note in located.notes]


def lies_on(located, instance_id, colour):
    """The share of the track's pixels that have about this colour in the video."""
    track = located.clip.tracks[instance_id]
    seen = read_video(located.video).frames[track.to_array()].astype(int)
    return (np.abs(seen - colour).max(axis=1) < 40).mean()


# --- reading ---------------------------------------------------------------------------------------------------------


def test_one_clip(dataset):
    source = dataset()
    located = only(source)
    clip = located.clip
    assert detect(source) == "cointeract"
    assert (clip.clip_id, clip.caption, clip.split) == ("video", PROMPT, "train")
    assert (clip.num_frames, clip.size_hw, clip.fps) == (NUM_FRAMES, (HEIGHT, WIDTH), 25.0)
    assert clip.instances == (Instance("id1", "person"), Instance("id2", "product"))
    assert located.files == {
        "videos/video.mp4": source / "video.mp4",
        "media/video/audio.wav": source / "sound.wav",
        "media/video/person_image.png": source / "person.png",
        "media/video/structure_video.mp4": source / "structure.mp4",
    }
    assert clip.made_by("tracks").maker == "structure video"
    assert clip.made_by("boxes").settings["keys"] == "pixel"


def test_tracks_have_the_video_s_size_and_lie_on_what_they_name(dataset):
    located = only(dataset())
    for instance_id, colour in (("id1", BEIGE), ("id2", BLUE)):
        track = located.clip.tracks[instance_id]
        assert (track.size_hw, len(track), track.gaps()) == ((HEIGHT, WIDTH), NUM_FRAMES, [])
        assert lies_on(located, instance_id, colour) > 0.95


def test_boxes_are_in_the_clip_s_pixels_at_the_frames_that_the_table_names(dataset):
    located = only(dataset())  # the fixture gives them at twice the video's size
    assert located.clip.boxes == {"face": Boxes(dict.fromkeys((2, 6, 22), (8.0, 8.0, 14.0, 13.0)))}
    assert any("boxes of 96x128 pixels and a video of 48x64" in note for note in told(located))


@pytest.mark.parametrize("lead", [5, -3])
def test_labels_that_run_ahead_are_brought_back_and_leave_gaps(dataset, lead):
    located = only(dataset(lead=lead))
    clip = located.clip
    assert clip.made_by("tracks").settings["lead"]["frames"] == lead
    assert clip.made_by("structure_video").settings["lead"]["by"] == "measured"
    gap = range(lead) if lead > 0 else range(NUM_FRAMES + lead, NUM_FRAMES)
    assert clip.tracks["id1"].gaps() == clip.tracks["id2"].gaps() == [gap]
    assert lies_on(located, "id1", BEIGE) > 0.95
    expected = [frame + lead for frame in (2, 6, 22) if 0 <= frame + lead < NUM_FRAMES]
    assert list(clip.boxes["face"].by_frame) == expected
    (note,) = [note for note in told(located) if "the video (correlation" in note]
    assert f"{abs(lead)} labels without a frame are left out" in note
    assert any("1 of the boxes belong to frames that the video does not have" in note for note in told(located))


def test_a_lead_that_is_given_is_taken(dataset):
    located = only(dataset(lead=5), labels_lead=2)
    assert located.clip.made_by("tracks").settings["lead"] == {"frames": 2, "by": "config"}
    assert located.clip.tracks["id1"].gaps() == [range(2)]
    assert any("says the option labels_lead" in note for note in told(located))
    assert only(dataset(lead=5), labels_lead=100).clip.tracks["id1"].gaps() == [range(NUM_FRAMES)]


def test_a_structure_video_of_another_size_and_length(dataset):
    source = dataset()
    arm = np.append(arm_heights(NUM_FRAMES), 20)
    write_video(source / "structure.mp4", draw((0, 0, 0), arm).repeat(2, axis=1).repeat(2, axis=2), 25.0)
    located = only(source)
    assert located.clip.tracks["id1"].size_hw == (HEIGHT, WIDTH)
    assert len(located.clip.tracks["id1"]) == NUM_FRAMES
    assert lies_on(located, "id1", BEIGE) > 0.95
    assert any("is 96x128 pixels, and the video 48x64" in note for note in told(located))
    assert any("has 25 frames, and the video 24 the labels beyond" in note for note in told(located))
    write_video(source / "structure.mp4", draw((0, 0, 0), arm[:20]), 25.0)
    assert only(source).clip.tracks["id1"].gaps() == [range(20, 24)]


def test_the_rate_is_the_format_s_and_the_sound_is_asked_about_it(dataset):
    source = dataset()
    (note,) = [note for note in told(only(source)) if "fps" in note]
    assert "tagged 24 fps and the format says 25; its 24 frames and 0.96 s of sound agree with 25 and 24" in note
    write_sound(source / "sound.wav", 1.2)
    assert any("agree with neither" in note for note in told(only(source)))
    assert only(source, fps=24).clip.fps == 24.0
    assert not any("fps" in note for note in told(only(source, fps=24)))


def test_old_names_and_unknown_sides_are_noted(dataset):
    hands = json.dumps({"frame_22": {"l_h": [], "foot": [1, 2, 3, 4]}})
    located = only(dataset(drop=["hoi_video"], depth_video="structure.mp4", hand_object=hands), tracks=False)
    assert any("field depth_video the official loader reads the column hoi_video" in note for note in told(located))
    assert any("the sides foot are not known" in note for note in told(located))
    assert located.clip.boxes["left_hand"] == Boxes({22: None})
    both = only(dataset(depth_video="video.mp4"), tracks=False)
    assert any("names another file than hoi_video hoi_video is used" in note for note in told(both))
    assert both.files[both.clip.media["structure_video"]].name == "structure.mp4"


def test_latent_keys_become_pixel_frames(dataset):
    face = json.dumps({f"frame_{key}": [key, 0, key + 2, 2] for key in range(5)})
    source = dataset(face=face)
    located = only(source, tracks=False)
    assert list(located.clip.boxes["face"].by_frame) == [2, 6, 10, 14, 18]
    assert any("count latent frames (0 to 19) key k is read as pixel frame 4 k + 2" in note for note in told(located))
    assert list(only(source, tracks=False, box_keys="pixel").clip.boxes["face"].by_frame) == [0, 1, 2, 3, 4]
    late = only(dataset(face='{"frame_6": [1, 2, 3, 4]}'), tracks=False)
    assert list(late.clip.boxes["face"].by_frame) == [6]
    assert any("latent frames would lie beyond the video" in note for note in told(late))


def test_without_height_and_width_boxes_are_in_the_video_s_pixels(dataset):
    located = only(dataset(drop=["height", "width"]), tracks=False)
    assert located.clip.boxes["face"].by_frame[2] == (16.0, 16.0, 28.0, 26.0)
    assert any("height and width are empty" in note for note in told(located))


def test_only_prompt_and_video_are_needed(dataset):
    cells = ["hoi_video", "person_image", "audio", "face", "hand_object", "height", "width"]
    clip = only(dataset(drop=cells)).clip
    assert (clip.tracks, clip.boxes, clip.media, clip.instances) == ({}, {}, {}, ())


def test_without_tracks_the_structure_video_is_not_decoded(dataset):
    source = dataset(drop=["face", "height", "width"])
    whole = (source / "structure.mp4").stat().st_size
    write_video(source / "structure.mp4", draw((90, 99, 90), [20] * NUM_FRAMES), 25.0)  # no structure video at all
    assert whole > 0
    clip = only(source, tracks=False).clip
    assert (clip.tracks, clip.made_by("structure_video")) == ({}, None)
    (rejected,) = read(source)
    assert "is no structure video" in rejected.reason


def test_markers_in_a_prompt_bind_and_other_tags_are_text(dataset):
    clip = only(dataset(prompt="A <id1> woman shows a <id3> hat <3 <b>now</b>")).clip
    assert [(item.id, item.noun) for item in clip.instances] == [("id1", "woman"), ("id2", "product"), ("id3", "hat")]


# --- bad rows --------------------------------------------------------------------------------------------------------


def spoil(name, data):
    return lambda folder: (folder / name).write_bytes(data)


@pytest.mark.parametrize(
    ("cells", "change", "message"),
    [
        ({"prompt": "a <id0> cup"}, None, "<id0>"),
        ({}, spoil("video.mp4", b""), "video.mp4"),
        ({}, spoil("video.mp4", b"no video"), "video.mp4"),
        ({}, lambda folder: cut(folder / "video.mp4"), "video.mp4"),
        ({}, lambda folder: cut(folder / "structure.mp4"), "structure.mp4"),
        ({}, spoil("sound.wav", b"RIFF"), "sound.wav"),
        ({}, spoil("person.png", b"\x89PNG"), "person.png"),
        ({}, lambda folder: write_video(folder / "structure.mp4", draw(0, [20] * 24)[:, :, :40], 25.0), "40x64"),
        ({"height": 100}, None, "fields height and width: is 96x100 pixels"),
        ({"face": '{"frame_26": [1, 2, 3, 4]}'}, None, "a box is at frame 26 and the video"),
        ({"input_video": "."}, None, "is no file"),
    ],
)
def test_a_clip_that_cannot_be_used_is_rejected_with_reason_and_cure(dataset, cells, change, message):
    source = dataset(**cells)
    if change is not None:
        change(source)
    (rejected,) = read(source)
    assert isinstance(rejected, Rejected)
    assert message in f"{rejected.where}: {rejected.reason}"
    assert rejected.cure


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_one_bad_row_does_not_stop_the_others(dataset):
    source = dataset()
    (good,) = read_table(source / "data.csv")
    (source / "b").mkdir()
    (source / "b" / "video.mp4").write_bytes((source / "video.mp4").read_bytes())
    rows = [
        good,
        {**good, "prompt": ""},
        {**good, "input_video": "absent.mp4"},
        good,  # the same video again: two clips cannot have one name
        {**good, "face": "{"},
        {**good, "input_video": "b/video.mp4"},
    ]
    write_table(source / "data.csv", rows, tuple(good))
    with (source / "data.csv").open("a") as stream:
        stream.write("\n".join(["x," * 30, '"never closed']))
    items = read(source, tracks=False)
    assert [item.clip.clip_id for item in items if isinstance(item, LocatedClip)] == ["video", "b-video"]
    rejected = {item.clip_id: item.reason for item in items if isinstance(item, Rejected)}
    assert len(items) == len(rows) + 2 == 2 + len(rejected)
    assert "is already" in rejected["video"]
    assert "more cells than the header" in rejected["row-00007"]
    by_row = [item for item in read(source, tracks=False, ids="row") if isinstance(item, LocatedClip)]
    assert [item.clip.clip_id for item in by_row] == ["row-00001", "row-00004", "row-00006"]


def test_a_source_without_a_table_is_an_error(tmp_path):
    with pytest.raises(InputError, match="holds no tables"):
        read(tmp_path)
    with pytest.raises(InputError, match="there is no such folder or table"):
        read(tmp_path / "absent")


# --- writing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["csv", "json", "jsonl"])
def test_a_round_trip_keeps_everything(dataset, tmp_path, table):
    hands = json.dumps({"frame_2": {"l_h": [1, 2, 3.5, 4], "r_h": []}, "frame_22": {}})
    first = only(dataset(lead=5, hand_object=hands, scale="", remark="my own column"))
    (written,) = write([first], tmp_path / "out", table=table)
    assert (written.clip_id, written.lost) == ("video", ())
    second = only(tmp_path / "out")
    assert dataclasses.replace(second.clip, extra={}) == dataclasses.replace(first.clip, extra={})
    kept = {name: first.clip.extra["cointeract"]["cells"][name] for name in ("face", "hand_object", "scale", "remark")}
    assert second.clip.extra["cointeract"]["cells"].items() >= kept.items()
    for name, path in first.files.items():
        assert filecmp.cmp(path, second.files[name], shallow=False)
    write([second], tmp_path / "again", table=table)
    name = f"data.{table}"
    assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_a_round_trip_through_the_store_keeps_everything(dataset, tmp_path):
    first = only(dataset(lead=5))
    with StoreWriter(tmp_path / "store") as writer:
        writer.add_files(first)
    store = ClipStore(tmp_path / "store")
    stored = [store.located(clip) for clip in store]
    assert [item.clip for item in stored] == [first.clip]
    (written,) = write(stored, tmp_path / "out")
    assert written.lost == ()
    write([first], tmp_path / "direct")
    files = sorted(path.relative_to(tmp_path / "direct") for path in (tmp_path / "direct").rglob("*.*"))
    assert len(files) == 5
    assert all(filecmp.cmp(tmp_path / "direct" / path, tmp_path / "out" / path, shallow=False) for path in files)


def test_the_official_folders_and_columns(dataset, tmp_path):
    write([only(dataset(drop=["hoi_video"], depth_video="structure.mp4"))], tmp_path / "out")
    with (tmp_path / "out" / "data.csv").open(newline="") as stream:
        header, row = csv.reader(stream)
    assert ",".join(header) == (
        "prompt,input_video,motion_video,audio,person_image,product_image,hoi_video,pose_video,"
        "face,hand_object,height,width"
    )
    assert row[1:8] == [
        "input_video/video.mp4", "", "audio/video.wav", "person_image/video.png", "", "hoi_video/video.mp4", "",
    ]  # fmt: skip


def test_writing_again_changes_nothing(dataset, tmp_path):
    located = only(dataset(), tracks=False)
    write([located], tmp_path / "out")
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.mp4")}
    write([located], tmp_path / "out")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.mp4")} == stamps


def test_latent_keys_are_written_as_pixel_keys(dataset, tmp_path):
    first = only(dataset(face=json.dumps({"frame_0": [0, 0, 2, 2], "frame_5": [2, 2, 4, 4]})), tracks=False)
    write([first], tmp_path / "out")
    (row,) = read_table(tmp_path / "out" / "data.csv")
    assert json.loads(row["face"]) == {"frame_2": [0, 0, 2, 2], "frame_22": [2, 2, 4, 4]}
    assert only(tmp_path / "out", tracks=False).clip.boxes == first.clip.boxes


def test_of_boxes_that_name_their_owner_those_of_the_one_who_acts_are_written(dataset, tmp_path):
    first = only(dataset())
    box = (1.0, 2.0, 3.0, 4.0)
    boxes = {f"{part}/{owner}": Boxes({6: box}) for part in ("face", "object") for owner in ("id1", "id2")}
    boxes["face/id2"] = Boxes({6: (5.0, 6.0, 7.0, 8.0)})
    clip = dataclasses.replace(
        first.clip,
        boxes=boxes,
        instances=(Instance("id1", "man"), Instance("id2", "woman"), Instance("id3", "cup")),
        interactions=(Interaction("id2", "take", "id3"),),
    )
    (written,) = write([dataclasses.replace(first, clip=clip)], tmp_path / "out")
    again = only(tmp_path / "out").clip.boxes
    assert again["face"] == boxes["face/id2"]
    assert again["object"] == boxes["object/id1"]
    assert any(sentence.startswith("2 boxes") for sentence in written.lost)


def test_boxes_that_were_changed_are_written_from_the_clip_and_in_step_with_the_structure_video(dataset, tmp_path):
    first = only(dataset(lead=5))
    boxes = {"face": Boxes({7: (1.0, 2.0, 3.0, 4.0)}), "head": Boxes({1: None})}
    changed = dataclasses.replace(first, clip=dataclasses.replace(first.clip, boxes=boxes))
    (written,) = write([changed], tmp_path / "out")
    assert written.lost == ("1 box beside the latents' centres, or of another part: not kept",)
    (row,) = read_table(tmp_path / "out" / "data.csv")
    assert json.loads(row["face"]) == {"frame_2": [1, 2, 3, 4]}
    assert (row["height"], row["width"]) == ("64", "48")
    assert only(tmp_path / "out").clip.boxes == {"face": boxes["face"]}


def test_a_caption_that_was_changed_is_written_as_text(dataset, tmp_path):
    first = only(dataset(), tracks=False)
    caption = "a <id1> woman <verb> holds a <id2> box"
    changed = dataclasses.replace(first, clip=dataclasses.replace(first.clip, caption=caption))
    (written,) = write([changed], tmp_path / "plain")
    assert written.lost == ("the caption's markers id1, verb, id2: not kept",)
    assert only(tmp_path / "plain", tracks=False).clip.caption == "a woman holds a box"
    (written,) = write([changed], tmp_path / "markup", captions="markup")
    assert written.lost == ()
    assert only(tmp_path / "markup", tracks=False).clip.caption == caption


def test_a_clip_from_elsewhere_loses_what_the_layout_has_no_place_for(make_clip, frames, tmp_path):
    write_video(tmp_path / "video.mp4", frames, 8.0)
    write_sound(tmp_path / "sound.wav", 0.5)
    clip = make_clip(split="test", provenance={"tracks": Provenance("sam")}, extra={"matrix": {"a": 1}})
    files = {clip.video: tmp_path / "video.mp4", clip.media["audio"]: tmp_path / "sound.wav"}
    (written,) = write([LocatedClip(clip, files)], tmp_path / "out")
    lost = "\n".join(written.lost)
    for told in ("markers", "id1, id2: the layout has them only as a structure video, and the clip has none", "split"):
        assert told in lost
    for told in (
        "provenance of tracks",
        "8 fps",
        "1 interaction",
        "truth",
        "matrix",
        "instances",
        "1 box beside",
        "1 box: written",
    ):
        assert told in lost
    again = only(tmp_path / "out").clip
    assert (again.caption, again.boxes, again.tracks) == (
        "a man pushes a red ball", {"face": Boxes({2: None})}, {},
    )  # fmt: skip


def test_tracks_that_are_no_longer_the_structure_video_s_are_lost(dataset, tmp_path):
    first = only(dataset())
    swapped = {"id1": first.clip.tracks["id2"], "id2": first.clip.tracks["id1"]}
    changed = dataclasses.replace(first, clip=dataclasses.replace(first.clip, tracks=swapped))
    (written,) = write([changed], tmp_path / "out")
    assert "they differ from its structure video" in written.lost[0]


def test_a_still_becomes_a_video_of_one_frame(tmp_path):
    picture = draw((1, 2, 3), [20])[0]
    write_image(tmp_path / "still.png", picture)
    clip = Clip("still", "videos/still.png", "a cup", 1, (HEIGHT, WIDTH), 25.0, interactions=(Interaction("id1", "x"),))
    (written,) = write([LocatedClip(clip, {clip.video: tmp_path / "still.png"})], tmp_path / "out")
    assert any("still.png" in sentence for sentence in written.lost)
    again = only(tmp_path / "out")
    assert (read_video(again.video).frames == picture).all()


def test_no_clips_make_an_empty_table(tmp_path):
    assert write([], tmp_path / "out") == []
    assert read_table(tmp_path / "out" / "data.csv") == []


# --- the published sample --------------------------------------------------------------------------------------------


def test_the_real_sample_comes_back_verbatim(hoi_training_clip, tmp_path):
    located = only(hoi_training_clip, tracks=False)
    clip = located.clip
    assert (clip.clip_id, clip.num_frames, clip.size_hw, clip.fps) == ("000", 81, (1920, 1080), 25.0)
    assert clip.made_by("boxes").settings["lead"]["frames"] == 6
    assert list(clip.boxes["face"].by_frame) == list(range(8, 81, 4))
    assert any("81 frames and 3.24 s of sound agree with 25" in note for note in told(located))
    (written,) = write([located], tmp_path / "out")
    assert written.lost == ()
    table = (hoi_training_clip / "data.csv").read_bytes()
    assert (tmp_path / "out" / "data.csv").read_bytes() == table.replace(b"depth_video", b"hoi_video")
    files = {path.relative_to(hoi_training_clip) for path in hoi_training_clip.rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*") if path.is_file()} == files
    for path in files - {(hoi_training_clip / "data.csv").relative_to(hoi_training_clip)}:
        assert filecmp.cmp(hoi_training_clip / path, tmp_path / "out" / path, shallow=False)
