"""The inference tables: rows as clips of one frame, what is refused, and rows that come back as they stand."""

import csv
import dataclasses
import filecmp

import pytest

from cointeract_fixtures import draw, write_sound
from interplay.records.clip import STILL_FPS, Clip
from interplay.records.formats.base import LocatedClip, Rejected
from interplay.records.formats.cointeract.inference import CoInteractInferenceFormat, InferenceOptions
from interplay.records.formats.common.tables import read_table, write_csv
from interplay.records.formats.registry import detect
from interplay.records.media.video import read_video, write_image, write_video

DEMOS = ("audio", "person_image", "product_image", "prompt", "prompt2", "prompt3")
POSED = ("prompt", "audio", "person_image", "product_image", "pose_video")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "demos"
    for number in (0, 1):
        write_image(folder / f"person_image/00{number}.png", draw((number, 9, 9), [20])[0])
        write_image(folder / f"product_image/00{number}.png", draw((number, 5, 5), [20])[0])
        (folder / "audio").mkdir(exist_ok=True)
        write_sound(folder / f"audio/00{number}.wav", 0.5 + number)
    write_video(folder / "pose_video/000.mp4", draw((0, 0, 0), [20, 21]), 25.0)
    return folder


def cells(number=0, **changes):
    return {
        "audio": f"audio/00{number}.wav",
        "person_image": f"person_image/00{number}.png",
        "product_image": f"product_image/00{number}.png",
        "prompt": ' A woman in "red", <3 holds a cup. ',
        "prompt2": "She lifts it.",
        "prompt3": "",
        "pose_video": "pose_video/000.mp4",
        **changes,
    }


def save(folder, rows, columns=DEMOS, name="demos.csv"):
    write_csv(folder / name, [{column: row[column] for column in columns} for row in rows], columns)
    return folder


def read(source, **options):
    return list(CoInteractInferenceFormat(InferenceOptions(**options)).read(source))


def write(clips, out, **options):
    return list(CoInteractInferenceFormat(InferenceOptions(**options)).write(clips, out))


def test_a_row_is_a_picture_with_a_request(folder):
    save(folder, [cells(0), cells(1, audio="audio/000.wav")])
    assert detect(folder) == detect(folder / "demos.csv") == "cointeract-inference"
    first, second = read(folder)
    assert (first.clip.clip_id, second.clip.clip_id) == ("row-00001", "row-00002")  # though they share the sound
    clip = first.clip
    assert (clip.caption, clip.split) == ('A woman in "red", <3 holds a cup.', "test")
    assert (clip.num_frames, clip.size_hw, clip.fps) == (1, (64, 48), STILL_FPS)
    assert clip.video == "videos/row-00001.png"
    assert set(clip.media) == {"audio", "product_image"}
    assert first.video == folder / "person_image/000.png"
    assert clip.extra["cointeract-inference"]["cells"]["prompt2"] == "She lifts it."


@pytest.mark.parametrize("columns", [DEMOS, POSED])
@pytest.mark.parametrize("table", ["csv", "json", "jsonl"])
def test_rows_come_back_as_they_stand(folder, tmp_path, columns, table):
    save(folder, [cells(0), cells(1, product_image="")], columns)
    first = read(folder)
    written = write(first, tmp_path / "out", table=table)
    assert [item.lost for item in written] == [(), ()]
    path = tmp_path / "out" / f"data.{table}"
    assert read_table(path) == read_table(folder / "demos.csv")
    if table == "csv":
        assert path.read_bytes() == (folder / "demos.csv").read_bytes()
    second = read(tmp_path / "out")
    assert [item.clip for item in second] == [item.clip for item in first]
    for before, after in zip(first, second, strict=True):
        assert all(filecmp.cmp(path, after.files[name], shallow=False) for name, path in before.files.items())


def test_bad_rows_are_rejected_and_the_others_go_on(folder):
    write_image(folder / "broken.png", draw((9, 9, 9), [20])[0])
    (folder / "broken.png").write_bytes((folder / "broken.png").read_bytes()[:20])
    rows = [
        cells(0),
        cells(prompt=""),
        cells(audio=""),
        cells(audio="absent.wav"),
        cells(audio="person_image/000.png"),
        cells(person_image="pose_video/000.mp4"),
        cells(person_image="broken.png"),
        cells(product_image="../../x.png"),
        cells(1),
    ]
    items = read(save(folder, rows))
    assert len(items) == len(rows)
    rejected = {item.clip_id: f"{item.where} {item.reason} {item.cure}" for item in items if isinstance(item, Rejected)}
    assert sorted(rejected) == [f"row-{number:05d}" for number in range(2, 9)]
    assert "row 2, field prompt the cell is empty" in rejected["row-00002"]
    assert "is a video, and the person is wanted as a picture" in rejected["row-00006"]
    assert "leaves the dataset's folder" in rejected["row-00008"]


