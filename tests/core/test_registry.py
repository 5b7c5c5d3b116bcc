from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from interplay.core.errors import InputError
from interplay.core.registry import Registry


def test_a_name_leads_to_its_object() -> None:
    registry: Registry[Callable[..., str]] = Registry("joiner", {"posix": "posixpath:join"})
    assert registry.get("posix")("a", "b") == "a/b"
    assert registry.names() == ("posix",)
    assert "posix" in registry
    assert "windows" not in registry


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    assert Registry[object]("thing", {"absent": "interplay.no_such_module:x"}).names() == ("absent",)


def test_an_unknown_name_gets_the_known_ones() -> None:
    registry: Registry[object] = Registry("judge", {"world": "a:b", "api": "c:d"})
    with pytest.raises(InputError) as caught:
        registry.get("wrold")
    assert str(caught.value) == 'judge "wrold": is not a known judge; known are: api, world'


def test_a_missing_requirement_is_an_install_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plugin_with_needs.py").write_text("import surely_not_installed.inside\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry: Registry[object] = Registry("judge", {"api": "plugin_with_needs:Judge"})
    with pytest.raises(InputError) as caught:
        registry.get("api")
    assert caught.value.cure == "pip install surely_not_installed"


def test_a_wrong_address_is_our_defect_and_not_the_users() -> None:
    with pytest.raises(ModuleNotFoundError):
        Registry[object]("thing", {"x": "interplay.no_such_module:x"}).get("x")


def test_an_address_without_attribute_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="module:attribute"):
        Registry[object]("thing", {"x": "interplay.core"})
