"""What an item's JSON says: caption, instances, interactions, and what is wrong with it."""

import random

import pytest

from intergeneval_fixtures import EVAL_META, ITEM, QUESTIONS, spoilt
from interplay.core.errors import InputError
from interplay.records.caption import parse_caption
from interplay.records.clip import Instance, Interaction
from interplay.records.formats.intergeneval.items import labels_of, official_prompt, said


def item(eval_meta=None, questions=None, drop=(), **changes):
    raw = {key: value for key, value in (ITEM | changes).items() if key not in drop}
    return said(raw, eval_meta, questions, where="meta.json, item 000")


def test_objects_become_the_instances_and_the_prompt_the_caption():
    labels = labels_of(item(EVAL_META))
    assert labels.caption == ITEM["video_text_prompt"]
    assert labels.instances == (Instance("id1", "man", "in a red shirt"), Instance("id2", "woman", "with a hat"))
    assert (labels.ids, labels.interactions, labels.notes) == (("id1", "id2"), (), ())


def test_without_objects_the_entities_are_the_instances():
    labels = labels_of(item(EVAL_META, drop=("objects", "num_objects")))
    assert [instance.noun for instance in labels.instances] == ["man", "woman"]
    assert labels.instances[0].appearance == "in a red shirt"
    bare = labels_of(item({"entity": ["man", "woman"]}, drop=("objects", "num_objects")))
    assert [instance.appearance for instance in bare.instances] == ["", ""]


def test_an_interaction_needs_both_sides_named_by_id():
    (made,) = labels_of(item(questions=QUESTIONS)).interactions
    assert made == Interaction("id1", "hands a cup to", "id2", category="contact", direction="unidirectional")


@pytest.mark.parametrize(
    "sentence",
    ["man hands a cup to woman", "<id1> waves", "<id1> hands <id3> to <id2>", "<id1> <id2>", "<id1> hugs <id7>", ""],
)
def test_no_subject_or_verb_is_invented(sentence):
    questions = [{"key_interaction": sentence, "questions": ["?"] * 10}]
    assert labels_of(item(questions=questions)).interactions == ()


@pytest.mark.parametrize(("direction", "read"), [("Bidirectional", "bidirectional"), ("both ways", None), (None, None)])
def test_a_direction_that_is_none_of_the_two_is_not_taken(direction, read):
    (made,) = labels_of(item(questions=QUESTIONS, interaction_direction=direction)).interactions
    assert made.direction == read


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"num_objects": 3}, "num_objects is 3, of 2 objects"),
        ({"eval_meta": EVAL_META | {"entity": ["man", "dog"]}}, "objects and the eval_meta's entity name other things"),
        ({"questions": [{"key_interaction": "x", "questions": ["?"]}]}, "1 questions are asked about 'x', not 10"),
        ({"questions": {"items": []}}, "there are none, their generation has failed"),
        ({"video_text_prompt": "a <id1> man and a <id5> dog"}, "no object is given for id5"),
    ],
)
def test_oddities_are_noted(changes, told):
    assert told in [note.problem for note in labels_of(item(**changes)).notes]


def test_a_marker_without_an_object_names_its_instance_itself():
    labels = labels_of(item(video_text_prompt="a <id1> man and a <id5> dog"))
    assert labels.instances[2] == Instance("id5", "dog")


def test_what_looks_like_markup_elsewhere_is_text_in_a_prompt():
    caption = parse_caption(labels_of(item(video_text_prompt="a <b>man</b>, x < 3")).caption)
    assert (caption.text, caption.spans) == ("a <b>man</b>, x < 3", ())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"video_text_prompt": None}, "video_text_prompt"),
        ({"video_text_prompt": "  "}, "video_text_prompt"),
        ({"video_text_prompt": ["x"]}, "video_text_prompt"),
        ({"video_text_prompt": "a <id0> man"}, "video_text_prompt"),
        ({"image_text_prompt": 3}, "image_text_prompt"),
        ({"objects": "man"}, "objects"),
        ({"objects": ["man"]}, "objects, object 1"),
        ({"objects": [{"appearance": "red"}]}, "objects, object 1"),
        ({"objects": [{"class": "man", "appearance": 1}]}, "appearance"),
        ({"eval_meta": [1]}, "eval_meta"),
        ({"eval_meta": {"entity": [1]}}, "entity"),
        ({"eval_meta": {"colors": "red"}}, "colors"),
        ({"questions": "why?"}, "questions"),
        ({"questions": {"items": 3}}, "items"),
        ({"questions": [{"key_interaction": 1, "questions": []}]}, "key_interaction"),
        ({"questions": ["why?"]}, "questions"),
        ({"interplay": {"clip": 1}}, "interplay"),
        ({"interplay": {"ids": ["../id1", "id2"]}}, "interplay"),
        ({"interplay": {"gaps": {"id1": [[0]]}}}, "interplay"),
        ({"interplay": 5}, "interplay"),
        ({"interplay": {"caption": "a <dog>"}}, "interplay"),
    ],
)
def test_a_wrong_type_names_its_field(changes, field):
    with pytest.raises(InputError) as error:
        labels_of(item(**changes))
    assert error.value.where.startswith("meta.json, item 000")
    assert field in error.value.where


def test_an_item_that_is_no_object_is_refused():
    with pytest.raises(InputError, match="is no object"):
        said(["x"], None, None, where="here")


def test_the_official_prompt_numbers_markers_by_object():
    caption = parse_caption("a <id3> red ball </id3> <verb> hits a <id1> man")
    assert official_prompt(caption, ("id1", "id3")) == "a <id2> red ball hits a <id1> man"


def test_our_own_caption_is_taken_while_the_prompt_still_belongs_to_it():
    own = {"caption": "a <id4> man <verb> hands </verb> a cup to a <id2> woman </id2>.", "ids": ["id4", "id2"]}
    prompt = "a <id1> man hands a cup to a <id2> woman."
    labels = labels_of(item(video_text_prompt=prompt, interplay=own))
    assert (labels.caption, labels.ids) == (own["caption"], ("id4", "id2"))
    changed = labels_of(item(video_text_prompt="a <id1> dog", interplay=own))
    assert changed.caption == "a <id1> dog"
    assert "our own caption" in changed.notes[0].problem


def test_hundreds_of_wrong_types_are_labels_or_one_sentence():
    draw = random.Random(5)
    own = {"clip_id": "x", "caption": ITEM["video_text_prompt"], "ids": ["id1", "id2"], "gaps": {"id1": [[1, 2]]}}
    read = 0
    for _ in range(600):
        parts = spoilt([ITEM | {"interplay": own}, EVAL_META, QUESTIONS], draw)
        if not isinstance(parts, list) or len(parts) != 3:
            continue
        try:
            labels = labels_of(said(*parts, where="here"))
        except InputError as error:
            place = error.where
        else:
            read += 1
            place = "here"
            assert all(instance.id in str(labels.instances) for instance in labels.instances)
        assert place.startswith("here")
    assert 60 < read < 540
