"""Walking a folder tree: order, depth, links, and what may not be read."""

from pathlib import Path

import pytest

from interplay.records.formats.base import Rejected
from interplay.records.formats.common.folders import files_below


@pytest.fixture
def tree(tmp_path):
    for name in ("b/2", "b/c/3", "a", "d/4", ".git/x", "b/.x"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "tree"


def names(root, **options):
    return [
        f"!{item.clip_id}" if isinstance(item, Rejected) else item.relative_to(root).as_posix()
        for item in files_below(root, **{"follow_links": False, **options})
    ]


def test_folder_by_folder_without_what_is_hidden(tree):
    assert names(tree) == ["a", "b/2", "b/c/3", "d/4"]
    assert names(tree, depth=0) == ["a"]
    assert names(tree, depth=1) == ["a", "b/2", "d/4"]


def test_links(tree, tmp_path):
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "5").write_bytes(b"x")
    (tree / "e").symlink_to(tmp_path / "away")
    (tree / "f").symlink_to(tree)
    (tree / "g").symlink_to("g")
    assert names(tree) == ["a", "g", "!e", "!f", "b/2", "b/c/3", "d/4"]
    assert names(tree, follow_links=True) == ["a", "g", "!f", "b/2", "b/c/3", "d/4", "e/5"]


def test_a_folder_that_cannot_be_listed_is_rejected(tree, monkeypatch):
    listed = Path.iterdir

    def refuse(self):
        if self.name == "b":
            raise PermissionError(13, "Permission denied")
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert names(tree) == ["a", "!b", "d/4"]
