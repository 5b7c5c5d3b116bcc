"""Captions that go into somebody else's plain text, and what of them is lost there."""

import pytest

from interplay.records.clip import Instance
from interplay.records.formats.common.written_captions import (
    caption_cell,
    implied_instances,
    instances_of,
    written_caption,
)


@pytest.mark.parametrize(
    ("markup", "style", "text", "lost"),
    [
        ("a  man\nruns", "plain", "a  man\nruns", ()),
        ("a <id1> man <verb> runs", "plain", "a man runs", ("the caption's markers id1, verb: not kept",)),
        ("a <id1> man <verb> runs", "markup", "a <id1> man <verb> runs", ()),
        ("a <lt>b> c", "plain", "a <b> c", ()),
        ("", "plain", "", ()),
    ],
)
def test_captions(markup, style, text, lost):
    assert written_caption(markup, style) == (text, lost)


def test_literal_text_that_would_be_a_marker_is_a_loss():
    for style in ("plain", "markup"):
        text, lost = written_caption("a <lt>id1> man", style)
        assert text == "a <id1> man"
        assert "marker" in lost[0]
    text, lost = written_caption("a <lt>id1> <id2> man", "plain")
    assert (text, len(lost)) == ("a <id1> man", 2)


def test_an_own_cell_is_kept_while_it_says_the_same():
    assert caption_cell("a <lt>b> c", "  a <b> c ", "plain") == ("  a <b> c ", ())
    assert caption_cell("a man", "a woman", "plain") == ("a man", ())
    for cell in (None, 5, "a <id0>"):
        assert caption_cell("a man", cell, "plain") == ("a man", ())


def test_instances_come_from_markers_and_the_caption_s_nouns_win():
    known = (Instance("id1", "person"), Instance("id2", "product"))
    found = instances_of("a <id10> dog and a <id1> red-haired man", known)
    assert [(item.id, item.noun) for item in found] == [("id1", "red-haired"), ("id2", "product"), ("id10", "dog")]
    assert implied_instances(" a <id0> ", known) == {item.id: item for item in known}
