from __future__ import annotations

from pathlib import Path

import pytest
import torch

from interplay.backbones.registry import build_tiny, load_backbone, tiny_names
from interplay.core.errors import InputError
from interplay.train.pretrain import latents as latents_of_the_world
from interplay.train.pretrain.autoencoder import moving_pixels
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


@pytest.fixture(autouse=True)
def few_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latents_of_the_world, "_CALIBRATION_CLIPS", 2)
    monkeypatch.setattr(latents_of_the_world, "_BATCH", 2)


@pytest.mark.parametrize("name", tiny_names())
def test_a_pretrained_folder_is_a_stock_pipeline_with_a_card(name: str, tmp_path: Path) -> None:
    artifact = run(SHORT.model_copy(update={"backbone": name}), tmp_path / "tiny")
    backbone = load_backbone(str(artifact.path))  # by the stock pipeline's own from_pretrained
    card = (artifact.path / "README.md").read_text()
    assert f"interplay world pretrain --backbone {name} --seed 0" in card
    assert "| denoiser | 1 |" in card
    assert all(torch.isfinite(value).all() for value in backbone.transformer.parameters())
    assert torch.isfinite(backbone.encode_video(torch.zeros(1, 3, 9, 32, 32))).all()


def test_phases_follow_one_another(tmp_path: Path) -> None:
    phases = {"autoencoder": (PHASE, MOTION), "denoiser": (BRIEF, BRIEF.model_copy(update={"name": "restart"}))}
    artifact = run(SHORT.model_copy(update=phases), tmp_path / "tiny")
    for phase in ("autoencoder", "motion", "denoiser", "restart"):
        assert len((artifact.path / f"{phase}.losses.jsonl").read_text().splitlines()) == 1


def test_calibrated_latents_have_unit_scale_and_the_cache_is_read_back(tmp_path: Path) -> None:
    backbone = build_tiny("tiny-cogvideox", 0)
    calibrate(backbone, 17, (48, 80), seed=0)
    made = cache_latents(backbone, 8, 17, (48, 80), 0, tmp_path)
    assert made.video.shape == (8, 8, 5, 12, 20)
    assert float(made.video.astype("float32").std()) == pytest.approx(1.0, abs=0.1)
    stamp = (tmp_path / "latents.video.npy").stat().st_mtime_ns
    cache_latents(backbone, 8, 17, (48, 80), 0, tmp_path)
    assert (tmp_path / "latents.video.npy").stat().st_mtime_ns == stamp


def test_moving_pixels_are_those_that_change() -> None:
    video = torch.zeros(1, 3, 4, 2, 2)
    video[0, 1, 2, 0, 1] = 0.5
    video[0, 0, 1, 1, 1] = 0.1
    assert moving_pixels(video)[0, 0, 0].tolist() == [[0.0, 1.0], [0.0, 0.0]]


def test_an_unknown_tiny_backbone_is_an_input_error() -> None:
    with pytest.raises(InputError, match="tiny-cogvideox"):
        build_tiny("tiny-nothing", 0)
