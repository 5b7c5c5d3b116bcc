"""The verbs of the world, one file per category; :data:`VERBS` holds them by name."""

from __future__ import annotations

from collections.abc import Mapping

from interplay.world.verbs import contact, force, manipulation, social, solo, transport
from interplay.world.verbs.base import Verb

_GROUPS = (contact, force, transport, manipulation, social, solo)
VERBS: Mapping[str, Verb] = {verb.name: verb for group in _GROUPS for verb in group.VERBS}
# Those of at least two, in which somebody does something to somebody or something.
INTERACTIONS: tuple[str, ...] = tuple(verb.name for verb in VERBS.values() if verb.objects)
SOLOS: tuple[str, ...] = tuple(verb.name for verb in VERBS.values() if not verb.objects)


def verb_named(name: str) -> Verb:
    """The verb with this name; ``KeyError`` when the world has none."""
    return VERBS[name]
