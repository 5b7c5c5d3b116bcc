import pytest

from interplay.records.clip import Interaction
from interplay.report.captions import Piece, pieces

GIVE = Interaction("id1", "gives", "id2", "id3")


def test_every_span_gets_its_role():
    markup = "a <id1> man in red </id1> <verb> gives a <id2> cup to a <id3> woman near a <id4> ball"
    found = pieces(markup, [GIVE])
    assert [(p.text, p.role) for p in found if p.role != "plain"] == [
        ("man in red", "subject"),
        ("gives", "verb"),
        ("cup", "object"),
        ("woman", "recipient"),
        ("ball", "other"),
    ]
    assert "".join(p.text for p in found) == "a man in red gives a cup to a woman near a ball"


def test_a_span_inside_of_another_is_coloured_once():
    found = pieces("<id1> a <id2> dog </id2> owner </id1> <verb> runs", [])
    assert "".join(p.text for p in found) == "a dog owner runs"
    assert [p.label for p in found if p.label] == ["id1", "verb"]


@pytest.mark.parametrize("markup", ["<script>alert(1)</script>", "a <id1>", "plain & simple", ""])
def test_what_is_no_markup_stays_as_it_is(markup):
    assert pieces(markup, []) == ((Piece(markup),) if markup else ())
