"""Captions that carry their binding: which words name which instance, and which word is the verb.

``a <id1> man <verb> pushes the <id2> green ball </id2>`` is a caption in markup. A marker (``<idK>``, ``<verb>``,
``<verbK>``) binds the next word, or everything up to its closing tag where there is one. Parsed, it is plain text plus
character spans; :func:`token_spans` turns these into token positions through the tokenizer's own offsets, so a word
that splits into several pieces, or two words that look alike, cannot be confused.

White space: an opening tag disappears together with the white space behind it, a closing tag with the white space
before it, and runs of white space become one space. Where a tag was all that parted two words, a space is put.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from interplay.core.errors import InputError

_TAG = re.compile(r"<\s*(/?)\s*([A-Za-z][A-Za-z0-9_]*)\s*>")
_LABEL = re.compile(r"id[1-9][0-9]*|verb[0-9]*")
_WORD = re.compile(r"\w+(?:-\w+)*")
_CURE = "write a marker (<id1>, <id2>, <verb>, ...) before a word, or around words as <id1> ... </id1>"


@dataclass(frozen=True)
class Span:
    """Characters ``start:end`` of a plain text, and the label (``id1``, ``verb``, ``verb2``) they are bound to."""

    label: str
    start: int
    end: int


@dataclass(frozen=True)
class Caption:
    """Plain text and its bound spans, in order of their start. A label may occur several times."""

    text: str
    spans: tuple[Span, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label once, in order of first appearance."""
        return tuple(dict.fromkeys(span.label for span in self.spans))

    @property
    def instance_ids(self) -> tuple[str, ...]:
        """The labels that name instances."""
        return tuple(label for label in self.labels if is_instance_id(label))

    @property
    def verb_labels(self) -> tuple[str, ...]:
        """The labels that name verbs."""
        return tuple(label for label in self.labels if not is_instance_id(label))

    def words(self, label: str) -> tuple[str, ...]:
        """The texts that are bound to ``label``, one per occurrence."""
        return tuple(self.text[span.start : span.end] for span in self.spans if span.label == label)


@dataclass(frozen=True)
class TokenSpans:
    """Token positions of every label, ascending; ``lost`` lists the labels that lost tokens to the length limit."""

    tokens: Mapping[str, tuple[int, ...]]
    lost: tuple[str, ...] = ()


def is_instance_id(label: str) -> bool:
    """Whether a label names an instance (``id1``) and not a verb."""
    return label.startswith("id")


def parse_caption(markup: str, *, where: str = "caption") -> Caption:
    """The plain text and the spans of a caption in markup; :class:`InputError` about ``where`` when malformed."""
    return _parse(markup, where, keep_markers=False)


def marked_text(markup: str, *, where: str = "caption") -> Caption:
    """The caption with its ``<idK>`` markers kept as words before their nouns, and spans over those marker words.

    This is the sources' second way of binding, with marker tokens in place of noun tokens. Closing tags and verb
    markers disappear; verbs keep spans over their words, since the sources have no marker for them.
    """
    return _parse(markup, where, keep_markers=True)


