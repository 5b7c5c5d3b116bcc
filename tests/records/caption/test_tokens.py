"""Spans to token positions, on a tokenizer of every kind that video models use."""

import unicodedata
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken

from interplay.core.errors import InputError
from interplay.records.caption import Caption, Span, marked_text, parse_caption, token_spans
from tokenizer_fixtures import KINDS, byte_level, llama2, llama3, t5

LONG = 96


@cache
def of_kind(kind):
    return KINDS[kind]()


@pytest.fixture(params=list(KINDS))
def tokenizer(request):
    return of_kind(request.param)


def encoded(tokenizer, caption, max_length=LONG):
    return tokenizer(
        caption.text, max_length=max_length, truncation=True, padding="max_length", return_offsets_mapping=True
    )


def pieces_of(tokenizer, caption, label, max_length=LONG):
    """The pieces at the positions that were found, from the very ids that a model would get."""
    ids = encoded(tokenizer, caption, max_length)["input_ids"]
    found = token_spans(caption, tokenizer, max_length).tokens[label]
    return [tokenizer.convert_ids_to_tokens(ids[position]) for position in found]


def words_of(tokenizer, caption, label):
    """What the pieces spell, without the signs for spaces."""
    return "".join(pieces_of(tokenizer, caption, label)).replace("\u2581", "").replace("\u0120", "")


# --- every kind ---


def test_a_word_has_its_pieces_and_no_others(tokenizer):
    caption = parse_caption("<id1> man, a <id2> giraffe and a man <verb> pushes the <id3> green ball </id3>.")
    assert words_of(tokenizer, caption, "id1") == "man"
    assert words_of(tokenizer, caption, "id2") == "giraffe"
    assert words_of(tokenizer, caption, "verb") == "pushes"
    assert words_of(tokenizer, caption, "id3") == "greenball"
    assert len(pieces_of(tokenizer, caption, "id2")) > 1


def test_the_first_word_of_the_text_is_like_any_other(tokenizer):
    for text in ("<id1> zebra runs", "the <id1> zebra runs"):
        assert words_of(tokenizer, parse_caption(text), "id1") == "zebra"


def test_a_label_that_occurs_twice_has_the_tokens_of_both(tokenizer):
    found = token_spans(parse_caption("the <id1> man sees the <id1> man"), tokenizer, LONG).tokens["id1"]
    once = token_spans(parse_caption("the <id1> man sees the man"), tokenizer, LONG).tokens["id1"]
    assert len(found) == 2 * len(once)
    assert found == tuple(sorted(found))


def test_nine_instances_are_told_apart(tokenizer):
    caption = parse_caption(" ".join(f"<id{k}> thing{k}" for k in range(1, 10)))
    assert [words_of(tokenizer, caption, f"id{k}") for k in range(1, 10)] == [f"thing{k}" for k in range(1, 10)]


def test_padding_on_the_left_moves_the_positions(tokenizer):
    caption = parse_caption("the <id1> dog runs")
    padding = sum(1 for mask in encoded(tokenizer, caption, 40)["attention_mask"] if mask == 0)
    found, own_side = {}, tokenizer.padding_side
    for side in ("left", "right"):
        tokenizer.padding_side = side
        found[side] = token_spans(caption, tokenizer, 40).tokens["id1"]
    tokenizer.padding_side = own_side
    assert padding > 0
    assert found["left"] == tuple(position + padding for position in found["right"])


MARKED = "the <id1> man gives a <id12> ball to the <id3> woman"


@pytest.mark.parametrize("how", ["pieces", "added", "special", "special, swallowing spaces"])
@pytest.mark.parametrize("kind", ["t5", "umt5", "llama 2", "llama 3", "byte level"])
def test_marker_tokens_are_found_whether_they_are_tokens_or_split(kind, how):
    tokenizer = KINDS[kind]()
    if how != "pieces":
        strip = how.endswith("spaces")
        tokens = [AddedToken(f"<id{k}>", lstrip=strip, rstrip=strip, normalized=False) for k in (1, 3, 12)]
        tokenizer.add_tokens(tokens, special_tokens=how != "added")
    caption = marked_text(MARKED)
    for label in ("id1", "id12", "id3"):
        pieces = pieces_of(tokenizer, caption, label)
        if how == "pieces":
            spelled = tokenizer.decode(tokenizer.convert_tokens_to_ids(pieces)).strip()
            assert spelled == f"<{label}>" or ("<unk>" in pieces and label[:2] in spelled)
        else:
            assert pieces == [f"<{label}>"]


# --- characters that tokenizers change ---


