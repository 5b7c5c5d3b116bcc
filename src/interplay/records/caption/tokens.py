"""From character spans to token positions, through the tokenizer's own offsets, and what the length limit cuts off.

A word that splits into several pieces, or two words that look alike, cannot be confused this way. White space belongs
to nobody: neither the space at the edge of a token (SentencePiece's "_man" begins one character before the word), nor a
token that is only a space, although T5's and Llama's tokenizers give some of those the offsets of the word behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from interplay.core.errors import InputError
from interplay.records.caption.spans import Caption, Span

# Where the caption goes in a template, as in the prompt templates of diffusers' pipelines.
PLACE = "{}"
_WITH_OFFSETS: Mapping[str, Any] = {"return_offsets_mapping": True, "add_special_tokens": True, "verbose": False}


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

    def decode(self, token_ids: Any) -> Any:
        """The text of some tokens."""
        ...


@dataclass(frozen=True)
class CutSpan:
    """One occurrence of a label that lost tokens: ``kept`` of ``needed`` are left.

    ``needed`` is 0 for a word that the tokenizer makes no token of at all, such as one that its normaliser deletes.
    """

    span: Span
    kept: int
    needed: int

    @property
    def wholly(self) -> bool:
        """Whether nothing is left of it."""
        return self.kept == 0


@dataclass(frozen=True)
class TokenSpans:
    """Token positions of every label, ascending, and the occurrences that the length limit cut.

    ``lost`` lists the labels that lost tokens, be it at one of several mentions; ``lost_wholly`` those that have no
    token left and so no meaning in the text; ``lost_partly`` the others of ``lost``.
    """

    tokens: Mapping[str, tuple[int, ...]]
    cut: tuple[CutSpan, ...] = ()

    @property
    def lost(self) -> tuple[str, ...]:
        """Labels that lost at least one token."""
        labels = {cut.span.label for cut in self.cut}
        return tuple(label for label in self.tokens if label in labels)

    @property
    def lost_wholly(self) -> tuple[str, ...]:
        """Labels without any token."""
        return tuple(label for label in self.lost if not self.tokens[label])

    @property
    def lost_partly(self) -> tuple[str, ...]:
        """Labels that lost tokens and have others left."""
        return tuple(label for label in self.lost if self.tokens[label])


def token_spans(
    caption: Caption, tokenizer: Tokenizer, max_length: int, *, template: str = PLACE, crop_start: int = 0
) -> TokenSpans:
    """Positions of every label's tokens in the sequence of ``max_length`` tokens, padding and special tokens counted.

    A token belongs to a span when one of its characters that is not white space lies in it; a token that covers parts
    of two spans belongs to both. Padding and truncation happen on the tokenizer's own sides.

    ``template`` is the text around the caption that a model's pipeline uses, with one ``{}`` in the caption's place;
    ``max_length`` counts the template's tokens too. ``crop_start`` is the number of tokens that the pipeline then drops
    from the front of the embeddings: positions count from the first that stays. (HunyuanVideo in diffusers: crop_start
    95, max_length 256 + 95.)
    """
    if not tokenizer.is_fast:
        cure = "load it as a fast tokenizer (AutoTokenizer, with the `tokenizers` package)"
        raise InputError("the tokenizer knows no character offsets", where=type(tokenizer).__name__, cure=cure)
    if max_length < 1:
        raise ValueError(f"a sequence has at least one token, not {max_length}")
    text, shift = _templated(caption.text, template)
    padding = "max_length" if tokenizer.pad_token_id is not None else False
    limited = tokenizer(text, truncation=True, max_length=max_length, padding=padding, **_WITH_OFFSETS)
    kept = _Tokens(tokenizer, text, shift, limited, first=crop_start)
    whole = _Tokens(tokenizer, text, shift, tokenizer(text, truncation=False, **_WITH_OFFSETS), first=0)
    found = {span: (kept.of(span), whole.of(span)) for span in caption.spans}
    tokens = {
        label: tuple(sorted({index for span in caption.spans if span.label == label for index in found[span][0]}))
        for label in caption.labels
    }
    cut = [CutSpan(span, len(left), len(all_of_it)) for span, (left, all_of_it) in found.items()]
    return TokenSpans(tokens, tuple(one for one in cut if one.kept < max(1, one.needed)))


@dataclass(frozen=True)
class _Tokens:
    """An encoded text, with the caption ``shift`` characters into it. Tokens before ``first`` are dropped."""

    tokenizer: Tokenizer
    text: str
    shift: int
    encoding: Any
    first: int

    def of(self, span: Span) -> list[int]:
        """The tokens that hold a character of the span other than white space, counted from ``first``."""
        begin, end = span.start + self.shift, span.end + self.shift
        found = []
        for index, (left, right) in enumerate(self.encoding["offset_mapping"]):
            shared = self.text[max(left, begin) : min(right, end)]
            if index >= self.first and shared.strip() and not self._is_space(index):
                found.append(index - self.first)
        return found

    def _is_space(self, index: int) -> bool:
        return not self.tokenizer.decode([self.encoding["input_ids"][index]]).strip()


def _templated(text: str, template: str) -> tuple[str, int]:
    """The text in its template, and by how much the template moves it."""
    before, place, after = template.partition(PLACE)
    if not place or PLACE in after:
        cure = f"write {PLACE} once, where the caption goes"
        raise InputError(f"has {template.count(PLACE)} places for the caption", where="template", cure=cure)
    return before + text + after, len(before)
