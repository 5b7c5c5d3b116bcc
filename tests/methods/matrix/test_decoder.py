"""The decoder to the full frame rate: where it puts things, what it may look at, and the loss through it."""

from __future__ import annotations

import pytest
import torch

from interplay.attention import Observations
from interplay.attention.ledger import Ledger
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.alignment import bce_term, l2_term, soft_dice_term
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.decoder import MaskDecoder, Upsampling
from interplay.methods.matrix.requests import MatrixSites, build_batch
from interplay.methods.matrix.targets import caption_of, clip_targets
from interplay.methods.matrix.terms import MatrixHeads, losses

CONFIG = MatrixConfig(v2t_layers=(0, 2), v2v_layers=(1,))
SITE = "blocks.0.joint"
SHAPES = {
    "cogvideox": TokenGrid(9, 16, 24, temporal_stride=4, spatial_stride=4, patch=(1, 2, 2)),
    "cogvideox 1.5": TokenGrid(17, 16, 24, temporal_stride=4, spatial_stride=4, patch=(2, 2, 2), first_latents=2),
    "ltx": TokenGrid(17, 16, 24, temporal_stride=8, spatial_stride=8, patch=(1, 1, 1)),
    "two latent frames in the first token": TokenGrid(13, 8, 8, temporal_stride=4, spatial_stride=4, patch=(2, 1, 1)),
}


def _decoder(grid: TokenGrid, width: int = 4, depth: int = 1) -> MaskDecoder:
    torch.manual_seed(0)
    return MaskDecoder([SITE], Upsampling.of(grid), width=width, depth=depth)


def _trained(decoder: MaskDecoder) -> MaskDecoder:
    """As if after training: the last layer is no longer zero."""
    torch.nn.init.normal_(decoder.write.conv.weight, generator=torch.Generator().manual_seed(1))
    return decoder


@pytest.mark.parametrize("name", SHAPES)
def test_every_position_belongs_to_the_token_that_holds_it(name: str) -> None:
    grid = SHAPES[name]
    frames, height, width = grid.token_shape
    numbers = torch.arange(grid.num_tokens, dtype=torch.float32).reshape(1, *grid.token_shape, 1)
    per_token = Upsampling.of(grid).positions
    found = Upsampling.of(grid).sorted(numbers.expand(-1, -1, -1, -1, per_token))[0]
    assert found.shape == (grid.frames, *grid.latent_shape[1:])
    for token_frame in range(frames):
        for frame in grid.pixel_frames_of_token(token_frame):
            rows = torch.arange(grid.latent_shape[1])[:, None] // grid.patch[1]
            columns = torch.arange(grid.latent_shape[2])[None] // grid.patch[2]
            assert torch.equal(found[frame], (token_frame * height * width + rows * width + columns).float())


@pytest.mark.parametrize("name", SHAPES)
def test_targets_by_token_meet_their_logits(name: str) -> None:
    """The loss compares token by token what belongs together place by place; what is beside the clip is never read."""
    grid, per_token = SHAPES[name], Upsampling.of(SHAPES[name]).positions
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(2, *grid.token_shape, per_token, generator=generator)
    places = Upsampling.of(grid).sorted(tokens).flatten(1)
    known = Upsampling.of(grid).by_token(torch.ones_like(places, dtype=torch.bool), grid.token_shape)
    assert known.dtype == torch.bool
    assert known.shape == tokens.flatten(1).shape
    assert int(known.sum()) == places.numel()
    assert torch.equal(Upsampling.of(grid).by_token(places, grid.token_shape), tokens.flatten(1) * known)


def test_every_channel_has_a_place_of_its_own() -> None:
    grid = SHAPES["cogvideox"]
    channels = torch.arange(16.0).expand(1, *grid.token_shape, -1)
    found = Upsampling.of(grid).sorted(channels)[0]
    assert found[1, 0, :2].tolist() == [0, 1]  # first frame of the second token, first row of its latents
    assert found[1, 1, :2].tolist() == [2, 3]
    assert found[4, 1, 1] == 15
    assert found[0, 0, 0] == 12  # the only frame of the first token is the last of its group


@pytest.mark.parametrize("name", SHAPES)
def test_it_starts_as_the_plain_head_repeated(name: str) -> None:
    grid = SHAPES[name]
    z = torch.randn(1, 2, grid.num_tokens, generator=torch.Generator().manual_seed(0))
    logits = _decoder(grid)([SITE], z, grid.token_shape)
    assert logits.shape == (1, 2, grid.frames * grid.latent_shape[1] * grid.latent_shape[2])
    token = grid.tokens_per_frame  # the first token of the second frame
    first_of_second = len(grid.pixel_frames_of_token(0)) * grid.latent_shape[1] * grid.latent_shape[2]
    assert torch.allclose(logits[0, :, first_of_second], z[0, :, token] - 2.0)


def test_a_frame_knows_nothing_of_later_tokens() -> None:
    grid = SHAPES["cogvideox"]
    decoder = _trained(_decoder(grid))
    z = torch.randn(1, 1, grid.num_tokens, generator=torch.Generator().manual_seed(0))
    later = z.clone()
    later[..., 2 * grid.tokens_per_frame :] += 1.0
    one, two = (decoder([SITE], maps, grid.token_shape).reshape(9, -1) for maps in (z, later))
    assert torch.equal(one[:5], two[:5])
    assert not torch.equal(one[5:], two[5:])


