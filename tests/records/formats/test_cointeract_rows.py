"""The official table, its two spellings, where its files may lie, and each way in which a row can be wrong."""

import csv
import json

import pytest

from interplay.core.errors import InputError
from interplay.records.formats.cointeract.rows import (
    REQUIRED_COLUMNS,
    PathOptions,
    each_row,
    find_table,
    has_table,
    read_rows,
)

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


def test_the_official_row(write, cells, tmp_path):
    (row,) = read_rows(write())
    assert row.prompt == "A woman, who holds a cup."
    assert row.video == tmp_path / "video.mp4"
    assert row.media == {"structure_video": tmp_path / "structure.mp4", "audio": tmp_path / "sound.wav"}
    assert row.boxes.parts["right_hand"] == {2: None, 6: (3.0, 3.0, 4.0, 4.0)}
    assert (row.boxes_hw, row.scale) == ((1920, 1080), 1.0)
    assert row.cells == cells


def test_both_names_of_the_structure_video(write, tmp_path):
    (row,) = read_rows(write(drop=["depth_video"], hoi_video="video.mp4"))
    assert row.media["structure_video"] == tmp_path / "video.mp4"
    (row,) = read_rows(write(hoi_video="video.mp4"))
    assert row.media["structure_video"] == tmp_path / "video.mp4"
    (row,) = read_rows(write(hoi_video=""))
    assert row.media["structure_video"] == tmp_path / "structure.mp4"


def test_everything_but_prompt_and_video_is_optional(write):
    optional = ["depth_video", "audio", "pose_video", "face", "hand_object", "height", "width"]
    for source in (write(drop=optional), write(**dict.fromkeys([*optional, "scale"], ""))):
        (row,) = read_rows(source)
        assert (row.media, row.boxes.parts, row.boxes_hw, row.scale) == ({}, {}, None, 1.0)


def test_json_and_jsonl(cells, tmp_path):
    cells["hand_object"] = HANDS  # in JSON a cell may be an object already, and a number a number
    cells["height"], cells["scale"] = 1920, 0.5
    (tmp_path / "a.json").write_text(json.dumps([cells, cells]), encoding="utf-8")
    (tmp_path / "b.jsonl").write_text(f"{json.dumps(cells)}\n\n{json.dumps(cells)}\n", encoding="utf-8")
    rows = read_rows(tmp_path / "a.json")
    assert [row.index for row in rows] == [0, 1]
    assert (rows[0].boxes_hw, rows[0].scale) == ((1920, 1080), 0.5)
    assert rows[0].boxes == read_rows(tmp_path / "b.jsonl")[1].boxes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drop": ["input_video"]}, "data.csv: has no column 'input_video' (it has: audio, depth_video"),
        ({"prompt": " "}, "data.csv, row 1, field prompt: the cell is empty; fill it"),
        ({"audio": "none.wav"}, "row 1, field audio: there is no file"),
        ({"audio": "."}, "row 1, field audio: "),
        ({"audio": "../sound.wav"}, "row 1, field audio: '../sound.wav' leaves the dataset's folder"),
        ({"audio": "/etc/hostname"}, "field audio: '/etc/hostname' is an absolute path; name it relative"),
        ({"audio": "x" * 5000}, "row 1, field audio: "),
        ({"height": ""}, "row 1, field height: the cell is empty"),
        ({"width": "wide"}, "row 1, field width: 'wide' is no number"),
        ({"width": "1e9"}, "row 1, fields height and width: 1920x1e+09 is no size of a picture"),
        ({"scale": "0"}, "row 1, field scale: 0.0 is out of range"),
        ({"scale": "nan"}, "row 1, field scale: nan is out of range"),
        ({"face": "{"}, "row 1, field face: is not valid JSON"),
    ],
)
def test_wrong_cells_are_one_sentence(write, changes, message):
    source = write(**changes)
    with pytest.raises(InputError) as error:
        read_rows(source)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("cell", "value", "message"),
    [
        ("prompt", ["a"], "field prompt: is no text"),
        ("input_video", 5, "field input_video: is no text"),
        ("audio", {"path": "sound.wav"}, "is no path"),
        ("scale", True, "field scale: 'True' is no number"),
        ("height", [1920], "field height: '[1920]' is no number"),
        ("width", 10**400, "is no number"),
    ],
)
def test_cells_of_another_type(cells, tmp_path, cell, value, message):
    (tmp_path / "data.json").write_text(json.dumps([{**cells, cell: value}]))
    with pytest.raises(InputError, match="row 1") as error:
        read_rows(tmp_path / "data.json")
    assert message in str(error.value)


def test_a_bad_row_is_its_own_verdict(cells, tmp_path):
    lines = [json.dumps(cells), "{", json.dumps({**cells, "audio": "none.wav"}), "[]", json.dumps(cells)]
    (tmp_path / "data.jsonl").write_text("\n".join(lines))
    rows = list(each_row(tmp_path / "data.jsonl", PathOptions()))
    assert [isinstance(row, InputError) for row in rows] == [False, True, True, True, False]
    assert (rows[4].index, rows[4].where) == (4, f"{tmp_path / 'data.jsonl'}, row 5")
    with pytest.raises(InputError, match="line 2: is not valid JSON"):
        read_rows(tmp_path)


def test_paths_from_another_folder_absolute_ones_and_links(write, tmp_path):
    source = write(audio="data/sound.wav", input_video="video.mp4")
    with pytest.raises(InputError, match=r"paths are relative to .* unless base_path is set"):
        read_rows(source)
    base = tmp_path / "base"
    (base / "data").mkdir(parents=True)
    (base / "data" / "sound.wav").write_bytes(b"x")
    for name in ("video.mp4", "structure.mp4"):
        (base / name).symlink_to(tmp_path / name)
    with pytest.raises(InputError, match="is a link that leaves the dataset's folder"):
        read_rows(source, PathOptions(base_path=str(base)))
    (row,) = read_rows(source, PathOptions(base_path=str(base), follow_links=True))
    assert row.media["audio"] == base / "data" / "sound.wav"
    (row,) = read_rows(write(audio=str(tmp_path / "sound.wav")), PathOptions(allow_absolute=True))
    assert row.media["audio"] == tmp_path / "sound.wav"


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
    assert find_table(tmp_path, REQUIRED_COLUMNS).name == "a.csv"
    (tmp_path / "data.csv").write_bytes("prompt,input_video\nW\xe4sche,a".encode("latin-1"))
    with pytest.raises(InputError, match="is not UTF-8 text"):
        read_rows(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="is no table that is known"):
        read_rows(tmp_path / "notes.txt")


def test_a_table_is_recognised_by_its_columns(tmp_path):
    assert not has_table(tmp_path, REQUIRED_COLUMNS)
    assert not has_table(tmp_path / "absent", REQUIRED_COLUMNS)
    (tmp_path / "rows.jsonl").write_text('{"prompt": "", "input_video": "", "depth_video": ""}\n')
    assert has_table(tmp_path, REQUIRED_COLUMNS)
    assert has_table(tmp_path / "rows.jsonl", ("hoi_video",))
    assert not has_table(tmp_path, ("prompt",), without=("input_video",))
