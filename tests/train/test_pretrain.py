from __future__ import annotations

import csv
import errno
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from interplay.backbones.base import Backbone
from interplay.backbones.registry import build_tiny, load_backbone, shipped_folder, shipped_names, tiny_names
from interplay.core.artifacts import build, open_artifact, verify
from interplay.core.config import load_recipe
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.core.manifest import content_of
from interplay.records.media.images import read_image
from interplay.train.precision import native_precision
from interplay.train.pretrain import latents as latents_of_the_world
from interplay.train.pretrain.autoencoder import (
    AutoencoderLosses,
    change_where_still,
    colorfulness,
    moving_pixels,
    still_positions,
    train_autoencoder,
)
from interplay.train.pretrain.card import CardFacts, relist, write_card
from interplay.train.pretrain.chart import CHART, draw_chart
from interplay.train.pretrain.config import AutoencoderConfig, DenoiserConfig, PretrainConfig
from interplay.train.pretrain.denoiser import DenoiserLosses, world_tokens
from interplay.train.pretrain.latents import cache_latents, calibrate
from interplay.train.pretrain.lineage import Lineage, lineage_of
from interplay.train.pretrain.run import run

PHASE = AutoencoderConfig(name="autoencoder", steps=1, batch_size=1, crop_frames=9, learning_rate=1e-3)
MOTION = PHASE.model_copy(
    update={"name": "motion", "crop_frames": 17, "motion_weight": 4.0, "moving_share": 1.0, "precision": "float32"}
)
BRIEF = DenoiserConfig(
    name="denoiser", steps=1, batch_size=1, learning_rate=1e-3, final_learning_rate=1e-5, warmup_steps=1
)
SHORT = (
    PretrainConfig(autoencoder=(PHASE,), clips=2, denoiser=(BRIEF,))
    .resolved("bfloat16")
    .model_copy(update={"compile": False})
)


def losses_of(backbone: Backbone, **changes: float) -> dict[str, torch.Tensor]:
    """Of the autoencoder on the same crop every time, in a phase with these changes."""
    losses: dict[str, torch.Tensor] = AutoencoderLosses(backbone, MOTION.model_copy(update=changes), seed=0)(
        torch.Generator().manual_seed(1)
    )
    return losses


@pytest.fixture(autouse=True)
def few_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latents_of_the_world, "_CALIBRATION_CLIPS", 2)
    monkeypatch.setattr(latents_of_the_world, "_BATCH", 2)


@pytest.mark.parametrize("name", tiny_names())
def test_a_pretrained_folder_is_a_stock_pipeline_with_a_card(name: str, tmp_path: Path) -> None:
    artifact = run(SHORT.model_copy(update={"backbone": name}), tmp_path / "tiny")
    backbone = load_backbone(str(artifact.path))  # by the stock pipeline's own from_pretrained
    card = (artifact.path / "README.md").read_text()
    assert f"![Losses of every phase]({CHART})" in card
    assert (artifact.path / CHART).is_file()
    assert "\ninterplay world pretrain --recipe recipe-1.yaml --out OUT\n" in card
    assert load_recipe(artifact.path / "recipe-1.yaml", PretrainConfig) == PretrainConfig(**artifact.config)
    assert "| autoencoder | 0 | 1 | 1 | 0.001 | crops of 9 x 32 x 32 pixels | bfloat16 |" in card
    assert "| denoiser | 0 | 1 | 1 | 0.001 | latents of 2 clips | bfloat16, blocks not compiled |" in card
    assert re.search(r"^\| denoiser \| 1 \| \d\.\d{4} \|$", card, flags=re.MULTILINE)
    assert all(torch.isfinite(value).all() for value in backbone.transformer.parameters())
    assert torch.isfinite(backbone.encode_video(torch.zeros(1, 3, 9, 32, 32))).all()


def test_phases_follow_one_another(tmp_path: Path) -> None:
    phases = {"autoencoder": (PHASE, MOTION), "denoiser": (BRIEF, BRIEF.model_copy(update={"name": "restart"}))}
    artifact = run(SHORT.model_copy(update=phases), tmp_path / "tiny")
    rows = list(csv.DictReader((artifact.path / "losses.csv").open()))
    assert [row["phase"] for row in rows] == ["autoencoder", "motion", "denoiser", "restart"]
    assert all(row["step"] == "0" and float(row["loss"]) > 0 for row in rows)
    assert [bool(row["kl"]) for row in rows] == [True, True, False, False]


