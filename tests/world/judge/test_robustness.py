"""Whatever a video shows, the judge answers: a generated one may show anything, and may be no clip of its scene."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from jaxtyping import UInt8
from numpy import ndarray

from interplay.core.errors import InputError
from interplay.world.judge import judge
from interplay.world.palette import HAIR, INSTANCE_COLOURS, SKIN, TROUSERS
from interplay.world.render import render
from interplay.world.sampling import scene_at
from interplay.world.scene import Scene
from world_scenes import SIZE, WIDE

Frames = UInt8[ndarray, "p y x 3"]
PALETTE = np.array([*INSTANCE_COLOURS.values(), SKIN, HAIR, TROUSERS, (0, 0, 0), (255, 255, 255)], np.uint8)


def scenes(count: int) -> Iterator[tuple[Scene, Scene]]:
    """Scenes of all splits and sizes of cast, each with another one."""
    for index in range(count):
        split = ("train", "test", "heldout", "solo")[index % 4]
        yield scene_at(21, split, index, WIDE), scene_at(22, split, index, WIDE)


def shown(scene: Scene, other: Scene, num_frames: int, rng: np.random.Generator) -> Iterator[tuple[str, Frames]]:
    """Videos that a bad model might make of a scene."""
    true, wrong = (render(one, num_frames, SIZE).frames for one in (scene, other))
    alone = render(replace(scene, members=scene.members[:1], events=(), speaker=None), num_frames, SIZE).frames
    blocks = PALETTE[rng.integers(len(PALETTE), size=(num_frames, 6, 10))]
    yield "noise", rng.integers(0, 256, true.shape).astype(np.uint8)
    yield "black", np.zeros_like(true)
    yield "one colour", np.broadcast_to(PALETTE[rng.integers(len(PALETTE))], true.shape).copy()
    yield "confetti", PALETTE[rng.integers(len(PALETTE), size=true.shape[:3])]
    yield "blocks", blocks.repeat(8, axis=1).repeat(8, axis=2)
    yield "another scene", wrong
    yield "a cut", np.concatenate([true[:1], wrong[1:]])
    yield "two at once", ((true.astype(int) + wrong) // 2).astype(np.uint8)
    yield "torn", np.where(rng.random((*true.shape[:3], 1)) < 0.5, true, wrong)
    yield "all but one gone", np.concatenate([true[: num_frames // 2 + 1], alone[num_frames // 2 + 1 :]])
    yield "shuffled", true[rng.permutation(num_frames)]
    yield "covered", _covered(true, rng)


def _covered(frames: Frames, rng: np.random.Generator) -> Frames:
    """Newcomers, some as large as the picture, before everybody."""
    frames = frames.copy()
    for _ in range(5):
        since, top, left = rng.integers(0, [len(frames), SIZE[0], SIZE[1]]).tolist()
        high, wide = rng.integers(3, SIZE[0], size=2).tolist()
        frames[since:, top : top + high, left : left + wide] = PALETTE[rng.integers(len(PALETTE))]
    return frames


@pytest.mark.parametrize("num_frames", [1, 2, 5, 17])
@pytest.mark.filterwarnings("error")
def test_there_is_a_verdict_on_any_video(num_frames):
    rng = np.random.default_rng(num_frames)
    for scene, other in scenes(4):
        for what, frames in shown(scene, other, num_frames, rng):
            verdict = judge(frames, scene)
            assert len(verdict.findings) == 10 * len(scene.events), what
            assert all(0 <= finding.frame < num_frames for finding in verdict.findings), what
            assert {track.to_array().shape for track in verdict.tracks().values()} == {(num_frames, *SIZE)}, what
            flagged = (*verdict.presence.emergent_frames, *verdict.presence.vanished_frames)
            assert all(0 < frame < num_frames for frame in flagged), what


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), INSTANCE_COLOURS["red"], SKIN])
def test_what_shows_nothing_confirms_no_outcome(colour):
    frames = np.broadcast_to(np.array(colour, np.uint8), (9, *SIZE, 3)).copy()
    for scene, _ in scenes(4):
        assert not any(f.yes for f in judge(frames, scene).findings if f.name == "Q6"), scene.events


def test_a_video_without_frames_is_refused():
    scene = scene_at(21, "test", 0, WIDE)
    with pytest.raises(InputError, match="no frames"):
        judge(np.zeros((0, *SIZE, 3), np.uint8), scene)
