"""JSON in code fences, lists in objects, and values that could not be written again."""

import os

import pytest

from interplay.core.errors import InputError
from interplay.records.formats.common.loose_json import read_loose_json, unwrapped


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1]}',
        ' \n{"a": [1]}',
        '```json\n{"a": [1]}\n```',
        'Here it is:\n```\n{"a": [1]}\n```\nDone.',
        '\ufeff{"a": [1]}',
    ],
)
def test_a_code_fence_and_the_talk_around_it_are_no_part_of_the_json(tmp_path, text):
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    assert read_loose_json(tmp_path / "x.json") == {"a": [1]}


def test_the_only_list_in_an_object_is_unwrapped():
    assert unwrapped({"version": 2, "items": [1]}) == [1]
    assert unwrapped({"a": [1], "b": [2]}) == {"a": [1], "b": [2]}
    assert unwrapped([3]) == [3]
    assert unwrapped("x") == "x"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"1" * 5000, "not valid JSON"),
        (b'["\\ud83d"]', "cannot be written"),
        (b"[Infinity]", "cannot be written"),
        (b'["\\u0000"]', "NUL byte"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_what_is_no_json_or_could_not_be_written_again_is_refused(tmp_path, text, problem):
    (tmp_path / "x.json").write_bytes(text)
    with pytest.raises(InputError, match=problem) as error:
        read_loose_json(tmp_path / "x.json")
    assert error.value.where == str(tmp_path / "x.json")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.json")
    with pytest.raises(InputError, match="no regular file"):
        read_loose_json(tmp_path / "x.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_loose_json(tmp_path / "absent.json")
