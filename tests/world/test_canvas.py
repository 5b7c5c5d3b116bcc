from __future__ import annotations

import numpy as np
import pytest

from interplay.world.canvas import NOBODY, Camera, Canvas, Paint
from interplay.world.motion.curves import Path, constant, cosine, sine, still

RED = (255, 0, 0)


def canvas(size=(40, 60), width=1.5, frames=3) -> Canvas:
    return Canvas(frames, Camera(size, width), (0, 0, 0))


def owned(picture: Canvas, frame: int = 0) -> np.ndarray:
    return picture.owner[frame] == 1


def test_a_disc_has_its_area_and_place_at_every_resolution():
    for factor in (1, 4):
        picture = canvas((40 * factor, 60 * factor))
        picture.disc(still(0.75, 0.3), 0.2, Paint(RED, 1))
        share = owned(picture).sum() / (40 * 60 * factor**2)
        assert share == pytest.approx(np.pi * 0.2**2 / 1.5, rel=0.03)
        rows, columns = np.nonzero(owned(picture))
        assert (columns.mean() + 0.5) / (60 * factor) == pytest.approx(0.5, abs=0.01)
        assert (rows.mean() + 0.5) / (40 * factor) == pytest.approx(1 - 0.3 - 0.12, abs=0.01)


def test_a_moving_shape_is_painted_where_it_is_and_the_same_as_a_still_one():
    x = np.array([0.3, 0.7, 1.1], np.float32)
    moving, resting = canvas(), canvas()
    moving.limb(Path(x, constant(0.2)), Path(x, constant(0.5)), 0.1, Paint(RED, 1))
    resting.limb(still(0.7, 0.2), still(0.7, 0.5), 0.1, Paint(RED, 1))
    assert np.array_equal(moving.frames[1], resting.frames[1])
    assert np.array_equal(moving.owner[1], resting.owner[1])
    assert (np.diff([np.nonzero(owned(moving, f))[1].mean() for f in range(3)]) > 10).all()


def test_shapes_at_and_beyond_the_edge_are_cut():
    picture = canvas()
    picture.disc(Path(np.array([-0.05, 0.0, 3.0], np.float32), constant(0.2)), 0.1, Paint(RED, 1))
    assert owned(picture, 0).any()
    assert not owned(picture, 2).any()
    picture.disc(still(9.0, 0.2), 0.1, Paint(RED, 2))
    assert not (picture.owner == 2).any()


def test_the_last_painted_owns_and_paint_without_an_owner_leaves_it():
    picture = canvas()
    picture.disc(still(0.7, 0.3), 0.2, Paint(RED, 1))
    picture.disc(still(0.7, 0.3), 0.1, Paint((0, 255, 0), 2))
    picture.oval(still(0.7, 0.3), 0.3, 0.2, Paint((0, 0, 255), None, opacity=0.5))
    assert set(np.unique(picture.owner)) == {NOBODY, 1, 2}
    assert (picture.frames[..., 2].max(axis=(1, 2)) == 127.5).all()


def test_opacity_may_change_and_decides_over_the_owner():
    picture = canvas()
    picture.disc(still(0.7, 0.3), 0.2, Paint(RED, 1, opacity=np.array([0.0, 0.4, 1.0], np.float32)))
    assert [bool(owned(picture, f).any()) for f in range(3)] == [False, False, True]
    assert picture.frames[1].max() == pytest.approx(0.4 * 255)


def test_a_turned_slab_keeps_its_area():
    areas = []
    for turns in (0.0, 0.1, 0.25):
        picture = canvas((160, 240))
        turn = (cosine(constant(turns)), sine(constant(turns)))
        picture.slab(still(0.75, 0.4), 0.2, 0.1, 0.15, Paint(RED, 1), turn=turn)
        areas.append(owned(picture).mean())
    assert areas == pytest.approx([0.3 * 0.3 / 1.5] * 3, rel=0.03)


def test_narrow_pictures_show_more_ground():
    assert Camera((64, 64), 1.5).ground > Camera((48, 80), 1.5).ground
