"""A caption in markup as pieces of plain text, each with the label that it is bound to."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from interplay.core.errors import InputError
from interplay.records.caption import parse_caption


@dataclass(frozen=True)
class Piece:
    """A run of characters; ``label`` is the instance id or verb label that it is bound to, "" for none."""

    text: str
    label: str = ""


def pieces(markup: str) -> tuple[Piece, ...]:
    """The caption cut where its bindings begin and end; in nested ones the inner binding counts.

    Text that is no valid markup is shown as it stands.
    """
    try:
        caption = parse_caption(markup)
    except InputError:
        return (Piece(markup),)
    cuts = sorted({0, len(caption.text), *(edge for span in caption.spans for edge in (span.start, span.end))})
    found = []
    for start, end in pairwise(cuts):
        around = [span for span in caption.spans if span.start <= start and end <= span.end]
        inner = min(around, key=lambda span: span.end - span.start, default=None)
        found.append(Piece(caption.text[start:end], "" if inner is None else inner.label))
    return tuple(found)