def test_frames_of_one_token_may_differ() -> None:
    """Order within a token, which a mask united over its frames does not have: the reason for decoding (paper 5)."""
    grid = SHAPES["cogvideox"]
    z = torch.randn(1, 1, grid.num_tokens, generator=torch.Generator().manual_seed(0))
    frames = _trained(_decoder(grid))([SITE], z, grid.token_shape).reshape(9, -1)
    assert all(not torch.equal(frames[1], frames[other]) for other in (2, 3, 4))


def test_it_serves_any_size_and_length_and_is_small() -> None:
    decoder = _decoder(SHAPES["cogvideox"], width=8)
    grid = TokenGrid(49, 32, 48, temporal_stride=4, spatial_stride=4, patch=(1, 2, 2))
    assert decoder([SITE], torch.zeros(1, 3, grid.num_tokens), grid.token_shape).shape == (1, 3, 49 * 8 * 12)
    assert sum(p.numel() for p in decoder.parameters()) < 73_000_000 / 1000


def test_it_learns_where_within_a_token_the_mask_is() -> None:
    """A thing that enters in the middle of a token: no map at latent rate can say when, the decoder can learn it."""
    grid = SHAPES["cogvideox"]
    target = torch.zeros(1, 9, 4, 6)
    target[:, 3:] = 1.0
    z = torch.tensor([-1.0, 0.0, 1.0]).repeat_interleave(grid.tokens_per_frame)[None, None]
    decoder = _decoder(grid)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=0.02)
    for _ in range(150):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            decoder([SITE], z, grid.token_shape)[0], target.flatten(1)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.05


def _observed(backbone, grid, clips) -> tuple:
    captions = [caption_of(clip, CONFIG) for clip in clips]
    targets = [
        clip_targets(
            clip, roles=CONFIG.roles, tokens=backbone.token_spans(caption).tokens, grid=grid, pooling=CONFIG.pooling
        )
        for clip, caption in zip(clips, captions, strict=True)
    ]
    sites = MatrixSites.of(backbone, CONFIG)
    batch = build_batch(CONFIG, sites, targets, text_length=backbone.text_length)
    torch.manual_seed(0)
    heads = MatrixHeads.of(backbone, CONFIG, sites)
    seen = Observations((request.name for request in batch.requests), Ledger(None))
    generator = torch.Generator().manual_seed(3)
    for slot in batch.slots:
        for site in slot.request.sites:
            value = torch.randn(len(clips), 2, grid.num_tokens, generator=generator).requires_grad_()
            seen.record(slot.request.name, site, value)
    return heads, seen, batch


def test_the_loss_is_taken_in_every_frame(backbone, grid, make_clip, make_track) -> None:
    """Spelled out slot by slot, site by site, clip by clip."""
    late = make_clip("late", tracks={"id1": make_track(0), "id2": make_track(2, from_frame=3, gaps=(6,))})
    heads, seen, batch = _observed(backbone, grid, [make_clip(), late])
    for decoder in (heads.sga, heads.spa):
        _trained(decoder)
    terms = losses(CONFIG, heads, seen, batch)
    for slot in batch.slots:
        expected = []
        for clip, entity in enumerate(slot.entities):
            per_site = []
            for site, scores in seen[slot.request.name].items() if entity is not None else ():
                x = scores[clip].mean(0)
                z = (x - x.mean()) / (x.var(unbiased=False) + 1e-6).sqrt()
                logits = heads.of_kind(slot.kind)([site], z[None, None], grid.token_shape)[0]
                case = logits, batch.truth.target[entity][None], batch.truth.valid[entity][None]
                per_site.append(sum(term(*case) for term in (bce_term, soft_dice_term, l2_term)))
            expected.append(sum(per_site).squeeze() / len(per_site) if per_site else torch.tensor(0.0))
        torch.testing.assert_close(terms[slot.term].value, torch.stack(expected), atol=1e-5, rtol=1e-5)
    assert terms["spa_object"].present.tolist() == [True, False]


def test_autocast_rounds_nothing_of_the_loss(backbone, grid, make_clip) -> None:
    heads, seen, batch = _observed(backbone, grid, [make_clip()])
    plain = losses(CONFIG, heads, seen, batch)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = losses(CONFIG, heads, seen, batch)
    assert all(torch.equal(term.value, rounded[name].value) for name, term in plain.items())


def test_a_gap_of_one_frame_is_one_frame_of_the_loss(backbone, grid, make_clip, make_track) -> None:
    clip = make_clip(tracks={"id1": make_track(0, gaps=(6,)), "id2": make_track(2)})
    batch = _observed(backbone, grid, [clip])[2]
    (slot,) = [slot for slot in batch.slots if slot.term == "sga_subject"]
    assert batch.truth.seen[slot.rows].all()  # the token is known by its other frames
    assert batch.truth.valid[slot.rows].reshape(9, -1).all(dim=1).tolist() == [frame != 6 for frame in range(9)]


def test_the_gradient_reaches_the_scores_and_the_decoder(backbone, grid, make_clip) -> None:
    heads, seen, batch = _observed(backbone, grid, [make_clip()])
    sum(term.value.sum() for term in losses(CONFIG, heads, seen, batch).values()).backward()
    for slot in batch.slots:
        for scores in seen[slot.request.name].values():
            assert scores.grad.abs().sum() > 0
    for decoder in (heads.sga, heads.spa):
        assert decoder.head.log_scale.grad.abs().sum() > 0
        assert decoder.write.conv.weight.grad.abs().sum() > 0
