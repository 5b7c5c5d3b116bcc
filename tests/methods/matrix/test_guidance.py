from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from contracts.wan_variants import experts
from interplay.attention.intervene import OwnFrameOnly, WordsUnseen
from interplay.backbones.base import Backbone
from interplay.backbones.cogvideox.tiny import TinyCogVideoX, build
from interplay.core.errors import InputError
from interplay.methods.matrix.guidance import (
    Course,
    GuidanceConfig,
    WordRegion,
    guides,
    with_layers,
    words_of,
)
from interplay.methods.matrix.layers import Layers
from interplay.records.caption import parse_caption
from interplay.records.clip import Interaction
from interplay.records.masks import MaskTrack

BOTH = GuidanceConfig(cmg_scale=0.5, cmg_layers=(0, 2), cag_scale=1.0, cag_layers=(1,))
COLUMN = torch.tensor([1.0, 0.0, 0.0]).expand(3, 2, 3)
TIMESTEPS = torch.tensor([500, 500])


def _change(guide):
    """The only change of a guide."""
    _, (change,), _ = guide.perturbed.args
    return change


TOKENS = {"id1": (1,), "verb": (2,), "id2": (4, 5), "id3": (8,)}


def _regions(words: Sequence[WordRegion]) -> dict[tuple[int, ...], torch.Tensor]:
    return {word.tokens: word.region for word in words}


def test_words_come_from_tracks_of_the_whole_clip(make_clip, grid) -> None:
    """A ball that rolls from one column into the next is where it is, not where it was."""
    rolling = np.zeros((9, 16, 24), dtype=bool)
    rolling[:5, :, 16:], rolling[5:, :, 8:16] = True, True
    clip = make_clip(tracks=make_clip().tracks | {"id2": MaskTrack.from_array(rolling)})
    words = _regions(words_of(TOKENS, Course.of(clip, num_frames=9, fps=8.0), grid))
    assert list(words) == [(1,), (2,), (4, 5)]
    ball = torch.stack([COLUMN[0].flip(1), COLUMN[0].flip(1), COLUMN[0].roll(1, dims=1)])
    assert torch.equal(words[(1,)], COLUMN)
    assert torch.equal(words[(4, 5)], ball)
    assert torch.equal(words[(2,)], COLUMN + ball)


def test_a_verb_is_of_those_who_take_part(make_clip, make_track, grid) -> None:
    tracks = make_clip().tracks | {"id3": make_track(1)}  # a bystander, whom the caption names
    caption = "a <id1> man <verb> pushes a <id2> ball beside a <id3> woman"
    words = _regions(words_of(TOKENS, Course.of(make_clip(caption=caption, tracks=tracks), num_frames=9, fps=8), grid))
    assert torch.equal(words[(2,)], words[(1,)] + words[(4, 5)])
    assert torch.equal(words[(8,)], COLUMN.roll(1, dims=2))
    unknown = make_clip(caption=caption, tracks=tracks, interactions=())
    words = _regions(words_of(TOKENS, Course.of(unknown, num_frames=9, fps=8), grid))
    assert (words[(2,)] == 1).all()


def test_each_verb_is_of_its_own_interaction(make_clip, make_track) -> None:
    tracks = make_clip().tracks | {"id3": make_track(1)}
    two = (Interaction("id1", "push", "id2"), Interaction("id1", "kick", "id3"))
    caption = "a <id1> man <verb> pushes a <id2> ball and <verb2> kicks a <id3> box"
    clip = make_clip(caption=caption, tracks=tracks, interactions=two)
    assert Course.of(clip, num_frames=9, fps=8).verbs == {"verb": ("id1", "id2"), "verb2": ("id1", "id3")}
    clip = make_clip(tracks=tracks, interactions=two)
    assert Course.of(clip, num_frames=9, fps=8).verbs == {"verb": ("id1", "id2", "id3")}
    assert Course.of(make_clip(interactions=()), num_frames=9, fps=8).verbs == {}


def test_a_verb_is_of_the_prompts_instances_alone_where_nobody_knows_more(make_track, grid) -> None:
    masks = {"id1": make_track(0).select([0]), "id2": make_track(2).select([0]), "id9": make_track(1).select([0])}
    words = _regions(words_of(TOKENS, Course(masks), grid))
    assert list(words) == [(1,), (2,), (4, 5)]  # nobody knows where id3 is, and id9 is not in the prompt
    assert torch.equal(words[(1,)], COLUMN)
    assert torch.equal(words[(2,)], words[(1,)] + words[(4, 5)])
    assert words_of(TOKENS, Course({}), grid) == ()
    assert words_of(TOKENS, Course({"id1": MaskTrack.from_array(np.zeros((1, 16, 24), dtype=bool))}), grid) == ()


