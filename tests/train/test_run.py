from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from interplay.backbones.registry import load_backbone
from interplay.core.artifacts import Artifact, build
from interplay.core.cache import Cache
from interplay.core.config import load_recipe
from interplay.core.errors import InputError
from interplay.core.files import write_json
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.files import read_layers
from interplay.methods.matrix.install import install
from interplay.methods.matrix.layers import Layers
from interplay.recipes import recipe_names, recipe_path
from interplay.records.store.reader import ClipStore
from interplay.train.config import LoraConfig, TrainConfig
from interplay.train.dataset import encode_clips
from interplay.train.losses import FineTuneLosses
from interplay.train.run import build_losses, run, with_chosen_layers

MATRIX = MatrixConfig(v2t_layers=(0,), v2v_layers=(1,))


def config(folder: str, **changes: Any) -> TrainConfig:
    settings = {"backbone": folder, "matrix": MATRIX, "steps": 3, "batch_size": 2, "learning_rate": 1e-3}
    return TrainConfig.model_validate({**settings, **changes})


def lora_of(artifact: Artifact) -> dict[str, torch.Tensor]:
    return load_file(artifact.path / "adapter" / "pytorch_lora_weights.safetensors")


def test_a_run_writes_what_the_next_stages_read(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    artifact = run(config(backbone_folder), clips, tmp_path / "out")
    rows = list(csv.DictReader((artifact.path / "losses.csv").open()))
    assert [row["step"] for row in rows] == ["0", "1", "2"]
    for term in ("diffusion", "sga_subject", "sga_object", "sga_verb", "spa_subject", "spa_object"):
        # A batch of clips in which nothing happens has no verb to align.
        assert all(float(row[term]) >= 0 for row in rows)
        assert any(float(row[term]) > 0 for row in rows)
    assert artifact.summary["layers"] == {"v2t": [0], "v2v": [1]}
    assert read_layers(artifact.path / "adapter") == Layers(v2t=(0,), v2v=(1,))
    assert load_recipe(artifact.path / "recipe.yaml", TrainConfig).matrix == MATRIX
    adapted = {key.split(".")[2] for key in lora_of(artifact)}
    assert adapted == {"0", "1"}


def test_compiled_blocks_train_as_others_do(
    backbone_folder: str, clips: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The whole way but for the C++ compiler, whose part tests/train/test_compiled_blocks.py has in small.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    losses = {}
    for name in ("plain", "compiled"):
        settings = config(backbone_folder, steps=2, compile=name == "compiled")
        rows = csv.DictReader((run(settings, clips, tmp_path / name).path / "losses.csv").open())
        losses[name] = [{key: float(value) for key, value in row.items() if key != "seconds"} for row in rows]
    for plain, compiled in zip(losses["plain"], losses["compiled"], strict=True):
        assert compiled == pytest.approx(plain, rel=1e-4)


def test_compiled_blocks_in_shards_are_refused(
    backbone_folder: str, clips: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(InputError, match=r"field compile: .*for shards \(FSDP\).*; set compile: false, or use DDP"):
        run(config(backbone_folder, compile=True), clips, tmp_path / "out")


def test_a_mistake_in_the_recipe_leaves_nothing_that_its_mending_would_meet(
    backbone_folder: str, clips: Artifact, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"clips": clips, "out": tmp_path / "out", "cache": Cache(tmp_path / "cache")}
    with pytest.raises(InputError, match="no parameter fits"):
        run(config(backbone_folder, also_train=("norm_uot.*",)), **given)
    assert not (tmp_path / "out.partial").exists()
    run(config(backbone_folder, also_train=("norm_out.*",), steps=1), **given)


def test_the_stock_pipeline_loads_the_adapter(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    from diffusers import CogVideoXImageToVideoPipeline

    artifact = run(config(backbone_folder), clips, tmp_path / "out")
    pipeline = CogVideoXImageToVideoPipeline.from_pretrained(backbone_folder)
    pipeline.load_lora_weights(str(artifact.path / "adapter"))
    assert pipeline.get_active_adapters()


def test_the_same_run_twice_gives_the_same_bits(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    one, two = (lora_of(run(config(backbone_folder), clips, tmp_path / name)) for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_lora_only_has_no_alignment_terms(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    artifact = run(config(backbone_folder, matrix=None), clips, tmp_path / "out")
    assert "sga_subject" not in (artifact.path / "losses.csv").read_text()
    assert artifact.summary["lora_layers"] == [0, 1, 2]


def test_the_total_is_the_paper_formula(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    settings = config(backbone_folder, caption_dropout=0.0)
    backbone = load_backbone(backbone_folder)
    data = encode_clips(backbone, ClipStore(clips.path), settings, cache=Cache(tmp_path / "cache"), model="tiny")
    values = build_losses(settings, backbone, data, install(backbone, MATRIX))(torch.Generator().manual_seed(0))
    sga = values["sga_subject"] + values["sga_object"] + values["sga_verb"]
    spa = values["spa_subject"] + values["spa_object"]
    expected = values["diffusion"] + MATRIX.lambda_sga * sga + MATRIX.lambda_spa * spa
    assert values["loss"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_alignment_does_not_change_the_plain_objective(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    settings = config(backbone_folder)
    backbone = load_backbone(backbone_folder)
    data = encode_clips(backbone, ClipStore(clips.path), settings, cache=Cache(tmp_path / "cache"), model="tiny")
    aligned = build_losses(settings, backbone, data, install(backbone, MATRIX))(torch.Generator().manual_seed(1))
    plain = FineTuneLosses(backbone, data, settings)(torch.Generator().manual_seed(1))
    assert torch.equal(aligned["diffusion"], plain["diffusion"])


def test_a_clip_without_its_caption_grounds_no_words(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    settings = config(backbone_folder, caption_dropout=0.999)
    backbone = load_backbone(backbone_folder)
    data = encode_clips(backbone, ClipStore(clips.path), settings, cache=Cache(tmp_path / "cache"), model="tiny")
    values = build_losses(settings, backbone, data, install(backbone, MATRIX))(torch.Generator().manual_seed(0))
    assert values["sga_subject"].item() == 0
    assert values["spa_subject"].item() > 0


def test_layers_come_from_the_analysis(backbone_folder: str, clips: Artifact, tmp_path: Path) -> None:
    def make(folder: Path) -> dict[str, Any]:
        write_json(folder / "layers.json", {"chosen": {"v2t": [2], "v2v": [0, 1]}})
        return {}

    analysis = build(tmp_path / "analysis", kind="analysis", config={}, inputs={}, make=make)
    open_recipe = config(backbone_folder, matrix=MatrixConfig())
    chosen = with_chosen_layers(open_recipe, analysis).matrix
    assert chosen is not None
    assert (chosen.v2t_layers, chosen.v2v_layers) == ((2,), (0, 1))
    with pytest.raises(InputError, match="--analysis"):
        with_chosen_layers(open_recipe, None)


@pytest.mark.parametrize(
    "change", [{"matrix": MatrixConfig(v2t_layers=(9,), v2v_layers=(1,))}, {"lora": LoraConfig(layers=(9,))}]
)
def test_a_layer_that_does_not_exist_is_named(
    change: dict[str, Any], backbone_folder: str, clips: Artifact, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="layer 9"):
        run(config(backbone_folder, **change), clips, tmp_path / "out")


def test_shipped_recipes_are_valid() -> None:
    assert "matrix-tiny-cogvideox" in recipe_names()
    for name in recipe_names():
        load_recipe(recipe_path(name), TrainConfig)


def test_an_unknown_recipe_names_the_shipped_ones() -> None:
    with pytest.raises(InputError, match="matrix-tiny-cogvideox"):
        recipe_path("matrix-tiny")
