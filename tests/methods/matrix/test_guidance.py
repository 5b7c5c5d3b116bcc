from __future__ import annotations

import numpy as np
import pytest
import torch

from interplay.attention.intervene import OwnFrameOnly, WordsUnseen
from interplay.backbones.base import Backbone
from interplay.core.errors import InputError
from interplay.methods.matrix.config import Pooling
from interplay.methods.matrix.guidance import (
    GuidanceConfig,
    WordRegion,
    guides,
    words_of_masks,
    words_of_targets,
)
from interplay.methods.matrix.targets import clip_targets
from interplay.records.caption import parse_caption
from interplay.records.masks import MaskTrack

BOTH = GuidanceConfig(cmg_scale=0.5, cmg_layers=(0, 2), cag_scale=1.0, cag_layers=(1,))
COLUMN = torch.tensor([1.0, 0.0, 0.0]).expand(3, 2, 3)


def _change(guide):
    """The only change of a guide."""
    _, (change,), _ = guide.perturbed.args
    return change


def test_words_come_from_tracks_of_the_whole_clip(make_clip, grid) -> None:
    clip = make_clip()
    targets = clip_targets(clip, tokens={"id1": (1,), "verb": (2,)}, grid=grid, pooling=Pooling("area"))
    man, pushes = words_of_targets(targets)  # the ball has no token
    assert (man.tokens, pushes.tokens) == ((1,), (2,))
    assert torch.equal(man.region, COLUMN)
    assert torch.equal(pushes.region, torch.tensor([1.0, 0.0, 1.0]).expand(3, 2, 3))


def test_words_come_from_masks_of_the_first_frame(make_track, grid) -> None:
    masks = {"id1": make_track(0).select([0]), "id2": make_track(2).select([0])}
    tokens = {"id1": (1,), "verb": (2,), "id2": (4, 5), "id3": (8,)}
    man, pushes, ball = words_of_masks(tokens, masks, grid)
    assert [word.tokens for word in (man, pushes, ball)] == [(1,), (2,), (4, 5)]
    assert torch.equal(man.region, COLUMN)
    assert torch.equal(pushes.region, man.region + ball.region)
    first = words_of_masks(tokens, masks, grid, hold=False)[0].region
    assert torch.equal(first[0], COLUMN[0])
    assert not first[1:].any()
    assert words_of_masks(tokens, {}, grid) == ()


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
        return backbone.denoise(latents, torch.tensor([500, 500]), text, first_frame)

    plain = predict()
    cmg, cag = guides(backbone, BOTH, grid, [words_of_masks(tokens, masks, grid), ()])
    with cmg.perturbed():
        changed = predict()
    assert not torch.equal(changed[0], plain[0])
    torch.testing.assert_close(changed[1], plain[1])
    with cag.perturbed():
        changed = predict()
    assert all(not torch.equal(changed[row], plain[row]) for row in range(2))
    assert torch.equal(predict(), plain)


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
