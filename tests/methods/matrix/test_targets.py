from __future__ import annotations

import torch

from interplay.grid.pooling import pool_masks
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.config import MatrixConfig, Pooling
from interplay.methods.matrix.targets import (
    ClipTargets,
    Pooled,
    caption_of,
    cast_of,
    clip_targets,
    pool_cast,
    targets_of,
)
from interplay.records.clip import Interaction
from interplay.records.geometry import Fit

TOKENS = {"id1": (1,), "verb": (2,), "id2": (4, 5), "id3": (8,), "verb2": (9,)}
PAPER, RELEASED = MatrixConfig().roles, MatrixConfig(variant="released").roles
TWO_VERBS = "a <id1> man <verb> pushes the <id2> ball and <verb2> kicks the <id3> box"


def _targets(clip, grid, roles=PAPER) -> ClipTargets:
    return clip_targets(clip, roles=roles, tokens=TOKENS, grid=grid, pooling=Pooling("area"))


def _keys(targets: ClipTargets) -> list[tuple[str, str]]:
    return [(entity.role, entity.key) for entity in targets.entities]


def test_subject_object_and_verb_with_their_tokens_and_tracks(make_clip, grid) -> None:
    targets = _targets(make_clip(), grid)
    subject, thing, verb = targets.entities
    assert _keys(targets) == [("subject", "id1"), ("object", "id2"), ("verb", "verb")]
    assert (subject.tokens, thing.tokens, verb.tokens) == ((1,), (4, 5), (2,))
    column = torch.tensor([1.0, 0.0, 0.0]).expand(3, 2, 3)
    torch.testing.assert_close(subject.track, column)
    torch.testing.assert_close(thing.track, column.flip(2))


def test_the_verbs_track_is_the_union(make_clip, grid) -> None:
    verb = _targets(make_clip(), grid).entities[2]
    torch.testing.assert_close(verb.track, torch.tensor([1.0, 0.0, 1.0]).expand(3, 2, 3))


def test_the_verb_is_known_only_where_all_its_instances_are(make_clip, make_track, grid) -> None:
    tracks = {"id1": make_track(0), "id2": make_track(2, gaps=(1, 2, 3, 4))}
    subject, thing, verb = _targets(make_clip(tracks=tracks), grid).entities
    assert subject.known.tolist() == [True, True, True]
    assert thing.known.tolist() == [True, False, True]
    assert verb.known.tolist() == [True, False, True]


def test_a_recipient_is_one_more_object(make_clip, make_track, grid) -> None:
    tracks = {"id1": make_track(0), "id2": make_track(2), "id3": make_track(1)}
    clip = make_clip(interactions=(Interaction("id1", "give", "id2", "id3"),), tracks=tracks)
    targets = _targets(clip, grid)
    assert _keys(targets) == [("subject", "id1"), ("object", "id2"), ("object", "id3"), ("verb", "verb")]
    assert (targets.entities[-1].track == 1).all()


def test_several_interactions_count_each_instance_once_per_role(make_clip, make_track, grid) -> None:
    clip = make_clip(
        caption=TWO_VERBS,
        interactions=(Interaction("id1", "push", "id2"), Interaction("id1", "kick", "id3")),
        tracks={"id1": make_track(0), "id2": make_track(2), "id3": make_track(1)},
    )
    targets = _targets(clip, grid)
    assert sorted(_keys(targets)) == [
        ("object", "id2"),
        ("object", "id3"),
        ("subject", "id1"),
        ("verb", "verb"),
        ("verb", "verb2"),
    ]
    second = next(entity for entity in targets.entities if entity.key == "verb2")
    torch.testing.assert_close(second.track, torch.tensor([1.0, 1.0, 0.0]).expand(3, 2, 3))