@pytest.mark.parametrize("name", tiny_names())
def test_a_phase_of_the_decoder_leaves_the_latents_as_they_are(name: str, tmp_path: Path) -> None:
    video = torch.rand(1, 3, 9, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    backbone = build_tiny(name, 0)
    latents = backbone.encode_video(video)
    before = backbone.decode_video(latents)
    alone = PHASE.model_copy(update={"name": "decoder", "trains": "decoder"})
    train_autoencoder(backbone, alone, tmp_path, seed=0, save_every=1)
    assert torch.equal(backbone.encode_video(video), latents)
    assert not torch.equal(backbone.decode_video(latents), before)
    train_autoencoder(backbone, PHASE, tmp_path, seed=0, save_every=1)
    assert not torch.equal(backbone.encode_video(video), latents)


def test_calibrated_latents_have_unit_scale_and_the_cache_is_read_back(tmp_path: Path) -> None:
    backbone = build_tiny("tiny-cogvideox", 0)
    calibrate(backbone, 17, (48, 80), seed=0)
    made = cache_latents(backbone, 8, 17, (48, 80), 0, tmp_path)
    assert made.video.shape == (8, 8, 5, 12, 20)
    assert float(made.video.astype("float32").std()) == pytest.approx(1.0, abs=0.1)
    stamp = (tmp_path / "latents.video.npy").stat().st_mtime_ns
    cache_latents(backbone, 8, 17, (48, 80), 0, tmp_path)
    assert (tmp_path / "latents.video.npy").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("name", tiny_names())
def test_a_cache_that_was_broken_off_is_gone_on_with(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = build_tiny(name, 0)
    folders = [tmp_path / "unbroken", tmp_path / "broken"]
    for folder in folders:
        folder.mkdir()
    unbroken = cache_latents(backbone, 5, 17, (48, 80), 0, folders[0])
    rendered = []
    videos = latents_of_the_world._videos

    def rendered_once(indices: list[int], *given: Any) -> torch.Tensor:
        rendered.extend(indices)
        if indices == [2, 3] and rendered.count(2) == 1:
            raise KeyboardInterrupt
        return videos(indices, *given)

    monkeypatch.setattr(latents_of_the_world, "_videos", rendered_once)
    with pytest.raises(KeyboardInterrupt):
        cache_latents(backbone, 5, 17, (48, 80), 0, folders[1])
    resumed = cache_latents(backbone, 5, 17, (48, 80), 0, folders[1])
    assert rendered == [0, 1, 2, 3, 2, 3, 4]
    assert (resumed.video == unbroken.video).all()
    assert unbroken.video.any(axis=(1, 2, 3, 4)).all()
    assert set(resumed.first_frames) == set(unbroken.first_frames)
    for key, values in unbroken.first_frames.items():
        assert (resumed.first_frames[key] == values).all()


def test_a_full_disk_under_the_cache_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    backbone = build_tiny("tiny-cogvideox", 0)
    monkeypatch.setattr(latents_of_the_world.os, "fsync", full)
    with pytest.raises(InputError, match="the disk is full"):
        cache_latents(backbone, 2, 17, (48, 80), 0, tmp_path)
    monkeypatch.undo()
    assert len(cache_latents(backbone, 2, 17, (48, 80), 0, tmp_path).video) == 2


def test_moving_pixels_are_those_that_change() -> None:
    video = torch.zeros(1, 3, 4, 2, 2)
    video[0, 1, 2, 0, 1] = 0.5
    video[0, 0, 1, 1, 1] = 0.1
    assert moving_pixels(video)[0, 0, 0].tolist() == [[0.0, 1.0], [0.0, 0.0]]


def test_colorfulness_is_the_spread_of_the_channels() -> None:
    red, grey, pale = (1.0, -1.0, -1.0), (0.3, 0.3, 0.3), (1.0, 0.5, 0.5)
    video = torch.tensor([red, grey, pale]).T.reshape(1, 3, 1, 1, 3)
    assert colorfulness(video).flatten().tolist() == pytest.approx([1.0, 0.0, 0.25])


def test_errors_on_colored_pixels_count_more_where_the_phase_says_so() -> None:
    backbone = build_tiny("tiny-cogvideox", 0)
    plain, colored = losses_of(backbone, color_weight=0.0), losses_of(backbone, color_weight=4.0)
    assert torch.equal(plain["absolute"], colored["absolute"])  # the same crops
    assert colored["loss"] > plain["loss"]  # an untrained decoder paints grey: it errs most where there is colour


def test_a_position_stands_still_when_nothing_moves_on_it_or_beside_it_in_two_neighbouring_latent_frames() -> None:
    video = torch.zeros(1, 3, 17, 16, 32)
    video[:, 1, 10:, 5, 2] = 1.0  # from pixel frame 10 on, which latent frame 3 codes; latent row 1, column 0
    still = still_positions(video, torch.Size((5, 4, 8)))[0, 0]
    assert still.shape == (4, 4, 8)
    assert bool(still[0].all())
    assert bool(still[1].all())
    for pair in (2, 3):  # into the frame that changes, and out of it
        assert not bool(still[pair, :3, :2].any())
        assert int(still[pair].sum()) == 4 * 8 - 3 * 2


def test_latents_that_change_count_where_the_pixels_stand_still_alone() -> None:
    video = torch.zeros(2, 3, 9, 16, 16)
    latents = torch.randn(2, 4, 1, 4, 4, generator=torch.Generator().manual_seed(0)).repeat(1, 1, 3, 1, 1)
    assert float(change_where_still(latents, video)) == 0.0
    latents[:, :, 2] += 0.5
    some = change_where_still(latents, video)
    variance = latents.var(dim=(0, 2, 3, 4))
    assert float(some) == pytest.approx(float((0.25 / (2 * variance)).mean()) / 2)  # in one of two pairs of frames
    assert float(change_where_still(10 * latents, video)) == pytest.approx(float(some))
    video[:, :, 5:] = 1.0
    assert float(change_where_still(latents, video)) == 0.0


def test_a_phase_may_ask_for_latents_that_stand_still() -> None:
    backbone = build_tiny("tiny-wan", 0)
    plain, asked = losses_of(backbone, still_weight=0.0), losses_of(backbone, still_weight=2.0)
    assert "still" not in plain
    gained = (asked["loss"] - plain["loss"]).item()
    assert gained == pytest.approx(2 * asked["still"].item(), abs=1e-5)


def card_of(path: Path, *recipes: PretrainConfig) -> str:
    write_card(path, Lineage(recipes, {}), CardFacts("SomePipeline", 17, (48, 80), 10, 20))
    return path.read_text()


def test_a_card_says_what_each_phase_was_computed_in(tmp_path: Path) -> None:
    exact = BRIEF.model_copy(update={"name": "restart", "precision": "float32"})
    alone = MOTION.model_copy(update={"name": "decoder", "trains": "decoder"})
    config = PretrainConfig(autoencoder=(PHASE, MOTION, alone), denoiser=(BRIEF, exact), clips=2).resolved("bfloat16")
    card = card_of(tmp_path / "README.md", config)
    found = re.findall(r"^\| (\w+) \| 0 \| 1 .* \| (\w+(?:, .*)?) \|$", card, flags=re.MULTILINE)
    assert found == [
        ("autoencoder", "bfloat16"),
        ("motion", "float32"),
        ("decoder", "float32"),
        ("denoiser", "bfloat16, blocks compiled"),
        ("restart", "float32, blocks compiled"),
    ]
    assert card.count("crops of 17 x 32 x 32 pixels, the decoder alone") == 1


def test_the_card_of_a_usual_run_tells_its_command(tmp_path: Path) -> None:
    usual = PretrainConfig(backbone="tiny-wan", seed=3)
    told = "\ninterplay world pretrain --backbone tiny-wan --seed 3 --precision {} --{} --out OUT\n"
    assert told.format("float32", "no-compile") in card_of(tmp_path / "README.md", usual.resolved("float32"))
    assert told.format("bfloat16", "compile") in card_of(tmp_path / "README.md", usual.resolved("bfloat16"))


def test_a_run_that_begins_with_the_weights_of_another_one_tells_of_both(tmp_path: Path) -> None:
    first = run(SHORT, tmp_path / "first")
    again = BRIEF.model_copy(update={"name": "again", "precision": "float32"})
    config = SHORT.model_copy(update={"seed": 5, "autoencoder": (), "denoiser": (again,)})
    second = run(config, tmp_path / "second", start=str(first.path))
    kept, changed = "vae/diffusion_pytorch_model.safetensors", "transformer/diffusion_pytorch_model.safetensors"
    assert (second.path / kept).read_bytes() == (first.path / kept).read_bytes()
    scale = [read_json(made.path / "vae/config.json")["scaling_factor"] for made in (first, second)]
    assert scale[0] == scale[1]
    assert (second.path / changed).read_bytes() != (first.path / changed).read_bytes()
    rows = list(csv.DictReader((second.path / "losses.csv").open()))
    assert [row["phase"] for row in rows] == ["autoencoder", "denoiser", "again"]
    assert rows[:2] == list(csv.DictReader((first.path / "losses.csv").open()))
    assert [load_recipe(second.path / f"recipe-{n}.yaml", PretrainConfig) for n in (1, 2)] == [SHORT, config]
    card = (second.path / "README.md").read_text()
    assert (
        "pretrain --recipe recipe-1.yaml --out OUT1\ninterplay world pretrain --recipe recipe-2.yaml --start OUT1"
        in card
    )
    assert "| again | 5 | 1 |" in card
    assert not [
        path for path in second.path.rglob("*") if path.is_file() and str(tmp_path).encode() in path.read_bytes()
    ]
    with pytest.raises(InputError, match="again: the weights that the run begins with have such a phase"):
        run(config, tmp_path / "third", start=str(second.path))
    other = config.model_copy(update={"backbone": "tiny-wan", "seed": 6})
    with pytest.raises(InputError, match="is no tiny-wan"):
        run(other, tmp_path / "third", start=str(first.path))
    (first.path / "recipe-1.yaml").unlink()
    with pytest.raises(InputError, match=r"there is no recipe-1\.yaml"):
        run(config, tmp_path / "third", start=str(first.path))


def test_noise_levels_are_moved_as_far_as_a_phase_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = build_tiny("tiny-wan", 0)
    cache = cache_latents(backbone, 2, backbone.native_frames, backbone.native_size_hw, 0, tmp_path)
    tokens = world_tokens(backbone, 0, 2)
    levels, denoise = [], backbone.denoise

    def noted(latents: torch.Tensor, timesteps: torch.Tensor, *rest: Any) -> torch.Tensor:
        levels.append(timesteps.double() / 1000)
        return denoise(latents, timesteps, *rest)

    monkeypatch.setattr(backbone, "denoise", noted)
    for shift in (1.0, 2.0, 3.0, None):
        phase = BRIEF.model_copy(update={"batch_size": 4, "timestep_shift": shift})
        DenoiserLosses(backbone, phase, cache, tokens)(torch.Generator().manual_seed(0))
    uniform, *moved, unasked = levels
    for k, found in zip((2, 3), moved, strict=True):
        torch.testing.assert_close(found, k * uniform / (1 + (k - 1) * uniform), atol=4e-3, rtol=0)
    assert torch.equal(unasked, moved[1])  # the shift of Wan's own scheduler


def test_a_shift_is_refused_where_there_is_no_flow(tmp_path: Path) -> None:
    shifted = SHORT.model_copy(update={"denoiser": (BRIEF.model_copy(update={"timestep_shift": 2.0}),)})
    with pytest.raises(InputError, match="timestep_shift"):
        run(shifted, tmp_path / "tiny")
    assert not list(tmp_path.iterdir())  # so the mended recipe is not taken for another run's


@pytest.mark.parametrize(
    ("crops", "told"),
    [
        ({"crop_frames": 1, "still_weight": 1.0}, "field crop_frames: still_weight compares.*take longer crops"),
        ({"crop_frames": 7}, "phase autoencoder, crops, number of frames: 7 is not 1 . a multiple of 8.*; use 1 or 9"),
        ({"crop_frames": 5}, "5 is not 1 . a multiple of 8.*; use 1 or 9"),  # its decoder takes latents in pairs
        ({"crop_frames": 25}, "25 x 32 x 32 lies in no clip of 17 x 48 x 80; take smaller crops"),
        ({"crop_px": 64}, "9 x 64 x 64 lies in no clip"),
        ({"crop_px": 30}, "video height: 30 is not a multiple of 4; use 28 or 32"),
    ],
)
def test_crops_that_do_not_fit_are_refused_before_anything_is_begun(
    crops: dict[str, float], told: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=told):
        run(SHORT.model_copy(update={"autoencoder": (PHASE.model_copy(update=crops),)}), tmp_path / "tiny")
    assert not list(tmp_path.iterdir())


def test_random_weights_need_a_phase_of_the_autoencoder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--start"):
        run(SHORT.model_copy(update={"autoencoder": ()}), tmp_path / "tiny")


@pytest.mark.parametrize(
    ("phases", "problem"),
    [
        ({"autoencoder": (PHASE, PHASE)}, "several phases are called autoencoder"),
        ({"autoencoder": (), "denoiser": ()}, "there is no phase"),
    ],
)
def test_phases_that_cannot_be_told_apart_are_refused(phases: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        PretrainConfig(**phases)


def test_an_autoencoder_can_be_trained_alone(tmp_path: Path) -> None:
    artifact = run(SHORT.model_copy(update={"denoiser": ()}), tmp_path / "tiny")
    assert set(artifact.summary) == {"latent_standard_deviation", "final_loss"}


@pytest.mark.parametrize(
    ("has", "precision"),
    [({"avx512_f": True}, "float32"), ({"avx512_bf16": True}, "bfloat16"), ({"amx_bf16": True, "x": 3}, "bfloat16")],
)
def test_the_precision_is_one_that_the_machine_computes_in(
    has: dict[str, Any], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    assert native_precision() == precision


def test_a_precision_holds_for_all_phases() -> None:
    exact = SHORT.model_copy(update={"autoencoder": (PHASE, MOTION)}).in_precision("float32")
    assert [(phase.name, phase.precision) for phase in exact.phases] == [
        ("autoencoder", "float32"),
        ("motion", "float32"),
        ("denoiser", "float32"),
    ]


def test_what_is_left_open_is_what_the_machine_is_made_for() -> None:
    open_run = PretrainConfig(autoencoder=(PHASE, MOTION), denoiser=(BRIEF,))
    slow, fast = open_run.resolved("float32"), open_run.resolved("bfloat16")
    assert [phase.precision for phase in slow.phases] == ["float32"] * 3
    assert [phase.precision for phase in fast.phases] == ["bfloat16", "float32", "bfloat16"]
    assert (slow.compile, fast.compile) == (False, True)
    assert open_run.model_copy(update={"compile": False}).resolved("bfloat16").compile is False


def test_the_chart_has_a_panel_for_every_phase_with_steps(tmp_path: Path) -> None:
    falling = [{"step": float(step), "loss": 1.0 / (1 + step)} for step in range(40)]
    draw_chart({"one": falling}, tmp_path / "one.png")
    draw_chart({"one": falling, "skipped": [], "two": falling, "three": falling}, tmp_path / "three.png")
    one, three = (read_image(tmp_path / name) for name in ("one.png", "three.png"))
    assert three.shape == (2 * one.shape[0], *one.shape[1:])
    assert not (one == one[0, 0]).all()


def test_a_card_that_is_written_on_is_listed_anew(tmp_path: Path) -> None:
    made = build(tmp_path / "tiny", kind="backbone", config={}, inputs={}, make=one_card)
    (made.path / "README.md").write_text("the card with scores")
    (made.path / "samples.png").write_bytes(b"a picture")
    with pytest.raises(InputError, match=r"README\.md"):
        open_artifact(made.path)
    relist(made.path, ("README.md", "samples.png"))
    again = open_artifact(made.path)
    verify(again)
    assert list(again.manifest["files"]) == ["README.md", "other.json", "samples.png"]
    assert {**again.manifest, "files": {}} == {**made.manifest, "files": {}}


def one_card(folder: Path) -> dict[str, int]:
    (folder / "README.md").write_text("the card")
    (folder / "other.json").write_text("{}")
    return {}


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_folder_is_what_its_manifest_lists(name: str) -> None:
    folder = shipped_folder(name)
    shipped = open_artifact(folder, "backbone")
    verify(shipped)
    assert set(shipped.manifest["files"]) == {path.relative_to(folder).as_posix() for path in content_of(folder)}
    lineage = lineage_of(folder)
    assert [len(lineage.histories[phase.name]) for recipe in lineage.recipes for phase in recipe.phases] == [
        phase.steps for recipe in lineage.recipes for phase in recipe.phases
    ]


def test_an_unknown_tiny_backbone_is_an_input_error() -> None:
    with pytest.raises(InputError, match="tiny-cogvideox"):
        build_tiny("tiny-nothing", 0)
