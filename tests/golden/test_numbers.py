"""Numbers that somebody may have published. One that moves needs a line in CHANGELOG.md under Numerics."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import pytest
import torch

from interplay.attention import Mass, Region, Scores, observe
from interplay.backbones.cogvideox.tiny import TinyCogVideoX, build
from interplay.diffusion.training import noise_batch
from interplay.grid.pixels import to_tensor
from interplay.world.captions import caption
from interplay.world.judge import judge
from interplay.world.sampling import render_at, scene_at
from world_bytes import CLIPS, digests
from world_bytes import __file__ as world_bytes

ASPECT = 80 / 48
# Of each clip of ``world_bytes``: frames, masks, structure video, pose video.
BYTES = [
    "56f34b065a1eecdc f6a9cc66ce6d3b96 17fb53620b3bcec1 5a5356b537758332",
    "3ca8129003cdab69 2697c2a376355217 3a5c996a2f085942 0e4f236d4530633e",
    "bc8b53b4708a5400 b09544455d9f6590 bbb8f8f1b8b6949b 6cb52fdfe1c55f36",
    "c9cb628a98f9b7fa 0e99009bbda23560 3a5c996a2f085942 3a5c996a2f085942",
    "7df84b8dae1ab9ff 2e91064ab47b6b15 5547ed2798d1aba0 201b8c15543201c8",
]
# All that numpy chooses by the processor, under the names of its older and newer releases; names it does not know, or
# that the machine has not, only make it warn.
VECTOR_INSTRUCTIONS = "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V3 X86_V4"


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


def test_the_bytes_of_the_world() -> None:
    """The machine of this test draws what the machine on which the digests were taken drew, to the last bit.

    That machine was x86-64 with AVX-512 (numpy 2.4.6). Drawing takes sums, products, quotients and square roots of
    float32 alone, which IEEE 754 leaves no choice of; a test on one machine cannot show that no other differs, and a
    failure on another one is news and not noise.
    """
    assert digests() == BYTES


def test_the_bytes_of_the_world_with_other_vector_instructions() -> None:
    """numpy's loops without the machine's wider registers and fused operations: what an older processor computes."""
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": VECTOR_INSTRUCTIONS}
    command = [sys.executable, "-W", "ignore", world_bytes]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[: len(CLIPS)] == BYTES


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
