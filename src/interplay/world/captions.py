"""What is said about a scene: captions with markup, in several wordings.

Voice and order vary (the object may be the sentence's subject, a bystander may open it), so that word order alone never
tells who acts. Every member is named once and told apart by its colour: there are no pronouns and no other names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from interplay.world.palette import INSTANCE_COLOURS
from interplay.world.scene import Event, Member, Scene
from interplay.world.verbs import VERBS, verb_named
from interplay.world.vocabulary import NOUNS

Option = TypeVar("Option")

_WATCHED: Mapping[int, tuple[str, ...]] = {
    0: ("{c}",),
    1: ("{c} while {b} stands by", "{b} watches as {c}", "{c} next to {b}"),
    2: ("{c} while {b} and {b2} stand by", "{b} and {b2} watch as {c}", "{b} watches as {c} next to {b2}"),
}
_NEAR: Mapping[int, tuple[str, ...]] = {
    0: ("{c}",),
    1: ("{c} near {d}", "near {d} {c}"),
    2: ("{c} near {d} and {d2}", "near {d} and {d2} {c}"),
}
_TOGETHER = ("{c} while {c2}", "{c} as {c2}")
_IN_TURN = ("{c} and then {c2}", "{c} before {c2}")
_IDLE = ("{b} and {b2} stand by", "{b} stands next to {b2}")


def describe(member: Member) -> str:
    """The words that tell a member apart from the others of its scene: ``man in red``, ``green ball``."""
    return f"{member.noun} in {member.colour}" if member.family == "person" else f"{member.colour} {member.noun}"


def caption(scene: Scene) -> str:
    """The scene's caption with markup for every member and every verb."""
    choices = _Choices(scene.wording)
    busy = scene.participants
    living = [_marked(m) for m in scene.members if m.id not in busy and m.family != "thing"]
    things = [_marked(m) for m in scene.members if m.id not in busy and m.family == "thing"]
    if scene.events:
        said = _watched(_events(scene, choices), living, choices)
    else:
        said = _fill(choices.pick(_IDLE), b=living[0], b2=living[1])
    return _fill(choices.pick(_NEAR[len(things)]), c=said, **_named("d", things))


def vocabulary() -> tuple[str, ...]:
    """Every word a caption of the world can hold, sorted."""
    frames = [*_WATCHED.values(), *_NEAR.values(), _TOGETHER, _IN_TURN, _IDLE]
    clauses = [verb.active + verb.passive for verb in VERBS.values()]
    words = set(_words(template for group in (*frames, *clauses) for template in group))
    nouns = {word for noun in NOUNS for word in noun.split()}
    return tuple(sorted(words | nouns | set(INSTANCE_COLOURS) | {"a", "in"}))


class _Choices:
    """Takes one choice after another out of a number."""

    def __init__(self, number: int) -> None:
        self._left = number

    def pick(self, options: Sequence[Option]) -> Option:
        self._left, chosen = divmod(self._left, len(options))
        return options[chosen]


def _events(scene: Scene, choices: _Choices) -> str:
    """The clauses of all events, in their order."""
    labels = ("verb",) if len(scene.events) == 1 else tuple(f"verb{i + 1}" for i in range(len(scene.events)))
    clauses = [_clause(scene, event, label, choices) for event, label in zip(scene.events, labels, strict=True)]
    if len(clauses) == 1:
        return clauses[0]
    frames = _TOGETHER if scene.events[0].start == scene.events[1].start else _IN_TURN
    return _fill(choices.pick(frames), c=clauses[0], c2=clauses[1])


def _clause(scene: Scene, event: Event, label: str, choices: _Choices) -> str:
    verb = verb_named(event.verb)
    # Voice first, wording second: the passive is as frequent as the active however many wordings each has.
    voices = [voice for voice in (verb.active, verb.passive) if voice]
    template = choices.pick(choices.pick(voices))
    roles = {"s": event.subject, "o": event.object, "r": event.recipient}
    named = {key: _marked(scene.member(value)) for key, value in roles.items() if value is not None}
    return _fill(re.sub(r"\[(.+?)\]", rf"<{label}> \1 </{label}>", template), **named)


def _watched(clause: str, living: Sequence[str], choices: _Choices) -> str:
    return _fill(choices.pick(_WATCHED[len(living)]), c=clause, **_named("b", living))


def _named(key: str, members: Sequence[str]) -> dict[str, str]:
    return {key if number == 0 else f"{key}{number + 1}": member for number, member in enumerate(members)}


def _fill(template: str, **parts: str) -> str:
    return template.format(**parts)


def _marked(member: Member) -> str:
    return f"a <{member.id}> {describe(member)} </{member.id}>"


def _words(templates: Iterable[str]) -> Iterable[str]:
    for template in templates:
        for word in template.replace("[", " ").replace("]", " ").split():
            if not word.startswith("{"):
                yield word
