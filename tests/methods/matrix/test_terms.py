"""From clips to loss terms on a real (tiny) CogVideoX: five tests for each term, and who contributes.

On the token grid; what the decoder adds is in ``test_decoder.py``.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from interplay.attention import Observations, observe
from interplay.attention.ledger import Ledger
from interplay.backbones.batch import Batch
from interplay.backbones.registry import build_tiny
from interplay.core.errors import InputError
from interplay.methods.matrix.alignment import bce_term, l2_term, soft_dice_term
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.requests import MatrixSites, build_batch, missing_in
from interplay.methods.matrix.targets import caption_of, clip_targets
from interplay.methods.matrix.terms import MatrixHeads, losses, positive_weights, weighted_total
from interplay.records.clip import Interaction

CONFIG = MatrixConfig(v2t_layers=(0, 2), v2v_layers=(1,), supervision="latent")
TERMS = [name for name, _, _ in CONFIG.terms()]
each_term = pytest.mark.parametrize("name", TERMS)


class Run:
    """One observed forward of these clips."""

    def __init__(self, backbone, grid, clips, config=CONFIG) -> None:
        captions = [caption_of(clip, config) for clip in clips]
        spans = [backbone.token_spans(caption) for caption in captions]
        self.targets = [
            clip_targets(clip, roles=config.roles, tokens=span.tokens, grid=grid, pooling=config.pooling)
            for clip, span in zip(clips, spans, strict=True)
        ]
        self.config, self.sites = config, MatrixSites.of(backbone, config)
        self.heads = MatrixHeads.of(backbone, config, self.sites)
        self.batch = build_batch(config, self.sites, self.targets, text_length=backbone.text_length)
        generator = torch.Generator().manual_seed(2)
        shape = (len(clips), backbone.transformer.config.out_channels, *grid.latent_shape)
        noisy, condition = (torch.randn(shape, generator=generator) for _ in range(2))
        text = Batch({"embeddings": torch.randn(len(clips), backbone.text_length, 16, generator=generator)})
        first_frame = Batch({"latents": condition[:, :, :1]})
        with observe(backbone, self.batch.requests, backbone.layout(grid, backbone.text_length)) as self.seen:
            backbone.denoise(noisy, torch.full((len(clips),), 500), text, first_frame)

    def terms(self):
        return losses(self.config, self.heads, self.seen, self.batch)


def fixed(batch, scores: dict[str, Tensor]) -> Observations:
    """Observations with chosen values: each term's requests saw its ``scores`` at all their sites."""
    seen = Observations((request.name for request in batch.requests), Ledger(None))
    for slot in batch.slots:
        for site in slot.request.sites:
            seen.record(slot.request.name, site, scores[slot.term])
    return seen


@pytest.fixture
def run(backbone, grid, make_clip) -> Run:
    return Run(backbone, grid, [make_clip("a"), make_clip("b")])


@each_term
def test_identity_a_map_that_is_the_mask_costs_next_to_nothing(run: Run, name: str) -> None:
    with torch.no_grad():
        run.heads.of_kind(name[:3]).log_scale.fill_(4.0)
        run.heads.of_kind(name[:3]).bias.fill_(0.0)
    target = next(run.batch.truth.target[slot.rows] for slot in run.batch.slots if slot.term == name)
    scores = {term: target[:, None].expand(-1, 2, -1) for term in TERMS}
    aligned = losses(CONFIG, run.heads, fixed(run.batch, scores), run.batch)[name]
    opposite = losses(CONFIG, run.heads, fixed(run.batch, {k: -v for k, v in scores.items()}), run.batch)[name]
    assert aligned.value.max() < 1e-3
    assert opposite.value.min() > 1


@each_term
def test_shape_one_value_and_one_presence_per_clip(run: Run, name: str) -> None:
    term = run.terms()[name]
    assert term.value.shape == term.present.shape == (2,)
    assert term.present.all()
    assert term.kind == name[:3]


