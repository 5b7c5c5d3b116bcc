"""Things: a ball, a box, a cup, a book, a jug, a door, a lamp, a cart, each with the state it can be in.

Everything turns about the thing's middle. Shapes: p frames, or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from interplay.world.canvas import Canvas, Paint
from interplay.world.motion.curves import Curve, Path, cosine, sine
from interplay.world.motion.thing import ThingPose, door_width, lid_end
from interplay.world.palette import FRAME, INSIDE, LIGHT, METAL, PAPER, RGB, WATER, darker, lighter
from interplay.world.vocabulary import NOUNS, Noun

Draw = Callable[[Canvas, "Placed", RGB, int], None]


class Placed:
    """A thing's pose with its own axes: points are given in units of its half width and height, turned with it."""

    def __init__(self, noun: Noun, pose: ThingPose) -> None:
        self.pose, self.half, self.height = pose, noun.half_width, noun.height
        turned = bool(np.any(pose.turn))
        self.turn: tuple[Curve, Curve] | None = (cosine(pose.turn), sine(pose.turn)) if turned else None

    def at(self, across: float | Curve, up: float | Curve) -> Path:
        """The point ``across`` half widths from the middle and ``up`` heights from the bottom."""
        dx, dy = across * self.half, (up - 0.5) * self.height
        middle = self.pose.base.moved(0.0, self.height / 2)
        if self.turn is None:
            return middle.moved(dx, dy)
        cos, sin = self.turn
        return middle.moved(dx * cos - dy * sin, dx * sin + dy * cos)


def draw_thing(canvas: Canvas, noun: str, colour: RGB, pose: ThingPose, owner: int) -> None:
    """Paint a thing over the whole clip."""
    _DRAW[noun](canvas, Placed(NOUNS[noun], pose), colour, owner)


def draw_light(canvas: Canvas, noun: str, pose: ThingPose) -> None:
    """What a thing sheds on the scenery behind it: the glow of a lamp that is lit. It belongs to nobody."""
    if noun != "lamp" or not np.any(pose.state):
        return
    placed = Placed(NOUNS[noun], pose)
    glow = Paint(LIGHT, None, opacity=0.55 * pose.state, softness=0.22)
    canvas.oval(placed.at(0.0, 0.8), 0.2, 0.17, glow)


def _ball(canvas: Canvas, ball: Placed, colour: RGB, owner: int) -> None:
    middle, r = ball.at(0.0, 0.5), ball.half
    canvas.disc(middle, r, Paint(colour, owner))
    canvas.limb(ball.at(-0.62, 0.5), ball.at(0.62, 0.5), 0.12 * r, Paint(darker(colour), owner))
    canvas.disc(middle.moved(-0.35 * r, 0.38 * r), 0.2 * r, Paint(lighter(colour), owner))


def _box(canvas: Canvas, box: Placed, colour: RGB, owner: int) -> None:
    half, height, turn = box.half, box.height, box.turn
    opened = box.pose.state
    if np.any(opened):
        inside = Paint(INSIDE, owner, opacity=np.minimum(4.0 * opened, np.float32(1.0)))
        canvas.slab(box.at(0.0, 0.98), 0.9 * half, 0.9 * half, 0.12 * height, inside, turn=turn)
    canvas.slab(box.at(0.0, 0.43), half, half, 0.43 * height, Paint(colour, owner), turn=turn, round_by=0.006)
    canvas.slab(box.at(0.0, 0.45), 0.14 * half, 0.14 * half, 0.4 * height, Paint(lighter(colour), owner), turn=turn)
    # The lid: a slat hinged at one upper corner. It keeps shut while the box tumbles.
    side = box.pose.side
    hinge, end = box.at(-1.05 * side, 0.9), box.at(1.05 * side, 0.9)
    if np.any(opened):
        across, up = lid_end(opened, half, height, side)
        end = box.pose.base.moved(across, up)
    canvas.limb(hinge, end, 0.016, Paint(darker(colour, 0.66), owner))