def test_a_scale_must_be_a_number_above_0(folder):
    rows = [{**cells(), "scale": scale} for scale in ("", "0.5", "none", "-1")]
    items = read(save(folder, rows, (*DEMOS, "scale")))
    assert [isinstance(item, Rejected) for item in items] == [False, False, True, True]


def test_absolute_pictures_are_legal_when_allowed(folder, tmp_path):
    picture = folder / "person_image" / "000.png"
    save(folder, [cells(person_image=str(picture))])
    (rejected,) = read(folder)
    assert "allow it with allow_absolute=true" in rejected.cure
    (located,) = read(folder, allow_absolute=True)
    assert located.video == picture
    (written,) = write([located], tmp_path / "out")
    assert written.lost == (f"the path {picture} of person_image: written as person_image/row-00001.png",)
    assert len(read(tmp_path / "out")) == 1


def test_paths_relative_to_another_folder(folder, tmp_path):
    (tmp_path / "tables").mkdir()
    save(tmp_path / "tables", [cells()])
    (rejected,) = read(tmp_path / "tables")
    assert "unless base_path is set" in rejected.cure
    assert isinstance(read(tmp_path / "tables", base_path=str(folder))[0], LocatedClip)


def test_two_sources_that_name_different_files_alike_do_not_overwrite_each_other(folder, tmp_path):
    (first,) = read(save(folder, [cells(0)]))
    other = tmp_path / "other"
    write_image(other / "person_image/000.png", draw((77, 9, 9), [20])[0])
    write_sound(tmp_path / "sound.wav", 2)
    (other / "audio").mkdir()
    (tmp_path / "sound.wav").rename(other / "audio" / "000.wav")
    (second,) = read(save(other, [cells(product_image="")]))
    second = dataclasses.replace(second, clip=dataclasses.replace(second.clip, clip_id="row-00002"))
    lost = [item.lost for item in write([first, second], tmp_path / "out")]
    assert (lost[0], len(lost[1])) == ((), 2)
    again = read(tmp_path / "out")
    for before, after in zip((first, second), again, strict=True):
        assert filecmp.cmp(before.video, after.video, shallow=False)


def test_clips_from_elsewhere(make_clip, frames, tmp_path, folder):
    write_video(tmp_path / "video.mp4", frames, 8.0)
    video = make_clip(split="test", media={"audio": "a.wav", "person_image": "p.png", "structure_video": "s.mp4"})
    files = {video.video: tmp_path / "video.mp4", "a.wav": folder / "audio/000.wav"}
    files |= {"p.png": folder / "person_image/000.png", "s.mp4": folder / "pose_video/000.mp4"}
    write_video(tmp_path / "still.mp4", frames[:1], 1.0)
    still = Clip("still", "videos/still.mp4", "a cup", 1, (16, 24), 1.0, split="test", media={"audio": "a.wav"})
    silent = dataclasses.replace(video, clip_id="silent", media={}, caption="")
    clips = [
        LocatedClip(video, files),
        LocatedClip(still, {still.video: tmp_path / "still.mp4", "a.wav": folder / "audio/000.wav"}),
        LocatedClip(silent, files),
    ]
    written = write(clips, tmp_path / "out")
    assert "the video itself: the layout holds what to make a video from" in written[0].lost
    assert any("structure_video" in sentence for sentence in written[0].lost)
    assert any("markers id1, verb, id2" in sentence for sentence in written[0].lost)
    assert written[1].lost == ()
    assert isinstance(written[2], Rejected)
    assert written[2].reason == "a row needs sound and a picture of the person and a prompt"
    first, second = read(tmp_path / "out")
    assert first.clip.caption == "a man pushes a red ball"
    assert (read_video(second.video).frames == frames[:1]).all()
    with (tmp_path / "out" / "data.csv").open(newline="") as stream:
        assert next(csv.reader(stream)) == ["audio", "person_image", "prompt"]