@each_term
def test_value_by_hand_of_a_constant_map(run: Run, name: str) -> None:
    """A constant map standardises to 0, so every logit is the initial bias -2: p = 0.1192."""
    scores = {term: torch.full((2, 2, 18), 3.0) for term in TERMS}
    value = losses(CONFIG, run.heads, fixed(run.batch, scores), run.batch)[name].value
    p, inside = 0.11920292, (12 if name == "sga_verb" else 6)
    log = torch.tensor([p, 1 - p]).log()
    bce = -(inside * log[0] + (18 - inside) * log[1]) / 18
    dice = 1 - 2 * p * inside / (18 * p + inside)
    l2 = (inside * (1 - p) ** 2 + (18 - inside) * p**2) / 18
    torch.testing.assert_close(value, (bce + dice + l2).expand(2), atol=1e-4, rtol=0)


@each_term
def test_twin_spelled_out_from_the_observations(run: Run, name: str) -> None:
    (slot,) = [slot for slot in run.batch.slots if slot.term == name]
    expected = torch.zeros(2)
    for clip, entity in enumerate(slot.entities):
        per_site = []
        for site, scores in run.seen[slot.request.name].items():
            x = scores[clip].mean(0)
            z = (x - x.mean()) / (x.var(unbiased=False) + 1e-6).sqrt()
            target, valid = run.batch.truth.target[entity][None], torch.ones(1, 18, dtype=torch.bool)
            logits = (z - 2)[None]
            assert site in (("blocks.0.joint", "blocks.2.joint") if name.startswith("sga") else ("blocks.1.joint",))
            per_site.append(sum(term(logits, target, valid) for term in (bce_term, soft_dice_term, l2_term)))
        expected[clip] = sum(per_site).item() / len(per_site)
    torch.testing.assert_close(run.terms()[name].value, expected, atol=1e-5, rtol=1e-5)


@each_term
def test_gradient_reaches_the_queries_and_keys_and_the_head_and_descends(run: Run, backbone, name: str) -> None:
    block = 0 if name.startswith("sga") else 1
    attention = backbone.transformer.transformer_blocks[block].attn1
    head = run.heads.of_kind(name[:3])
    weights = [attention.to_q.weight, attention.to_k.weight, head.log_scale, head.bias]
    gradients = torch.autograd.grad(run.terms()[name].value.sum(), weights)
    assert all(gradient.isfinite().all() and gradient.abs().sum() > 0 for gradient in gradients)
    step = 1e-3 / gradients[3].abs().max()
    before = run.terms()[name].value.sum()
    with torch.no_grad():
        head.bias -= step * gradients[3]
    assert run.terms()[name].value.sum() < before


def test_the_total_weighs_grounding_and_propagation(run: Run) -> None:
    terms = run.terms()
    expected = sum((0.01 if name.startswith("sga") else 0.005) * term.value for name, term in terms.items())
    torch.testing.assert_close(weighted_total(CONFIG, terms), expected)


def test_a_clip_of_a_batch_counts_as_if_it_were_alone(backbone, grid, make_clip, make_track) -> None:
    crowd = {"id1": make_track(0), "id2": make_track(2), "id3": make_track(1)}
    give = make_clip(
        "give",
        caption="a <id1> man <verb> gives a <id2> ball to a <id3> woman",
        interactions=(Interaction("id1", "give", "id2", "id3"),),
        tracks=crowd,
    )
    plain, silent = make_clip("plain"), make_clip("silent", caption="a man", interactions=())
    together = Run(backbone, grid, [plain, give, silent])
    assert sum(slot.term == "sga_object" for slot in together.batch.slots) == 2
    terms = together.terms()
    assert terms["spa_object"].present.tolist() == [True, True, False]
    assert all(term.value[2] == 0 for term in terms.values())
    for index, clip in enumerate([plain, give]):
        targets = [together.targets[index]]
        batch = build_batch(CONFIG, together.sites, targets, text_length=backbone.text_length)
        alone = Observations((request.name for request in batch.requests), Ledger(None))
        for request in batch.requests:  # the same observation, cut down to this clip
            for site, value in together.seen[request.name].items():
                alone.record(request.name, site, value[index : index + 1])
        for name, term in losses(CONFIG, together.heads, alone, batch).items():
            torch.testing.assert_close(term.value[0], terms[name].value[index], msg=f"{clip.clip_id} {name}")