ODD = [
    ("caf\u00e9", "cafe\u0301 \ufb01nds"),
    ("\u201cyes\u201d", "she says"),
    ("\U0001f469\u200d\U0001f373", "cooks"),
    ("\u2163", "half \u00bd"),
    ("e\u0301clair", "sweet"),
    ("STRA\u00dfE", "\u0130stanbul"),
]


@pytest.mark.parametrize(("words", "around"), ODD)
def test_the_tokens_of_odd_characters_stand_between_those_of_their_neighbours(tokenizer, words, around):
    text = f"{around} {words} {around} man"
    start = len(around) + 1
    spans = (Span("id1", start, start + len(words)), Span("id2", len(text) - 3, len(text)))
    caption = Caption(text, spans)
    found = token_spans(caption, tokenizer, LONG)
    ids, offsets = encoded(tokenizer, caption)["input_ids"], encoded(tokenizer, caption)["offset_mapping"]
    before = [index for index, (left, right) in enumerate(offsets) if left < right and right <= start]
    after = [index for index, (left, right) in enumerate(offsets) if left < right and left > start + len(words)]
    assert found.tokens["id1"]
    assert max(before) < min(found.tokens["id1"])
    assert max(found.tokens["id1"]) < min(after)
    assert words_of(tokenizer, caption, "id2") == "man"
    between = tokenizer.decode(ids[min(found.tokens["id1"]) : max(found.tokens["id1"]) + 1]).strip()
    if "<unk>" not in between:
        assert plain(between) == plain(words)


def plain(text):
    """Without what normalisers change: case, accents, joiners, compatibility forms."""
    letters = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def test_byte_fallback_counts_in_characters():
    caption = parse_caption("caf\u00e9 <id1> \u00fcx <id2> man")
    assert pieces_of(llama2(), caption, "id1") == ["<0xC3>", "<0xBC>", "x"]
    assert words_of(llama2(), caption, "id2") == "man"


def test_a_token_that_is_only_a_space_belongs_to_nobody():
    caption = parse_caption("a <id1> zebra")
    ids = encoded(t5(), caption)["input_ids"]
    assert t5().convert_ids_to_tokens(ids)[:5] == ["\u2581", "a", "\u2581", "z", "e"]
    assert encoded(t5(), caption)["offset_mapping"][2:4] == [(2, 3), (2, 3)]  # both claim the letter
    assert pieces_of(t5(), caption, "id1") == ["z", "e", "b", "r", "a"]


def test_words_of_a_script_without_spaces_are_told_apart_where_the_tokens_do():
    caption = parse_caption("<id1> \u7537\u4eba </id1>\u6295<id2> \u7403 </id2>")
    found = token_spans(caption, llama3(), LONG).tokens
    assert {label: len(tokens) for label, tokens in found.items()} == {"id1": 6, "id2": 3}  # three bytes each
    # T5 makes one unknown piece of all of it, which is then everybody's.
    one = token_spans(caption, t5(), LONG).tokens
    assert one["id1"] == one["id2"] != ()


def test_a_word_that_the_normaliser_deletes_is_reported_as_having_no_token():
    tokenizer = KINDS["t5, lower case"]()
    caption = Caption("a \u0301 b", (Span("id1", 2, 3),))
    (cut,) = token_spans(caption, tokenizer, LONG).cut
    assert (cut.span, cut.kept, cut.needed, cut.wholly) == (Span("id1", 2, 3), 0, 0, True)


# --- the length limit ---


def test_what_the_length_limit_cuts_is_reported_wholly_or_partly():
    tokenizer = byte_level(add_prefix_space=False)
    caption = parse_caption("<id1> man <id2> zzz </id2> <id3> yy <id1> man")
    whole = token_spans(caption, tokenizer, LONG)
    assert whole.cut == whole.lost == ()
    middle = whole.tokens["id2"][1]
    found = token_spans(caption, tokenizer, middle + 1)
    assert found.lost == ("id1", "id2", "id3")
    assert found.lost_partly == ("id1", "id2")
    assert found.lost_wholly == ("id3",)
    assert {(cut.span.label, cut.wholly) for cut in found.cut} == {("id1", True), ("id2", False), ("id3", True)}
    assert found.tokens["id1"] == (0,)
    (partly,) = [cut for cut in found.cut if not cut.wholly]
    assert (partly.kept, partly.needed) == (2, len(whole.tokens["id2"]))


def test_truncation_on_the_left_keeps_the_last_words(tokenizer):
    caption = parse_caption("<id1> man and the woman and the <id2> dog")
    side, tokenizer.truncation_side = tokenizer.truncation_side, "left"
    try:
        found = token_spans(caption, tokenizer, 8)
        ids = encoded(tokenizer, caption, 8)["input_ids"]
    finally:
        tokenizer.truncation_side = side
    assert found.lost == found.lost_wholly == ("id1",)
    assert tokenizer.decode([ids[position] for position in found.tokens["id2"]]).strip() == "dog"


