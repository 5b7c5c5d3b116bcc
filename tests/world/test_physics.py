"""The checks themselves can fail."""

from __future__ import annotations

from dataclasses import replace

from interplay.world.motion.take import Contact
from interplay.world.physics import faults
from interplay.world.staging import stage
from world_scenes import scene_of


def broken(verb, change):
    scene = scene_of(verb, 2)
    motion = stage(scene, 17)
    assert faults(scene, motion) == []
    return faults(scene, change(scene, motion))


def test_a_hand_in_the_air_is_no_contact():
    def change(scene, motion):
        event = scene.events[0]
        return replace(motion, contacts=(Contact(event.subject, event.object, "hand", 0, 16),))

    assert any("away from" in fault for fault in broken("push", change))


def test_an_effect_before_its_contact_is_found():
    def change(scene, motion):
        late = tuple(replace(c, first=14) for c in motion.contacts)
        return replace(motion, contacts=late)

    assert any("before" in fault for fault in broken("push", change))


def test_leaving_the_stage_is_found():
    def change(scene, motion):
        key = scene.events[0].object
        pose = motion.poses[key]
        gone = replace(pose, base=pose.base.moved(5.0, 0.0))
        return replace(motion, contacts=(), poses={**motion.poses, key: gone})

    assert any("leaves the stage" in fault for fault in broken("kick", change))


def test_bodies_in_each_other_are_found():
    def change(scene, motion):
        event = scene.events[0]
        poses = {**motion.poses, event.object: motion.poses[event.subject]}
        return replace(motion, contacts=(), poses=poses)

    assert any("stand in each other" in fault for fault in broken("shake hands", change))


def test_a_thing_in_a_body_and_a_long_arm_are_found():
    def change(scene, motion):
        event = scene.events[0]
        person, thing = motion.poses[event.subject], motion.poses[event.object]
        inside = replace(thing, base=person.hips)
        arm = person.near_arm._replace(tip=person.near_arm.tip.moved(0.2, 0.0))
        poses = {**motion.poses, event.object: inside, event.subject: replace(person, near_arm=arm)}
        return replace(motion, contacts=(), poses=poses)

    found = broken("carry", change)
    assert any("are in each other" in fault for fault in found)
    assert any("stretched" in fault for fault in found)
