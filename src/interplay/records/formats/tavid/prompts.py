"""TAViD's prompts: the trigger word ``target`` before a noun, and the instances that it names.

The released model has no token of its own for the target: the plain English word before the noun is the trigger, at
every mention. The paper writes ``[TGT]`` in its place, which the tokenizer would cut into four pieces, so it is
translated. A noun is the one word behind the trigger, with the colours, sizes and materials before it ("red mug");
whoever wants more of them ("coffee mug") marks the words: ``<id1> target coffee mug </id1>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from interplay.core.errors import InputError
from interplay.records.caption import Caption, Span, foreign_markup, parse_caption
from interplay.records.caption.words import is_word, next_word
from interplay.records.clip import Clip

TRIGGER = "target"
_TGT = "[TGT]"
_TGT_AT_A_WORD = re.compile(r"\[TGT\](?=\w)")
_TRIGGERS = re.compile("[Tt]arget")
# "The target is lifted" names no noun; these are the words that follow such a "target" most often.
_NO_NOUN = re.compile(
    r"an?|and|are|as|at|be|been|before|but|by|can|could|for|from|had|has|have|he|her|his|if|in|into|is|it|its|of|off|on"
    r"|onto|or|out|over|she|should|so|target|than|that|the|their|then|they|this|to|towards?|under|until|up|was|were|when|where"
    r"|which|while|who|will|with|within|without|would",
    re.IGNORECASE,
)
# Words that stand between the trigger and the noun and tell targets of one kind apart.
_QUALITIES = re.compile(
    r"red|green|blue|yellow|orange|purple|pink|brown|black|white|gr[ae]y|silver|gold(?:en)?|teal|beige|dark|bright"
    r"|big|small|large|little|tiny|huge|tall|short|long|wide|narrow|round|thin|thick|heavy|old|new|young|empty|full"
    r"|left|right|first|second|third|middle|nearest|wooden|woollen|plastic|metallic|leather|ceramic|striped|spotted",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class BoundPrompt:
    """A prompt with its targets bound: ``nouns`` maps their ids, in order of first mention, to what they are called.

    ``translated`` says that ``[TGT]`` stood in it. A target that is called by no noun has an empty one.
    """

    caption: Caption
    nouns: Mapping[str, str]
    translated: bool = False


def bind_targets(prompt: str, *, where: str) -> BoundPrompt:
    """Find the targets of a prompt; :class:`InputError` about ``where`` when its own markers are malformed.

    Markers (``<id1>``) that the prompt has already are taken at their word. Otherwise every ``target <noun>`` is bound,
    one instance per noun; where there is only one, a mere "target" is that one, too.
    """
    translated = _TGT_AT_A_WORD.sub(f"{TRIGGER} ", prompt).replace(_TGT, TRIGGER)
    caption = parse_caption(foreign_markup(translated, where=where), where=where)
    if caption.instance_ids:
        nouns = {label: _without_trigger(caption.words(label)[0]) for label in caption.instance_ids}
        return BoundPrompt(caption, nouns, translated != prompt)
    mentions = list(_mentions(caption.text))
    called: dict[str, str] = {}
    for _, noun in mentions:
        if noun:
            called.setdefault(noun.casefold(), noun)
    ids = {key: f"id{number}" for number, key in enumerate(called, 1)}
    if len(ids) <= 1:
        ids[""] = "id1"
    spans = [Span(ids[noun.casefold()], *bounds) for bounds, noun in mentions if noun.casefold() in ids]
    nouns = {ids[key]: noun for key, noun in called.items()} or dict.fromkeys([span.label for span in spans], "")
    return BoundPrompt(_with(caption, spans), nouns, translated != prompt)


def _mentions(text: str) -> Iterator[tuple[tuple[int, int], str]]:
    """Every "target" with the noun behind it: the bounds of both, and the noun, empty where there is none."""
    for found in _triggers(text):
        end = _end_of_noun(text, found.end())
        if end is None:
            yield found.span(), ""
        else:
            yield (found.start(), end), text[found.end() + 1 : end]


def _end_of_noun(text: str, start: int) -> int | None:
    """Where the noun ends that follows right behind ``start``, qualities before it included; ``None`` without one.

    A quality that no noun follows is the noun itself: an orange, a square.
    """
    word = next_word(text, start)
    if word is None or word[0] != start + 1 or text[start] != " " or _NO_NOUN.fullmatch(text[slice(*word)]):
        return None
    further = _end_of_noun(text, word[1]) if _QUALITIES.fullmatch(text[slice(*word)]) else None
    return word[1] if further is None else further


def _triggers(text: str) -> Iterator[re.Match[str]]:
    """Every "target" that is a word of its own."""
    for found in _TRIGGERS.finditer(text):
        before = text[found.start() - 1 : found.start()]
        joined = before == "-" or (before != "" and is_word(before))
        if not joined and next_word(text, found.start()) == found.span():
            yield found


def _without_trigger(words: str) -> str:
    first, _, rest = words.partition(" ")
    return rest if first.casefold() == TRIGGER else words


def _with(caption: Caption, spans: Sequence[Span]) -> Caption:
    return Caption(
        caption.text, tuple(sorted((*caption.spans, *spans), key=lambda span: (span.start, span.end, span.label)))
    )


# --- writing ---------------------------------------------------------------------------------------------------------


def prompt_of(clip: Clip, targets: Sequence[str], own: str | None) -> str:
    """The prompt that names ``targets``, ids of the clip, by the trigger: plain text, as the official code wants it.

    ``own`` is the prompt that the clip was read from; it is written as it was while it still says the same.
    """
    caption = parse_caption(clip.caption)
    if own is not None and _reads_as(own) == caption:
        return own
    nouns = {instance.id: instance.noun for instance in clip.instances}
    text = caption.text
    for span in sorted(caption.spans, key=lambda span: span.start, reverse=True):
        if span.label in targets:
            place = _place_of_trigger(caption.text, span, nouns.get(span.label, ""))
            text = text if place is None else f"{text[:place]}{TRIGGER} {text[place:]}"
    return text


def _reads_as(prompt: str) -> Caption | None:
    try:
        return bind_targets(prompt, where="prompt").caption
    except InputError:
        return None


def _place_of_trigger(text: str, span: Span, noun: str) -> int | None:
    """Where the trigger goes: before the noun, else before all of the words; ``None`` where it stands already."""
    words = text[span.start : span.end]
    if any(True for _ in _triggers(words)):
        return None
    if noun and words.endswith(f" {noun}"):
        return span.end - len(noun)
    return span.start
