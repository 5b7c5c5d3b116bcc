"""Clips with one planted fault, and clips as a small autoencoder leaves them: what a judge is measured with.

Every fault keeps the true first frame and then breaks one thing. Each names what a judge must notice (``denied``
answers, flags of presence) and what must stay as it is (``kept`` answers). Faults know the whole truth of a clip, and
nothing of the judge: they are no part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from interplay.world.judge.faults.contact import (
    effect_before_contact,
    effect_without_contact,
    frozen,
    no_contact,
    not_handed_over,
)
from interplay.world.judge.faults.plant import Plant, Planted, Unplanted, answers_of
from interplay.world.judge.faults.presence import (
    animal_vanishes,
    identities_swapped,
    person_vanishes,
    second_animal,
    second_person,
    second_thing,
    thing_vanishes,
)
from interplay.world.judge.faults.roles import roles_swapped, wrong_actor, wrong_object, wrong_recipient
from interplay.world.scene import Scene

Fault = Callable[[Plant], Planted | Unplanted]
OF_EVENTS: Mapping[str, Fault] = {
    "frozen": frozen,
    "wrong actor": wrong_actor,
    "wrong object": wrong_object,
    "wrong recipient": wrong_recipient,
    "roles swapped": roles_swapped,
    "no contact": no_contact,
    "effect without contact": effect_without_contact,
    "effect before contact": effect_before_contact,
    "not handed over": not_handed_over,
}
OF_PRESENCE: Mapping[str, Fault] = {
    "thing vanishes": thing_vanishes,
    "person vanishes": person_vanishes,
    "animal or robot vanishes": animal_vanishes,
    "second thing appears": second_thing,
    "second person appears": second_person,
    "second animal appears": second_animal,
    "identities swapped": identities_swapped,
}
FAULTS: tuple[str, ...] = (*OF_EVENTS, *OF_PRESENCE)


def plant(
    fault: str, scene: Scene, num_frames: int, size_hw: tuple[int, int], rng: np.random.Generator
) -> Planted | Unplanted:
    """A clip of a scene with a fault, planted into one of its events, or why there is none."""
    if fault in OF_PRESENCE:
        return OF_PRESENCE[fault](Plant(scene, 0, num_frames, size_hw, rng))
    why_not = Unplanted.NO_ROOM
    for number in rng.permutation(len(scene.events)).tolist():
        planted = OF_EVENTS[fault](Plant(scene, number, num_frames, size_hw, rng))
        if isinstance(planted, Planted):
            return planted
        if planted is Unplanted.UNSEEN:
            why_not = planted
    return why_not


__all__ = ["FAULTS", "Planted", "Unplanted", "answers_of", "plant"]
