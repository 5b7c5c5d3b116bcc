from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from interplay.analyze.terms import regions_of, terms_of
from interplay.grid.token_grid import TokenGrid
from interplay.records.clip import Clip, Instance, Interaction
from interplay.records.masks import MaskTrack

GRID = TokenGrid(frames=5, height=4, width=6, temporal_stride=4, spatial_stride=2, patch=(1, 1, 1))


def _track(column: int, frames: range = range(5), gaps: tuple[int, ...] = ()) -> MaskTrack:
    masks = np.zeros((5, 4, 6), dtype=bool)
    masks[list(frames), :, column] = True
    return MaskTrack.from_array(masks, gaps)


CLIP = Clip(
    clip_id="c",
    video="videos/c.mp4",
    caption="a <id1> man </id1> <verb> gives </verb> a <id2> box </id2> to a <id3> woman </id3>",
    num_frames=5,
    size_hw=(4, 6),
    fps=8.0,
    instances=tuple(Instance(f"id{k}", "x") for k in (1, 2, 3)),
    interactions=(Interaction("id1", "give", "id2", "id3"),),
    tracks={f"id{k}": _track(2 * (k - 1)) for k in (1, 2, 3)},
)


def _terms(backbone, clip, tracks=None):
    return terms_of(clip, clip.tracks if tracks is None else tracks, backbone)


def test_nouns_are_all_participants_and_the_verb_is_subject_or_object(backbone):
    terms = _terms(backbone, CLIP)
    assert [(term.kind, term.label, term.words) for term in terms] == [
        ("noun", "id1", "man"),
        ("noun", "id2", "box"),
        ("noun", "id3", "woman"),
        ("verb", "verb", "gives"),
    ]
    union = CLIP.tracks["id1"].to_array() | CLIP.tracks["id2"].to_array()
    assert np.array_equal(terms[-1].track.to_array(), union)
    assert all(len(term.tokens) == 1 for term in terms)


def test_a_verb_needs_the_tracks_of_subject_and_object(backbone):
    without_object = {name: track for name, track in CLIP.tracks.items() if name != "id2"}
    assert [term.label for term in _terms(backbone, CLIP, without_object)] == ["id1", "id3"]
    without_recipient = {name: track for name, track in CLIP.tracks.items() if name != "id3"}
    assert [term.label for term in _terms(backbone, CLIP, without_recipient)] == ["id1", "id2", "verb"]


def test_one_verb_serves_all_interactions_and_unmatched_verbs_none(backbone):
    second = Interaction("id3", "give", "id2")
    several = replace(CLIP, interactions=(*CLIP.interactions, second))
    union = np.any([track.to_array() for track in CLIP.tracks.values()], axis=0)
    assert np.array_equal(_terms(backbone, several)[-1].track.to_array(), union)
    caption = CLIP.caption.replace("to a", "<verb2> to </verb2> a")
    labels = [term.label for term in _terms(backbone, replace(several, caption=caption))]
    assert labels == ["id1", "id2", "id3", "verb", "verb2"]
    assert [term.label for term in _terms(backbone, replace(CLIP, caption=caption))] == ["id1", "id2", "id3"]


def test_regions_pool_by_union_leave_gaps_out_and_pad_shorter_clips(backbone):
    terms = _terms(backbone, CLIP)
    late = (replace(terms[0], track=_track(0, frames=range(3, 4), gaps=(1,)), tokens=()),)
    regions = regions_of([terms, late], GRID, backbone.text_length, "max", torch.device("cpu"))
    assert regions.masks.shape == (2, 4, GRID.num_tokens)
    by_frame = regions.masks[1, 0].reshape(GRID.token_shape)
    assert by_frame[0].sum() == 0
    assert by_frame[1, :, 0].tolist() == [1, 1]
    assert regions.masks[1, 1:].sum() == 0
    assert regions.defined("v2t").tolist() == [[True] * 4, [False] * 4]
    assert regions.defined("v2v").tolist() == [[True] * 4, [False] * 4]
    assert regions.first_frame[0, 0].nonzero().flatten().tolist() == [0, 3]
    assert regions.words[0, 3].nonzero().flatten().tolist() == list(terms[3].tokens)


@pytest.mark.parametrize(("rule", "expected"), [("max", 1.0), ("area", 0.5)])
def test_the_pool_rule_decides_what_half_a_token_counts(backbone, rule, expected):
    regions = regions_of([_terms(backbone, CLIP)], GRID, backbone.text_length, rule, torch.device("cpu"))
    assert regions.masks[0, 0].max() == expected
