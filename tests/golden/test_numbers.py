"""Numbers that somebody may have published. One that moves needs a line in CHANGELOG.md under Numerics."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch

from interplay.attention import Mass, Region, Scores, observe
from interplay.backbones.cogvideox.tiny import TinyCogVideoX, build
from interplay.diffusion.training import noise_batch
from interplay.grid.pixels import to_tensor
from interplay.world.captions import caption
from interplay.world.judge import judge
from interplay.world.sampling import render_at, scene_at

ASPECT = 80 / 48


def test_the_scenes_of_the_world() -> None:
    scenes = [scene_at(0, split, i, ASPECT).to_json() for split in ("train", "test", "heldout") for i in range(50)]
    text = json.dumps(scenes, sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "58872ffecd0ffacd"


def test_the_captions_of_the_world() -> None:
    text = "\n".join(caption(scene_at(0, "test", i, ASPECT)) for i in range(200))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "23791d7259b6d364"


def test_the_pixels_and_masks_of_the_world() -> None:
    _, rendering = render_at(0, "test", 3, 17, (48, 80))
    areas = {"id3": 3421, "id2": 1257, "id1": 4845}
    assert rendering.frames.mean() == pytest.approx(188.0998, abs=1e-3)
    assert {key: int(mask.sum()) for key, mask in rendering.masks.items()} == areas


def test_the_judge_on_a_broken_clip() -> None:
    scene, rendering = render_at(0, "test", 3, 17, (48, 80))
    frames = rendering.frames.copy()
    frames[9:] = frames[0]
    verdict = judge(frames, scene)
    assert [f.name for f in verdict.findings if not f.yes] == ["Q4", "Q5", "Q6", "Q8", "Q9", "Q10"]


def test_loss_scores_and_mass_of_an_untrained_model() -> None:
    backbone = build(0, TinyCogVideoX(layers=2))
    video = torch.stack([to_tensor(render_at(0, "test", i, 17, (48, 80))[1].frames) for i in range(2)])
    latents = backbone.encode_video(video)
    grid = backbone.grid(17, (48, 80))
    first_frame = backbone.first_frame_condition(video[:, :, 0], grid)
    noised = noise_batch(backbone, latents, torch.Generator().manual_seed(0))
    words = Region.text([[1, 2], [3]], backbone.text_length)
    everywhere = Region.all_video(2, grid.num_tokens)
    requests = [
        Scores("score", "all", keys=words),
        Mass("mass", "all", queries=everywhere, keys=[words], reduce="mean"),
    ]
    with torch.no_grad(), observe(backbone, requests, backbone.layout(grid, backbone.text_length)) as seen:
        text = backbone.encode_text(["a man in red", "a green ball"], first_frame)
        prediction = backbone.denoise(noised.noisy, noised.timesteps, text, first_frame)
    assert noised.loss(prediction).tolist() == pytest.approx([1.276714, 1.049239], rel=1e-3)
    assert float(seen["score"]["blocks.1.joint"].abs().mean()) == pytest.approx(0.674975, rel=1e-3)
    assert float(seen["mass"]["blocks.1.joint"].mean()) == pytest.approx(0.004185, rel=1e-3)