class _Builder:
    """Grows the plain text tag by tag; ``bounds`` are the open and closed bindings, in order of opening."""

    def __init__(self, where: str, keep_markers: bool) -> None:
        self.where = where
        self.keep_markers = keep_markers
        self.text = ""
        self.after_tag = False
        self.eat_space = False
        self.bounds: list[tuple[str, int, int | None]] = []

    def add_text(self, chunk: str) -> None:
        chunk = re.sub(r"\s+", " ", chunk)
        if self.eat_space or not self.text or self.text.endswith(" "):
            chunk = chunk.lstrip(" ")
        if not chunk:
            return
        if self.after_tag and self.text and _is_word(self.text[-1]) and _is_word(chunk[0]):
            self.text += " "
        self.text += chunk
        self.after_tag = self.eat_space = False

    def open(self, label: str) -> None:
        if self.keep_markers and is_instance_id(label):
            self.add_text(f" <{label}>" if self.text and _is_word(self.text[-1]) else f"<{label}>")
            self.bounds.append((label, len(self.text) - len(label) - 2, len(self.text)))
            self.text += " "
        else:
            self.bounds.append((label, len(self.text), None))
        self.after_tag = self.eat_space = True

    def close(self, label: str) -> None:
        self.text = self.text.rstrip(" ")
        self.after_tag, self.eat_space = True, False
        if self.keep_markers and is_instance_id(label):
            return
        for index in reversed(range(len(self.bounds))):
            if self.bounds[index][0] == label and self.bounds[index][2] is None:
                self.bounds[index] = (label, self.bounds[index][1], len(self.text))
                return
        raise InputError(f"the closing tag </{label}> has no <{label}> before it", where=self.where, cure=_CURE)

    def finish(self) -> Caption:
        text = self.text.rstrip(" ")
        spans = [self._span(text, *bound) for bound in self.bounds]
        return Caption(text, tuple(sorted(spans, key=lambda span: (span.start, span.end))))

    def _span(self, text: str, label: str, start: int, end: int | None) -> Span:
        if end is None:
            word = _WORD.search(text, start)
            if word is None:
                raise InputError(f"the marker <{label}> has no word after it", where=self.where, cure=_CURE)
            return Span(label, *word.span())
        bound = text[start:end]
        if not bound.strip():
            raise InputError(f"the marker <{label}> binds no words", where=self.where, cure=_CURE)
        return Span(label, start + len(bound) - len(bound.lstrip()), start + len(bound.rstrip()))


def _parse(markup: str, where: str, *, keep_markers: bool) -> Caption:
    if keep_markers:
        _parse(markup, where, keep_markers=False)  # the same markup is malformed in both ways of reading it
    builder = _Builder(where, keep_markers)
    cursor = 0
    for tag in _TAG.finditer(markup):
        closing, label = tag.groups()
        if not _LABEL.fullmatch(label):
            raise InputError(f"the tag {tag.group()} is not known", where=where, cure=_CURE)
        builder.add_text(markup[cursor : tag.start()])
        builder.close(label) if closing else builder.open(label)
        cursor = tag.end()
    builder.add_text(markup[cursor:])
    return builder.finish()


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


@runtime_checkable
class Tokenizer(Protocol):
    """What is needed of a ``transformers`` fast tokenizer."""

    @property
    def is_fast(self) -> bool:
        """Whether it keeps character offsets."""
        ...

    @property
    def pad_token_id(self) -> int | None:
        """``None`` when it cannot pad."""
        ...

    def __call__(self, text: str, **options: Any) -> Any:
        """Encode one text."""
        ...


def token_spans(caption: Caption, tokenizer: Tokenizer, max_length: int) -> TokenSpans:
    """Positions of every label's tokens in the sequence of ``max_length`` tokens, padding and special tokens counted.

    A token belongs to a span when one of its characters that is not white space lies in it. A label whose spans have
    more tokens without the limit than with it is in ``lost`` and keeps the tokens that remain.
    """
    if not tokenizer.is_fast:
        cure = "load it as a fast tokenizer (AutoTokenizer, with the `tokenizers` package)"
        raise InputError("the tokenizer knows no character offsets", where=type(tokenizer).__name__, cure=cure)
    padding = "max_length" if tokenizer.pad_token_id is not None else False
    kept = _offsets(tokenizer(caption.text, truncation=True, max_length=max_length, padding=padding, **_WITH_OFFSETS))
    whole = _offsets(tokenizer(caption.text, truncation=False, **_WITH_OFFSETS))
    tokens = {label: _positions(caption, label, kept) for label in caption.labels}
    needed = {label: max(1, len(_positions(caption, label, whole))) for label in caption.labels}
    return TokenSpans(tokens, lost=tuple(label for label in caption.labels if len(tokens[label]) < needed[label]))


_WITH_OFFSETS: Mapping[str, Any] = {"return_offsets_mapping": True, "add_special_tokens": True, "verbose": False}


def _offsets(encoding: Any) -> Sequence[tuple[int, int]]:
    return [(int(start), int(end)) for start, end in encoding["offset_mapping"]]


def _positions(caption: Caption, label: str, offsets: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    spans = [span for span in caption.spans if span.label == label]
    return tuple(index for index, token in enumerate(offsets) if _touches(caption.text, token, spans))


def _touches(text: str, token: tuple[int, int], spans: Iterable[Span]) -> bool:
    return any(text[max(token[0], span.start) : min(token[1], span.end)].strip() for span in spans)
