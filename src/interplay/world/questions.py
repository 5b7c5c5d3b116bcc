"""The ten questions of InterGenEval about an event of the world, as sentences. Of a true clip every answer is yes.

Q1 asks for the state before, Q2 to Q5 for the progression, Q6 for the outcome; Q7 whether the subject acts, Q8 whether
it is the agent, Q9 whether the right one is acted on, Q10 for the outcome once more, for the one acted on alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from interplay.world.captions import describe
from interplay.world.motion.clock import Clock
from interplay.world.scene import Event, Scene
from interplay.world.verbs import verb_named

STATE, PROGRESS, OUTCOME = "state before the action", "progression", "outcome"
ACTS, AGENT, RECIPIENT, CONFIRMED = "the subject acts", "correct agent", "correct recipient", "recipient confirmed"
_TOPICS = (STATE, *[PROGRESS] * 4, OUTCOME, ACTS, AGENT, RECIPIENT, CONFIRMED)


@dataclass(frozen=True)
class Sentence:
    """One question as text: ``name`` is Q1 to Q10."""

    name: str
    topic: str
    text: str


@dataclass(frozen=True)
class Question(Sentence):
    """A question, and the ``frame`` of the true clip that shows the yes."""

    frame: int


def sentences(scene: Scene, event: Event) -> tuple[Sentence, ...]:
    """The ten questions about one event of a scene."""
    verb = verb_named(event.verb)
    roles = {"s": event.subject, "o": event.object, "r": event.recipient}
    names = {key: describe(scene.member(value)) for key, value in roles.items() if value is not None}
    receiver = names.get("r") or names.get("o") or names["s"]
    texts = (
        *verb.asks[:-1],
        "Does the {s} do anything?",
        f"Is it the {{s}}, and nobody else, who {verb.act}?",
        f"Is it the {receiver}, and nothing and nobody else, to which this is done?",
        verb.asks[-1],
    )
    return tuple(
        Sentence(f"Q{number}", topic, text.format(**names))
        for number, (topic, text) in enumerate(zip(_TOPICS, texts, strict=True), start=1)
    )


def questions(scene: Scene, event: Event, clock: Clock) -> tuple[Question, ...]:
    """The ten questions about one event of a scene, with the frames of the true clip that show the yes."""
    verb = verb_named(event.verb)
    moments = (*verb.moments, verb.moments[1], verb.moments[3], verb.moments[3], verb.moments[5])
    return tuple(
        Question(asked.name, asked.topic, asked.text, clock.last if moment >= 1.0 else clock.frame(moment))
        for asked, moment in zip(sentences(scene, event), moments, strict=True)
    )
