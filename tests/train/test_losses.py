"""What a step minimises, on a tiny CogVideoX and clips that are made up here."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from contracts.wan_variants import experts, plain
from interplay.backbones.batch import Batch
from interplay.backbones.cogvideox.tiny import TinyCogVideoX, build
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.install import install
from interplay.methods.matrix.targets import ClipTargets, Entity
from interplay.train.batches import ClipBatch, TrainingClips
from interplay.train.config import TrainConfig
from interplay.train.losses import FineTuneLosses, MatrixLosses, bell, bell_mean

TINY = TinyCogVideoX(
    num_frames=9, size_hw=(16, 24), layers=2, heads=2, head_dim=16, text_layers=1, text_length=16, text_dim=16
)
CONFIG = TrainConfig(backbone="tiny", steps=1, batch_size=2, learning_rate=1e-3, caption_dropout=0.0)
MATRIX = MatrixConfig(v2t_layers=(0,), v2v_layers=(1,), lambda_sga=0.5, lambda_spa=0.25)


class MadeUp(TrainingClips):
    """Two clips; only the first has something to align."""

    groups = ((0, 1),)

    def __init__(self, backbone, grid: TokenGrid) -> None:
        self.backbone, self.grid = backbone, grid

    def batch(self, rows, dropped) -> ClipBatch:
        generator = torch.Generator().manual_seed(7)
        shape = (2, self.backbone.latent_channels, *self.grid.latent_shape)
        latents, first = torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)[:, :, :1]
        maps = torch.randn(2, self.backbone.picture_channels, *self.grid.latent_shape, generator=generator)
        captions = tuple("" if drop else "a man pushes a <id1> ball" for drop in dropped)
        first_frame = Batch({"latents": first[rows]})
        return ClipBatch(
            self.grid,
            latents[rows],
            first_frame,
            self.backbone.encode_text(captions, first_frame),
            tuple(self.targets()[row] for row in rows),
            maps[rows],
            captions,
        )

    def targets(self) -> list[ClipTargets]:
        masks, full = torch.zeros(self.grid.token_shape), torch.zeros(9, 4, 6)
        masks[:, :, 0], full[:, :, :2] = 1.0, 1.0
        known = torch.ones(3, dtype=torch.bool), torch.ones(9, dtype=torch.bool)
        entity = Entity("subject", "id1", (1,), masks, known[0], full, known[1])
        return [ClipTargets("one", (entity,)), ClipTargets("two", ())]


@pytest.fixture
def backbone():
    return build(0, TINY)


@pytest.fixture
def data(backbone) -> MadeUp:
    return MadeUp(backbone, backbone.grid(9, (16, 24)))


def _losses(backbone, data, matrix: MatrixConfig = MATRIX, config: TrainConfig = CONFIG) -> MatrixLosses:
    installed = install(backbone, matrix)
    backbone.add_lora(backbone.sites(), 2, 2.0)
    torch.manual_seed(0)
    return MatrixLosses(backbone, data, config, matrix, installed)


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_loss_is_the_objective_and_the_weighted_terms(backbone, data) -> None:
    losses = _losses(backbone, data)
    seen = losses(_seeded())
    present = len([row for row in losses.last_rows if row == 0])
    assert present == 1  # the seed draws one of each
    expected = seen["diffusion"] + (0.5 * seen["sga_subject"] + 0.25 * seen["spa_subject"]) / 2
    torch.testing.assert_close(seen["loss"], expected)
    assert seen["sga_object"] == 0


def test_at_step_zero_the_objective_is_that_of_the_base(backbone, data) -> None:
    """Bit for bit: a LoRA begins at zero, and so do the channels of the map."""
    base = FineTuneLosses(backbone, data, CONFIG)(_seeded())["diffusion"]
    assert torch.equal(_losses(backbone, data)(_seeded())["diffusion"], base)


def test_what_is_trained_is_the_adapter_the_projection_and_the_decoders(backbone, data) -> None:
    losses = _losses(backbone, data)
    trained = {name for name, value in losses.named_parameters() if value.requires_grad}
    kinds = {"lora" if "lora_" in name else name.split(".", 1)[0] for name in trained}
    assert kinds == {"lora", "heads", "transformers"}
    assert {name for name in trained if name.startswith("transformers") and "lora_" not in name} == {
        "transformers.0.patch_embed.proj.weight",
        "transformers.0.patch_embed.proj.bias",
    }
    losses(_seeded())["loss"].backward()
    gradient = backbone.transformer.patch_embed.proj.weight.grad
    assert gradient[:, -backbone.picture_channels :].abs().sum() > 0


def test_without_roles_only_the_conditioning_is_left(backbone, data) -> None:
    seen = _losses(backbone, data, MatrixConfig(sga_roles=(), spa_roles=()))(_seeded())
    assert set(seen) == {"loss", "diffusion"}
    assert torch.equal(seen["loss"], seen["diffusion"])


def test_a_dropped_caption_grounds_nothing_and_still_propagates(backbone, data) -> None:
    losses = _losses(backbone, data, config=CONFIG.model_copy(update={"caption_dropout": 0.999}))
    seen = losses(_seeded())
    assert seen["sga_subject"] == 0
    assert seen["spa_subject"] > 0


def test_dropped_maps_are_zeros_and_the_draws_stay_the_same(backbone, data) -> None:
    losses = _losses(backbone, data, MATRIX.model_copy(update={"map_dropout": 0.999}))
    with torch.no_grad():
        backbone.transformer.patch_embed.proj.weight[:, -backbone.picture_channels :].normal_(generator=_seeded(1))
    shown = []
    original = backbone.denoise
    backbone.denoise = lambda *args: shown.append(args[3]["beside"]) or original(*args)
    with_dropout = losses(_seeded())
    losses.matrix = MATRIX
    without = losses(_seeded())
    assert not shown[0].any()
    assert shown[1].flatten(1).any(dim=1).all()
    assert not torch.equal(with_dropout["diffusion"], without["diffusion"])


def test_held_out_losses_come_clip_by_clip_and_again_the_same(backbone, data) -> None:
    losses = _losses(backbone, data)
    clips, timesteps = data.batch([0, 1], [False, False]), torch.tensor([200, 700])
    one, two = (losses.evaluate(clips, timesteps, _seeded(3)) for _ in range(2))
    assert {name: value.shape for name, value in one.items()} == dict.fromkeys(one, (2,))
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], equal_nan=True, rtol=0, atol=0)
    assert one["sga_subject"].isnan().tolist() == [False, True]
    assert one["sga_verb"].isnan().all()
    plain = FineTuneLosses(backbone, data, CONFIG)
    assert set(plain.evaluate(clips, timesteps, _seeded(3))) == {"diffusion"}
    assert not one["diffusion"].requires_grad


def test_trained_marker_rows_are_learnt_through_the_text_encoder(backbone, data) -> None:
    matrix = MATRIX.model_copy(update={"binding": "markers", "marker_embeddings": "trained"})
    backbone.text_encoder.requires_grad_(False)
    losses = _losses(backbone, data, matrix)
    losses(_seeded())["loss"].backward()
    rows = dict(losses.named_parameters())["markers.rows"]
    assert (rows.grad.abs().sum(dim=1) > 0).tolist() == [True, False, False, False, False]


def test_the_bell_weighs_whole_clips_and_is_one_on_average(backbone, data) -> None:
    """exp(-2 ((t - 500) / 1000)^2) - exp(-1/2): 0 at both ends, 1 - 0.6065 in the middle."""
    torch.testing.assert_close(bell(torch.tensor([0, 500, 1000]), 1000), torch.tensor([0.0, 0.393469, 0.0]))
    # Timesteps of this model are uniform: the mean is sqrt(pi/8) 2 erf(1/sqrt(2)) - exp(-1/2) in closed form.
    expected = math.sqrt(math.pi / 2) * math.erf(1 / math.sqrt(2)) - math.exp(-0.5)
    assert bell_mean(backbone) == pytest.approx(expected, rel=0.02)
    losses = _losses(
        backbone, data, MATRIX.model_copy(update={"timestep_weight": "bell", "sga_roles": (), "spa_roles": ()})
    )
    draw = losses.draw(_seeded())
    each = draw.noised.loss(losses.predict(draw))
    weight = bell(draw.noised.timesteps, 1000) / bell_mean(backbone)
    torch.testing.assert_close(losses(_seeded())["loss"], (each * weight).mean())


@pytest.mark.parametrize("shift", [None, 5.0])
def test_noise_is_drawn_with_the_recipes_shift(monkeypatch: pytest.MonkeyPatch, shift: float | None) -> None:
    wan, drawn = plain(), []

    def spy(count: int, generator: torch.Generator, shift: float | None = None) -> torch.Tensor:
        drawn.append(shift)
        return torch.full((count,), 500)

    monkeypatch.setattr(wan, "draw_timesteps", spy)
    settings = CONFIG.model_copy(update={"timestep_shift": shift})
    FineTuneLosses(wan, MadeUp(wan, wan.grid(9, (32, 48))), settings).draw(_seeded())
    assert drawn == [shift]


def test_the_mean_of_the_bell_is_of_single_draws(backbone) -> None:
    for model, shift in ((backbone, None), (plain(), 5.0), (experts(), 5.0)):
        generator = torch.Generator().manual_seed(0)
        drawn = torch.cat([model.draw_timesteps(1, generator, shift) for _ in range(1000)])
        assert bell_mean(model, shift) == float(bell(drawn, 1000).mean())


def test_targets_lose_their_words_and_nothing_else(data) -> None:
    from interplay.train.losses import without_words

    (entity,) = data.targets()[0].entities
    (silent,) = without_words(data.targets()[0]).entities
    assert silent.tokens == ()
    assert torch.equal(silent.full, entity.full)
    assert replace(silent, tokens=entity.tokens).key == entity.key
