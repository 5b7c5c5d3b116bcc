"""Which words of an unmarked caption are the person, the verb and the product.

The rule, in this order (each step can be overridden by exact words, all of it by a caption in markup):

1. The *person* is the first word that names one (woman, man, host, ...).
2. The *verb* is the first handling verb after the person (holds, lifting, shows, ...), with its particle (picks up),
   that is followed by a thing: a noun phrase that is no pronoun and no body part.
3. The *product* is that noun phrase without its article, up to the next preposition, conjunction or punctuation mark;
   "of" goes on (a bottle of perfume).

It is small on purpose: it reads the plain style of product-video prompts. What it cannot read is an error that asks for
words, never a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from interplay.core.errors import InputError
from interplay.curate.config import CurateConfig
from interplay.curate.words import ARTICLES, NOT_A_PRODUCT, PARTICLES, PERSONS, PHRASE_ENDS, VERB_FORMS
from interplay.records.caption import Caption, parse_caption
from interplay.records.check import check_binding
from interplay.records.structure.labels import PERSON_ID, PRODUCT_ID

_LONGEST_PHRASE_WORDS = 10
_TOKEN = re.compile(r"\w+(?:[-'\u2019]\w+)*|[^\w\s]")


@dataclass(frozen=True)
class Binding:
    """A caption in markup, what its product is called, and who decided which words (``rule``, ``words``, ...)."""

    markup: str
    decided_by: dict[str, str]


@dataclass(frozen=True)
class _Found:
    label: str
    start: int
    end: int


def bind(prompt: str, clip_id: str, config: CurateConfig, *, where: str) -> Binding:
    """Mark up a prompt: the config's caption for this clip, else the prompt's own markup, else words and rule.

    With ``config.caption`` "clause" only the bound words stay, as one short sentence.
    """
    bound = _bind_all(prompt, clip_id, config, where=where)
    return bound if config.caption == "full" else Binding(_clause(bound.markup, where), bound.decided_by)


def _clause(markup: str, where: str) -> str:
    """``a <id1> woman </id1> <verb> holds </verb> a <id2> gray sweater </id2>`` from a longer caption."""
    caption = parse_caption(markup, where=where)
    check_binding(caption.instance_ids, (PERSON_ID, PRODUCT_ID), where=where)
    if PERSON_ID not in caption.labels or PRODUCT_ID not in caption.labels or not caption.verb_labels:
        cure = f"mark <{PERSON_ID}>, <verb> and <{PRODUCT_ID}>, or keep the full caption"
        raise InputError("the caption cannot be cut to its clause", where=where, cure=cure)
    person, product = caption.words(PERSON_ID)[0], caption.words(PRODUCT_ID)[0]
    verb = caption.words(caption.verb_labels[0])[0]
    return (
        f"{_article(person)} <{PERSON_ID}> {person} </{PERSON_ID}> <verb> {verb} </verb> "
        f"{_article(product)} <{PRODUCT_ID}> {product} </{PRODUCT_ID}>"
    )


def _article(phrase: str) -> str:
    return "an" if phrase[0].lower() in "aeiou" else "a"


def _bind_all(prompt: str, clip_id: str, config: CurateConfig, *, where: str) -> Binding:
    if clip_id in config.captions:
        return Binding(config.captions[clip_id], dict.fromkeys(("person", "verb", "product"), "config.captions"))
    if parse_caption(prompt, where=where).labels:
        return Binding(prompt, dict.fromkeys(("person", "verb", "product"), "prompt"))
    prompt = parse_caption(prompt, where=where).text
    found, decided_by = _find(prompt, config, where)
    return Binding(_mark(prompt, found), decided_by)


def noun_and_appearance(phrase: str) -> tuple[str, str]:
    """The head noun of a phrase and the words before it: "gray polo sweater" -> ("sweater", "gray polo")."""
    head, of, complement = phrase.partition(" of ")
    *before, noun = head.split()
    return noun, " ".join(before) + (f" of {complement}" if of else "")


def _find(prompt: str, config: CurateConfig, where: str) -> tuple[list[_Found], dict[str, str]]:
    words = [(match.group().lower(), match.start(), match.end()) for match in _TOKEN.finditer(prompt)]
    person = _exact(prompt, config.person_words, PERSON_ID, "person_words", where) or _person(words, where)
    after = [word for word in words if word[1] >= person.end]
    verb, product = _given_or_ruled(prompt, after, config, where)
    overridden = {"person": config.person_words, "verb": config.verb_words, "product": config.product_words}
    return [person, verb, product], {name: "rule" if given is None else "words" for name, given in overridden.items()}


def _given_or_ruled(
    prompt: str, after: list[tuple[str, int, int]], config: CurateConfig, where: str
) -> tuple[_Found, _Found]:
    verb = _exact(prompt, config.verb_words, "verb", "verb_words", where)
    product = _exact(prompt, config.product_words, PRODUCT_ID, "product_words", where)
    if verb is not None and product is not None:
        return verb, product
    for index, (word, start, _) in enumerate(after):
        if (verb is None and word in VERB_FORMS) or (verb is not None and start == verb.start):
            stop = index + 1 + (index + 1 < len(after) and after[index + 1][0] in PARTICLES)
            thing = product or _phrase(prompt, after[stop:])
            if thing is not None:
                return verb or _Found("verb", start, after[stop - 1][2]), thing
    missing = "verb_words and product_words" if verb is None else "product_words"
    problem = "no word of handling (holds, lifts, shows, ...) with a thing behind it was found after the person"
    raise InputError(problem, where=where, cure=f"set {missing} to words of the prompt, or give a caption in markup")


def _person(words: list[tuple[str, int, int]], where: str) -> _Found:
    for word, start, end in words:
        if word in PERSONS:
            return _Found(PERSON_ID, start, end)
    cure = "set person_words to the words of the prompt that name the person, or give a caption in markup"
    raise InputError("no word that names a person was found", where=where, cure=cure)


def _phrase(prompt: str, words: list[tuple[str, int, int]]) -> _Found | None:
    """The noun phrase at the head of ``words``, without its article; ``None`` when there is no thing."""
    begin = next((k for k, (word, _, _) in enumerate(words) if word not in ARTICLES), len(words))
    stop = begin
    while stop < len(words) and words[stop][0][0].isalnum() and words[stop][0] not in PHRASE_ENDS:
        stop += 1
    if not 0 < stop - begin <= _LONGEST_PHRASE_WORDS:
        return None
    found = _Found(PRODUCT_ID, words[begin][1], words[stop - 1][2])
    return None if noun_and_appearance(prompt[found.start : found.end].lower())[0] in NOT_A_PRODUCT else found


def _exact(prompt: str, given: str | None, label: str, field: str, where: str) -> _Found | None:
    if given is None:
        return None
    match = re.search(rf"(?<!\w){re.escape(given)}(?!\w)", prompt)
    if match is None:
        cure = f"set {field} to words as they stand in it, or leave it out"
        raise InputError(f"the prompt does not contain {given!r} ({field})", where=where, cure=cure)
    return _Found(label, *match.span())


def _mark(prompt: str, found: list[_Found]) -> str:
    markup, cursor = "", 0
    for item in sorted(found, key=lambda item: item.start):
        closed = f"<{item.label}> {prompt[item.start : item.end]} </{item.label}>"
        markup += prompt[cursor : item.start] + closed
        cursor = item.end
    return markup + prompt[cursor:]


def verb_words(caption: Caption) -> str | None:
    """The words of the caption's first verb, if one is marked."""
    return next((caption.words(label)[0] for label in caption.verb_labels), None)
