"""Observation where padded text is masked (HunyuanVideo): exact against the dense twin, and nothing falls on padding.

Queries and keys are recomputed from the attention modules' own inputs, and the mask from the text's lengths, so no
number here comes through the interception that is tested.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor

from interplay.attention import Mass, Observations, Region, RowMap, Scores, _reference, observe
from interplay.attention.requests import Request
from interplay.backbones.batch import Batch
from interplay.backbones.hunyuan_video.adapter import HunyuanVideo
from interplay.backbones.hunyuan_video.tiny import TinyHunyuanVideo, build

CONFIG = TinyHunyuanVideo(
    num_frames=9,
    size_hw=(16, 24),
    vae_channels=(8, 8, 8),
    dual_layers=1,
    single_layers=1,
    heads=2,
    rotary_dims=(4, 6, 6),
    text_dim=16,
    text_length=6,
    picture_px=16,
)
V, P, T = 18, 4, 6  # 3 x 2 x 3 video tokens, 16 / 4 of the picture, text
S = V + P + T
LENGTHS = (6, 3)  # real text tokens of the two clips: one without padding, one with three padded tokens
WORD = Region.text([[1, 4], [2]], T)
PADDING = Region.text([[], [3, 4, 5]], T)
PICTURE = Region("image", torch.ones(2, P))
TRACK = Region("video", torch.rand(2, V, generator=torch.Generator().manual_seed(5)).round(decimals=1))
SEED_FRAME = Region("video", TRACK.weights * (torch.arange(V) < 6))
ALL_TEXT = Region("text", torch.ones(2, T))
REQUESTS: tuple[Request, ...] = (
    Scores("v2t", "all", keys=WORD),
    Scores("t2v", "all", queries=WORD),
    Scores("v2v", "all", queries=SEED_FRAME),
    Mass("mass", "all", TRACK, (WORD, PADDING, PICTURE, TRACK), "none"),
    Mass("mean mass", "all", TRACK, (WORD,), "mean"),
    Mass("words' mass", "all", WORD, (TRACK,), "none"),
    RowMap("map", "all", SEED_FRAME),
)


@dataclass(frozen=True)
class Stage:
    """A backbone and one forward of two clips whose prompts differ in length."""

    backbone: HunyuanVideo
    text: Batch
    inputs: tuple[Tensor, Tensor, Batch]

    def forward(self) -> Tensor:
        latents, timesteps, first_frame = self.inputs
        return self.backbone.denoise(latents, timesteps, self.text, first_frame)

    def observed(self, *requests: Request) -> Observations:
        layout = self.backbone.layout(self.backbone.grid(CONFIG.num_frames, CONFIG.size_hw), T)
        with observe(self.backbone, requests, layout) as seen:
            self.forward()
        return seen


@pytest.fixture
def stage() -> Stage:
    backbone = build(0, CONFIG)
    generator = torch.Generator().manual_seed(1)
    for name, weight in backbone.transformer.named_parameters():
        if "attn.norm" in name:
            # Weights of 1 leave attention nearly uniform, where a wrong statistic hardly shows.
            torch.nn.init.normal_(weight, std=1.5, generator=generator)
    lengths = torch.tensor(LENGTHS)[:, None]
    text = {
        "embeddings": torch.randn(2, P + T, CONFIG.text_dim, generator=generator),
        "mask": torch.arange(P + T) < P + lengths,
        "pooled": torch.randn(2, CONFIG.pooled_dim, generator=generator),
        "guidance": torch.ones(2),
    }
    latents, first = (torch.randn(2, 8, frames, 4, 6, generator=generator) for frames in (3, 1))
    return Stage(backbone, Batch(text), (latents, torch.tensor([100, 700]), Batch({"latents": first})))


def _record_queries_and_keys(stage: Stage) -> dict[str, tuple[Tensor, Tensor]]:
    recorded = {}

    def heads(attn, norm, x: Tensor) -> Tensor:
        return norm(x.unflatten(2, (attn.heads, -1)).transpose(1, 2))

    def side(attn, kwargs, letter: str) -> Tensor:
        project, norm = getattr(attn, f"to_{letter}"), getattr(attn, f"norm_{letter}")
        video = heads(attn, norm, project(kwargs["hidden_states"]))
        if attn.add_q_proj is not None:  # a dual-stream block has projections of its own for text
            project, norm = getattr(attn, f"add_{letter}_proj"), getattr(attn, f"norm_added_{letter}")
        text = heads(attn, norm, project(kwargs["encoder_hidden_states"]))
        return torch.cat([apply_rotary_emb(video, kwargs["image_rotary_emb"]), text], dim=2)

    def hook(address: str) -> Callable[..., None]:
        def record(attn, args, kwargs) -> None:
            recorded[address] = side(attn, kwargs, "q"), side(attn, kwargs, "k")

        return record

    for site in stage.backbone.sites():
        module = stage.backbone.transformer.get_submodule(site.module)
        module.register_forward_pre_hook(hook(site.address), with_kwargs=True)
    return recorded


def _spread(region: Region) -> Tensor:
    """Weights along the whole joint sequence [video, image, text]."""
    first = {"video": 0, "image": V, "text": V + P}[region.stream]
    columns = torch.zeros(2, S)
    columns[:, first : first + region.weights.shape[1]] = region.weights
    return columns


def _dense(q: Tensor, k: Tensor) -> dict[str, Tensor]:
    """The same numbers from whole matrices."""
    scale = q.shape[-1] ** -0.5
    real = (torch.arange(S) < V + P + torch.tensor(LENGTHS)[:, None])[:, None, None]
    scores, attention = _reference.dense_scores(q, k, scale), _reference.dense_attention(q, k, real, scale)
    text = slice(V + P, S)
    track = torch.stack([_spread(region) for region in (WORD, PADDING, PICTURE, TRACK)], dim=-1)
    mass = _reference.dense_mass(attention, track)
    share = TRACK.weights / TRACK.weights.sum(1, keepdim=True)
    return {
        "v2t": _reference.dense_mean_over_keys(scores[:, :, :V, text], WORD.weights),
        "t2v": _reference.dense_mean_over_queries(scores[:, :, text, :V], WORD.weights),
        "v2v": _reference.dense_mean_over_queries(scores[:, :, :V, :V], SEED_FRAME.weights),
        "mass": mass[:, :, :V] * (TRACK.weights > 0)[:, None, :, None],
        "mean mass": torch.einsum("bn,bhnr->bhr", share, mass[:, :, :V, :1]),
        "words' mass": mass[:, :, text, 3:] * (WORD.weights > 0)[:, None, :, None],
        "map": _reference.dense_mean_over_queries(attention[:, :, :V, :V], SEED_FRAME.weights),
    }


def test_values_and_gradients_equal_the_dense_twin(stage: Stage) -> None:
    recorded = _record_queries_and_keys(stage)
    seen = stage.observed(*REQUESTS)
    weights = [p for p in stage.backbone.transformer.parameters() if p.requires_grad]
    for site in stage.backbone.sites():
        for name, dense in _dense(*recorded[site.address]).items():
            fast = seen[name][site.address]
            torch.testing.assert_close(fast, dense, atol=1e-5, rtol=1e-5)
            upstream = torch.randn(fast.shape, generator=torch.Generator().manual_seed(3))
            got = torch.autograd.grad(fast, weights, upstream, retain_graph=True, allow_unused=True)
            expected = torch.autograd.grad(dense, weights, upstream, retain_graph=True, allow_unused=True)
            for g, e in zip(got, expected, strict=True):
                assert (g is None) == (e is None)
                torch.testing.assert_close(g, e, atol=1e-5, rtol=1e-4)


def test_padding_gets_no_mass_and_the_rest_all_of_it(stage: Stage) -> None:
    everything = Region.all_video(2, V)
    parts = (everything, PICTURE, ALL_TEXT, PADDING)
    seen = stage.observed(Mass("parts", "all", everything, parts, "none"))["parts"]
    for mass in seen.values():
        assert mass[..., 3].abs().max() == 0
        torch.testing.assert_close(mass[..., :3].sum(dim=-1), torch.ones(2, CONFIG.heads, V))
        assert (mass[..., :3] > 0).all()


def test_what_stands_in_the_padding_changes_no_number(stage: Stage) -> None:
    before = stage.observed(*REQUESTS)
    embeddings = stage.text["embeddings"].clone()
    embeddings[1, P + LENGTHS[1] :] += 5
    changed = Stage(stage.backbone, Batch({**stage.text.tensors, "embeddings": embeddings}), stage.inputs)
    after = changed.observed(*REQUESTS)
    for request in REQUESTS:
        for address, value in after[request.name].items():
            torch.testing.assert_close(value, before[request.name][address], atol=1e-5, rtol=1e-5)
    assert torch.allclose(changed.forward(), stage.forward(), atol=1e-5)


def test_the_models_output_is_untouched_bit_for_bit(stage: Stage) -> None:
    plain = stage.forward()
    layout = stage.backbone.layout(stage.backbone.grid(CONFIG.num_frames, CONFIG.size_hw), T)
    with observe(stage.backbone, REQUESTS, layout):
        assert torch.equal(stage.forward(), plain)
