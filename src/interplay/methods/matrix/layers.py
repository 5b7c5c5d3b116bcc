"""Layers that something is known of: one list for all transformers of a model, or one for each of them.

Models whose experts share the noise levels (Wan 2.2 A14B) are several networks: layer 7 of one is not layer 7 of the
other, so what happens in which layer can be said for each of them, noisiest first. One list is said of all, also of the
only one, so who asks for the lists of each never asks how many there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from interplay.core.config import Config
from interplay.core.errors import InputError

# What training aligns, by the variants of an analysis that choose it: nouns and verbs with their words (v2t), nouns
# alone with their regions (v2v). Source: MATRIX, appendix D.
CHOSEN_FROM: Mapping[str, tuple[str, ...]] = {"v2t": ("noun_v2t", "verb_v2t"), "v2v": ("noun_v2v",)}

LayerLists = tuple[int, ...] | tuple[tuple[int, ...], ...]


def _form(value: Any) -> str:
    listed = isinstance(value, Iterable) and any(isinstance(one, list | tuple) for one in value)
    return "each" if listed else "all"


# LayerLists as a field of a config: a mistake is told of the form that was meant.
LayerListsField = Annotated[
    Annotated[tuple[int, ...], Tag("all")] | Annotated[tuple[tuple[int, ...], ...], Tag("each")], Discriminator(_form)
]


class Layers(Config):
    """Where words are grounded (``v2t``), and where instances are propagated (``v2v``); empty: nobody knows."""

    v2t: LayerListsField = ()
    v2v: LayerListsField = ()


def lists_of_each(layers: LayerLists, transformers: int, *, where: str) -> tuple[tuple[int, ...], ...]:
    """The list of each of so many transformers; :class:`.InputError` about ``where`` for another number of lists."""
    lists = [one for one in layers if isinstance(one, tuple)]
    if not lists:
        return (in_any(layers),) * transformers
    if len(lists) != transformers:
        problem = f"lists layers for {len(lists)} transformers, and the model has {transformers}"
        raise InputError(problem, where=where, cure="give one list for each transformer, or a single one for all")
    return tuple(lists)


def existing_of_each(
    layers: LayerLists, transformers: int, among: Collection[int], *, where: str
) -> tuple[tuple[int, ...], ...]:
    """:func:`lists_of_each` of layers that must be ``among`` those there are, at least one for each transformer."""
    each = lists_of_each(layers, transformers, where=where)
    for number, own in enumerate(each):
        unknown = [layer for layer in own if layer not in among]
        if unknown or not own:
            nobody = f"no layer is chosen for expert {number}" if any(each) else "no layer is chosen"
            problem = f"layer {unknown[0]} does not exist" if unknown else nobody
            cure = f"choose among 0 to {max(among)}; interplay analyze says which"
            raise InputError(problem, where=where, cure=cure)
    return each


def in_any(layers: LayerLists) -> tuple[int, ...]:
    """The layers that any list has, each once."""
    lists = [one if isinstance(one, tuple) else (one,) for one in layers]
    return tuple(dict.fromkeys(layer for one in lists for layer in one))


def as_lists(each: Sequence[Sequence[int]]) -> LayerLists:
    """The inverse of :func:`lists_of_each`: a single list where all transformers have the same."""
    lists = tuple(tuple(one) for one in each)
    return lists[0] if len(set(lists)) == 1 else lists


def in_words(layers: Sequence[int | Sequence[int]]) -> str:
    """Lists as people read them, also as JSON has them: ``7, 11``, or ``7, 11 (expert 0); 3 (expert 1)``."""
    lists = [one for one in layers if not isinstance(one, int)]
    if not lists:
        return ", ".join(map(str, layers)) or "none"
    return "; ".join(f"{', '.join(map(str, one)) or 'none'} (expert {number})" for number, one in enumerate(lists))