def test_who_is_lost_from_sight_stays_where_they_were(make_clip, make_track, grid) -> None:
    """Also a clip that is longer than its tracks, and one of which only the first frame is known."""
    for track in (make_track(0, gaps=(2, 5, 8)), make_track(0, gaps=tuple(range(1, 9))), make_track(0).select([0, 1])):
        clip = make_clip(tracks={"id1": track}, num_frames=len(track))
        (man,) = words_of({"id1": (1,)}, Course.of(clip, num_frames=9, fps=8.0), grid)
        assert torch.equal(man.region, COLUMN)
    late = make_clip(tracks={"id1": make_track(0, gaps=(0, 1, 2, 3, 4))})
    (man,) = words_of({"id1": (1,)}, Course.of(late, num_frames=9, fps=8.0), grid)
    assert man.region.amax(dim=(1, 2)).tolist() == [0.0, 0.0, 1.0]


def test_tracks_are_read_at_the_times_of_the_frames(make_clip, make_track, grid) -> None:
    clip = make_clip(tracks={"id1": make_track(0, from_frame=4)})
    for fps, seen in ((8.0, [0.0, 0.25, 1.0]), (16.0, [0.0, 0.0, 0.5]), (4.0, [0.0, 0.75, 1.0])):
        (man,) = words_of({"id1": (1,)}, Course.of(clip, num_frames=9, fps=fps), grid)
        assert man.region.amax(dim=(1, 2)).tolist() == seen


def test_tracks_of_another_size_are_fitted(make_track, grid) -> None:
    track = make_track(0)
    large = MaskTrack.from_array(track.to_array().repeat(2, axis=1).repeat(2, axis=2))
    (man,) = words_of({"id1": (1,)}, Course({"id1": large}), grid)
    assert torch.equal(man.region, COLUMN)


def test_open_layers_are_the_aligned_ones_and_else_the_published_ones(backbone: Backbone) -> None:
    both = GuidanceConfig(cmg_scale=1.0, cag_scale=1.0)
    aligned = Layers(v2t=(2,), v2v=(0, 1))
    chosen = with_layers(both, backbone, aligned)
    assert (chosen.cmg_layers, chosen.cag_layers) == ((2,), (0, 1))
    assert with_layers(BOTH, backbone, aligned) == BOTH
    assert with_layers(GuidanceConfig(), backbone, Layers()) == GuidanceConfig()
    like_5b = {"layers": 42, "latent_channels": 16}
    deep = build(0, TinyCogVideoX(num_frames=9, size_hw=(16, 24), heads=1, head_dim=16, text_length=16, **like_5b))
    published = with_layers(both, deep, Layers(v2t=(5,)))
    assert (published.cmg_layers, published.cag_layers) == ((5,), (12,))
    assert with_layers(both, deep, Layers()).cmg_layers == (7, 11)


@pytest.mark.parametrize(("scale", "field"), [("cmg_scale", "cmg_layers"), ("cag_scale", "cag_layers")])
def test_layers_that_nobody_knows_have_a_cure(backbone: Backbone, scale: str, field: str) -> None:
    with pytest.raises(InputError) as error:
        with_layers(GuidanceConfig.model_validate({scale: 1.0}), backbone, Layers())
    assert error.value.where == f"guidance.{field}"
    assert error.value.cure == f'name some of 0 to 2 (--set "guidance.{field}=[1]"); interplay analyze says which'


def test_each_guide_takes_away_what_the_paper_says_at_its_layers(backbone: Backbone, grid) -> None:
    """Noun tokens are unseen by their instance, a token of two words by both, clips by their own words."""
    half = 0.5 * COLUMN.flip(2)
    one = (WordRegion((1,), COLUMN), WordRegion((1, 3), half))
    cmg, cag = guides(backbone, BOTH, grid, [one, ()])
    assert [(guide.name, guide.scale) for guide in (cmg, cag)] == [("cmg", 0.5), ("cag", 1.0)]
    unseen, own = _change(cmg), _change(cag)
    assert isinstance(unseen, WordsUnseen)
    assert unseen.sites == ("blocks.0.joint", "blocks.2.joint")
    assert [word.weights[0].nonzero().flatten().tolist() for word in unseen.words] == [[1], [3]]
    assert torch.equal(unseen.regions[0].weights[0], torch.maximum(COLUMN, half).flatten())
    assert torch.equal(unseen.regions[1].weights[0], half.flatten())
    assert not any(word.weights[1].any() for word in unseen.words)
    assert own == OwnFrameOnly(("blocks.1.joint",), 6)