def test_at_every_limit_kept_and_lost_add_up(tokenizer):
    caption = parse_caption("<id1> man <verb> pushes the <id2> green ball </id2>, a <id1> zebra")
    whole = token_spans(caption, tokenizer, LONG)
    for max_length in range(1, 30):
        found = token_spans(caption, tokenizer, max_length)
        for label in caption.labels:
            missing = sum(one.needed - one.kept for one in found.cut if one.span.label == label)
            assert len(found.tokens[label]) == len(whole.tokens[label]) - missing
            assert all(position < max_length for position in found.tokens[label])


def test_a_length_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one token"):
        token_spans(parse_caption("<id1> man"), t5(), 0)


# --- templates ---

TEMPLATE = "<bos>system: describe the man, {'and'} [the] woman\n\n{}<end>"


def test_positions_in_a_template_are_those_of_the_caption_inside_it(tokenizer):
    caption = parse_caption("the <id1> man sees the <id2> woman")
    text = TEMPLATE.replace("{}", caption.text)
    ids = encoded(tokenizer, Caption(text), 2 * LONG)["input_ids"]
    found = token_spans(caption, tokenizer, 2 * LONG, template=TEMPLATE).tokens
    start = token_spans(Caption(text, (Span("id1", text.index("\n\n") + 2, len(text)),)), tokenizer, 2 * LONG)
    for label, word in (("id1", "man"), ("id2", "woman")):
        assert tokenizer.decode([ids[position] for position in found[label]]).strip() == word
        assert min(found[label]) > min(start.tokens["id1"])


def test_the_front_that_the_pipeline_drops_is_not_counted():
    caption = parse_caption("the <id1> man sees the <id2> woman")
    whole = token_spans(caption, llama3(), 2 * LONG, template=TEMPLATE).tokens
    cropped = token_spans(caption, llama3(), 2 * LONG, template=TEMPLATE, crop_start=20)
    assert cropped.tokens == {label: tuple(one - 20 for one in found) for label, found in whole.items()}
    assert cropped.lost == ()
    too_much = token_spans(caption, llama3(), 2 * LONG, template=TEMPLATE, crop_start=whole["id2"][0])
    assert too_much.tokens["id2"][0] == 0
    assert too_much.lost_wholly == ("id1",)


@pytest.mark.parametrize("template", ["no place", "{} and {}"])
def test_a_template_has_one_place_for_the_caption(template):
    with pytest.raises(InputError, match=r"places for the caption; write \{\} once"):
        token_spans(parse_caption("<id1> man"), t5(), LONG, template=template)


def test_a_slow_tokenizer_is_refused():
    class Slow:
        is_fast = False
        pad_token_id = 0

        def __call__(self, text, **options):
            raise AssertionError("must not be called")

        def decode(self, token_ids):
            raise AssertionError("must not be called")

    with pytest.raises(InputError, match="no character offsets"):
        token_spans(parse_caption("<id1> man"), Slow(), 8)


# --- the property ---

SPELLED = st.sampled_from(
    [
        "a",
        "man",
        "woman",
        "strawberry",
        "zebra",
        "t-shirt",
        "7",
        "caf\u00e9",
        "Ma\u00dfe",
        "\ufb01sh",
        "x\u00b2",
        "\u2026",
        "d'\u00e9",
        "man's",
    ]
)


@settings(max_examples=150)
@given(st.lists(SPELLED, min_size=1, max_size=10), st.sampled_from(list(KINDS)))
def test_the_tokens_of_a_word_cover_it_and_no_character_of_another(words, kind):
    tokenizer = of_kind(kind)
    starts = [sum(len(word) + 1 for word in words[:k]) for k in range(len(words))]
    spans = tuple(Span(f"id{k + 1}", start, start + len(words[k])) for k, start in enumerate(starts))
    caption = Caption(" ".join(words), spans)
    found, offsets = token_spans(caption, tokenizer, 2 * LONG), encoded(tokenizer, caption, 2 * LONG)["offset_mapping"]
    everybody = [position for tokens in found.tokens.values() for position in tokens]
    assert len(everybody) == len(set(everybody))
    for span in spans:
        covered = {place for position in found.tokens[span.label] for place in range(*offsets[position])}
        own = set(range(span.start, span.end))
        assert {place for place in covered - own if caption.text[place] != " "} == set()
        assert {place for place in own - covered if not unicodedata.combining(caption.text[place])} == set()
