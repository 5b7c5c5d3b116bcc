"""The exact truth of a clip: who touches and holds what when, outcomes, answers, boxes, who is before whom.

And what else may be said of it. All of it is JSON-able; docs/data.md has a table of the fields. Frames are pixel frames
of the clip, boxes pixels ``(x1, y1, x2, y2)`` with right and bottom exclusive.

Shapes: p pixel frames, y x rows and columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from interplay.records.clip import Boxes
from interplay.world.captions import caption
from interplay.world.figures.owners import Part
from interplay.world.motion.clock import TOUCH
from interplay.world.motion.person import PersonPose
from interplay.world.motion.thing import ThingPose
from interplay.world.questions import questions
from interplay.world.render import Rendering, painting_order
from interplay.world.scene import Event, Scene

Box = tuple[float, float, float, float]

PARAPHRASES = 4
# A caption takes its choices out of one number, digit by digit, and no choice is among a multiple of this prime: steps
# of it change every choice, and so many find all wordings of a scene that has few.
_STEP, _STEPS = 40009, 64


def truth(scene: Scene, rendering: Rendering) -> dict[str, Any]:
    """Everything known about a clip besides its caption, masks and boxes."""
    motion = rendering.motion
    return {
        "scene": scene.to_json(),
        "contacts": [vars(contact) for contact in motion.contacts],
        "holders": holders(scene, rendering),
        "events": [_event(scene, rendering, number) for number in range(len(scene.events))],
        "painting_order": list(painting_order(scene)),
        "paraphrases": paraphrases(scene),
    }


def paraphrases(scene: Scene) -> list[str]:
    """Other captions of the scene with the same markup: up to four, each once, never the clip's own."""
    others = (caption(replace(scene, wording=scene.wording + n * _STEP)) for n in range(1, _STEPS))
    own = caption(scene)
    return [other for other in dict.fromkeys(others) if other != own][:PARAPHRASES]


def event_span(scene: Scene, rendering: Rendering, number: int) -> tuple[int, int]:
    """First and last frame of an event: its contacts, or from the moment when it would be in contact."""
    event, clock = scene.events[number], rendering.motion.clocks[number]
    contacts = [c for c in rendering.motion.contacts if c.who in event.roles and c.what in event.roles]
    if not contacts:
        return clock.frame(TOUCH), clock.last
    return min(c.first for c in contacts), max(c.last for c in contacts)


def holders(scene: Scene, rendering: Rendering) -> dict[str, list[list[str]]]:
    """For every thing that is ever held, who bears it, frame by frame (two while it changes hands)."""
    held: dict[str, list[list[str]]] = {}
    for contact in rendering.motion.contacts:
        if contact.holding:
            frames = held.setdefault(contact.what, [[] for _ in range(rendering.motion.num_frames)])
            for frame in range(contact.first, contact.last + 1):
                frames[frame].append(contact.who)
    return held


def boxes(scene: Scene, rendering: Rendering) -> Mapping[str, Boxes]:
    """Boxes of what is visible: ``face/id1``, ``left_hand/id1``, ``right_hand/id1``, of things ``object/id2``.

    A person's left hand is the far one who faces right. A frame in which nothing of a part is visible has ``None``.
    """
    found: dict[str, Boxes] = {}
    for member in scene.members:
        pose = rendering.motion.poses[member.id]
        if isinstance(pose, PersonPose):
            found[f"face/{member.id}"] = _boxes(rendering.part(member.id, "head"))
            found[f"left_hand/{member.id}"] = _boxes(_hand(rendering, member.id, pose, "far_hand", "near_hand"))
            found[f"right_hand/{member.id}"] = _boxes(_hand(rendering, member.id, pose, "near_hand", "far_hand"))
        elif isinstance(pose, ThingPose):
            found[f"object/{member.id}"] = _boxes(rendering.part(member.id, "body"))
    return found


def _hand(
    rendering: Rendering, member_id: str, pose: PersonPose, facing_right: Part, facing_left: Part
) -> Bool[ndarray, "p y x"]:
    right = np.broadcast_to(pose.facing >= 0.0, (len(rendering.frames),))[:, None, None]
    return np.where(right, rendering.part(member_id, facing_right), rendering.part(member_id, facing_left))


def _boxes(mask: Bool[ndarray, "p y x"]) -> Boxes:
    """The bounding box of a mask in every frame."""
    rows: Bool[ndarray, "p y"] = mask.max(axis=2)
    columns: Bool[ndarray, "p x"] = mask.max(axis=1)
    seen: list[bool] = [bool(row.any()) for row in rows]
    x1, y1 = columns.argmax(axis=1).tolist(), rows.argmax(axis=1).tolist()
    x2 = (mask.shape[2] - columns[:, ::-1].argmax(axis=1)).tolist()
    y2 = (mask.shape[1] - rows[:, ::-1].argmax(axis=1)).tolist()
    return Boxes(
        {
            frame: (float(x1[frame]), float(y1[frame]), float(x2[frame]), float(y2[frame])) if seen[frame] else None
            for frame in range(len(seen))
        }
    )


def _event(scene: Scene, rendering: Rendering, number: int) -> dict[str, Any]:
    event, clock = scene.events[number], rendering.motion.clocks[number]
    first, last = event_span(scene, rendering, number)
    asked = [{**vars(question), "answer": "yes"} for question in questions(scene, event, clock)]
    return {"verb": event.verb, "first": first, "last": last, "outcome": _outcome(event, rendering), "questions": asked}


def _outcome(event: Event, rendering: Rendering) -> dict[str, Any]:
    """How each participant's last frame differs from the first: ``moved`` (x, y in stage units) and a thing's state."""
    changes: dict[str, Any] = {}
    for member_id in event.roles:
        pose = rendering.motion.poses[member_id]
        base = pose.hips if isinstance(pose, PersonPose) else pose.base
        moved = [round(float(curve[-1] - curve[0]), 4) for curve in (base.x, base.y)]
        changes[member_id] = {"moved": moved}
        if isinstance(pose, ThingPose):
            changes[member_id]["state"] = [round(float(pose.state[0]), 4), round(float(pose.state[-1]), 4)]
    return changes
