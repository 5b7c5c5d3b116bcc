"""Captions that carry their binding: which words name which instance, and which word is the verb.

``a <id1> man <verb> pushes the <id2> green ball </id2>`` is a caption in markup. Parsed, it is plain text plus
character spans, and :func:`token_spans` turns these into token positions.

**Markers.** ``<id1>``, ``<id2>``, ... name instances (any number of them), ``<verb>``, ``<verb1>``, ... name verbs. A
marker binds the next word, or everything up to its closing tag where there is one. The official captions put ``<idN>``
directly before the noun. A closing tag closes the latest marker of its own label that is still open, so tags of
different labels may nest and cross, and tags of one label may nest. The same words may be bound to several labels, and
a label to several words.

**Words** are runs of letters, digits, combining marks and pictures (emoji), with hyphens inside; a word ends at a tag
in any case. Where the script has no spaces (Chinese, Japanese, Thai, ...) nobody can see where a word ends, and a
marker must be closed.

**White space.** An opening tag disappears together with the white space behind it, a closing tag with the white space
before it, and runs of white space become one space. Where a tag was all that parted two words, a space is put.

**Other angle brackets.** ``x < 3``, ``a < b > c``, ``<b class="x">`` and ``<3`` are text. ``<lt>`` is a literal ``<``,
for text that would be a tag (``<lt>id1>``). A marker that went wrong (``<id0>``, ``<ID1>``, ``<id 1>``, ``<id1`` left
open) and any other tag of one word (``<man>``, ``<b>``) is an :class:`~interplay.core.errors.InputError`.

**Strict and lenient.** :func:`parse_caption` is strict, and so is everything that is stored: a ``<man>`` that a
language model wrote into a caption is a mistake that somebody should see. Captions of foreign datasets pass through
:func:`foreign_markup` first, to which ``<b>`` is text.
"""

from interplay.records.caption.markup import marked_text, parse_caption
from interplay.records.caption.spans import Caption, Span, is_instance_id, is_label
from interplay.records.caption.tokens import CutSpan, Tokenizer, TokenSpans, token_spans
from interplay.records.caption.writing import foreign_markup, to_foreign, write_markup

__all__ = [
    "Caption",
    "CutSpan",
    "Span",
    "TokenSpans",
    "Tokenizer",
    "foreign_markup",
    "is_instance_id",
    "is_label",
    "marked_text",
    "parse_caption",
    "to_foreign",
    "token_spans",
    "write_markup",
]
