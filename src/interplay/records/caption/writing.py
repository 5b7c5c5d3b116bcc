"""Writing markup: the inverse of reading it, and captions that come from, or go to, files that know less of it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence

from interplay.core.errors import InputError
from interplay.records.caption.markup import ANGLE, ESCAPED, parse_caption
from interplay.records.caption.spans import Caption, Span
from interplay.records.caption.words import is_spaceless, next_word


def write_markup(caption: Caption, *, where: str = "caption") -> str:
    """The markup that parses into ``caption``: ``parse_caption(write_markup(c)) == c``.

    A span of one whole word gets a marker before it, as in the official captions; any other gets a closing tag as
    well. Raises :class:`InputError` for a caption that no markup means: white space that is not a single space between
    words, and spans that are empty, of an unknown label, bounded by white space or the inside of a word, or that
    cross another span of their own label.
    """
    opening, closing = defaultdict(list), defaultdict(list)
    for span in sorted(caption.spans, key=lambda span: -span.end):  # of one label, the outer tag opens first
        opening[span.start].append(f"<{span.label}> ")
    for span in _closed(caption):
        closing[span.end].append(f" </{span.label}>")
    parts, cursor = [], 0
    for place in sorted({*opening, *closing}):
        parts += [_escaped(caption.text[cursor:place]), *closing[place], *opening[place]]
        cursor = place
    markup = "".join(parts) + _escaped(caption.text[cursor:])
    _check_same(caption, markup, where)
    return markup


def foreign_markup(text: str, *, where: str) -> str:
    """Markup for a caption that somebody else wrote: its ``<idK>`` and ``<verb>`` markers bind, all else is text.

    :func:`parse_caption` is strict, because a caption of our own with ``<man>`` in it is a mistake. Elsewhere ``<b>``
    or ``<eos>`` may well be text, so it is escaped here, and everything else stays as it is, character by character.
    What was meant as a marker and is none (``<id0>``, ``<ID1>``, a lone ``</id1>``) is an :class:`InputError`: kept as
    text it would be an instance that silently has no word.
    """
    markup = ANGLE.sub(lambda angle: _literal(angle.group()) if angle["escape"] or angle["tag"] else angle[0], text)
    parse_caption(markup, where=where)
    return markup


def to_foreign(markup: str, *, where: str) -> str:
    """The inverse of :func:`foreign_markup`; :class:`InputError` when text of ours would be a marker over there."""
    text = markup.replace(ESCAPED, "<")
    try:
        same = parse_caption(foreign_markup(text, where=where)) == parse_caption(markup, where=where)
    except InputError:
        same = False
    if not same:
        problem = "holds literal text that a reader of other formats takes for a marker"
        raise InputError(problem, where=where, cure=f"write the caption without {ESCAPED} before id or verb")
    return text


def _literal(tag: str) -> str:
    return ESCAPED + tag[1:]


def _escaped(text: str) -> str:
    return ANGLE.sub(lambda angle: _literal(angle.group()), text)


def _closed(caption: Caption) -> Iterator[Span]:
    """The spans that need a closing tag: all but whole words with no tag inside, and none of their label around."""
    places = sorted({place for span in caption.spans for place in (span.start, span.end)})
    overlapping = _overlapping(caption.spans)
    for span in caption.spans:
        whole = next_word(caption.text, span.start) == (span.start, span.end)
        parted = bisect_right(places, span.start) < bisect_left(places, span.end)
        if not whole or parted or span in overlapping or is_spaceless(caption.text[span.start : span.end]):
            yield span


def _overlapping(spans: Sequence[Span]) -> set[Span]:
    """The spans that share characters with another span of their label."""
    found: set[Span] = set()
    furthest: dict[str, Span] = {}
    for span in sorted(spans, key=lambda span: span.start):
        before = furthest.setdefault(span.label, span)
        if before != span and span.start < before.end:
            found |= {before, span}
        if span.end > before.end:
            furthest[span.label] = span
    return found


def _check_same(caption: Caption, markup: str, where: str) -> None:
    try:
        read = parse_caption(markup, where=where)
    except InputError:
        read = None
    if read is None or read.text != caption.text or sorted(read.spans, key=_key) != sorted(caption.spans, key=_key):
        cure = "put one space between words, and let spans begin and end with whole words"
        raise InputError(f"no markup means these spans: {_told(caption)}", where=where, cure=cure)


def _key(span: Span) -> tuple[int, int, str]:
    return (span.start, span.end, span.label)


def _told(caption: Caption) -> str:
    told = [f"{span.label} = {caption.text[span.start : span.end]!r}" for span in caption.spans]
    return ", ".join(told) or repr(caption.text)
