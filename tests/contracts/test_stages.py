"""Every stage that runs a model, on a small untrained instance of each family: nobody asks which one it is."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from contracts import cogvideox_variants, wan_variants
from interplay.analyze import run as analyze
from interplay.analyze.config import AnalyzeConfig
from interplay.backbones.base import Backbone
from interplay.backbones.hunyuan_video.tiny import TinyHunyuanVideo, build
from interplay.backbones.hunyuan_video_15 import tiny as hunyuan_video_15
from interplay.backbones.ltx_video import tiny as ltx_video
from interplay.backbones.registry import load_backbone, load_skeleton
from interplay.core.artifacts import Artifact
from interplay.core.files import read_json
from interplay.generate import run as generate
from interplay.generate.config import GenerateConfig
from interplay.methods.matrix.config import MatrixConfig
from interplay.train import run as train
from interplay.train.config import TrainConfig
from interplay.train.doctor.run import diagnose
from interplay.world import make

HUNYUAN_VIDEO = TinyHunyuanVideo(
    num_frames=wan_variants.CONFIG.num_frames, size_hw=wan_variants.CONFIG.size_hw, dual_layers=1, single_layers=1
)
SIZES = {"num_frames": wan_variants.CONFIG.num_frames, "size_hw": wan_variants.CONFIG.size_hw}
FAMILIES: dict[str, Callable[[], Backbone]] = {
    # Of the many layouts of CogVideoX the two that differ most from the tiny one, which every other test runs.
    "cogvideox text-to-video": cogvideox_variants.sinusoidal,
    "cogvideox 1.5": cogvideox_variants.image_to_video_15,
    "hunyuan_video_15": lambda: hunyuan_video_15.build(0, hunyuan_video_15.TinyHunyuanVideo15(**SIZES, layers=2)),
    "ltx_video": lambda: ltx_video.build(0, ltx_video.TinyLTXVideo(**SIZES, layers=2)),
    **{f"wan {name}": build for name, build in wan_variants.VARIANTS.items()},
    "hunyuan_video token_replace": lambda: build(0, HUNYUAN_VIDEO),
    "hunyuan_video latent_concat": lambda: build(0, HUNYUAN_VIDEO.model_copy(update={"condition": "latent_concat"})),
}


# Models whose weights make both, here without their first frame.
OF_TEXT = {"ltx_video of text": "ltx_video", "wan in_place of text": "wan in_place"}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    config = make.WorldConfig(
        train=4, test=1, num_frames=wan_variants.CONFIG.num_frames, size_hw=wan_variants.CONFIG.size_hw
    )
    return make.run(config, tmp_path_factory.mktemp("world") / "clips")


@dataclass(frozen=True)
class Given:
    """A pipeline folder, and whether it is to make videos of text alone."""

    folder: str
    text_to_video: bool

    @property
    def asked(self) -> dict[str, Any]:
        """The fields of a config; where nothing is asked for, none."""
        return {"backbone": self.folder, **({"text_to_video": True} if self.text_to_video else {})}


@pytest.fixture(scope="module", params=[*FAMILIES, *OF_TEXT])
def given(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Given:
    folder = tmp_path_factory.mktemp("family") / "pipeline"
    FAMILIES[OF_TEXT.get(request.param, request.param)]().save(folder)
    return Given(str(folder), request.param in OF_TEXT)


def recipe(given: Given) -> TrainConfig:
    matrix = MatrixConfig(v2t_layers=(1,), v2v_layers=(0,))
    return TrainConfig(**given.asked, matrix=matrix, steps=2, batch_size=4, learning_rate=1e-3)


# The stock loader fills in zeros for the image projections that an adapter of the text leaves out; peft remarks on it.
@pytest.mark.filterwarnings("ignore:While injecting the PEFT adapters:RuntimeWarning")
def test_training_and_generation(given: Given, clips: Artifact, tmp_path: Path) -> None:
    training = train.run(recipe(given), clips, tmp_path / "training")
    rows = list(csv.DictReader((training.path / "losses.csv").open()))
    for term in ("diffusion", "sga_subject", "spa_subject"):
        assert max(float(row[term]) for row in rows) > 0
    generation = generate.run(
        GenerateConfig(**given.asked, splits=("test",), steps=2, batch_size=1),
        clips,
        tmp_path / "generation",
        training=training,
    )
    (entry,) = read_json(generation.path / "index.json")["clips"]
    assert (generation.path / entry["video"]).is_file()
    backbone = load_backbone(given.folder, text_to_video=given.text_to_video)
    assert (entry["first_frame"] is not None) == backbone.sees_first_frame


def test_analysis_scores_words_and_regions_at_every_layer(given: Given, clips: Artifact, tmp_path: Path) -> None:
    config = AnalyzeConfig(
        mode="data", **given.asked, limit=2, timesteps=2, batch_size=2, overlay_clips=1, bootstrap=20
    )
    made = analyze.run(config, clips, tmp_path / "analysis")
    rows = pq.read_table(made.path / "scores.parquet").to_pydict()
    assert set(rows["variant"]) == {"noun_v2t", "verb_v2t", "noun_v2v", "verb_v2v"}
    sites = load_backbone(given.folder).sites()
    for relation, kinds in (("v2t", ("joint", "cross")), ("v2v", ("joint", "self"))):
        found = {
            site for site, variant in zip(rows["site"], rows["variant"], strict=True) if variant.endswith(relation)
        }
        assert found == {site.address for site in sites if site.kind in kinds}
    assert list((made.path / "overlays").glob("*.png"))


def test_the_doctor_foretells_every_network_and_what_is_trained(given: Given, clips: Artifact, tmp_path: Path) -> None:
    needs = diagnose(recipe(given), clips, out=tmp_path).needs
    told = {part.name: part.size for part in needs.memory}
    for name, module in load_skeleton(given.folder).networks.items():
        assert told[f"weights of the {name}"] >= 4 * sum(value.numel() for value in module.parameters())
    trained = train.run(recipe(given), clips, tmp_path / "training").summary["trainable_parameters"]
    assert needs.trained == trained
