"""Which words the rule binds, what it refuses to guess, and how it is overridden."""

import pytest

from interplay.core.errors import InputError
from interplay.curate.binding import bind, noun_and_appearance
from interplay.curate.config import CurateConfig
from interplay.curate.words import VERB_FORMS
from interplay.records.caption import parse_caption

SIZE = {"target_hw": (80, 48), "num_frames": 17, "fps": 8.0}


def bound(prompt, **overrides):
    binding = bind(prompt, "clip-00000", CurateConfig(**SIZE, **overrides), where="data.csv, row 1, field prompt")
    caption = parse_caption(binding.markup)
    return {label: caption.words(label)[0] for label in caption.labels}, binding


@pytest.mark.parametrize(
    ("prompt", "person", "verb", "product"),
    [
        (
            "A woman in jeans stands there. She holds a gray cable-knit polo sweater on a hanger.",
            "woman", "holds", "gray cable-knit polo sweater",
        ),
        ("The young man is lifting up the large box.", "man", "lifting up", "large box"),
        ("A host shows her hands and presents a bottle of perfume to us.", "host", "presents", "bottle of perfume"),
        ("A girl grabbing it, then carries two red cups.", "girl", "carries", "red cups"),
        ("A person waves and is taking his phone.", "person", "taking", "phone"),
    ],
)  # fmt: skip
def test_the_rule(prompt, person, verb, product):
    words, binding = bound(prompt)
    assert words == {"id1": person, "verb": verb, "id2": product}
    assert parse_caption(binding.markup).text == prompt
    assert binding.decided_by == {"person": "rule", "verb": "rule", "product": "rule"}


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        ("A dog runs.", "no word that names a person"),
        ("A woman stands still.", "no word of handling"),
        ("A woman holds it.", "no word of handling"),
    ],
)
def test_what_it_cannot_read_is_an_error_that_asks_for_words(prompt, problem):
    with pytest.raises(InputError) as error:
        bound(prompt)
    assert str(error.value).startswith(f"data.csv, row 1, field prompt: {problem}")
    assert "_words" in error.value.cure


def test_exact_words_override_the_rule():
    prompt = "A tall dog trainer holds a leash and feeds a small dog."
    words, binding = bound(prompt, person_words="trainer", verb_words="feeds", product_words="small dog")
    assert words == {"id1": "trainer", "verb": "feeds", "id2": "small dog"}
    assert set(binding.decided_by.values()) == {"words"}
    assert bound(prompt, person_words="trainer", verb_words="feeds")[0]["id2"] == "small dog"
    with pytest.raises(InputError, match=r"does not contain 'sings' \(verb_words\)"):
        bound(prompt, person_words="trainer", verb_words="sings")


def test_markup_overrides_words():
    marked = "<id1> She </id1> <verb> eats </verb> <id2> cake </id2>"
    assert bound(marked)[1].markup == marked
    words, binding = bound("no idea", captions={"clip-00000": marked})
    assert words == {"id1": "She", "verb": "eats", "id2": "cake"}
    assert binding.decided_by["verb"] == "config.captions"


def test_noun_and_appearance():
    assert noun_and_appearance("gray polo sweater") == ("sweater", "gray polo")
    assert noun_and_appearance("small bottle of red wine") == ("bottle", "small of red wine")
    assert noun_and_appearance("woman") == ("woman", "")


def test_verb_forms():
    forms = {"holds", "holding", "carries", "carrying", "takes", "taking", "grabs", "grabbing", "spinning", "pushes"}
    assert forms | {"showing", "eating", "puts", "putting", "lifting", "opening", "playing", "hugging"} <= VERB_FORMS
