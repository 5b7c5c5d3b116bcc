"""The alignment score of every tiny backbone against its definition: whole softmax matrices in float64, plain loops.

Queries and keys are recorded by :mod:`attention.exactness`; nothing here comes through the code that is tested.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from attention.exactness import Recorded, Scene, record
from contracts.cogvideox_variants import TEXT_TO_VIDEO
from contracts.wan_variants import image_tokens
from interplay.analyze.alignment import score_requests
from interplay.analyze.terms import Term, regions_of
from interplay.attention import observe
from interplay.backbones.base import Backbone
from interplay.backbones.registry import build_tiny, tiny_names
from interplay.records.caption import parse_caption
from interplay.records.masks import MaskTrack

BACKBONES: dict[str, Callable[[], Backbone]] = {
    **{name: lambda name=name: build_tiny(name, 0) for name in tiny_names()},
    "wan with image tokens": image_tokens,
    **TEXT_TO_VIDEO,
}
# The prompts of the scene, marked.
CAPTIONS = (
    "a <id1> man in red </id1> <verb> pushes </verb> a <id2> green ball </id2>",
    "a <id1> cup </id1>",
)


def _terms(backbone: Backbone, caption: str, generator: np.random.Generator) -> tuple[Term, ...]:
    """A box for every label of the caption."""
    height, width = backbone.native_size_hw
    tokens = backbone.token_spans(parse_caption(caption)).tokens
    terms = []
    for label in tokens:
        masks = np.zeros((backbone.native_frames, height, width), dtype=bool)
        top, left = generator.integers(0, height // 2), generator.integers(0, width // 2)
        masks[:, top : top + height // 3, left : left + width // 3] = True
        kind = "verb" if label == "verb" else "noun"
        terms.append(Term(kind, label, label, tokens[label], MaskTrack.from_array(masks)))
    return tuple(terms)


def _softmax(recorded: Recorded, clip: int) -> np.ndarray:
    """All weights of one clip, ``h q k``."""
    query, key = recorded.query[clip].double(), recorded.key[clip].double()
    scores = query @ key.transpose(-1, -2) * recorded.scale
    if recorded.mask is not None:
        mask = recorded.mask[(None,) * (4 - recorded.mask.ndim)]
        mask = mask[clip if mask.shape[0] > 1 else 0]
        scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask.double()
    return scores.softmax(dim=-1).detach().numpy()


@pytest.mark.parametrize("name", BACKBONES)
def test_every_term_relation_and_head_at_every_site(name: str) -> None:
    scene = Scene.of(BACKBONES[name]())
    backbone = scene.backbone
    grid = backbone.grid(backbone.native_frames, backbone.native_size_hw)
    terms = [_terms(backbone, caption, np.random.default_rng(k)) for k, caption in enumerate(CAPTIONS)]
    assert [len(of_clip) for of_clip in terms] == [3, 1]
    regions = regions_of(terms, grid, backbone.text_length, "max", torch.device("cpu"))
    requests = score_requests(regions, backbone.sites(), scene.layout)
    with torch.no_grad():
        recorded = record(scene)
        with observe(backbone, requests, scene.layout) as seen:
            scene.forward()
    kinds, compared = {site.address: site.kind for site in backbone.sites()}, set()
    for request in requests:
        for address in request.sites:
            layout = scene.layout[kinds[address]]
            for clip, of_clip in enumerate(terms):
                attention = _softmax(recorded[address], clip)[:, layout.queries["video"]]
                for place, term in enumerate(of_clip):
                    mask = regions.masks[clip, place].double().numpy()
                    for number, relation in enumerate(request.relations):
                        if relation == "v2t":
                            columns = layout.keys["text"].start + np.array(term.tokens)
                            expected = (attention[:, :, columns].mean(axis=-1) * mask).sum(axis=-1)
                        else:
                            rows = np.flatnonzero(mask[: grid.tokens_per_frame])
                            expected = (attention[:, rows][:, :, layout.keys["video"]].mean(axis=1) * mask).sum(axis=-1)
                        found = seen[request.name][address][clip, :, place, number].numpy()
                        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
                        compared.add((address, relation))
    assert {layer for layer, _ in compared} == {site.address for site in backbone.sites() if site.kind != "image"}
    assert {relation for _, relation in compared} == {"v2t", "v2v"}