def _cup(canvas: Canvas, cup: Placed, colour: RGB, owner: int) -> None:
    half, height, turn = cup.half, cup.height, cup.turn
    canvas.disc(cup.at(1.0, 0.52), 0.27 * height, Paint(darker(colour), owner))
    canvas.disc(cup.at(1.0, 0.52), 0.13 * height, Paint(lighter(colour, 0.75), owner))
    canvas.slab(cup.at(0.0, 0.5), 0.72 * half, half, height / 2, Paint(colour, owner), turn=turn, round_by=0.012)
    canvas.slab(cup.at(0.0, 0.9), 0.96 * half, half, 0.1 * height, Paint(lighter(colour), owner), turn=turn)
    if np.any(cup.pose.state):
        full = np.minimum(2.0 * cup.pose.state, np.float32(1.0))
        water = Paint(WATER, owner, opacity=full)
        canvas.slab(cup.at(0.0, 0.94), 0.8 * half, 0.86 * half, 0.085 * height, water, turn=turn)


def _book(canvas: Canvas, book: Placed, colour: RGB, owner: int) -> None:
    half, height, turn = book.half, book.height, book.turn
    cover, page = Paint(colour, owner), Paint(PAPER, owner)
    # A closed book shows its cover and a label; an open one two white pages, the left one swung out of the cover.
    opened, side = book.pose.state, book.pose.side
    canvas.slab(book.at(0.0, 0.5), half, half, 0.5 * height, cover, turn=turn, round_by=0.008)
    canvas.slab(
        book.at(0.12, 0.62), 0.5 * half, 0.5 * half, 0.1 * height, Paint(lighter(colour, 0.6), owner), turn=turn
    )
    canvas.slab(book.at(-0.86, 0.5), 0.14 * half, 0.14 * half, 0.5 * height, Paint(darker(colour), owner), turn=turn)
    if not np.any(opened):
        return
    white = np.minimum(5.0 * opened, np.float32(1.0))
    canvas.slab(book.at(0.06 * side, 0.5), 0.86 * half, 0.86 * half, 0.43 * height, Paint(PAPER, owner, opacity=white))
    for line in (0.3, 0.44, 0.58, 0.72):
        ink = Paint(darker(PAPER), owner, opacity=white)
        canvas.slab(book.at(0.06 * side, line), 0.6 * half, 0.6 * half, 0.022 * height, ink)
    width = np.maximum(half * np.maximum(2.0 * opened - 1.0, np.float32(0.0)), np.float32(1e-3))
    hinge = book.at(-side, 0.5)
    wide = hinge.moved(-side * width, 0.0)
    leaf = np.minimum(20.0 * np.maximum(opened - 0.5, np.float32(0.0)), np.float32(1.0))
    canvas.slab(wide, width, width, 0.5 * height, Paint(colour, owner, opacity=leaf), round_by=0.0)
    canvas.slab(wide, 0.86 * width, 0.86 * width, 0.43 * height, Paint(page.colour, owner, opacity=leaf))


def _jug(canvas: Canvas, jug: Placed, colour: RGB, owner: int) -> None:
    half, height, turn = jug.half, jug.height, jug.turn
    side = jug.pose.side
    if np.any(jug.pose.flow):
        lip = jug.at(0.95 * side, 0.97)
        fall = Path(lip.x + 0.012 * side, jug.pose.flow_y)
        canvas.limb(lip, fall, 0.013, Paint(WATER, owner, opacity=jug.pose.flow))
    canvas.limb(jug.at(-0.95 * side, 0.78), jug.at(-0.95 * side, 0.36), 0.2 * half, Paint(darker(colour), owner))
    canvas.limb(jug.at(-0.5 * side, 0.78), jug.at(-0.95 * side, 0.78), 0.18 * half, Paint(darker(colour), owner))
    canvas.slab(
        jug.at(0.0, 0.42), 0.78 * half, 0.72 * half, 0.42 * height, Paint(colour, owner), turn=turn, round_by=0.02
    )
    canvas.slab(jug.at(0.0, 0.86), 0.52 * half, 0.62 * half, 0.13 * height, Paint(colour, owner), turn=turn)
    canvas.limb(
        jug.at(0.3 * side, 0.9), jug.at(0.92 * side, 0.98), 0.2 * half, Paint(lighter(colour), owner), 0.1 * half
    )
    canvas.slab(jug.at(0.0, 0.4), 0.74 * half, 0.73 * half, 0.06 * height, Paint(lighter(colour), owner), turn=turn)


