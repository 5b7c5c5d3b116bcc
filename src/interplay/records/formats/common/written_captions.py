"""Captions in layouts whose captions are somebody else's plain text: what they imply, and how they are written."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from interplay.core.errors import InputError
from interplay.records.caption import Caption, foreign_markup, parse_caption, to_foreign
from interplay.records.clip import Instance

CaptionStyle = Literal["plain", "markup"]


def caption_cell(markup: str, cell: object, style: CaptionStyle) -> tuple[str, tuple[str, ...]]:
    """The text for ``markup``, and what of it is lost: the clip's own ``cell`` while it still says the same.

    Else the text is written anew, with its markers (``markup``) or without (``plain``).
    """
    if isinstance(cell, str) and _read(cell.strip()) == markup:
        return cell, ()
    return written_caption(markup, style)


def written_caption(markup: str, style: CaptionStyle) -> tuple[str, tuple[str, ...]]:
    """The text for ``markup``, with its markers (``markup``) or without (``plain``), and what of it is lost."""
    caption = parse_caption(markup)
    if style == "markup" or not caption.spans:
        try:
            return to_foreign(markup, where="caption"), ()
        except InputError as error:
            return caption.text, (f"the caption {error.problem}",)
    lost = [f"the caption's markers {', '.join(caption.labels)}: not kept"]
    read = _read(caption.text)
    if read is None or parse_caption(read) != Caption(caption.text):
        lost.append("the caption's literal angle brackets: a reader takes them for markers")
    return caption.text, tuple(lost)


def _read(text: str) -> str | None:
    """The markup that a reader of foreign captions makes of ``text``; ``None`` when it refuses it."""
    try:
        return foreign_markup(text, where="caption")
    except InputError:
        return None


def instances_of(caption: str, known: Collection[Instance] = ()) -> tuple[Instance, ...]:
    """The ``known`` instances and those that markers in the caption name, by number; the caption's nouns win."""
    parsed = parse_caption(caption)
    named = {instance.id: instance for instance in known}
    named |= {label: Instance(label, parsed.words(label)[0]) for label in parsed.instance_ids}
    return tuple(named[label] for label in sorted(named, key=lambda label: int(label.removeprefix("id"))))


def implied_instances(text: str, known: Collection[Instance] = ()) -> dict[str, Instance]:
    """The instances that a reader of a written caption comes to know, by id."""
    markup = _read(text.strip())
    return {instance.id: instance for instance in instances_of("" if markup is None else markup, known)}
