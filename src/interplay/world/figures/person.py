"""Persons: a man and a boy wear a shirt and trousers, a woman and a girl a dress; all have a face that looks.

A person is painted in two goes, so that what is held is behind the near arm and before the body. Shapes: p frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from interplay.world.canvas import Canvas, Paint
from interplay.world.figures.owners import owner
from interplay.world.motion.limbs import Limb
from interplay.world.motion.person import PersonPose
from interplay.world.palette import EYE, HAIR, MOUTH, RGB, SHOES, SKIN, TROUSERS, WHITE, darker

ARM, SLEEVE, HAND, LEG, SHOE = 0.026, 0.034, 0.033, 0.033, 0.032
WAIST, BREAST = 0.066, 0.074


@dataclass(frozen=True)
class Look:
    """The colours of a person, and whether it wears a dress and long hair."""

    clothes: RGB
    skin: RGB = SKIN
    hair: RGB = HAIR
    trousers: RGB = TROUSERS
    shoes: RGB = SHOES
    dress: bool = False
    child: bool = False
    face: bool = True


def look_of(noun: str, colour: RGB) -> Look:
    """What a person of this noun wears in this colour."""
    return Look(colour, dress=noun in ("woman", "girl"), child=noun in ("boy", "girl"))


def draw_body(canvas: Canvas, look: Look, pose: PersonPose, index: int) -> None:
    """Everything behind what the person holds: far arm, legs, torso, head."""
    body = owner(index)
    _arm(canvas, look, pose, pose.far_arm, Paint(look.skin, owner(index, "far_hand")), body, shade=0.68)
    _leg(canvas, look, pose, pose.far_leg, body, shade=0.8)
    _leg(canvas, look, pose, pose.near_leg, body, shade=1.0)
    if look.dress:
        _hair_behind(canvas, look, pose, owner(index, "head"))
    _torso(canvas, look, pose, body)
    _head(canvas, look, pose, owner(index, "head"))


def draw_near_arm(canvas: Canvas, look: Look, pose: PersonPose, index: int) -> None:
    """What is before everything the person holds."""
    paint = Paint(look.skin, owner(index, "near_hand"))
    _arm(canvas, look, pose, pose.near_arm, paint, owner(index), shade=0.78)
    if np.any(pose.pointing):
        _finger(canvas, pose, Paint(look.skin, owner(index, "near_hand"), opacity=pose.pointing))


def _arm(canvas: Canvas, look: Look, pose: PersonPose, arm: Limb, hand: Paint, body: int, *, shade: float) -> None:
    s = pose.scale
    sleeve = Paint(darker(look.clothes, shade), body)
    canvas.limb(arm.root, arm.joint, SLEEVE * s, sleeve, 0.9 * SLEEVE * s)
    canvas.limb(arm.joint, arm.tip, 0.9 * SLEEVE * s, sleeve, ARM * s)
    canvas.disc(arm.tip, HAND * s, hand)


def _finger(canvas: Canvas, pose: PersonPose, paint: Paint) -> None:
    """A finger in the direction of the forearm."""
    elbow, hand = pose.near_arm.joint, pose.near_arm.tip
    canvas.limb(hand, elbow.toward(hand, 1.4), 0.02 * pose.scale, paint, 0.014 * pose.scale)


def _leg(canvas: Canvas, look: Look, pose: PersonPose, leg: Limb, body: int, *, shade: float) -> None:
    s = pose.scale
    cloth = look.skin if look.dress else look.trousers
    paint = Paint(darker(cloth, shade), body)
    width = 0.72 * LEG * s if look.dress else LEG * s
    canvas.limb(leg.root, leg.joint, width, paint)
    canvas.limb(leg.joint, leg.tip, width, paint, 0.8 * width)
    toe = leg.tip.moved(0.032 * s * pose.facing, -0.004 * s)
    canvas.limb(leg.tip, toe, 0.024 * s, Paint(darker(look.shoes, shade), body), 0.02 * s)


def _torso(canvas: Canvas, look: Look, pose: PersonPose, body: int) -> None:
    s = pose.scale
    cloth = Paint(look.clothes, body)
    waist, breast = pose.hips.moved(0.0, 0.05 * s), pose.chest.moved(0.0, -0.03 * s)
    if look.dress:
        hem = pose.hips.moved(0.0, -0.03 * s)
        canvas.slab(hem, 0.125 * s, 0.07 * s, 0.075 * s, cloth, round_by=0.018 * s)
    else:
        canvas.limb(pose.hips, waist, 0.062 * s, Paint(look.trousers, body), 0.062 * s)
    canvas.limb(waist, breast, WAIST * s, cloth, BREAST * s)


def _hair_behind(canvas: Canvas, look: Look, pose: PersonPose, head: int) -> None:
    r, back = pose.head_radius, -pose.facing
    hair = Paint(look.hair, head)
    if look.child:
        for side in (-1.0, 1.0):
            tail = pose.head.moved(0.95 * r * side + 0.2 * r * back, -0.1 * r)
            canvas.limb(tail, tail.moved(0.35 * r * side, -0.55 * r), 0.3 * r, hair, 0.2 * r)
        return
    top = pose.head.moved(0.35 * r * back, 0.1 * r)
    canvas.limb(top, pose.head.moved(0.62 * r * back, -1.25 * r), 0.85 * r, hair, 0.5 * r)


def _head(canvas: Canvas, look: Look, pose: PersonPose, head: int) -> None:
    r, f = pose.head_radius, pose.facing
    canvas.disc(pose.head, r, Paint(look.skin, head))
    if look.face:
        _face(canvas, pose, head)
    # Hair: a cap over the crown that comes down at the back of the head and leaves the brow free.
    hair = Paint(look.hair, head)
    crown = pose.head.moved(-0.12 * r * f, 0.66 * r)
    canvas.limb(crown.moved(0.56 * r * f, -0.06 * r), crown.moved(-0.34 * r * f, -0.06 * r), 0.36 * r, hair, 0.46 * r)
    back = pose.head.moved(-0.74 * r * f, 0.42 * r)
    canvas.limb(back, pose.head.moved(-0.84 * r * f, -0.14 * r), 0.36 * r, hair, 0.2 * r)


def _face(canvas: Canvas, pose: PersonPose, head: int) -> None:
    r, f = pose.head_radius, pose.facing
    for ahead in (0.1, 0.64):
        eye = pose.head.moved(ahead * r * f, 0.02 * r)
        canvas.oval(eye, 0.17 * r, 0.21 * r, Paint(WHITE, head))
        pupil = eye.moved(0.06 * r * pose.gaze.x, 0.09 * r * pose.gaze.y)
        canvas.oval(pupil, 0.115 * r, 0.15 * r, Paint(EYE, head))
    # A smile: two short strokes that meet low; whoever speaks opens it.
    left, low, right = (
        pose.head.moved((0.38 + dx) * r * f, dy * r) for dx, dy in ((-0.2, -0.4), (0.0, -0.5), (0.2, -0.4))
    )
    lips = Paint(MOUTH, head)
    canvas.limb(left, low, 0.055 * r, lips)
    canvas.limb(low, right, 0.055 * r, lips)
    if np.any(pose.mouth):
        canvas.oval(low, 0.18 * r, 0.04 * r + 0.2 * r * pose.mouth, lips)
