"""Writing markup is the inverse of reading it, and foreign text passes through without being changed."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from interplay.core.errors import InputError
from interplay.records.caption import Caption, Span, foreign_markup, parse_caption, to_foreign, write_markup
from odd_captions import CAPTIONS


@pytest.mark.parametrize(
    ("caption", "markup"),
    [
        (Caption("a man runs", (Span("id1", 2, 5), Span("verb", 6, 10))), "a <id1> man <verb> runs"),
        (Caption("a red ball.", (Span("id1", 2, 10),)), "a <id1> red ball </id1>."),
        (Caption("a man's hat", (Span("id1", 2, 5), Span("id2", 2, 11))), "a <id2> <id1> man's hat </id2>"),
        (Caption("a t-shirt", (Span("id1", 2, 9), Span("id2", 4, 9))), "a <id1> t-<id2> shirt </id1>"),
        (Caption('"yes"', (Span("id1", 0, 5),)), '<id1> "yes" </id1>'),
        (Caption("\u7537\u4eba\u7403", (Span("id1", 0, 2), Span("id2", 2, 3))),
         "<id1> \u7537\u4eba </id1><id2> \u7403 </id2>"),
        (Caption("x < 3 and <id1> and <b>"), "x < 3 and <lt>id1> and <lt>b>"),
        (Caption("<id1> man", (Span("id1", 0, 5),)), "<id1> <lt>id1> </id1> man"),
        (Caption(""), ""),
    ],
)  # fmt: skip
def test_markup_is_written_in_the_official_manner(caption, markup):
    assert write_markup(caption) == markup
    assert parse_caption(markup) == caption


@pytest.mark.parametrize(
    "caption",
    [
        Caption("two  spaces"),
        Caption(" edge"),
        Caption("a man", (Span("id1", 1, 5),)),
        Caption("a man", (Span("id1", 2, 2),)),
        Caption("a man", (Span("id1", 3, 5),)),
        Caption("a man", (Span("id1", 2, 9),)),
        Caption("a man", (Span("dog", 2, 5),)),
        Caption("a b c", (Span("id1", 0, 3), Span("id1", 2, 5))),
        Caption("half \ud83d"),
    ],
)
def test_a_caption_that_no_markup_means_is_refused(caption):
    with pytest.raises(InputError, match="here: no markup means"):
        write_markup(caption, where="here")


@settings(max_examples=250)
@given(CAPTIONS)
def test_what_was_read_can_be_written_and_reads_the_same(text):
    try:
        caption = parse_caption(text)
    except InputError:
        assume(False)
    assert parse_caption(write_markup(caption)) == caption


WORDS = st.sampled_from(
    ["a", "man", "t-shirt", "<id1>", "<b>", "<lt>", "<", "x", "\u201cyes\u201d", "caf\u00e9", "...", "5"]
)


@st.composite
def bound_words(draw):
    """Plain words, and which runs of them are bound to which label."""
    words = draw(st.lists(WORDS, min_size=1, max_size=8))
    index = st.integers(0, len(words) - 1)
    runs = st.tuples(st.sampled_from(["id1", "id2", "id13", "verb", "verb2"]), index, index)
    return words, draw(st.lists(runs, max_size=5))


def caption_of(words, runs):
    """The caption; of runs of one label that cross, the first."""
    starts = [sum(len(word) + 1 for word in words[:k]) for k in range(len(words))]
    spans = []
    for label, one, other in runs:
        first, last = sorted((one, other))
        span = Span(label, starts[first], starts[last] + len(words[last]))
        if span not in spans and not any(one.label == label and crosses(one, span) for one in spans):
            spans.append(span)
    return Caption(" ".join(words), tuple(sorted(spans, key=lambda span: (span.start, span.end, span.label))))


def crosses(one, other):
    first, second = sorted((one, other), key=lambda span: (span.start, -span.end))
    return first.start < second.start < first.end < second.end


@settings(max_examples=300)
@given(bound_words())
def test_every_caption_of_words_can_be_written(drawn):
    caption = caption_of(*drawn)
    assert parse_caption(write_markup(caption)) == caption


# --- foreign text ---


def test_in_foreign_text_only_markers_bind():
    markup = foreign_markup("a <id1> man  with <b>bold</b> <eos> x < 3 <lt>", where="row 1")
    assert markup == "a <id1> man  with <lt>b>bold<lt>/b> <lt>eos> x < 3 <lt>lt>"
    assert parse_caption(markup) == Caption("a man with <b>bold</b> <eos> x < 3 <lt>", (Span("id1", 2, 5),))


@pytest.mark.parametrize(
    "text", ["a <id0> man", "a <ID1> man", "</id1>", "a <id1>", "a <id1 man", "a <verb> </verb> b"]
)
def test_a_foreign_marker_that_went_wrong_is_refused_with_a_cure(text):
    with pytest.raises(InputError, match=r"row 1: .*(marker|closing tag)") as error:
        foreign_markup(text, where="row 1")
    assert "write a marker" in error.value.cure


@settings(max_examples=250)
@given(CAPTIONS)
def test_foreign_text_comes_back_as_it_was(text):
    try:
        markup = foreign_markup(text, where="x")
    except InputError:
        assume(False)
    parse_caption(markup)
    assert to_foreign(markup, where="x") == text


def test_literal_text_of_ours_that_would_bind_elsewhere_is_refused():
    with pytest.raises(InputError, match="takes for a marker"):
        to_foreign("a <lt>id1> man", where="x")
    assert to_foreign("a <lt>b> and <lt> 3", where="x") == "a <b> and < 3"