def _door(canvas: Canvas, door: Placed, colour: RGB, owner: int) -> None:
    half, height = door.half, door.height
    side = door.pose.side
    canvas.slab(door.at(0.0, 0.5), half, half, 0.5 * height, Paint(FRAME, owner), round_by=0.008)
    canvas.slab(door.at(0.0, 0.48), 0.82 * half, 0.82 * half, 0.465 * height, Paint(LIGHT, owner))
    # The panel turns about the jamb that is away from the actor: foreshortened, and higher where it swings forward.
    opened = door.pose.state
    width = door_width(half, opened)
    centre = door.at(0.82 * side, 0.48).moved(-side * width, 0.0)
    canvas.slab(centre, width, width, 0.465 * height, Paint(colour, owner))
    for row in (0.28, 0.68):
        panel = Path(centre.x, door.at(0.0, row).y)
        canvas.slab(panel, 0.68 * width, 0.68 * width, 0.14 * height, Paint(darker(colour), owner))
    knob = Path(centre.x - side * 0.78 * width, door.at(0.0, 0.44).y)
    canvas.disc(knob, 0.016, Paint(lighter(colour, 0.75), owner))


def _lamp(canvas: Canvas, lamp: Placed, colour: RGB, owner: int) -> None:
    half, height = lamp.half, lamp.height
    canvas.slab(lamp.at(0.0, 0.025), 0.62 * half, 0.5 * half, 0.025 * height, Paint(METAL, owner))
    canvas.limb(lamp.at(0.0, 0.04), lamp.at(0.0, 0.7), 0.013, Paint(METAL, owner))
    canvas.disc(lamp.at(0.0, 0.5), 0.024, Paint(darker(METAL), owner))
    canvas.slab(lamp.at(0.0, 0.83), half, 0.55 * half, 0.17 * height, Paint(colour, owner), round_by=0.008)
    if np.any(lamp.pose.state):
        lit = Paint(lighter(colour, 0.45), owner, opacity=lamp.pose.state)
        canvas.slab(lamp.at(0.0, 0.83), 0.86 * half, 0.45 * half, 0.15 * height, lit)
        canvas.disc(lamp.at(0.0, 0.73), 0.36 * half, Paint(LIGHT, owner, opacity=lamp.pose.state))


def _cart(canvas: Canvas, cart: Placed, colour: RGB, owner: int) -> None:
    half, height = cart.half, cart.height
    for side in (-1.0, 1.0):
        canvas.limb(cart.at(0.82 * side, 0.5), cart.at(1.0 * side, 0.94), 0.011, Paint(METAL, owner))
        canvas.limb(cart.at(0.94 * side, 0.94), cart.at(1.1 * side, 0.94), 0.016, Paint(METAL, owner))
    canvas.slab(cart.at(0.0, 0.5), 0.86 * half, half, 0.23 * height, Paint(colour, owner), round_by=0.008)
    canvas.slab(cart.at(0.0, 0.7), half, half, 0.04 * height, Paint(lighter(colour), owner))
    # Its wheels turn as far as the cart has gone.
    wheel = 0.16 * height
    travelled = (cart.pose.base.x - cart.pose.base.x[:1]) / np.float32(2.0 * 3.1415927 * wheel)
    for side in (-0.58, 0.58):
        hub = cart.pose.base.moved(side * half, wheel)
        canvas.disc(hub, wheel, Paint(darker(METAL, 0.6), owner))
        canvas.disc(hub, 0.5 * wheel, Paint(lighter(METAL), owner))
        cos, sin = cosine(travelled) * (0.8 * wheel), sine(travelled) * (0.8 * wheel)
        canvas.limb(hub.moved(-cos, sin), hub.moved(cos, -sin), 0.006, Paint(darker(METAL, 0.6), owner))


_DRAW: Mapping[str, Draw] = {
    "ball": _ball,
    "box": _box,
    "cup": _cup,
    "book": _book,
    "jug": _jug,
    "door": _door,
    "lamp": _lamp,
    "cart": _cart,
}
