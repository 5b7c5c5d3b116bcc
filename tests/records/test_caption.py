"""Markup to spans, and spans to tokens on tokenizers of both common kinds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, Unigram
from transformers import PreTrainedTokenizerFast

from interplay.core.errors import InputError
from interplay.records.caption import Caption, Span, TokenSpans, marked_text, parse_caption, token_spans

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
        ("two < three, four > three", "two < three, four > three", {}),
        ("", "", {}),
    ],
)  # fmt: skip
def test_text_and_words(markup, text, words):
    caption = parse_caption(markup)
    assert caption.text == text
    assert {label: caption.words(label) for label in caption.labels} == words


@pytest.mark.parametrize(
    ("markup", "problem"),
    [
        ("a man <id1>", "<id1> has no word"),
        ("a </id1> man", "</id1> has no <id1>"),
        ("a <id1> </id1> man", "<id1> binds no words"),
        ("a <dog> man", "<dog> is not known"),
        ("a <id0> man", "<id0> is not known"),
        ("a <id1> man </id1> x </id1>", "</id1> has no <id1>"),
    ],
)
def test_malformed_markup_is_one_sentence(markup, problem):
    for parse in (parse_caption, marked_text):
        with pytest.raises(InputError) as error:
            parse(markup, where="data.csv, row 3")
        assert str(error.value).startswith("data.csv, row 3: ")
        assert problem in str(error.value)


def test_marked_text_keeps_the_instance_markers_as_words():
    caption = marked_text(PUSH)
    assert caption.text == "a <id1> man pushes the <id2> green ball"
    assert caption.words("id1") == ("<id1>",)
    assert caption.words("id2") == ("<id2>",)
    assert caption.words("verb") == ("pushes",)
    assert marked_text("see<id1>man").text == "see <id1> man"


words = st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, max_size=12)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(words, st.data())
def test_every_bound_word_is_found_where_it_stands(plain, data):
    chosen = data.draw(st.sets(st.integers(0, len(plain) - 1)))
    markup = " ".join(f"<id{k + 1}> {word}" if k in chosen else word for k, word in enumerate(plain))
    caption = parse_caption(markup)
    assert caption.text == " ".join(plain)
    assert {label: caption.words(label) for label in caption.labels} == {f"id{k + 1}": (plain[k],) for k in chosen}


# --- tokens ---


def unigram(pieces):
    """As T5's: pieces begin with the meta space, and an unknown word falls into letters."""
    letters = [(letter, -9.0) for letter in "abcdefghijklmnopqrstuvwxyz.,0123456789"]
    model = Unigram([("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -8.0), *letters, *pieces], unk_id=2)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def byte_level():
    """As CLIP's or Qwen's: bytes, with a leading space in the piece; here without merges except for " man"."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: index for index, piece in enumerate([*alphabet, "<pad>", "Ġm", "Ġma", "Ġman"])}
    tokenizer = Tokenizer(BPE(vocabulary, [("Ġ", "m"), ("Ġm", "a"), ("Ġma", "n")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>")


def pieces_of(tokenizer, caption, label, max_length=64):
    ids = tokenizer(caption.text, max_length=max_length, truncation=True, padding="max_length")["input_ids"]
    found = token_spans(caption, tokenizer, max_length).tokens[label]
    return [tokenizer.convert_ids_to_tokens(ids[position]) for position in found]


def test_tokens_of_a_unigram_tokenizer():
    tokenizer = unigram([("▁a", -1.0), ("▁man", -1.0), ("▁pu", -1.0), ("shes", -1.0), ("▁ball", -1.0), ("▁many", -1.0)])
    caption = parse_caption("A many a <id1> man <verb> pushes a <id2> green ball </id2>.".lower())
    assert pieces_of(tokenizer, caption, "id1") == ["▁man"]
    assert pieces_of(tokenizer, caption, "verb") == ["▁pu", "shes"]
    assert [piece for piece in pieces_of(tokenizer, caption, "id2") if piece != "▁"] == [*"green", "▁ball"]


def test_the_meta_space_alone_belongs_to_nobody():
    tokenizer = unigram([])
    caption = parse_caption("a <id1> man")
    assert pieces_of(tokenizer, caption, "id1") == ["m", "a", "n"]


def test_tokens_of_a_byte_level_tokenizer():
    caption = parse_caption("the <id1> man and the <id2> café </id2>")
    assert pieces_of(byte_level(), caption, "id1") == ["Ġman"]
    # é is two bytes, hence two tokens that share one character; both are the word's.
    assert pieces_of(byte_level(), caption, "id2") == ["c", "a", "f", "Ã", "©"]


def test_a_label_that_occurs_twice_has_the_tokens_of_both():
    caption = parse_caption("the <id1> man sees the <id1> man")
    found = token_spans(caption, byte_level(), 32).tokens["id1"]
    assert pieces_of(byte_level(), caption, "id1", 32) == ["Ġman", "Ġman"]
    assert found[0] < found[1]


def test_more_than_five_instances():
    names = [f"thing{k}" for k in range(1, 10)]
    caption = parse_caption(" ".join(f"<id{k}> {name}" for k, name in enumerate(names, 1)))
    tokenizer = unigram([(f"▁{name}", -1.0) for name in names])
    assert token_spans(caption, tokenizer, 32).tokens == {f"id{k}": (k - 1,) for k in range(1, 10)}


def test_what_the_length_limit_cuts_is_reported():
    caption = parse_caption("<id1> ab <id2> cdef </id2> <id3> gh")
    assert token_spans(caption, byte_level(), 5) == TokenSpans(
        {"id1": (0, 1), "id2": (3, 4), "id3": ()}, lost=("id2", "id3")
    )
    assert token_spans(caption, byte_level(), 9).lost == ("id3",)
    assert token_spans(caption, byte_level(), 10).lost == ()


def test_padding_on_the_left_moves_the_positions():
    tokenizer = byte_level()
    caption = parse_caption("x <id1> yz")
    right = token_spans(caption, tokenizer, 10).tokens["id1"]
    tokenizer.padding_side = "left"
    assert token_spans(caption, tokenizer, 10).tokens["id1"] == tuple(position + 6 for position in right)


def test_a_slow_tokenizer_is_refused():
    class Slow:
        is_fast = False
        pad_token_id = 0

        def __call__(self, text, **options):
            raise AssertionError("must not be called")

    with pytest.raises(InputError, match="no character offsets"):
        token_spans(parse_caption("<id1> man"), Slow(), 8)