def test_what_cannot_contribute_is_counted_with_its_reason(backbone, grid, make_clip, make_track) -> None:
    late = make_clip("late", tracks={"id1": make_track(0), "id2": make_track(2, from_frame=5)})
    never = make_clip("never", tracks={"id1": make_track(0, gaps=tuple(range(9))), "id2": make_track(2)})
    empty = make_clip("empty", tracks={"id1": make_track(0, from_frame=9), "id2": make_track(2)})
    half = make_clip("half", tracks={"id1": make_track(0)})
    mute = make_clip("mute", caption="a <id1> man <verb> pushes the ball")
    run = Run(backbone, grid, [late, never, empty, half, mute])
    reasons = {(m.clip_id, m.term, m.key): m.reason for clip in run.targets for m in missing_in(CONFIG, clip)}
    assert reasons[("late", "spa_object", "id2")] == "not seen in the first frame"
    assert ("late", "sga_object", "id2") not in reasons
    assert reasons[("never", "sga_subject", "id1")] == "mask track is unknown in every frame"
    assert reasons[("never", "sga_verb", "verb")] == "mask track is unknown in every frame"
    assert reasons[("empty", "spa_subject", "id1")] == "mask track is empty in every frame"
    assert reasons[("half", "spa_object", "id2")] == "no mask track"
    assert reasons[("mute", "sga_object", "id2")] == "no text tokens"
    assert ("mute", "spa_object", "id2") not in reasons
    terms = run.terms()
    assert terms["sga_subject"].present.tolist() == [True, False, False, True, True]
    assert terms["spa_object"].present.tolist() == [False, True, True, False, True]
    for term in terms.values():
        assert term.value.isfinite().all()
        assert (term.value[~term.present] == 0).all()
    weighted_total(CONFIG, terms).sum().backward()
    assert all(p.grad.isfinite().all() for p in run.heads.parameters())


def test_a_batch_that_contributes_nothing_gives_zero_terms_and_no_requests(backbone, grid, make_clip) -> None:
    run = Run(backbone, grid, [make_clip(caption="a man pushes a ball", interactions=())])
    assert run.batch.requests == ()
    assert all(term.value.tolist() == [0.0] and not term.present.any() for term in run.terms().values())


def test_gaps_do_not_reach_the_loss(backbone, grid, make_clip, make_track) -> None:
    gaps = (1, 2, 3, 4)  # exactly token frame 1
    clip = make_clip(tracks={"id1": make_track(0, gaps=gaps), "id2": make_track(2)})
    run = Run(backbone, grid, [clip])
    (slot,) = [slot for slot in run.batch.slots if slot.term == "sga_subject"]
    assert run.batch.truth.valid[slot.rows].reshape(3, 6).all(dim=1).tolist() == [True, False, True]
    scores = {term: torch.randn(1, 2, 18, generator=torch.Generator().manual_seed(0)) for term in TERMS}
    before = losses(CONFIG, run.heads, fixed(run.batch, scores), run.batch)["sga_subject"].value
    scores["sga_subject"][:, :, 6:12] += 100
    after = losses(CONFIG, run.heads, fixed(run.batch, scores), run.batch)["sga_subject"].value
    torch.testing.assert_close(after, before)


def test_markers_are_the_text_tokens_of_the_released_variant(backbone, grid, make_clip) -> None:
    config = MatrixConfig(variant="released", v2t_layers=(0,), v2v_layers=(1,), supervision="latent")
    run = Run(backbone, grid, [make_clip()], config)
    words = Run(backbone, grid, [make_clip()])
    regions = [(slot.term, slot.request.keys.weights[0].nonzero().flatten().tolist()) for slot in run.batch.slots[:2]]
    assert regions == [("sga_instance", [1]), ("sga_instance", [5])]  # a <id1> man pushes a <id2> red ball
    assert words.batch.slots[1].request.keys.weights[0].nonzero().flatten().tolist() == [4, 5]  # red ball
    assert set(run.terms()) == {"sga_instance", "spa_instance"}


