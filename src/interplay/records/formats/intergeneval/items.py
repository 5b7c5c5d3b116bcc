"""One item of InterGenEval as it speaks in JSON: prompt, objects, kind of interaction, questions.

- ``objects`` become the instances, the K-th of them ``idK``: that is how masks and tracks are called and how the
  official overlay picks its colours. Without them, ``entity`` and ``appearance`` of the item's eval_meta do.
- **Interactions** are made only where a ``key_interaction`` names both sides itself, as ``<id1> hands over to <id2>``;
  they take the item's type and direction along. A free sentence names nobody by id, and nobody guesses here: then
  type and direction stay in ``extra`` with everything else that the item says.
- ``interplay``, a key of our own in the item, holds what the layout has no place for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.records.caption import (
    Caption,
    Span,
    foreign_markup,
    is_instance_id,
    is_label,
    marked_text,
    parse_caption,
    write_markup,
)
from interplay.records.clip import Instance, Interaction
from interplay.records.formats.base import Note

FORMAT = "intergeneval"
OWN_KEY = "interplay"
QUESTIONS_PER_INTERACTION = 10
_TRIPLET = re.compile(r"<(id[1-9][0-9]{0,8})>\s*([^<>]*[^<>\s.])\s*<(id[1-9][0-9]{0,8})>\s*\.?")
_DIRECTIONS: Mapping[str, Literal["unidirectional", "bidirectional"]] = {
    "unidirectional": "unidirectional",
    "bidirectional": "bidirectional",
}

Ranges = tuple[tuple[int, int], ...]


class Beside(Config):
    """What an item has no place for: the clip's id, its caption in our markup, ids other than ``id1``, ..., and gaps.

    ``gaps`` are ranges ``[first, last + 1]`` of frames whose mask is unknown; their pictures are empty.
    """

    clip_id: str | None = None
    caption: str | None = None
    ids: tuple[str, ...] | None = None
    gaps: dict[str, Ranges] = Field(default_factory=dict)

    @field_validator("ids")
    @classmethod
    def _are_ids(cls, ids: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if ids is not None and not all(is_label(name) and is_instance_id(name) for name in ids):
            raise ValueError("ids are id1, id2, ...")
        return ids

    def unknown(self, instance_id: str, num_frames: int) -> set[int]:
        """The gaps of one track, frame by frame."""
        ranges = self.gaps.get(instance_id, ())
        return {frame for first, stop in ranges for frame in range(max(0, first), min(stop, num_frames))}


@dataclass(frozen=True)
class Said:
    """What the JSON files say about an item, as they say it, and where. ``meta`` is without our own key."""

    where: str
    meta: Mapping[str, Any]
    beside: Beside
    eval_meta: Any = None
    questions: Any = None

    def extra(self) -> dict[str, Any]:
        """All of it, to be written back."""
        named = {"meta": dict(self.meta), "eval_meta": self.eval_meta, "questions": self.questions}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True)
class Labels:
    """What an item says, in the terms of a clip. ``ids`` are those of its objects, in their order."""

    caption: str
    ids: tuple[str, ...]
    instances: tuple[Instance, ...]
    interactions: tuple[Interaction, ...]
    notes: tuple[Note, ...]


def said(raw: Any, eval_meta: Any, questions: Any, *, where: str) -> Said:
    """An item and what belongs to it; :class:`InputError` when the item is no object or our own key is damaged."""
    if not isinstance(raw, dict):
        raise InputError("is no object", where=where, cure='write {"video_text_prompt": ..., "objects": [...]}')
    try:
        beside = Beside.model_validate(raw.get(OWN_KEY, {}))
    except ValidationError as error:
        told = error.errors(include_url=False)[0]
        place = f"{where}, field {'.'.join(map(str, (OWN_KEY, *told['loc'])))}"
        raise InputError(told["msg"], where=place, cure=f"correct it or remove {OWN_KEY}") from error
    return Said(where, {key: value for key, value in raw.items() if key != OWN_KEY}, beside, eval_meta, questions)


def labels_of(item: Said) -> Labels:
    """Caption, instances and interactions; :class:`InputError` about the first field that is of a wrong type."""
    for key in ("image_text_prompt", "interaction_direction", "interaction_type"):
        text_of(item.meta, key, item.where)
    ids, instances, notes = _instances(item)
    caption, told = _caption(item, ids)
    notes += told
    known = {instance.id for instance in instances}
    spare = [label for label in parse_caption(caption).instance_ids if label not in known]
    if spare:
        notes.append(Note(item.where, f"no object is given for {', '.join(spare)}", "the caption's words name them"))
    instances += [Instance(label, parse_caption(caption).words(label)[0]) for label in spare]
    interactions, told = _interactions(item, [instance.id for instance in instances])
    return Labels(caption, ids, tuple(instances), interactions, (*notes, *told))


def official_prompt(caption: Caption, ids: Sequence[str]) -> str:
    """The caption in the official way: ``<idK>`` before the noun of the K-th object, and no other markup."""
    numbers = {name: f"id{number}" for number, name in enumerate(ids, 1)}
    spans = [Span(numbers.get(span.label, span.label), span.start, span.end) for span in caption.spans]
    return marked_text(write_markup(Caption(caption.text, tuple(spans)))).text


def text_of(raw: Mapping[str, Any], key: str, where: str, *, required: bool = False) -> str:
    """A text field; empty when it is absent or ``null``, unless it is ``required``."""
    value = raw.get(key)
    if not isinstance(value, str | None):
        raise InputError(f"is {_shown(value)}, not text", where=f"{where}, field {key}", cure="write it as text")
    if required and not (value or "").strip():
        raise InputError("is missing or empty", where=f"{where}, field {key}", cure="write the prompt of the video")
    return value or ""


# --- parts -----------------------------------------------------------------------------------------------------------


def _caption(item: Said, ids: Sequence[str]) -> tuple[str, list[Note]]:
    """The prompt as markup: our own as long as it says the same, else what the prompt says."""
    prompt = text_of(item.meta, "video_text_prompt", item.where, required=True)
    own, notes = item.beside.caption, []
    if own is not None:
        if official_prompt(parse_caption(own, where=f"{item.where}, field {OWN_KEY}.caption"), ids) == prompt:
            return own, []
        notes.append(Note(item.where, "the prompt is not the one that our own caption belongs to", "it was taken"))
    return foreign_markup(prompt, where=f"{item.where}, field video_text_prompt"), notes


def _instances(item: Said) -> tuple[tuple[str, ...], list[Instance], list[Note]]:
    objects = list(_objects(item))
    described = list(_entities(item))
    notes = []
    if not objects:
        objects = described
    elif described and [noun for noun, _ in described] != [noun for noun, _ in objects]:
        notes.append(Note(item.where, "objects and the eval_meta's entity name other things", "objects were taken"))
    count = item.meta.get("num_objects")
    if count is not None and count != len(objects):
        notes.append(Note(item.where, f"num_objects is {_shown(count)}, of {len(objects)} objects", "not used"))
    ids = item.beside.ids or ()
    if len(ids) != len(objects) or len(set(ids)) != len(ids):
        ids = tuple(f"id{number}" for number, _ in enumerate(objects, 1))
    return ids, [Instance(name, *words) for name, words in zip(ids, objects, strict=True)], notes


def _objects(item: Said) -> Iterator[tuple[str, str]]:
    for number, entry in enumerate(_list(item.meta, "objects", item.where), 1):
        where = f"{item.where}, field objects, object {number}"
        if not isinstance(entry, dict) or entry.get("class") is None:
            raise InputError("has no class", where=where, cure='write {"class": "man", "appearance": "in a red shirt"}')
        yield text_of(entry, "class", where), text_of(entry, "appearance", where)


def _entities(item: Said) -> Iterator[tuple[str, str]]:
    if item.eval_meta is None:
        return
    where = f"{item.where}, its eval_meta"
    if not isinstance(item.eval_meta, dict):
        raise InputError("is no object", where=where, cure='write {"entity": [...], "appearance": [...]}')
    text_of(item.eval_meta, "prompt", where)
    entities, looks = (_texts(item.eval_meta, key, where) for key in ("entity", "appearance"))
    _texts(item.eval_meta, "colors", where)
    for number, entity in enumerate(entities):
        yield entity, looks[number] if number < len(looks) else ""


def _interactions(item: Said, known: Sequence[str]) -> tuple[tuple[Interaction, ...], list[Note]]:
    found, notes = [], []
    if item.questions is not None and not any(True for _ in _asked(item)):
        notes.append(
            Note(f"{item.where}, its questions", "there are none, their generation has failed", "none are kept")
        )
    kind = text_of(item.meta, "interaction_type", item.where) or None
    direction = _DIRECTIONS.get(text_of(item.meta, "interaction_direction", item.where).strip().lower())
    for sentence, number in _asked(item):
        if number != QUESTIONS_PER_INTERACTION:
            told = f"{number} questions are asked about {sentence!r}, not {QUESTIONS_PER_INTERACTION}"
            notes.append(Note(f"{item.where}, its questions", told, "they are kept as they are"))
        triplet = _TRIPLET.fullmatch(sentence.strip())
        if triplet is not None and {triplet[1], triplet[3]} <= set(known):
            found.append(Interaction(triplet[1], triplet[2], triplet[3], category=kind, direction=direction))
    return tuple(found), notes


def _asked(item: Said) -> Iterator[tuple[str, int]]:
    """Every key interaction, and how many questions are asked about it."""
    if item.questions is None:
        return
    where = f"{item.where}, its questions"
    asked = (
        item.questions if isinstance(item.questions, list) else _list(_mapping(item.questions, where), "items", where)
    )
    for entry in asked:
        questions = _list(_mapping(entry, where), "questions", where)
        yield text_of(_mapping(entry, where), "key_interaction", where), len(questions)


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        cure = 'write {"items": [{"key_interaction": ..., "questions": [...]}]}'
        raise InputError(f"{_shown(value)} is no object", where=where, cure=cure)
    return value


def _list(raw: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = raw.get(key)
    if not isinstance(value, list | None):
        raise InputError(f"is {_shown(value)}, not a list", where=f"{where}, field {key}", cure="write a list")
    return value or []


def _texts(raw: Mapping[str, Any], key: str, where: str) -> list[str]:
    values: Iterable[Any] = _list(raw, key, where)
    for value in values:
        if not isinstance(value, str):
            raise InputError(f"holds {_shown(value)}", where=f"{where}, field {key}", cure="write a list of texts")
    return list(values)


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
