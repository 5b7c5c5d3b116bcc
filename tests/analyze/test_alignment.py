"""The alignment score against its definition: whole softmax matrices and plain loops, nothing of the fast path."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional

from interplay.analyze.alignment import AlignmentScores, relations_of
from interplay.analyze.scoring import Scorer
from interplay.analyze.source import Case, Moment
from interplay.analyze.terms import TermRegions
from interplay.attention.requests import AttentionCall
from interplay.backbones.base import TokenLayout
from interplay.backbones.batch import Batch
from interplay.records.caption import parse_caption, token_spans

TOKEN_PX = 8


def _inputs(backbone, clips, generator):
    """A guided batch: empty prompts first. Noise differs between the halves, so a mix-up of halves shows."""
    grid = backbone.grid(clips[0].num_frames, clips[0].size_hw)
    texts = [""] * len(clips) + [parse_caption(clip.caption).text for clip in clips]
    latents, condition = (
        torch.randn(len(texts), backbone.vae.config.latent_channels, *grid.latent_shape, generator=generator)
        for _ in range(2)
    )
    first_frame = Batch({"latents": condition[:, :, :1]})
    return latents, torch.full((len(texts),), 500), backbone.encode_text(texts, first_frame), first_frame


def _record(backbone, inputs, monkeypatch):
    """Queries and keys of every layer of a plain forward, nothing of ours involved."""
    recorded, attention = [], functional.scaled_dot_product_attention

    def recording(query, key, value, **options):
        recorded.append((query, key))
        return attention(query, key, value, **options)

    with monkeypatch.context() as patched, torch.no_grad():
        patched.setattr(functional, "scaled_dot_product_attention", recording)
        embedded = len(recorded)
        backbone.denoise(*inputs)
    return recorded[embedded:]


def _tokens_of_mask(mask):
    """(p, y, x) pixels -> flat video tokens: any pixel, and the union of the 4 frames behind the causal first one."""
    frames, height, width = mask.shape
    cells = mask.reshape(frames, height // TOKEN_PX, TOKEN_PX, width // TOKEN_PX, TOKEN_PX).any(axis=(2, 4))
    groups = [cells[:1]] + [cells[first : first + 4] for first in range(1, frames, 4)]
    return np.stack([group.any(axis=0) for group in groups]).ravel().astype(np.float64)


def _expected(attention, clip, backbone):
    """AAS of every variant and term by the paper's formulas; ``attention`` is ``h q k`` of one clip, text first."""
    text = backbone.text_length
    spans = token_spans(parse_caption(clip.caption), backbone.tokenizer, text).tokens
    (interaction,) = clip.interactions
    masks = {name: track.to_array() for name, track in clip.tracks.items()}
    nouns = [n for n in (interaction.subject, interaction.object, interaction.recipient) if n is not None]
    of_kind = {
        "noun": {name: (masks[name], spans[name]) for name in nouns},
        "verb": {"verb": (masks[interaction.subject] | masks[interaction.object], spans["verb"])},
    }
    first = clip.size_hw[0] // TOKEN_PX * (clip.size_hw[1] // TOKEN_PX)
    found = {}
    for kind, terms in of_kind.items():
        for relation in ("v2t", "v2v"):
            for term, (mask, words) in terms.items():
                m = _tokens_of_mask(mask)
                if relation == "v2t":
                    on_words = attention[:, text:, list(words)].mean(axis=-1)
                    aas = (on_words * m).sum(axis=-1)
                else:
                    rows = np.flatnonzero(m[:first])
                    aas = (attention[:, text + rows][:, :, text:].mean(axis=1) * m).sum(axis=-1)
                found[f"{kind}_{relation}", term] = (aas, m.sum())
    return found