def test_one_verb_for_two_interactions_covers_all_of_them(make_clip, make_track, grid) -> None:
    clip = make_clip(
        interactions=(Interaction("id1", "push", "id2"), Interaction("id3", "push", "id2")),
        tracks={"id1": make_track(0), "id2": make_track(2), "id3": make_track(1)},
    )
    verb = next(entity for entity in _targets(clip, grid).entities if entity.role == "verb")
    assert (verb.track == 1).all()


def test_verbs_that_nobody_can_assign_are_left_out(make_clip, grid) -> None:
    clip = make_clip(caption=TWO_VERBS.replace("<id3> ", ""))
    assert _keys(_targets(clip, grid)) == [("subject", "id1"), ("object", "id2")]


def test_an_id_without_a_track_is_listed_with_its_verb(make_clip, make_track, grid) -> None:
    targets = _targets(make_clip(tracks={"id1": make_track(0)}), grid)
    assert _keys(targets) == [("subject", "id1")]
    assert targets.trackless == (("object", "id2"), ("verb", "verb"))


def test_without_interactions_each_marked_instance_is_subject_and_object_and_the_verb_is_their_union(
    make_clip, grid
) -> None:
    both = [("id1", (1,)), ("id2", (4, 5))]
    targets = _targets(make_clip(interactions=()), grid)
    found = [(entity.role, entity.key, entity.tokens) for entity in targets.entities]
    assert found == [
        *(("subject", *one) for one in both),
        *(("object", *one) for one in both),
        ("verb", "verb", (2,)),
    ]
    told = _targets(make_clip(), grid).entities  # with the roles known: a pair has the same tracks
    for role in ("subject", "object"):
        mine = [entity.track for entity in targets.entities if entity.role == role]
        assert all(torch.equal(one, entity.track) for one, entity in zip(mine, told, strict=False))
    assert torch.equal(targets.entities[-1].track, told[-1].track)


def test_without_interactions_only_marked_instances_count_and_only_one_verb_is_somebodys(
    make_clip, make_track, grid
) -> None:
    tracks = {"id1": make_track(0), "id3": make_track(1)}
    targets = _targets(make_clip(interactions=(), tracks=tracks), grid)
    assert _keys(targets) == [("subject", "id1"), ("object", "id1")]
    assert targets.trackless == (("subject", "id2"), ("object", "id2"), ("verb", "verb"))
    assert targets.unused == (("id3", "a mask track without a marker"),)
    two_verbs = cast_of(make_clip(caption=TWO_VERBS, interactions=()), PAPER)
    assert "verb" not in {part.role for part in two_verbs.parts}
    assert two_verbs.unused == (("verb", "2 verb markers, and no interactions that say whose they are"),)


def test_as_released_every_marked_instance_counts_once_whatever_it_does(make_clip, make_track, grid) -> None:
    tracks = {"id1": make_track(0), "id2": make_track(2), "id3": make_track(1)}
    caption = "a <id1> man <verb> pushes a <id2> ball near a <id3> box"
    for interactions in ((), (Interaction("id1", "push", "id2"),)):
        clip = make_clip(caption=caption, interactions=interactions, tracks=tracks)
        targets = _targets(clip, grid, RELEASED)
        assert _keys(targets) == [("instance", "id1"), ("instance", "id2"), ("instance", "id3")]
        assert targets.unused == ()
    nobody = cast_of(make_clip(caption=caption), RELEASED)
    assert nobody.trackless == (("instance", "id3"),)


def test_the_caption_is_read_as_the_variant_binds(make_clip) -> None:
    assert caption_of(make_clip(), MatrixConfig()).text == "a man pushes a red ball"
    marked = caption_of(make_clip(), MatrixConfig(variant="released", binding="markers"))
    assert marked.text == "a <id1> man pushes a <id2> red ball"
    assert marked.words("id1") == ("<id1>",)
    shown = caption_of(make_clip(), MatrixConfig(binding="marked_words"))
    assert shown.text == marked.text
    assert (shown.words("id1"), shown.words("id2"), shown.words("verb")) == (("man",), ("red ball",), ("pushes",))


