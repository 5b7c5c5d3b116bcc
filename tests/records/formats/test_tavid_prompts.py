"""The trigger word of TAViD's prompts, read and written."""

import random

import pytest

from interplay.core.errors import InputError
from interplay.records.caption import parse_caption, write_markup
from interplay.records.clip import Clip, Instance
from interplay.records.formats.tavid.prompts import bind_targets, prompt_of
from odd_captions import FRAGMENTS


def bound(prompt):
    read = bind_targets(prompt, where="prompt.txt")
    return write_markup(read.caption), dict(read.nouns)


@pytest.mark.parametrize(
    ("prompt", "markup", "nouns"),
    [
        ("She lifts the target mug.", "She lifts the <id1> target mug </id1>.", {"id1": "mug"}),
        ("Target mug on a table", "<id1> Target mug </id1> on a table", {"id1": "mug"}),
        ("the [TGT] mug", "the <id1> target mug </id1>", {"id1": "mug"}),
        ("the [TGT]mug", "the <id1> target mug </id1>", {"id1": "mug"}),
        ("a target mug, the target mug's handle", "a <id1> target mug </id1>, the <id1> target mug </id1>'s handle",
         {"id1": "mug"}),
        ("Target Mug and target mug", "<id1> Target Mug </id1> and <id1> target mug </id1>", {"id1": "Mug"}),
        # with one target, a mere "target" is that one, too
        ("the target mug; the target is lifted", "the <id1> target mug </id1>; the <id1> target is lifted",
         {"id1": "mug"}),
        ("He hits the target.", "He hits the <id1> target.", {"id1": ""}),
        ("He hits the [TGT].", "He hits the <id1> target.", {"id1": ""}),
        # several targets, in the order of their first mention
        ("target cup, target spoon, target cup and the target", "<id1> target cup </id1>, <id2> target spoon </id2>,"
         " <id1> target cup </id1> and the target", {"id1": "cup", "id2": "spoon"}),
        # none
        ("targets and targeted, on-target, retarget", "targets and targeted, on-target, retarget", {}),
        ("a target\u0301 mug, target-like", "a target\u0301 mug, target-like", {}),
        ("", "", {}),
        # own markers are taken at their word
        ("she lifts the target red mug off", "she lifts the <id1> target red mug </id1> off", {"id1": "red mug"}),
        ("the target red mug and the target big blue mug",
         "the <id1> target red mug </id1> and the <id2> target big blue mug </id2>",
         {"id1": "red mug", "id2": "big blue mug"}),
        ("the target orange", "the <id1> target orange </id1>", {"id1": "orange"}),
        ("the <id2> target coffee mug </id2> and a target", "the <id2> target coffee mug </id2> and a target",
         {"id2": "coffee mug"}),
        ("<verb> lifts the target mug", "<verb> lifts the <id1> target mug </id1>", {"id1": "mug"}),
        ("x < 3, <b> target t-shirt", "x < 3, <lt>b> <id1> target t-shirt </id1>", {"id1": "t-shirt"}),
    ],
)  # fmt: skip
def test_every_mention_is_bound(prompt, markup, nouns):
    assert bound(prompt) == (markup, nouns)


def test_the_translation_of_tgt_is_told():
    assert bind_targets("the [TGT] mug", where="x").translated
    assert not bind_targets("the target mug", where="x").translated


@pytest.mark.parametrize("prompt", ["a <id0> target mug", "target </id1>", "<ID1> target", "half \ud83d"])
def test_a_marker_that_went_wrong_is_refused(prompt):
    with pytest.raises(InputError, match=r"^prompt\.txt"):
        bind_targets(prompt, where="prompt.txt")


def clip(caption, nouns):
    instances = tuple(Instance(f"id{number}", noun) for number, noun in enumerate(nouns, 1))
    return Clip("c", "v.png", caption, 1, (4, 4), 1.0, instances=instances)


@pytest.mark.parametrize(
    ("caption", "nouns", "targets", "prompt"),
    [
        ("a <id1> man <verb> lifts a <id2> mug", ["man", "mug"], ["id2"], "a man lifts a target mug"),
        ("a <id1> red mug </id1>", ["mug"], ["id1"], "a red target mug"),
        ("a <id1> coffee mug </id1>", ["coffee mug"], ["id1"], "a target coffee mug"),
        ("a <id1> mug and the <id1> mug", ["mug"], ["id1"], "a target mug and the target mug"),
        ("a <id1> target mug </id1>", ["mug"], ["id1"], "a target mug"),
        ("a <id1> Target </id1>", [""], ["id1"], "a Target"),
        ("a <id1> cup and a <id2> spoon", ["cup", "spoon"], ["id1", "id2"], "a target cup and a target spoon"),
        ("a man waves", ["man"], ["id1"], "a man waves"),
    ],
)
def test_the_trigger_is_put_before_the_noun(caption, nouns, targets, prompt):
    assert prompt_of(clip(caption, nouns), targets, None) == prompt


def test_a_prompt_is_written_as_it_was_while_it_says_the_same():
    own = "The [TGT] mug,\nagain  the target mug"
    caption = write_markup(bind_targets(own, where="x").caption)
    assert prompt_of(clip(caption, ["mug"]), ["id1"], own) == own
    assert prompt_of(clip(f"{caption} falls", ["mug"]), ["id1"], own) == parse_caption(caption).text + " falls"
    assert prompt_of(clip(caption, ["mug"]), ["id1"], "</id1> broken") == parse_caption(caption).text


def test_thousands_of_odd_prompts_are_bound_or_refused_and_read_the_same_again():
    draw = random.Random(8)
    read = 0
    for _ in range(2000):
        prompt = "".join(draw.choices((*FRAGMENTS, *("target", " target ", "[TGT]", "[TGT] ", "Target cup") * 3), k=8))
        try:
            found = bind_targets(prompt, where="here")
        except InputError:
            continue
        read += 1
        markup = write_markup(found.caption)
        assert set(found.nouns) == set(found.caption.instance_ids)
        assert prompt_of(clip(markup, []), list(found.nouns), prompt) == prompt
    assert 200 < read < 1800
