"""Which file belongs to which item."""

import pytest

from intergeneval_fixtures import EVAL_META, ITEM, QUESTIONS, STILL, write_text
from interplay.core.errors import InputError
from interplay.records.formats.intergeneval.layout import looks_like_intergeneval, open_layout


def opened(folder, first_number=None, follow_links=False):
    return open_layout(folder, first_number=first_number, follow_links=follow_links)


def test_a_folder_is_recognised_by_its_names(benchmark_folder, tmp_path):
    assert looks_like_intergeneval(benchmark_folder)
    assert looks_like_intergeneval(benchmark_folder / "meta.json")
    write_text(tmp_path / "alone/meta.json", [ITEM])
    write_text(tmp_path / "other/meta.json", {"fps": 3})
    assert looks_like_intergeneval(tmp_path / "alone")
    assert not looks_like_intergeneval(tmp_path / "other")
    assert not looks_like_intergeneval(tmp_path)


@pytest.mark.parametrize("wrap", [lambda items: items, lambda items: {"version": 1, "items": items}])
def test_files_are_found_by_number_with_any_count_of_digits(benchmark_folder, wrap):
    write_text(benchmark_folder / "meta.json", wrap([ITEM, STILL]))
    (benchmark_folder / "images/001.png").rename(benchmark_folder / "images/1.png")
    layout = opened(benchmark_folder)
    assert (layout.first, len(layout.items)) == (0, 2)
    assert layout.entry("images", 1).name == "1.png"
    assert layout.entry("videos", 1) is None
    assert (layout.json("eval_metas", 0), layout.json("questions", 0)) == (EVAL_META, QUESTIONS)
    assert layout.json("eval_metas", 1) is None
    assert [note.problem for note in layout.notes] == ["beside the list of items stands version"] * (wrap([]) != [])


def test_numbers_from_1_are_known_by_the_last_one(benchmark_folder):
    for path in sorted(benchmark_folder.glob("*/00[01]*"), reverse=True):
        path.rename(path.with_name(path.name.replace("001", "002").replace("000", "001")))
    assert opened(benchmark_folder).first == 1
    (benchmark_folder / "images/002.png").unlink()
    (benchmark_folder / "masks/002/id1.png").unlink()
    (benchmark_folder / "masks/002").rmdir()
    with pytest.raises(InputError, match=r"numbered from 0 or from 1 stays open .*first_number=0"):
        opened(benchmark_folder)
    assert opened(benchmark_folder, first_number=1).first == 1


@pytest.mark.parametrize("place", ["eval_metas.json", "eval_metas/all.json"])
@pytest.mark.parametrize(
    "value",
    [
        [{"video_id": "video_001", "entity": ["b"]}, {"video_id": 0, "entity": ["a"]}],
        {"data": [{"entity": ["a"]}, {"entity": ["b"]}], "of": "x"},
        {"000": {"entity": ["a"]}, "1": {"entity": ["b"]}},
    ],
)
def test_one_json_may_speak_of_all_items(benchmark_folder, place, value):
    (benchmark_folder / "eval_metas/000.json").unlink()
    write_text(benchmark_folder / place, value)
    layout = opened(benchmark_folder)
    assert [layout.json("eval_metas", number)["entity"] for number in (0, 1)] == [["a"], ["b"]]
    assert list(layout.leftovers()) == []


@pytest.mark.parametrize("value", [[{"entity": []}], 5, [{"video_id": "0"}, {"entity": []}], [{"video_id": "0"}] * 2])
def test_a_json_of_all_items_must_say_which_is_whose(benchmark_folder, value):
    (benchmark_folder / "eval_metas/000.json").unlink()
    write_text(benchmark_folder / "eval_metas.json", value)
    with pytest.raises(InputError, match="does not say which entry belongs to which item"):
        opened(benchmark_folder)


def test_two_files_of_one_number_are_refused_when_they_are_asked_for(benchmark_folder):
    (benchmark_folder / "images/0.jpg").write_bytes(b"x")
    layout = opened(benchmark_folder)
    with pytest.raises(InputError, match="two entries of number 0"):
        layout.entry("images", 0)
    assert layout.entry("images", 1) is not None


def test_a_link_that_leads_out_is_refused_unless_it_is_allowed(benchmark_folder, tmp_path):
    (benchmark_folder / "images/001.png").rename(tmp_path / "elsewhere.png")
    (benchmark_folder / "images/001.png").symlink_to(tmp_path / "elsewhere.png")
    with pytest.raises(InputError, match="leaves the dataset's folder"):
        opened(benchmark_folder).entry("images", 1)
    assert opened(benchmark_folder, follow_links=True).entry("images", 1) is not None


def test_a_folder_in_the_place_of_a_file_is_refused(benchmark_folder):
    (benchmark_folder / "images/000.png").unlink()
    (benchmark_folder / "images/000.png").mkdir()
    with pytest.raises(InputError, match="is no file"):
        opened(benchmark_folder).entry("images", 0)


def test_what_belongs_to_no_item_is_told(benchmark_folder):
    for name in ("images/007.png", "images/cover.png", "images/.hidden.png", "videos/000.txt"):
        (benchmark_folder / name).write_bytes(b"x")
    told = {rejected.clip_id: rejected for rejected in opened(benchmark_folder).leftovers()}
    assert set(told) == {"images-007", "images-cover"}
    assert "belongs to no item of meta.json" in told["images-007"].reason


@pytest.mark.parametrize("value", ["x", {}, [], {"a": 1}, {"a": [1], "b": [2]}])
def test_a_meta_that_lists_nothing_is_refused(benchmark_folder, value):
    write_text(benchmark_folder / "meta.json", [] if value == [] else value)
    with pytest.raises(InputError, match=r"is no list of items|is not valid JSON"):
        opened(benchmark_folder)