def test_a_cast_follows_the_frames_and_the_fit_of_its_video(make_clip, make_track) -> None:
    clip = make_clip(tracks={"id1": make_track(0, from_frame=3), "id2": make_track(2, gaps=(4,))})
    fit, frames = Fit((16, 24), (8, 8)), (0, 2, 4, 6, 8)
    grid = TokenGrid(frames=5, height=8, width=8, temporal_stride=4, spatial_stride=4, patch=(1, 1, 1))
    pooled = pool_cast(clip, cast_of(clip, PAPER), grid, Pooling("area"), frames=frames, fit=fit)
    dense = [fit.masks(clip.tracks[name].select(frames).to_array()) for name in ("id1", "id2")]
    verb = dense[0] | dense[1]
    expected = pool_masks(
        torch.stack([torch.from_numpy(mask) for mask in (*dense, verb)]),
        grid,
        rule="area",
        rate="latent",
        known=torch.tensor([[True] * 5, [True, True, False, True, True], [True, True, False, True, True]]),
    )
    assert torch.equal(pooled.tracks, expected)
    assert pooled.known.all()
    assert pooled.full is None


def test_at_full_rate_there_is_a_mask_for_every_frame_and_latent(make_clip, make_track, grid) -> None:
    clip = make_clip(tracks={"id1": make_track(0, from_frame=3), "id2": make_track(2, gaps=(1, 2, 3, 4))})
    pooled = pool_cast(clip, cast_of(clip, PAPER), grid, Pooling("nearest", "full"))
    subject, thing, verb = targets_of("two", cast_of(clip, PAPER), TOKENS, pooled).entities
    assert subject.full.shape == (9, 4, 6)  # a token of 8 x 8 pixels is 2 x 2 latents
    assert subject.full.flatten(1).sum(1).tolist() == [0, 0, 0, *[8] * 6]
    assert (subject.full[:, :, 2:] == 0).all()
    assert subject.full_known.all()
    assert thing.full_known.tolist() == verb.full_known.tolist() == [True, *[False] * 4, *[True] * 4]
    assert [frames.tolist() for frames in (thing.known, subject.known)] == [[True, False, True], [True] * 3]
    masks, known = thing.target
    assert masks is thing.full
    assert known is thing.full_known
    again = Pooled.of(pooled.tensors())
    assert all(torch.equal(tensor, vars(again)[name]) for name, tensor in pooled.tensors().items())
    unmarked = make_clip(caption="a man", interactions=())
    nobody = pool_cast(unmarked, cast_of(unmarked, PAPER), grid, Pooling("area", "full"))
    assert targets_of("none", cast_of(unmarked, PAPER), TOKENS, nobody).entities == ()


def test_a_bystander_is_nothing_amiss(make_clip, make_track) -> None:
    clip = make_clip(
        caption="a <id1> man <verb> pushes a <id2> ball near a <id3> box",
        tracks={"id1": make_track(0), "id2": make_track(2), "id3": make_track(1)},
    )
    assert cast_of(clip, PAPER).unused == ()


def test_what_no_term_can_see_is_listed(make_clip, make_track) -> None:
    clip = make_clip(
        caption="a <id1> man pushes a <id2> ball near a <id3> box",
        tracks={"id1": make_track(0), "id2": make_track(2), "id4": make_track(1)},
    )
    assert cast_of(clip, PAPER).unused == (
        ("id3", "a marker without a mask track"),
        ("id4", "a mask track without a marker"),
        ("verb", "no verb marker in the caption"),
    )
    assert cast_of(make_clip(caption=TWO_VERBS), PAPER).unused[-1] == (
        "verb",
        "verb markers do not match the interactions (2 and 1)",
    )
    unmarked = cast_of(make_clip(caption="a man pushes a ball", interactions=(), tracks={}), PAPER)
    assert unmarked.unused == (("interactions", "the caption marks no instance and the clip lists no interactions"),)
    assert unmarked.parts == ()