def test_the_released_term_is_one_mean_over_all_ids(backbone, grid, make_clip) -> None:
    """One cross-entropy over the stack of all ids, where the paper sums the roles: twice as much for a pair."""
    config = MatrixConfig(variant="released", v2t_layers=(0,), v2v_layers=(1,), supervision="latent")
    by_role = config.model_copy(update={"sga_roles": ("subject", "object"), "spa_roles": ("subject", "object")})
    clip, heads = make_clip(), None
    totals = []
    for one in (config, by_role):
        run = Run(backbone, grid, [clip], one)
        heads = run.heads = heads or run.heads
        totals.append(weighted_total(one, run.terms()))
    torch.testing.assert_close(2 * totals[0], totals[1])


def test_without_interactions_a_pair_gives_the_sum_that_its_roles_would_give(backbone, grid, make_clip) -> None:
    known, unknown = (Run(backbone, grid, [clip]) for clip in (make_clip(), make_clip(interactions=())))
    unknown.heads = known.heads
    totals = [weighted_total(CONFIG, run.terms()) for run in (known, unknown)]
    torch.testing.assert_close(totals[1], totals[0])


def test_a_clip_of_many_instances_counts_every_one_of_them(backbone, grid, make_clip, make_track) -> None:
    crowd = {f"id{number}": make_track(number % 3) for number in range(1, 10)}
    clip = make_clip(
        interactions=tuple(Interaction(f"id{n}", "push", f"id{n % 9 + 1}") for n in range(1, 10)), tracks=crowd
    )
    run = Run(backbone, grid, [clip, make_clip()])
    assert sum(slot.term == "spa_subject" for slot in run.batch.slots) == 9
    terms = run.terms()
    each = [
        losses(CONFIG, run.heads, run.seen, replace(run.batch, slots=(slot,)))["spa_subject"].value[0]
        for slot in run.batch.slots
        if slot.term == "spa_subject"
    ]
    torch.testing.assert_close(terms["spa_subject"].value[0], torch.stack(each).mean())


def test_words_that_query_the_video_are_scored_the_other_way_round(backbone, grid, make_clip) -> None:
    """t2v of the ablation: of the words' queries and the video's keys."""
    config = CONFIG.model_copy(update={"sga_direction": "t2v"})
    run, v2t = Run(backbone, grid, [make_clip()], config), Run(backbone, grid, [make_clip()])
    requests = {slot.term: slot.request for slot in run.batch.slots}
    assert requests["sga_object"].keys is None
    assert torch.equal(requests["sga_object"].queries.weights, v2t.batch.slots[1].request.keys.weights)
    assert run.terms()["sga_object"].value != v2t.terms()["sga_object"].value
    assert run.terms()["spa_object"].value == v2t.terms()["spa_object"].value


def test_a_model_whose_words_query_nothing_has_no_t2v() -> None:
    config = MatrixConfig(v2t_layers=(0,), v2v_layers=(0,), sga_direction="t2v")
    with pytest.raises(InputError, match=r"matrix.sga_direction: the words of this model query nothing"):
        MatrixSites.of(build_tiny("tiny-wan", 0), config)


def test_the_sites_of_a_lora_are_those_that_are_aligned(backbone) -> None:
    config = MatrixConfig(v2t_layers=(1,), v2v_layers=(0,))
    wan = build_tiny("tiny-wan", 0)
    assert [s.address for s in MatrixSites.of(wan, config).lora_sites(wan)] == ["blocks.0.self", "blocks.1.cross"]
    assert [s.layer for s in MatrixSites.of(backbone, config).lora_sites(backbone)] == [0, 1]


def test_without_roles_no_layer_is_wanted_and_there_is_no_term(backbone, grid, make_clip) -> None:
    config = MatrixConfig(sga_roles=(), spa_roles=())
    assert not config.needs_v2t
    assert MatrixSites.of(backbone, config) == MatrixSites((), ())
    run = Run(backbone, grid, [make_clip()], config)
    assert run.batch.requests == ()
    assert run.terms() == {}