@torch.no_grad()
def test_guides_change_the_prediction_of_the_clips_they_have_words_for(backbone: Backbone, grid) -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 3, 16, 24, generator=generator) * 2 - 1
    first_frame = backbone.first_frame_condition(image, grid)
    caption = parse_caption("a <id1> man <verb> pushes a ball")
    text = backbone.encode_text([caption.text] * 2, first_frame)
    latents = torch.randn(2, backbone.latent_channels, *grid.latent_shape, generator=generator)
    tokens = backbone.token_spans(caption).tokens
    masks = {"id1": MaskTrack.from_array(np.ones((1, 16, 24), dtype=bool))}

    def predict():
        return backbone.denoise(latents, TIMESTEPS, text, first_frame)

    plain = predict()
    cmg, cag = guides(backbone, BOTH, grid, [words_of(tokens, Course(masks), grid), ()])
    with cmg.perturbed(TIMESTEPS):
        changed = predict()
    assert not torch.equal(changed[0], plain[0])
    torch.testing.assert_close(changed[1], plain[1])
    with cag.perturbed(TIMESTEPS):
        changed = predict()
    assert all(not torch.equal(changed[row], plain[row]) for row in range(2))
    assert torch.equal(predict(), plain)


@torch.no_grad()
def test_each_expert_is_crippled_at_its_own_layers() -> None:
    backbone, generator = experts(), torch.Generator().manual_seed(0)
    grid = backbone.grid(9, (32, 48))
    first_frame = backbone.first_frame_condition(torch.rand(1, 3, 32, 48, generator=generator), grid)
    text = backbone.encode_text(["a man pushes a ball"], first_frame)
    latents = torch.randn(1, backbone.latent_channels, *grid.latent_shape, generator=generator)
    words = (WordRegion((1,), torch.ones(grid.token_shape)),)

    def predicted(cmg_layers, cag_layers, timestep: int) -> list[torch.Tensor]:
        config = GuidanceConfig(cmg_scale=1.0, cmg_layers=cmg_layers, cag_scale=1.0, cag_layers=cag_layers)
        made, timesteps = [], torch.tensor([timestep])
        for guide in guides(backbone, config, grid, [words]):
            with guide.perturbed(timesteps):
                made.append(backbone.denoise(latents, timesteps, text, first_frame))
        return made

    for timestep, own, other in ((950, ((0,), (1,)), ((1,), (0,))), (100, ((1,), (0,)), ((0,), (1,)))):
        each = predicted(((0,), (1,)), ((1,), (0,)), timestep)
        assert all(map(torch.equal, each, predicted(*own, timestep)))
        assert not any(map(torch.equal, each, predicted(*other, timestep)))
    aligned = Layers(v2t=((0,), (1,)), v2v=(1,))
    chosen = with_layers(GuidanceConfig(cmg_scale=1.0, cag_scale=1.0), backbone, aligned)
    assert (chosen.cmg_layers, chosen.cag_layers) == (((0,), (1,)), (1,))


@torch.no_grad()
def test_the_clip_beside_it_does_not_decide_a_clips_last_bit() -> None:
    """Else a clip could not be made again from what its own JSON says: with copies of itself beside it."""
    tiny = TinyCogVideoX(
        num_frames=17, size_hw=(64, 96), layers=2, heads=4, head_dim=16, text_layers=1, text_length=16, text_dim=16
    )
    backbone = build(0, tiny)
    grid = backbone.grid(17, (64, 96))
    generator = torch.Generator().manual_seed(0)
    first_frame = backbone.first_frame_condition(torch.rand(2, 3, 64, 96, generator=generator) * 2 - 1, grid)
    text = backbone.encode_text(["a man pushes a ball"] * 2, first_frame)
    latents = torch.randn(2, backbone.latent_channels, *grid.latent_shape, generator=generator)
    corner = torch.zeros(grid.token_shape)
    corner[0, 0, 0] = 0.5
    own = (WordRegion((1,), corner),)
    others = own, (WordRegion((1, 2, 3, 4, 5), torch.rand(grid.token_shape, generator=generator)),)
    made = []
    for other in others:
        (cmg,) = guides(backbone, GuidanceConfig(cmg_scale=1.0, cmg_layers=(0, 1)), grid, [own, other])
        with cmg.perturbed(TIMESTEPS):
            made.append(backbone.denoise(latents, TIMESTEPS, text, first_frame))
    assert torch.equal(made[0][0], made[1][0])
    assert not torch.equal(made[0][1], made[1][1])


@pytest.mark.parametrize(
    ("config", "words", "said"),
    [
        ({"cmg_scale": 1.0}, [()], "guidance.cmg_layers: no layer is chosen"),
        ({"cmg_scale": 1.0, "cmg_layers": (0,)}, [(), ()], "guidance.cmg_scale: no clip has a word with a region"),
        ({"cag_scale": 1.0, "cag_layers": (7,)}, [()], "guidance.cag_layers: layer 7 does not exist"),
    ],
)
def test_what_cannot_guide_is_refused(backbone: Backbone, grid, config, words, said: str) -> None:
    with pytest.raises(InputError) as error:
        guides(backbone, GuidanceConfig(**config), grid, words)
    assert said in str(error.value)


def test_no_scale_no_guide(backbone: Backbone, grid) -> None:
    assert guides(backbone, GuidanceConfig(cmg_layers=(0,)), grid, [()]) == ()
