"""Reading markup: tags to spans, and the marker words that the sources keep in their text."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

from interplay.core.errors import InputError
from interplay.records.caption.spans import ID_PATTERN, VERB_PATTERN, Caption, Span, is_instance_id
from interplay.records.caption.words import is_spaceless, is_word, must_part, next_word

# What stands for a literal "<" where that would begin a tag.
ESCAPED = "<lt>"
# In this order: a marker; the escape; a marker that went wrong (<id0>, <ID1>, <id 2>, or <id3 left open); another tag.
ANGLE = re.compile(
    rf"<\s*(?P<close>/\s*)?(?P<label>{ID_PATTERN}|{VERB_PATTERN})\s*>"
    rf"|(?P<escape>{ESCAPED})"
    r"|(?P<slip>(?i:<\s*(?:/\s*)?(?:id|verb)[\s_-]*(?:[0-9]+\s*)?>|</?(?:id[0-9]+|verb[0-9]*)\b))"
    r"|(?P<tag></?[A-Za-z][A-Za-z0-9_]*/?>)"
)
_WHITE = re.compile(r"\s+")
# Half of a surrogate pair: JSON can spell it ("\ud83d"), UTF-8 and every tokenizer cannot.
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_CURE = "write a marker (<id1>, <id2>, <verb>, ...) before a word, or around words as <id1> ... </id1>"

Piece = tuple[Literal["text", "open", "close"], str]


def parse_caption(markup: str, *, where: str = "caption") -> Caption:
    """The plain text and the spans of a caption in markup; :class:`InputError` about ``where`` when malformed."""
    builder = _Builder(where)
    for kind, content in _pieces(markup, where):
        if kind == "text":
            builder.add_text(content)
        elif kind == "open":
            builder.open(content)
        else:
            builder.close(content)
    return builder.finish()


def marked_text(markup: str, *, where: str = "caption", bound: Literal["markers", "words"] = "markers") -> Caption:
    """The caption with an ``<idK>`` marker as a word directly before each bound noun.

    Spans are over those markers (the sources' second way of binding, with marker tokens in place of noun tokens), or
    over the words as in :func:`parse_caption`, with markers merely shown. Verbs keep spans over their words in both,
    since the sources have no marker for them.
    """
    plain = parse_caption(markup, where=where)
    parts, places, totals, markers = [], [], [0], []
    cursor = length = 0
    for span in plain.spans:
        if not is_instance_id(span.label):
            continue
        before = plain.text[cursor : span.start]
        length += len(before)
        parted = not before or not is_word(before[-1])
        marker = f"<{span.label}> " if parted else f" <{span.label}> "
        parts += [before, marker]
        length += len(marker)
        markers.append(Span(span.label, length - len(span.label) - 3, length - 1))
        places.append(span.start)
        totals.append(totals[-1] + len(marker))
        cursor = span.start

    def moved(span: Span) -> Span:
        start = span.start + totals[bisect_right(places, span.start)]
        return Span(span.label, start, span.end + totals[bisect_left(places, span.end)])

    words = [moved(span) for span in plain.spans if bound == "words" or not is_instance_id(span.label)]
    spans = words if bound == "words" else markers + words
    return Caption("".join(parts) + plain.text[cursor:], _ordered(spans))


def _ordered(spans: Sequence[Span]) -> tuple[Span, ...]:
    return tuple(sorted(dict.fromkeys(spans), key=lambda span: (span.start, span.end, span.label)))


def _pieces(markup: str, where: str) -> Iterator[Piece]:
    """Texts and tags in their order; the errors that need no more than one tag to be seen."""
    if _HALF_PAIR.search(markup):
        raise InputError("holds half of a surrogate pair", where=where, cure="save the text as UTF-8 anew")
    cursor = 0
    for angle in ANGLE.finditer(markup):
        yield "text", markup[cursor : angle.start()]
        cursor = angle.end()
        if angle["label"]:
            yield ("close" if angle["close"] else "open"), angle["label"]
        elif angle["escape"]:
            yield "text", "<"
        elif angle["slip"]:
            raise InputError(f"the marker {angle.group()} is not known", where=where, cure=_CURE)
        else:
            cure = f"{_CURE}; for the literal text write {ESCAPED}{angle.group()[1:]}"
            raise InputError(f"the tag {angle.group()} is not known", where=where, cure=cure)
    yield "text", markup[cursor:]


class _Builder:
    """Grows the plain text piece by piece. ``bounds`` are the open and closed bindings, ``edges`` where tags stood.

    The text is a list of parts, none of them empty, so that a long caption takes time in proportion to its length.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.parts: list[str] = []
        self.length = 0
        self.after_tag = self.eat_space = False
        self.bounds: list[tuple[str, int, int | None]] = []
        self.open_bounds: dict[str, list[int]] = {}
        self.edges: list[int] = []

    @property
    def last(self) -> str:
        return self.parts[-1][-1] if self.parts else ""

    def add_text(self, chunk: str) -> None:
        chunk = _WHITE.sub(" ", chunk)
        if self.eat_space or self.last in ("", " "):
            chunk = chunk.lstrip(" ")
        if not chunk:
            return
        if self.after_tag and self.last and must_part(self.last, chunk[0]):
            chunk = " " + chunk
        self.parts.append(chunk)
        self.length += len(chunk)
        self.after_tag = self.eat_space = False

    def open(self, label: str) -> None:
        self.open_bounds.setdefault(label, []).append(len(self.bounds))
        self.bounds.append((label, self.length, None))
        self.edges.append(self.length)
        self.after_tag = self.eat_space = True

    def close(self, label: str) -> None:
        if not self.open_bounds.get(label):
            raise InputError(f"the closing tag </{label}> has no <{label}> before it", where=self.where, cure=_CURE)
        self._drop_last_space()
        index = self.open_bounds[label].pop()
        self.bounds[index] = (label, self.bounds[index][1], self.length)
        self.edges.append(self.length)
        self.after_tag, self.eat_space = True, False

    def finish(self) -> Caption:
        self._drop_last_space()
        text = "".join(self.parts)
        words = _words(text, self.edges)
        spans = [self._next_word(text, words, *bound[:2]) for bound in self.bounds if bound[2] is None]
        spans += [self._words_between(text, label, start, end) for label, start, end in self.bounds if end is not None]
        return Caption(text, _ordered(spans))

    def _drop_last_space(self) -> None:
        if self.last != " ":
            return
        self.parts[-1] = self.parts[-1][:-1]
        self.length -= 1
        if not self.parts[-1]:
            self.parts.pop()
        # Tags that opened behind that space stand before it now.
        for index in range(len(self.bounds) - 1, -1, -1):
            label, start, end = self.bounds[index]
            if start <= self.length:
                break
            self.bounds[index] = (label, self.length, end)
        while self.edges and self.edges[-1] > self.length:
            self.edges.pop()

    def _words_between(self, text: str, label: str, start: int, end: int) -> Span:
        bound = text[start:end]
        if not bound.strip():
            raise InputError(f"the marker <{label}> binds no words", where=self.where, cure=_CURE)
        return Span(label, start + len(bound) - len(bound.lstrip()), start + len(bound.rstrip()))

    def _next_word(self, text: str, words: Sequence[tuple[int, int]], label: str, start: int) -> Span:
        index = bisect_left(words, (start, start))
        if index == len(words):
            raise InputError(f"the marker <{label}> has no word after it", where=self.where, cure=_CURE)
        first, end = words[index]
        if is_spaceless(text[first:end]):
            problem = f"the marker <{label}> stands before {text[first:end]!r}, whose script has no spaces"
            raise InputError(problem, where=self.where, cure=f"close it: <{label}> ... </{label}>")
        return Span(label, first, end)


def _words(text: str, edges: Sequence[int]) -> list[tuple[int, int]]:
    """Bounds of every word of the text; ``edges``, where tags stood, part words as well."""
    words: list[tuple[int, int]] = []
    word = next_word(text, 0)
    while word is not None:
        cuts = edges[bisect_right(edges, word[0]) : bisect_left(edges, word[1])]
        for start, end in pairwise([word[0], *cuts, word[1]]):
            part = text[start:end]
            if part.strip("-"):
                words.append((start + len(part) - len(part.lstrip("-")), start + len(part.rstrip("-"))))
        word = next_word(text, word[1])
    return words