def test_scores_of_a_guided_batch_equal_the_definition(backbone, store, monkeypatch):
    clips = store.select(limit=3)
    inputs = _inputs(backbone, clips, torch.Generator().manual_seed(2))
    recorded = _record(backbone, inputs, monkeypatch)
    scorer = Scorer(backbone, [Case(clip, clip.tracks) for clip in clips], "max")
    scorer(Moment(0, 0, 500), partial(backbone.denoise, *inputs))
    compared = 0
    for position, (clip, table) in enumerate(zip(clips, scorer.tables(), strict=True)):
        rows = {(r["layer"], r["variant"], r["term"], r["head"]): r for r in table.to_pylist()}
        for layer, (query, key) in enumerate(recorded):
            q, k = query[len(clips) + position].double(), key[len(clips) + position].double()
            attention = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1).numpy()
            expected = _expected(attention, clip, backbone)
            for (variant, term), (aas, area) in expected.items():
                for head, value in enumerate([aas.mean(), *aas], start=-1):
                    row = rows[layer, variant, term, head]
                    assert row["aas"] == pytest.approx(value, rel=1e-5)
                    assert row["aas_per_area"] == pytest.approx(value / area, rel=1e-5)
                    assert row["area"] == area
                    compared += 1
        assert len(rows) == len(recorded) * len(expected) * (1 + len(aas))
    assert compared == sum(table.num_rows for table in scorer.tables())


def test_observing_does_not_change_the_prediction(backbone, store):
    clips = store.select(limit=2)
    inputs = _inputs(backbone, clips, torch.Generator().manual_seed(3))
    scorer = Scorer(backbone, [Case(clip, clip.tracks) for clip in clips], "max")
    with torch.no_grad():
        plain = backbone.denoise(*inputs)
    assert torch.equal(scorer(Moment(0, 0, 500), partial(backbone.denoise, *inputs)), plain)


def _uniform(batch: int = 1) -> tuple[AttentionCall, TokenLayout]:
    """2 text tokens, 6 video tokens; every weight is 1/8."""
    zeros = torch.zeros(batch, 3, 8, 4)
    streams = {"text": slice(0, 2), "video": slice(2, 8)}
    return AttentionCall(zeros, zeros, None, 0.5), TokenLayout(streams, streams)


def _regions(mask: list[float], first: list[float], words: list[float]) -> TermRegions:
    as_term = [torch.tensor(values, dtype=torch.float32)[None, None] for values in (mask, first, words)]
    return TermRegions(((),), *as_term)


def test_uniform_attention_scores_the_area_over_the_number_of_keys():
    regions = _regions([1, 0.5, 1, 0, 0, 0], [1, 0.5, 0, 0, 0, 0], [1, 1])
    call, layout = _uniform()
    scores = AlignmentScores("aas", "all", regions, ("v2t", "v2v")).measure(call, layout)
    assert scores.shape == (1, 3, 1, 2)
    assert torch.allclose(scores, torch.tensor(2.5 / 8))


def test_a_term_without_words_or_region_scores_zero_and_is_not_defined():
    regions = _regions([0, 0, 1, 1, 0, 0], [0] * 6, [0, 0])
    call, layout = _uniform()
    assert AlignmentScores("aas", "all", regions, ("v2t", "v2v")).measure(call, layout).abs().max() == 0
    assert not regions.defined("v2t").any()
    assert not regions.defined("v2v").any()


def test_a_batch_of_empty_masks_is_legal():
    regions = _regions([0] * 6, [0] * 6, [1, 0])
    call, layout = _uniform()
    scores = AlignmentScores("aas", "all", regions, ("v2t", "v2v")).measure(call, layout)
    assert scores.shape == (1, 3, 1, 2)
    assert scores.abs().max() == 0


def test_of_a_guided_batch_the_last_elements_are_measured():
    generator = torch.Generator().manual_seed(4)
    query, key = (torch.randn(4, 3, 8, 4, generator=generator) for _ in range(2))
    mask = torch.rand(4, 1, 8, 8, generator=generator) > 0.3
    _, layout = _uniform()
    half = _regions([1, 1, 0, 0, 1, 0], [1, 1, 0, 0, 0, 0], [1, 0])
    regions = TermRegions(((), ()), *(part.expand(2, -1, -1) for part in (half.masks, half.first_frame, half.words)))
    request = AlignmentScores("aas", "all", regions, ("v2t", "v2v"))
    last = request.measure(AttentionCall(query, key, mask, 0.5), layout)
    assert torch.equal(last, request.measure(AttentionCall(query[2:], key[2:], mask[2:], 0.5), layout))


def test_relations_follow_from_where_the_streams_are():
    video, text = slice(0, 6), slice(0, 2)
    assert relations_of(_uniform()[1]) == ("v2t", "v2v")
    assert relations_of(TokenLayout({"video": video}, {"video": video})) == ("v2v",)
    assert relations_of(TokenLayout({"video": video}, {"text": text})) == ("v2t",)
    assert relations_of(TokenLayout({"text": text}, {"text": text})) == ()
