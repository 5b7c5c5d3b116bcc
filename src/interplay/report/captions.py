"""Captions as pieces of text, so that the page can colour who is who and what happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from interplay.core.errors import InputError
from interplay.records.caption import is_instance_id, parse_caption
from interplay.records.clip import Interaction

Role = Literal["plain", "subject", "verb", "object", "recipient", "other"]


@dataclass(frozen=True)
class Piece:
    """A run of characters with one role; ``label`` is the instance id or verb label it is bound to, "" if none."""

    text: str
    role: Role = "plain"
    label: str = ""


def pieces(markup: str, interactions: Sequence[Interaction]) -> tuple[Piece, ...]:
    """A caption in markup, cut at its spans; text that is no valid markup is shown as it stands."""
    try:
        caption = parse_caption(markup)
    except InputError:
        return (Piece(markup),)
    roles = _roles(interactions)
    found: list[Piece] = []
    cursor = 0
    for span in caption.spans:
        if span.start < cursor:
            continue  # inside of a span that is coloured already
        role = roles.get(span.label, "other") if is_instance_id(span.label) else "verb"
        found += [
            Piece(caption.text[cursor : span.start]),
            Piece(caption.text[span.start : span.end], role, span.label),
        ]
        cursor = span.end
    found.append(Piece(caption.text[cursor:]))
    return tuple(piece for piece in found if piece.text)


def _roles(interactions: Sequence[Interaction]) -> Mapping[str, Role]:
    """Each instance's role in the first interaction that names it."""
    roles: dict[str, Role] = {}
    for interaction in interactions:
        named: tuple[tuple[str | None, Role], ...] = (
            (interaction.subject, "subject"),
            (interaction.object, "object"),
            (interaction.recipient, "recipient"),
        )
        for instance_id, role in named:
            if instance_id is not None:
                roles.setdefault(instance_id, role)
    return roles
