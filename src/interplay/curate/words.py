"""The words that the binding rule knows. Adding one here is all it takes to teach it."""

from __future__ import annotations

import re

# fmt: off
PERSONS = frozenset({
    "woman", "man", "girl", "boy", "lady", "guy", "person", "host", "hostess", "presenter", "streamer", "model",
    "influencer", "blogger", "vlogger", "anchor", "chef", "saleswoman", "salesman", "seller", "shopper",
    "customer", "worker", "doctor", "nurse", "student", "teacher"
})

_HANDLING = (
    "hold", "lift", "raise", "show", "display", "present", "demonstrate", "introduce", "carry", "take", "grab",
    "grip", "grasp", "pick", "hug", "embrace", "touch", "press", "push", "pull", "open", "close", "pour",
    "drink", "eat", "bite", "taste", "smell", "apply", "spray", "shake", "turn", "rotate", "spin", "tilt",
    "move", "place", "put", "hand", "give", "offer", "unfold", "fold", "unwrap", "unbox", "hang", "swing",
    "wave", "point", "examine", "inspect", "use", "operate", "play", "brush", "rub", "squeeze"
)

ARTICLES = frozenset({
    "a", "an", "the", "this", "that", "these", "those", "one", "two", "his", "her", "their", "its", "some",
    "another"
})

# What is held or shown but is no product.
NOT_A_PRODUCT = frozenset({
    "it", "them", "him", "her", "himself", "herself", "themselves", "hand", "hands", "arm", "arms", "head",
    "finger", "fingers"
})

# Words that end a noun phrase; "of" is not among them (a bottle of perfume).
PHRASE_ENDS = frozenset({
    "on", "in", "with", "at", "to", "near", "by", "from", "for", "against", "over", "into", "onto", "toward",
    "towards", "around", "above", "below", "beside", "between", "across", "through", "while", "and", "or", "as",
    "that", "which", "who", "whose", "wearing", "using", "is", "are", "was", "were", "up", "out", "down", "so",
    "then", "before", "after"
})
# fmt: on

# What may follow a verb as a part of it: picks up, takes out, puts down.
PARTICLES = frozenset({"up", "out", "down"})


def _forms(verb: str) -> set[str]:
    """Third person and participle: hold -> holds, holding; carry -> carries; take -> taking; grab -> grabbing."""
    third = verb[:-1] + "ies" if verb.endswith("ry") else verb + ("es" if re.search(r"(s|sh|ch|x)$", verb) else "s")
    stem = verb[:-1] if verb.endswith("e") else verb
    doubles = stem == verb and re.fullmatch(r"[^aeiou]{1,2}[aeiou][bgnpt]", stem)
    return {third, (stem + stem[-1] if doubles else stem) + "ing"}


VERB_FORMS = frozenset(form for verb in _HANDLING for form in _forms(verb))
