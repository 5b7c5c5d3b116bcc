"""What is said about a scene: captions with markup, in several wordings.

Wordings change who is named first (a bystander may open the sentence, the object may be its subject in the passive),
so that word order alone never tells who acts.
"""

from __future__ import annotations

from collections.abc import Mapping

from interplay.world.palette import INSTANCE_COLOURS
from interplay.world.scene import PERSON_NOUNS, THING_KINDS, Member, Scene, Verb

# {s} subject, {o} object, {b} the second person (bystander or recipient); <verb> marks the verb.
_TEMPLATES: Mapping[Verb, tuple[str, ...]] = {
    "push": (
        "a {s} <verb> pushes </verb> a {o} while a {b} stands by",
        "a {b} watches as a {s} <verb> pushes </verb> a {o}",
        "a {o} <verb> is pushed </verb> by a {s} next to a {b}",
    ),
    "lift": (
        "a {s} <verb> lifts </verb> a {o} while a {b} stands by",
        "a {b} watches as a {s} <verb> lifts </verb> a {o}",
        "a {o} <verb> is lifted </verb> by a {s} next to a {b}",
    ),
    "kick": (
        "a {s} <verb> kicks </verb> a {o} while a {b} stands by",
        "a {b} watches as a {s} <verb> kicks </verb> a {o}",
        "a {o} <verb> is kicked </verb> by a {s} next to a {b}",
    ),
    "give": (
        "a {s} <verb> gives </verb> a {o} to a {b}",
        "a {b} <verb> is given </verb> a {o} by a {s}",
        "a {o} <verb> is given </verb> to a {b} by a {s}",
    ),
}
_DISTRACTOR = " near a {d}"


def describe(member: Member) -> str:
    """The words that tell a member apart from the others of its scene: ``man in red``, ``green ball``."""
    return f"{member.noun} in {member.colour}" if member.kind == "person" else f"{member.colour} {member.kind}"


def caption(scene: Scene) -> str:
    """The scene's caption with markup for every mentioned instance and the verb."""
    templates = _TEMPLATES[scene.verb]
    template = templates[scene.wording % len(templates)]
    second_person = next(m for m in scene.members if m.kind == "person" and m.id != scene.subject)
    distractors = [m for m in scene.members if m.kind != "person" and m.id != scene.object]
    if distractors:
        template += _DISTRACTOR
    return template.format(
        s=_marked(scene.member(scene.subject)),
        o=_marked(scene.member(scene.object)),
        b=_marked(second_person),
        d=_marked(distractors[0]) if distractors else "",
    )


def _marked(member: Member) -> str:
    return f"<{member.id}> {describe(member)} </{member.id}>"


def vocabulary() -> tuple[str, ...]:
    """Every word a caption of the world can hold, sorted."""
    words = {w for group in _TEMPLATES.values() for t in group for w in t.split() if w[0] not in "<{"}
    words |= {w for w in _DISTRACTOR.split() if w[0] != "{"} | {"in"}
    return tuple(sorted(words | set(INSTANCE_COLOURS) | set(PERSON_NOUNS) | set(THING_KINDS)))
