from __future__ import annotations

import csv
import errno
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from interplay.backbones.base import Backbone
from interplay.backbones.registry import build_tiny, load_backbone, shipped_folder, shipped_names, tiny_names
from interplay.core.artifacts import build, open_artifact, verify
from interplay.core.errors import InputError
from interplay.core.manifest import content_of
from interplay.records.media.images import read_image
from interplay.train.precision import native_precision
from interplay.train.pretrain import latents as latents_of_the_world
from interplay.train.pretrain.autoencoder import (
    AutoencoderLosses,
    colorfulness,
    moving_pixels,
    train_autoencoder,
)
from interplay.train.pretrain.card import CardFacts, relist, write_card
from interplay.train.pretrain.chart import CHART, draw_chart
from interplay.train.pretrain.config import AutoencoderConfig, DenoiserConfig, PretrainConfig
from interplay.train.pretrain.latents import cache_latents, calibrate
from interplay.train.pretrain.run import run

PHASE = AutoencoderConfig(name="autoencoder", steps=1, batch_size=1, crop_frames=9, learning_rate=1e-3)
MOTION = PHASE.model_copy(
    update={"name": "motion", "crop_frames": 17, "motion_weight": 4.0, "moving_share": 1.0, "precision": "float32"}
)
BRIEF = DenoiserConfig(
    name="denoiser", steps=1, batch_size=1, learning_rate=1e-3, final_learning_rate=1e-5, warmup_steps=1
)
SHORT = PretrainConfig(autoencoder=(PHASE,), clips=2, denoiser=(BRIEF,), compile=False)


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
    assert f"interplay world pretrain --backbone {name} --seed 0 --precision bfloat16 --no-compile --out OUT" in card
    assert "| autoencoder | 1 | 1 | 0.001 | crops of 9 x 32 x 32 pixels | bfloat16 |" in card
    assert "| denoiser | 1 | 1 | 0.001 | latents of 2 clips | bfloat16, blocks not compiled |" in card
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


def test_a_card_says_what_each_phase_was_computed_in(tmp_path: Path) -> None:
    exact = BRIEF.model_copy(update={"name": "restart", "precision": "float32"})
    alone = MOTION.model_copy(update={"name": "decoder", "trains": "decoder"})
    phases = {"autoencoder": (PHASE, MOTION, alone), "denoiser": (BRIEF, exact), "compile": True}
    config = SHORT.model_copy(update=phases)
    write_card(tmp_path / "README.md", config, CardFacts("SomePipeline", 17, (48, 80), 10, 20), {"restart": ()})
    card = (tmp_path / "README.md").read_text()
    found = re.findall(r"^\| (\w+) \| 1 .* \| (\w+(?:, .*)?) \|$", card, flags=re.MULTILINE)
    assert found == [
        ("autoencoder", "bfloat16"),
        ("motion", "float32"),
        ("decoder", "float32"),
        ("denoiser", "bfloat16, blocks compiled"),
        ("restart", "float32, blocks compiled"),
    ]
    assert card.count("crops of 17 x 32 x 32 pixels, the decoder alone") == 1
    assert "--precision" not in card  # there is no option for several at once
    assert " --compile " in card


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
    assert exact.precisions == {"float32"}
    assert exact.in_precision("bfloat16").precisions == {"bfloat16"}
    assert [phase.name for phase in exact.autoencoder] == ["autoencoder", "motion"]


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


def test_an_unknown_tiny_backbone_is_an_input_error() -> None:
    with pytest.raises(InputError, match="tiny-cogvideox"):
        build_tiny("tiny-nothing", 0)