def test_each_head_is_compared_by_itself_or_their_mean(run: Run) -> None:
    """The loss of each head is that of a model with this head alone."""
    config = CONFIG.model_copy(update={"head_reduction": "each"})
    generator = torch.Generator().manual_seed(0)
    scores = {term: torch.randn(2, 2, 18, generator=generator) for term in TERMS}
    both = losses(config, run.heads, fixed(run.batch, scores), run.batch)
    alone = [
        losses(CONFIG, run.heads, fixed(run.batch, {k: v[:, h : h + 1] for k, v in scores.items()}), run.batch)
        for h in range(2)
    ]
    for name, term in both.items():
        torch.testing.assert_close(term.value, (alone[0][name].value + alone[1][name].value) / 2)


def test_the_released_variant_averages_maps_over_layers(backbone, grid, make_clip) -> None:
    config = CONFIG.model_copy(update={"layer_reduction": "mean"})
    run = Run(backbone, grid, [make_clip()], config)
    (slot,) = [slot for slot in run.batch.slots if slot.term == "sga_subject"]
    one, two = run.seen[slot.request.name].values()
    averaged = Observations([slot.request.name], Ledger(None))
    averaged.record(slot.request.name, "blocks.0.joint", (one + two) / 2)
    single = CONFIG.model_copy(update={"v2t_layers": (0,)})
    heads = MatrixHeads.of(backbone, single, MatrixSites.of(backbone, single))
    batch = replace(run.batch, slots=(slot,))
    torch.testing.assert_close(
        run.terms()["sga_subject"].value, losses(single, heads, averaged, batch)["sga_subject"].value
    )


def test_mask_tokens_weigh_by_instance_or_by_clip(backbone, grid, make_clip, make_track) -> None:
    """One column of three is 1/3 of the tokens (weight 2); seen from frame 5 on, it is 1/9 of them (weight 8)."""
    clip = make_clip(tracks={"id1": make_track(0), "id2": make_track(2, from_frame=5)})
    weighted = CONFIG.model_copy(update={"positive_weight_cap": 10.0, "sga_roles": ("subject", "object")})
    together = weighted.model_copy(update={"positive_weight_over": "clip"})
    batch = Run(backbone, grid, [clip, make_clip()], weighted).batch
    for kind, by_instance, by_clip in (
        ("sga", [2.0, 2.0, 8.0, 2.0], [(12 + 16) / (6 + 2), 2.0] * 2),
        ("spa", [2.0, 2.0, 2.0], [2.0, 2.0, 2.0]),  # who is not there at first is not propagated
    ):
        slots = [slot for slot in batch.slots if slot.kind == kind]
        clips, rows = [c for slot in slots for c in slot.clips], [row for slot in slots for row in slot.rows]
        case = clips, batch.truth.target[rows], batch.truth.valid[rows]
        assert positive_weights(weighted, *case).tolist() == by_instance
        assert positive_weights(together, *case).tolist() == by_clip
        assert positive_weights(CONFIG, *case) is None


def test_one_decoder_may_serve_both_kinds(backbone) -> None:
    config = MatrixConfig(variant="released", v2t_layers=(0,), v2v_layers=(1,))
    shared = MatrixHeads.of(backbone, config, MatrixSites.of(backbone, config))
    assert shared.sga is shared.spa
    two = config.model_copy(update={"decoders": "two"})
    apart = MatrixHeads.of(backbone, two, MatrixSites.of(backbone, two))
    assert apart.sga is not apart.spa


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ({"v2t_layers": (), "v2v_layers": (1,)}, "matrix.v2t_layers: no layer is chosen"),
        ({"v2t_layers": (0,), "v2v_layers": (9,)}, "matrix.v2v_layers: layer 9 does not exist; choose among 0 to 2"),
    ],
)
def test_layers_that_are_not_there_are_refused(backbone, layers, said: str) -> None:
    with pytest.raises(InputError) as error:
        MatrixSites.of(backbone, MatrixConfig(**layers))
    assert said in str(error.value)
