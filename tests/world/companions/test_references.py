from __future__ import annotations

import numpy as np

from interplay.world.companions.references import person_image, product_image
from interplay.world.palette import INSTANCE_COLOURS
from world_scenes import scene_of


def test_each_shows_its_member_alone_and_large():
    scene = scene_of("push", 6, noun="box")
    event = scene.events[0]
    for image, member in ((person_image, event.subject), (product_image, event.object)):
        picture = image(scene, (120, 160))
        figure = (picture < 245).any(axis=-1)
        rows, columns = np.nonzero(figure)
        assert max(np.ptp(rows) / 120, np.ptp(columns) / 160) > 0.6
        assert rows.min() > 0
        assert rows.max() < 119
        colour = INSTANCE_COLOURS[scene.member(member).colour]
        assert (picture[figure] == colour).all(axis=-1).mean() > 0.1


def test_absent_means_none():
    assert product_image(scene_of("hug", 0), (48, 80)) is None
    dog = scene_of("walk", 0, noun="dog")
    assert person_image(dog, (48, 80)) is None
