"""Markup to spans: what a marker binds, what white space becomes, and what is no marker."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.core.errors import InputError
from interplay.records.caption import Caption, Span, foreign_markup, marked_text, parse_caption
from odd_captions import CAPTIONS, many_captions

PUSH = "a <id1> man <verb> pushes the <id2> green ball </id2>"


def test_a_marker_binds_the_next_word_or_up_to_its_closing_tag():
    caption = parse_caption(PUSH)
    assert caption == Caption(
        "a man pushes the green ball", (Span("id1", 2, 5), Span("verb", 6, 12), Span("id2", 17, 27))
    )
    assert caption.words("id2") == ("green ball",)
    assert (caption.instance_ids, caption.verb_labels) == (("id1", "id2"), ("verb",))


@pytest.mark.parametrize(
    ("markup", "text", "words"),
    [
        ("<id1> man, who waves", "man, who waves", {"id1": ("man",)}),
        ("the <id1> man's hat", "the man's hat", {"id1": ("man",)}),
        ('he says "<id1> yes"', 'he says "yes"', {"id1": ("yes",)}),
        ("a <id1> t-shirt", "a t-shirt", {"id1": ("t-shirt",)}),
        ("a <id1>man<verb>lifts", "a man lifts", {"id1": ("man",), "verb": ("lifts",)}),
        ("a <id1> red  ball </id1>, then", "a red ball, then", {"id1": ("red ball",)}),
        ("<id1> a man </id1> <id2> a dog </id2>", "a man a dog", {"id1": ("a man",), "id2": ("a dog",)}),
        ("<id1><id2> couple", "couple", {"id1": ("couple",), "id2": ("couple",)}),
        ("<id1> man and again <id1> he </id1> waves", "man and again he waves", {"id1": ("man", "he")}),
        ("<id1> man in <id2> red hat </id2> <verb> picks it up </verb>.", "man in red hat picks it up.",
         {"id1": ("man",), "id2": ("red hat",), "verb": ("picks it up",)}),
        ("\t<id12>\n man \u00a0 waves ", "man waves", {"id12": ("man",)}),
        ("", "", {}),
        # a space that only a tag stood for goes with it
        ("<id1> man <id2> </id1>.dog </id2>", "man.dog", {"id1": ("man",), "id2": (".dog",)}),
        # a word ends at a tag
        ("<id1> t-<id2> shirt", "t-shirt", {"id1": ("t",), "id2": ("shirt",)}),
        ("<verb> <id1> man", "man", {"verb": ("man",), "id1": ("man",)}),
    ],
)  # fmt: skip
def test_text_and_words(markup, text, words):
    caption = parse_caption(markup)
    assert caption.text == text
    assert {label: caption.words(label) for label in caption.labels} == words


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<id1> man in <id2> red hat </id2> </id1>", {"id1": ("man in red hat",), "id2": ("red hat",)}),
        ("<id1> a <id2> b </id1> c </id2>", {"id1": ("a b",), "id2": ("b c",)}),
        ("<id1> a <id1> b </id1> c </id1>", {"id1": ("a b c", "b")}),
        ("<id1> a <id1> b </id1> c", {"id1": ("a", "b")}),
        ("<id1> <id1> a", {"id1": ("a",)}),
    ],
)
def test_tags_may_nest_and_those_of_different_labels_cross(markup, words):
    caption = parse_caption(markup)
    assert {label: caption.words(label) for label in caption.labels} == words


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("a <id1> cafe\u0301 here", "cafe\u0301"),
        ("<id1> \u0939\u093f\u0928\u094d\u0926\u0940 \u0936\u092c\u094d\u0926", "\u0939\u093f\u0928\u094d\u0926\u0940"),
        ("a <id1> \U0001f34e on a table", "\U0001f34e"),
        ("a <id1> \U0001f469\U0001f3fd\u200d\U0001f373 cooks", "\U0001f469\U0001f3fd\u200d\U0001f373"),
        ("<id1> \ub0a8\uc790\uac00 \uacf5\uc744", "\ub0a8\uc790\uac00"),
        ("<id1> \u201cman\u201d", "man"),
    ],
)
def test_words_of_other_scripts_are_whole(markup, words):
    assert parse_caption(markup).words("id1") == (words,)


def test_a_script_without_spaces_needs_a_closing_tag_and_gets_no_space_put_in():
    man, ball = "\u7537\u4eba", "\u7403"
    caption = parse_caption(f"\u4e00\u4e2a<id1>{man}</id1><verb>\u6295</verb><id2>{ball}</id2>\u3002")
    assert caption.text == f"\u4e00\u4e2a{man}\u6295{ball}\u3002"
    assert (caption.words("id1"), caption.words("id2")) == ((man,), (ball,))
    with pytest.raises(InputError, match=r"whose script has no spaces; close it: <id1> \.\.\. </id1>"):
        parse_caption(f"\u4e00\u4e2a<id1>{man}\u6295<id2>{ball}</id2>")


@pytest.mark.parametrize(
    ("markup", "problem"),
    [
        ("a man <id1>", "<id1> has no word"),
        ("a <id1> ...", "<id1> has no word"),
        ("a </id1> man", "</id1> has no <id1>"),
        ("a <id1> </id1> man", "<id1> binds no words"),
        ("a <dog> man", "<dog> is not known"),
        ("a <b>bold</b> man", "<b> is not known"),
        ("a line<br/>", "<br/> is not known"),
        ("a <id0> man", "<id0> is not known"),
        ("a <id01> man", "<id01> is not known"),
        ("a <ID1> man", "<ID1> is not known"),
        ("a < Id 2 > man", "< Id 2 > is not known"),
        ("a <id> man", "<id> is not known"),
        ("a <id_1> man", "<id_1> is not known"),
        ("a <id1 man", "<id1 is not known"),
        ("a </id1 man", "</id1 is not known"),
        ("a <verb", "<verb is not known"),
        ("a <id1234567890> man", "<id1234567890> is not known"),
        ("a <id1> man </id1> x </id1>", "</id1> has no <id1>"),
        ("a \ud83d man", "half of a surrogate pair"),
    ],
)
def test_malformed_markup_is_one_sentence(markup, problem):
    for parse in (parse_caption, marked_text):
        with pytest.raises(InputError) as error:
            parse(markup, where="data.csv, row 3")
        assert str(error.value).startswith("data.csv, row 3: ")
        assert problem in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "two < three, four > three",
        "a < b",
        "a < b > c",
        "x <3 y",
        '<b class="x">',
        "<identity",
        "<verbose mode",
        "<>",
        "1 < id or id > 2",
        "if a<b and c>d",
    ],
)
def test_angle_brackets_that_are_no_tags_are_text(text):
    assert parse_caption(text) == Caption(text)
    assert foreign_markup(text, where="x") == text


def test_an_escaped_bracket_is_text():
    assert parse_caption("a <lt>id1> b <lt>b> <lt>lt> <lt> c") == Caption("a <id1> b <b> <lt> < c")


# --- marker words ---


def test_marked_text_keeps_the_instance_markers_as_words():
    caption = marked_text(PUSH)
    assert caption.text == "a <id1> man pushes the <id2> green ball"
    assert caption.words("id1") == ("<id1>",)
    assert caption.words("id2") == ("<id2>",)
    assert caption.words("verb") == ("pushes",)
    assert marked_text("see<id1>man").text == "see <id1> man"


def test_marked_text_puts_every_marker_directly_before_its_noun():
    caption = marked_text('<verb> hands <id1> "her" </verb> a <id2> cup </id2>, the <id2> cup')
    assert caption.text == 'hands "<id1> her" a <id2> cup, the <id2> cup'
    assert caption.words("verb") == ('hands "<id1> her"',)
    assert caption.words("id2") == ("<id2>", "<id2>")


def test_a_verb_is_never_bound_to_a_marker_word():
    assert marked_text("<verb> <id1> man").words("verb") == ("man",)


def test_marked_text_may_bind_the_words_behind_its_markers():
    caption = marked_text(PUSH, bound="words")
    assert caption.text == marked_text(PUSH).text
    plain = parse_caption(PUSH)
    assert {label: caption.words(label) for label in plain.labels} == {
        label: plain.words(label) for label in plain.labels
    }
    twice = marked_text("a <id1> cup, the <id1><id2> couple", bound="words")
    assert twice.text == "a <id1> cup, the <id1> <id2> couple"
    assert (twice.words("id1"), twice.words("id2")) == (("cup", "couple"), ("couple",))


def test_marked_text_of_two_labels_on_one_word():
    caption = marked_text("a <id1><id2> couple")
    assert caption.text == "a <id1> <id2> couple"
    assert (caption.words("id1"), caption.words("id2")) == (("<id1>",), ("<id2>",))


# --- all kinds of captions ---

words = st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, max_size=12)


@settings(max_examples=50)
@given(words, st.data())
def test_every_bound_word_is_found_where_it_stands(plain, data):
    chosen = data.draw(st.sets(st.integers(0, len(plain) - 1)))
    markup = " ".join(f"<id{k + 1}> {word}" if k in chosen else word for k, word in enumerate(plain))
    caption = parse_caption(markup)
    assert caption.text == " ".join(plain)
    assert {label: caption.words(label) for label in caption.labels} == {f"id{k + 1}": (plain[k],) for k in chosen}


def check_any_text(text):
    """It is a caption, or one sentence about the place; whether it is a caption."""
    try:
        caption = parse_caption(text, where="here")
    except InputError as error:
        told = error
    else:
        assert caption.text == " ".join(caption.text.split())
        bound = [caption.text[span.start : span.end] for span in caption.spans]
        assert all(words and words == words.strip() for words in bound)
        marked = marked_text(text)
        assert all(set(marked.words(label)) == {f"<{label}>"} for label in marked.instance_ids)
        return True
    assert told.where == "here"
    return False


@settings(max_examples=400)
@given(CAPTIONS)
def test_any_text_is_a_caption_or_one_sentence_about_it(text):
    check_any_text(text)


def test_ten_thousand_texts_most_of_them_malformed():
    captions = sum(map(check_any_text, many_captions(10_000, seed=3)))
    assert 1000 < captions < 5000
