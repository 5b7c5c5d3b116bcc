"""The official table, its two spellings, its two box conventions, and each way in which a table can be wrong."""

import csv
import json

import pytest

from interplay.core.errors import InputError
from interplay.records.formats.cointeract import find_table, read_rows

FACE = {"frame_2": [1, 2, 3, 4], "frame_78": [5, 6, 7, 8]}
HANDS = {"frame_2": {"l_h": [1, 1, 2, 2], "r_h": [], "obj": [0, 0, 9, 9]}, "frame_6": {"r_h": [3, 3, 4, 4]}}


@pytest.fixture
def cells(tmp_path):
    for name in ("video.mp4", "structure.mp4", "sound.wav"):
        (tmp_path / name).write_bytes(b"x")
    return {
        "prompt": "A woman, who holds a cup.",
        "input_video": "video.mp4",
        "depth_video": "structure.mp4",
        "audio": "sound.wav",
        "pose_video": "",
        "face": json.dumps(FACE),
        "hand_object": json.dumps(HANDS),
        "height": "1920",
        "width": "1080",
    }


@pytest.fixture
def write(tmp_path, cells):
    def write(drop=(), **changes):
        record = {name: value for name, value in {**cells, **changes}.items() if name not in drop}
        with (tmp_path / "data.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, record)
            writer.writeheader()
            writer.writerow(record)
        return tmp_path

    return write


def test_the_official_row(write, tmp_path):
    (row,) = read_rows(write())
    assert row.prompt == "A woman, who holds a cup."
    assert row.video == tmp_path / "video.mp4"
    assert row.media == {"structure_video": tmp_path / "structure.mp4", "audio": tmp_path / "sound.wav"}
    assert row.boxes == {
        "face": {2: (1.0, 2.0, 3.0, 4.0), 78: (5.0, 6.0, 7.0, 8.0)},
        "left_hand": {2: (1.0, 1.0, 2.0, 2.0)},
        "right_hand": {2: None, 6: (3.0, 3.0, 4.0, 4.0)},
        "object": {2: (0.0, 0.0, 9.0, 9.0)},
    }
    assert (row.boxes_hw, row.box_keys, row.scale) == ((1920, 1080), "pixel", 1.0)


def test_both_names_of_the_structure_video(write, cells, tmp_path):
    (row,) = read_rows(write(drop=["depth_video"], hoi_video="video.mp4"))
    assert row.media["structure_video"] == tmp_path / "video.mp4"
    (row,) = read_rows(write(hoi_video="video.mp4"))
    assert row.media["structure_video"] == tmp_path / "video.mp4"
    (row,) = read_rows(write(hoi_video=""))
    assert row.media["structure_video"] == tmp_path / "structure.mp4"


def test_latent_keys_become_pixel_frames(write):
    face = {f"frame_{k}": [k, 0, k + 1, 1] for k in range(20)}
    (row,) = read_rows(write(face=json.dumps(face), hand_object=""))
    assert row.box_keys == "latent"
    assert row.boxes["face"][78] == (19.0, 0.0, 20.0, 1.0)
    assert sorted(row.boxes["face"]) == list(range(2, 80, 4))


def test_everything_but_prompt_and_video_is_optional(write):
    (row,) = read_rows(write(drop=["depth_video", "audio", "pose_video", "face", "hand_object", "height", "width"]))
    assert (row.media, row.boxes, row.boxes_hw, row.box_keys) == ({}, {}, None, None)


def test_json_and_jsonl(cells, tmp_path):
    cells["hand_object"] = HANDS  # in JSON a cell may be an object already
    (tmp_path / "a.json").write_text(json.dumps([cells, cells]), encoding="utf-8")
    (tmp_path / "b.jsonl").write_text(f"{json.dumps(cells)}\n\n{json.dumps(cells)}\n", encoding="utf-8")
    rows = read_rows(tmp_path / "a.json")
    assert [row.index for row in rows] == [0, 1]
    assert rows[0].boxes == read_rows(tmp_path / "b.jsonl")[1].boxes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drop": ["input_video"]}, "data.csv: has no column 'input_video' (it has: audio, depth_video"),
        ({"prompt": " "}, "data.csv, row 1, field prompt: the cell is empty; fill it"),
        ({"audio": "none.wav"}, "row 1, field audio: there is no file"),
        ({"height": ""}, "row 1, field height: the cell is empty"),
        ({"width": "wide"}, "row 1, field width: 'wide' is no number"),
        ({"scale": "0"}, "row 1, field scale: 0.0 is out of range"),
        ({"face": "{"}, "row 1, field face: is not valid JSON"),
        ({"face": "[1]"}, "row 1, field face: is no JSON object"),
        ({"face": '{"2": [1, 2, 3, 4]}'}, "field face: the key '2' is not known"),
        ({"face": '{"frame_2": [1, 2, 3]}'}, "field face, frame_2: [1, 2, 3] is no box"),
        ({"face": '{"frame_2": [5, 2, 3, 4]}'}, "field face, frame_2: the box [5, 2, 3, 4] is empty"),
        ({"hand_object": '{"frame_2": [1, 2, 3, 4]}'}, "field hand_object, frame_2: is no JSON object"),
    ],
)
def test_wrong_cells_are_one_sentence(write, changes, message):
    source = write(**changes)
    with pytest.raises(InputError) as error:
        read_rows(source)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_which_table_is_meant(tmp_path):
    with pytest.raises(InputError, match="there is no such folder or table"):
        find_table(tmp_path / "absent")
    with pytest.raises(InputError, match="holds no tables"):
        find_table(tmp_path)
    (tmp_path / "a.csv").write_text("prompt,input_video\n")
    assert find_table(tmp_path).name == "a.csv"
    with pytest.raises(InputError, match="holds no rows"):
        read_rows(tmp_path)
    (tmp_path / "b.json").write_text("[]")
    with pytest.raises(InputError, match="holds 2 tables"):
        find_table(tmp_path)
    (tmp_path / "data.csv").write_bytes("prompt,input_video\nW\xe4sche,a".encode("latin-1"))
    with pytest.raises(InputError, match="is not UTF-8 text"):
        read_rows(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="is no table that this format knows"):
        read_rows(tmp_path / "notes.txt")
