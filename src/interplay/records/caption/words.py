"""What a word is, in any script: where the word begins and ends that a marker without a closing tag binds.

A regular expression's class of word characters leaves out combining marks, so it would cut a decomposed "café" before
its accent and a Hindi word after its first letter, and it leaves out emoji. Both belong to words here.
"""

from __future__ import annotations

import re
import unicodedata

# Marks combine with the letter before them; "So" are pictures, such as emoji.
_CATEGORIES_OF_WORDS = frozenset({"Mn", "Mc", "Me", "So"})
# The joiners hold an emoji sequence or a ligature together; the five skin tones follow a picture.
_JOINERS = frozenset({"\u200c", "\u200d", *map(chr, range(0x1F3FB, 0x1F400))})
# Scripts that put no space between words: Thai, Lao, Myanmar, Khmer, kana, and Chinese characters.
_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)


def is_word(character: str) -> bool:
    """Whether a character is part of a word: a letter, digit, underscore, combining mark, or picture."""
    if character.isalnum() or character == "_":
        return True
    return unicodedata.category(character) in _CATEGORIES_OF_WORDS or character in _JOINERS


def is_spaceless(text: str) -> bool:
    """Whether any character is of a script that is written without spaces, so that nobody sees where a word ends."""
    return _SPACELESS.search(text) is not None


def must_part(left: str, right: str) -> bool:
    """Whether two neighbouring characters would run two words into one, had a tag not stood between them."""
    return is_word(left) and is_word(right) and not is_spaceless(left + right)


def next_word(text: str, start: int) -> tuple[int, int] | None:
    """The bounds of the first word at or after ``start``; hyphens inside it belong to it (``t-shirt``)."""
    while start < len(text) and not is_word(text[start]):
        start += 1
    end = start
    while end < len(text) and (is_word(text[end]) or _joins(text, end)):
        end += 1
    return (start, end) if end > start else None


def _joins(text: str, index: int) -> bool:
    return text[index] == "-" and index + 1 < len(text) and is_word(text[index - 1]) and is_word(text[index + 1])
