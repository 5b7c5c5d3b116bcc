"""The measure of tracks and contacts, on verdicts of which it is known how wrong they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interplay.world.judge import Contact, Verdict, judge
from interplay.world.judge.agreement import agreement
from interplay.world.render import Rendering, render
from world_scenes import SIZE, scene_of


@pytest.fixture(scope="module")
def seen() -> tuple[Verdict, Rendering]:
    """A hand-over, and a verdict with its true contacts."""
    scene = scene_of("hand over", 1)
    rendering = render(scene, 17, SIZE)
    true = tuple(Contact(c.who, c.what, c.first, c.last, c.holding) for c in rendering.motion.contacts)
    assert [(c.first > 0, c.holding) for c in true] == [(False, True), (True, True)]
    return replace(judge(rendering.frames, scene), contacts=true), rendering


def test_the_true_contacts_agree_in_everything(seen):
    found = agreement(*seen)
    assert (found.found, found.missed, found.extra, found.unseen, found.unreal, found.held) == (2, 0, 0, 0, 0, 2)
    assert found.both == sum(contact.last - contact.first + 1 for contact in seen[0].contacts)
    assert found.onsets == (0,)


def test_a_late_short_touch_that_bears_nothing(seen):
    verdict, rendering = seen
    giver, taker = verdict.contacts
    late = replace(taker, first=taker.first + 3, holding=False)
    found = agreement(replace(verdict, contacts=(giver, late)), rendering)
    assert (found.unseen, found.unreal, found.onsets, found.held) == (3, 0, (3,), 1)


def test_one_is_missed_and_one_is_not_true(seen):
    verdict, rendering = seen
    giver, taker = verdict.contacts
    other = Contact(giver.who, taker.who, 4, 8, holding=False)
    found = agreement(replace(verdict, contacts=(giver, other)), rendering)
    assert (found.found, found.missed, found.extra) == (1, 1, 1)
    assert (found.unseen, found.unreal) == (taker.last - taker.first + 1, 5)
    assert found.onsets == ()


def test_who_and_whom_are_not_the_same(seen):
    verdict, rendering = seen
    giver, taker = verdict.contacts
    turned = replace(taker, who=taker.what, what=taker.who)
    assert agreement(replace(verdict, contacts=(giver, turned)), rendering).found == 1


def test_tracks_are_compared_over_the_clip(seen):
    verdict, rendering = seen
    ious = agreement(verdict, rendering).ious
    assert set(ious) == set(rendering.ids)
    assert min(ious.values()) > 0.6
    one = rendering.ids[0]
    empty = replace(verdict.recovery.tracks[one], mask=np.zeros_like(verdict.recovery.tracks[one].mask))
    tracks = {**verdict.recovery.tracks, one: empty}
    nothing = replace(verdict, recovery=replace(verdict.recovery, tracks=tracks))
    assert agreement(nothing, rendering).ious == {**ious, one: 0.0}
