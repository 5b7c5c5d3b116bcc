"""What a fault is planted into, and what comes of it. Shape legend: ``p`` pixel frames. Lengths in stage units."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import Enum
from functools import cached_property
from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Int16
from numpy import ndarray

from interplay.world.canvas import Camera, Canvas
from interplay.world.figures.owners import PARTS
from interplay.world.figures.scenery import paint_backdrop
from interplay.world.judge.faults.wear import Frames
from interplay.world.motion.clock import START, Clock
from interplay.world.motion.curves import Curve, Path
from interplay.world.motion.limbs import Limb
from interplay.world.motion.person import PersonPose
from interplay.world.render import Rendering, draw_lights_and_shadows, draw_members, own_looks, render
from interplay.world.scene import Event, Member, Scene
from interplay.world.staging import Motion, Pose, stage
from interplay.world.verbs import verb_named
from interplay.world.verbs.base import Verb

# Of who takes part in the other event, and of who is held back, a fault leaves this share in sight.
_LEFT_IN_SIGHT = 0.5

# One answer: the number of the event, and Q1 to Q10.
Answer = tuple[int, str]


class Unplanted(Enum):
    """Why a fault was not planted: the scene has no place for it, or in its pixels it could not be seen."""

    NO_ROOM = "no room"
    UNSEEN = "unseen"


@dataclass(frozen=True)
class Planted:
    """A clip with a fault: answers that must be no, and answers that must stay yes; of the others nothing is said.

    ``emergent_since`` and ``vanished_since`` are the first frames with a flag, if the fault is one of presence. The
    flag is up in all later frames when it is ``lasting``; else in this one, and of later ones nothing is said.
    """

    frames: Frames
    denied: frozenset[Answer] = frozenset()
    kept: frozenset[Answer] = frozenset()
    emergent_since: int | None = None
    vanished_since: int | None = None
    lasting: bool = True


def answers_of(scene: Scene) -> frozenset[Answer]:
    """All answers about a scene."""
    return frozenset((event, f"Q{q}") for event in range(len(scene.events)) for q in range(1, 11))


@dataclass(frozen=True)
class Plant:
    """A clip to plant a fault into; faults of the interaction go into event ``number``."""

    scene: Scene
    number: int
    num_frames: int
    size_hw: tuple[int, int]
    rng: np.random.Generator

    @property
    def event(self) -> Event:
        """The event that goes wrong."""
        return self.scene.events[self.number]

    @property
    def verb(self) -> Verb:
        """Its verb."""
        return verb_named(self.event.verb)

    @property
    def clock(self) -> Clock:
        """Its clock."""
        return Clock(self.num_frames, self.event.start, self.event.end)

    @cached_property
    def true(self) -> Rendering:
        """The clip without a fault."""
        return render(self.scene, self.num_frames, self.size_hw)

    @property
    def motion(self) -> Motion:
        """The true motion."""
        return self.true.motion

    def subject(self) -> Member:
        """Who should act."""
        return self.scene.member(self.event.subject)

    def target(self) -> Member:
        """To whom or what it should be done, nearest to the subject: the recipient, or else the object."""
        return self.scene.member(str(self.event.recipient or self.event.object))

    def with_event(self, event: Event) -> Scene:
        """The scene in which another event takes the place of the true one."""
        events = list(self.scene.events)
        events[self.number] = event
        return replace(self.scene, events=tuple(events))

    def resting(self, key: str) -> Pose:
        """A member as it is in frame 0, throughout."""
        return at_frames(self.motion.poses[key], np.zeros(1, np.intp))

    def numbers(self, one: str, other: str) -> tuple[int, int]:
        """The numbers of two members, by which their pixels are told."""
        return self.scene.ids.index(one), self.scene.ids.index(other)

    @property
    def scale(self) -> float:
        """Pixels per stage unit."""
        return Camera(self.size_hw, self.scene.width).scale

    def restaged(self, scene: Scene) -> Motion:
        """The motion of another scene over the same frames."""
        return stage(scene, self.num_frames)

    def paint(self, motion: Motion) -> Frames:
        """The members of the scene in any motion; the first frame is the true one."""
        return self.developed(self.painted(motion, self.scene))

    def developed(self, canvas: Canvas) -> Frames:
        """The frames of a canvas after the true first one."""
        frames = canvas.pixels()
        frames[0] = self.true.frames[0]
        return frames

    def painted(self, motion: Motion, scene: Scene) -> Canvas:
        """The members of a scene in any motion with whatever the first frame then is, and the owners of all pixels."""
        camera = Camera(self.size_hw, scene.width)
        canvas = Canvas(self.num_frames, camera, paint_backdrop(scene.background, camera))
        draw_lights_and_shadows(canvas, scene, motion)
        draw_members(canvas, scene, motion.poses, own_looks(scene))
        return canvas

    def hides_the_other_event(self, canvas: Canvas) -> bool:
        """Whether, since the other event began, any who take part in it are hidden more than half by what goes wrong.

        What the true clip shows of them is compared with what is left: who is hidden in truth is so here too.
        """
        return any(
            self.hides(canvas, key, Clock(self.num_frames, event.start, event.end).frame(START))
            for number, event in enumerate(self.scene.events)
            if number != self.number
            for key in event.roles
        )

    def hides(self, canvas: Canvas, key: str, since: int) -> bool:
        """Whether in some frame from ``since`` on less than half is left of what the true clip shows of a member."""
        number = self.scene.ids.index(key)
        true, left = (
            (owners[since:] // len(PARTS) == number).sum(axis=(1, 2)) for owners in (self.true.owners, canvas.owner)
        )
        return bool((left < _LEFT_IN_SIGHT * true).any())

    def around(self, place: Path, radius: float) -> Bool[ndarray, "y x"]:
        """The pixels that are no farther than this from a place of the last frame."""
        camera = Camera(self.size_hw, self.scene.width)
        rows, columns = (np.arange(size) + 0.5 for size in self.size_hw)
        middle = (camera.height - camera.ground - place.y[-1]) * camera.scale, place.x[-1] * camera.scale
        near: Bool[ndarray, "y x"] = (
            np.hypot(rows[:, None] - middle[0], columns[None] - middle[1]) <= radius * self.scale
        )
        return near

    def middle_frame(self) -> int:
        """A random frame of the middle half, from which on something goes wrong."""
        quarter = self.num_frames // 4
        return int(self.rng.integers(quarter, 3 * quarter + 1))


def seen_apart(owners: Int16[ndarray, "p y x"], numbers: tuple[int, int], scale: float) -> float:
    """The shortest way between pixels of two members (by their number) in any frame; infinite if never seen.

    In stage units, of which ``scale`` is one in pixels.
    """
    shortest = float("inf")
    for frame in owners // len(PARTS):
        places = [np.argwhere(frame == number) for number in numbers]
        if all(len(place) for place in places):
            ways = np.hypot(*(places[0][:, None, axis] - places[1][None, :, axis] for axis in (0, 1)))
            shortest = min(shortest, (float(ways.min()) - 1.0) / scale)
    return shortest


def posed(motion: Motion, poses: dict[str, Pose]) -> Motion:
    """A motion in which some members have other poses."""
    return replace(motion, poses={**motion.poses, **poses})


def at_frames(pose: Pose, order: Any) -> Pose:
    """A pose whose frames come in another order (indices into the true frames)."""
    return cast(Pose, _mapped(pose, lambda curve: curve if len(curve) == 1 else curve[order]))


def moved_by(pose: Pose, dx: Curve) -> Pose:
    """A pose shifted along the stage."""
    return cast(Pose, _mapped(pose, lambda curve: curve, dx))


def _mapped(value: Any, change: Any, dx: Any = 0.0) -> Any:
    """A pose with every curve changed, and every point shifted along x."""
    if isinstance(value, Path):
        return Path(change(value.x) + dx, change(value.y))
    if isinstance(value, Limb):
        return Limb(*(_mapped(point, change, dx) for point in value))
    if isinstance(value, ndarray):
        return change(value)
    if hasattr(value, "__dataclass_fields__"):
        # Eyes look in a direction and steps are relative to the body: neither shifts.
        shifts = {f.name: 0.0 if f.name in ("gaze", "gait") else dx for f in fields(value)}
        return replace(value, **{name: _mapped(getattr(value, name), change, shift) for name, shift in shifts.items()})
    return value


def base_of(pose: Pose) -> Path:
    """Where the middle of a member is: a person's hips, the foot of everything else."""
    return pose.hips if isinstance(pose, PersonPose) else pose.base
