"""Animals: a dog with hanging ears and a long nose, a cat with pointed ears and a raised tail.

Shapes: p frames, or 1.
"""

from __future__ import annotations

from interplay.world.canvas import Canvas, Paint
from interplay.world.motion.animal import MOUTH_X, MOUTH_Y, AnimalPose
from interplay.world.motion.curves import Curve, Path, sine
from interplay.world.palette import EYE, RGB, darker, lighter

BODY_Y, BODY_RADIUS, HEAD_RADIUS, LEG = 0.115, 0.05, 0.052, 0.019
_SHOULDER_X, _RUMP_X = 0.085, -0.085


def draw_animal(canvas: Canvas, noun: str, colour: RGB, pose: AnimalPose, owner: int) -> None:
    """Paint an animal over the whole clip."""
    s, f = pose.scale, pose.facing
    skull = _skull(pose)
    coat, shade = Paint(colour, owner), Paint(darker(colour, 0.72), owner)
    _legs(canvas, pose, shade, coat, near=False)
    _tail(canvas, noun, pose, coat)
    rump = pose.base.moved(_RUMP_X * s * f, BODY_Y * s)
    shoulder = pose.base.moved(_SHOULDER_X * s * f, (BODY_Y + 0.012) * s)
    canvas.limb(rump, shoulder, BODY_RADIUS * s, coat, 0.056 * s)
    canvas.limb(
        rump.moved(0.02 * s * f, -0.022 * s), shoulder.moved(0.0, -0.028 * s), 0.024 * s, Paint(lighter(colour), owner)
    )
    _legs(canvas, pose, shade, coat, near=True)
    canvas.limb(shoulder, skull, 0.042 * s, coat)
    _head(canvas, noun, colour, pose, skull, owner)


def _skull(pose: AnimalPose) -> Path:
    """The middle of the head: behind the mouth, and it gives way only half as far."""
    s, f = pose.scale, pose.facing
    rest = pose.base.moved(MOUTH_X * s * f, MOUTH_Y * s)
    dx, dy = pose.mouth.x - rest.x, pose.mouth.y - rest.y
    return rest.moved(-0.062 * s * f + 0.75 * dx, 0.022 * s + 0.75 * dy)


def _legs(canvas: Canvas, pose: AnimalPose, far: Paint, coat: Paint, *, near: bool) -> None:
    s, f, gait = pose.scale, pose.facing, pose.gait
    steps = ((gait.near, gait.near_lift), (gait.far, gait.far_lift))
    for index, hip in enumerate((_SHOULDER_X - 0.005, _RUMP_X + 0.005)):
        along, lift = steps[index if near else 1 - index]
        top = pose.base.moved((hip + (-0.012 if near else 0.022)) * s * f, (BODY_Y - 0.02) * s)
        paw = Path(top.x + 0.7 * along, pose.base.y + LEG * s + 0.6 * lift)
        canvas.limb(top, paw, 1.15 * LEG * s, coat if near else far, LEG * s)


def _tail(canvas: Canvas, noun: str, pose: AnimalPose, coat: Paint) -> None:
    s, f = pose.scale, pose.facing
    wag: Curve = 0.035 * s * sine(pose.tail)
    root = pose.base.moved((_RUMP_X - 0.03) * s * f, (BODY_Y + 0.02) * s)
    if noun == "cat":
        middle = root.moved(-0.05 * s * f, 0.05 * s)
        canvas.limb(root, middle, 0.017 * s, coat)
        canvas.limb(middle, middle.moved(0.012 * s * f + wag, 0.075 * s), 0.017 * s, coat, 0.014 * s)
    else:
        canvas.limb(root, root.moved(-0.06 * s * f, 0.055 * s + wag), 0.02 * s, coat, 0.012 * s)


def _head(canvas: Canvas, noun: str, colour: RGB, pose: AnimalPose, skull: Path, owner: int) -> None:
    s, f = pose.scale, pose.facing
    coat, shade = Paint(colour, owner), Paint(darker(colour, 0.66), owner)
    r = HEAD_RADIUS * s
    if noun == "cat":
        for ahead in (-0.62, 0.42):
            root = skull.moved(ahead * r * f, 0.55 * r)
            canvas.limb(root, root.moved((ahead * 0.25) * r * f, 0.75 * r), 0.34 * r, coat, 0.06 * r)
    canvas.disc(skull, 1.02 * r, coat)
    canvas.limb(skull, pose.mouth.moved(-0.014 * s * f, 0.0), 0.55 * r, coat, 0.5 * r if noun == "dog" else 0.36 * r)
    if noun == "dog":
        ear = skull.moved(-0.55 * r * f, 0.5 * r)
        canvas.limb(ear, ear.moved(-0.28 * r * f, -1.0 * r), 0.34 * r, shade, 0.42 * r)
    canvas.disc(pose.mouth.moved(0.0, 0.012 * s), 0.26 * r, Paint(EYE, owner))
    canvas.disc(skull.moved(0.32 * r * f, 0.3 * r), 0.24 * r, Paint(EYE, owner))
