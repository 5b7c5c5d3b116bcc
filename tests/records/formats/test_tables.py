"""Tables in three layouts, each way in which one can be wrong, and that one bad row spares the others."""

import contextlib
import json
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interplay.core.errors import InputError
from interplay.records.formats.common.tables import (
    columns_of,
    read_table,
    table_rows,
    write_csv,
    write_json,
    write_jsonl,
    write_table,
)

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))
ROWS = [{"prompt": 'a "cup", and\na <b>plate', "n": "1"}, {"prompt": "Wäsche 茶\u2028", "n": "2"}]


def kinds(rows):
    return ["error" if isinstance(row, InputError) else row for row in rows]


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl"])
def test_what_is_written_is_read(tmp_path, suffix):
    path = tmp_path / f"data{suffix}"
    write_table(path, ROWS, ("n", "prompt"))
    assert read_table(path) == ROWS
    assert columns_of(path) == ("n", "prompt")


@pytest.mark.parametrize(("mark", "told"), [(";", "semicolons"), ("\t", "tabs")])
def test_other_marks_than_commas_are_named(tmp_path, mark, told):
    path = tmp_path / "data.csv"
    path.write_text(f"prompt{mark}image\na man, a ball{mark}first.png\n")
    with pytest.raises(InputError, match=f"data.csv: has {told} between its columns; save it with commas"):
        read_table(path)


@given(cells=st.lists(st.tuples(TEXT, TEXT), min_size=1))
def test_any_text_comes_back_from_csv(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("csv") / "data.csv"
    rows = [{"a": a, "b": b} for a, b in cells]
    write_csv(path, rows, ("a", "b"))
    assert read_table(path) == rows


@given(data=st.binary(max_size=200), suffix=st.sampled_from([".csv", ".json", ".jsonl"]))
def test_no_bytes_do_harm(tmp_path_factory, data, suffix):
    path = tmp_path_factory.mktemp("any") / f"data{suffix}"
    path.write_bytes(data)
    columns_of(path)
    with contextlib.suppress(InputError):
        assert all(isinstance(row, InputError | dict) for row in table_rows(path))


def test_a_byte_order_mark_and_line_ends_of_other_systems(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes('\ufeffa, b \r\n1,"two\r\nlines"\r\n\r\n3,4'.encode())
    assert read_table(path) == [{"a": "1", "b": "two\r\nlines"}, {"a": "3", "b": "4"}]
    assert columns_of(path) == ("a", "b")


def test_cells_larger_than_the_limit_of_the_csv_module(tmp_path):
    path = tmp_path / "data.csv"
    large = "x" * 300_000
    write_csv(path, [{"a": large}], ("a",))
    assert read_table(path) == [{"a": large}]


def test_one_bad_row_spares_the_others(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b'a,b\n1,"2\0"\n"x"y,3\n1,2,3\n5\n7,8\n"never closed\n9,9\n')
    assert kinds(table_rows(path)) == ["error", "error", "error", {"a": "5", "b": None}, {"a": "7", "b": "8"}, "error"]
    told = [str(row) for row in table_rows(path) if isinstance(row, InputError)]
    assert "row 1, field b: holds a NUL byte" in told[0]
    assert "line 3: is not valid CSV" in told[1]
    assert "line 4: has more cells than the header" in told[2]
    assert "line 7: is not valid CSV (unexpected end of data)" in told[3]
    path = tmp_path / "data.jsonl"
    path.write_text('{"a": 1}\n{"a": \n[1]\n\n{"a": 1e999}\n{"a": "\\ud800"}\n{"a": {"b\\u0000": 1}}\n{"a": null}\n')
    assert kinds(table_rows(path)) == [{"a": 1}, "error", "error", "error", "error", "error", {"a": None}]
    with pytest.raises(InputError, match="line 2: is not valid JSON"):
        read_table(path)


def test_pandas_writes_an_empty_cell_as_nan(tmp_path):
    path = tmp_path / "data.json"
    path.write_text('[{"a": NaN, "b": "x"}, {"a": -Infinity}, 5]')
    assert kinds(table_rows(path)) == [{"a": None, "b": "x"}, "error", "error"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data.csv", "prompt\nWäsche".encode("latin-1"), "is not UTF-8 text"),
        ("data.csv", "a,b\n1,2".encode("utf-16"), "is not UTF-8 text"),
        ("data.csv", "a,b\n1,2".encode("utf-16-le"), "the header holds NUL bytes; save it as UTF-8 (not UTF-16)"),
        ("data.csv", b"a,b,a\n1,2,3", "has the column 'a' twice"),
        ("data.csv", b'"a"x,b\n', "line 1: is not valid CSV"),
        ("data.json", b'{"a": 1}', "is not a list of objects"),
        ("data.json", b"[1", "is not valid JSON"),
        ("data.json", b"[" * 100_000, "is not valid JSON"),
        ("data.json", b"[" + b"9" * 10_000 + b"]", "is not valid JSON"),
        ("notes.txt", b"a", "is no table that is known"),
    ],
)
def test_a_table_that_is_none(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        table_rows(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_table_that_is_not_there_or_a_folder(tmp_path):
    with pytest.raises(InputError, match="there is no such table"):
        read_table(tmp_path / "absent.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="is no regular file"):
        read_table(tmp_path / "folder.csv")
    assert columns_of(tmp_path / "folder.csv") == columns_of(tmp_path / "absent.csv") == ()


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    assert columns_of(tmp_path / "pipe.csv") == ()
    with pytest.raises(InputError, match="is no regular file"):
        read_table(tmp_path / "pipe.csv")


def test_values_that_are_no_text_stand_as_json_in_csv(tmp_path):
    path = tmp_path / "data.csv"
    write_csv(path, [{"a": {"k": [1, 2]}, "b": None, "c": 1.5, "d": True}], ("a", "b", "c", "d"))
    assert read_table(path) == [{"a": '{"k": [1, 2]}', "b": "", "c": "1.5", "d": "true"}]
    with pytest.raises(ValueError, match="fields not in fieldnames"):
        write_csv(path, [{"x": 1}], ("a",))


def test_json_is_written_row_by_row_and_without_nan(tmp_path):
    write_json(tmp_path / "data.json", ROWS)
    assert json.loads((tmp_path / "data.json").read_text(encoding="utf-8")) == ROWS
    write_jsonl(tmp_path / "data.jsonl", [])
    assert read_table(tmp_path / "data.jsonl") == []
    for write in (write_json, write_jsonl):
        with pytest.raises(ValueError, match="JSON compliant"):
            write(tmp_path / "nan.json", [{"a": math.nan}])


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("a.json", '  [ {"x": {"y": 1}, "z": [2]}, nonsense', ("x", "z")),
        ("a.json", '{"images": []}', ()),
        ("a.json", "[[1]]", ()),
        ("a.jsonl", '{"x": 1}\nnonsense', ("x",)),
        ("a.jsonl", "", ()),
        ("a.csv", "", ()),
        ("a.mp4", "x,y", ()),
    ],
)
def test_a_look_at_the_columns(tmp_path, name, content, columns):
    (tmp_path / name).write_text(content)
    assert columns_of(tmp_path / name) == columns
