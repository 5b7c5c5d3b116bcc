"""The released dataset's layout, the released recipe: no interactions, ids in the captions, and still aligned."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from contracts.wan_variants import CONFIG, image_tokens
from interplay.backbones.registry import load_backbone
from interplay.backbones.wan.adapter import Wan
from interplay.core.artifacts import Artifact
from interplay.core.cache import Cache
from interplay.core.config import load_recipe
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.data.config import ConvertConfig
from interplay.data.convert import convert
from interplay.data.source import choose_format, open_source
from interplay.methods.matrix.adapter import load_adapter
from interplay.recipes import recipe_path
from interplay.records.store.reader import ClipStore
from interplay.train.config import TrainConfig
from interplay.train.run import run
from interplay.world.make import WorldConfig
from interplay.world.make import run as make_world

# What the tiny model has otherwise than the 14B one; everything else is as released.
SMALL = ("matrix.v2t_layers=[1]", "matrix.v2v_layers=[0]", "buckets=null", "steps=1", "matrix.decoder_width=4")


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Two clips that went through MATRIX's layout as others write it: without our sidecar."""
    root = tmp_path_factory.mktemp("released")
    world = make_world(
        WorldConfig(train=2, test=0, heldout=0, num_frames=CONFIG.num_frames, size_hw=CONFIG.size_hw), root / "world"
    )
    matrix, store = choose_format("matrix"), choose_format("store")
    convert(ConvertConfig(source=store, target=matrix), open_source(world.path, "store"), root / "matrix")
    (root / "matrix" / "interplay.json").unlink()
    return convert(
        ConvertConfig(source=matrix, target=store), open_source(root / "matrix", "matrix"), root / "c"
    ).artifact


@pytest.fixture(scope="module")
def wan(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A very small untrained Wan 2.1 image-to-video, with a CLIP image encoder."""
    folder = tmp_path_factory.mktemp("wan") / "tiny"
    image_tokens().save(folder)
    return str(folder)


def recipe(backbone: str, *changes: str) -> TrainConfig:
    return load_recipe(recipe_path("matrix-wan2.1-14b"), TrainConfig, [f"backbone={backbone}", *SMALL, *changes])


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """What is computed once per clip, for the trainings that read the clips alike."""
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """The shift of every draw of timesteps."""
    shifts: list[float | None] = []
    own = Wan.draw_timesteps

    def spy(self: Wan, count: int, generator: torch.Generator, shift: float | None = None) -> torch.Tensor:
        shifts.append(shift)
        return own(self, count, generator, shift)

    monkeypatch.setattr(Wan, "draw_timesteps", spy)
    return shifts


# The stock loader fills in zeros for the image projections that an adapter of the text leaves out; peft remarks on it.
@pytest.mark.filterwarnings("ignore:While injecting the PEFT adapters:RuntimeWarning")
def test_a_step_with_the_released_settings_aligns_every_id(
    official: Artifact, wan: str, cache: Cache, drawn: list[float | None], tmp_path: Path
) -> None:
    clips = ClipStore(official.path)
    assert len(clips.ids) == 2
    assert all(not clip.interactions and clip.tracks for clip in map(clips.get, clips.ids))
    trained = run(recipe(wan), official, tmp_path / "out", cache=cache)
    assert drawn == [5.0, 5.0]  # of the step, and for the mean of the bell
    (row,) = csv.DictReader((trained.path / "losses.csv").open())
    assert {name for name in row if name.startswith(("sga", "spa"))} == {"sga_instance", "spa_instance"}
    assert float(row["sga_instance"]) > 0
    assert float(row["spa_instance"]) > 0
    told = read_json(trained.path / "missing.json")
    # Some things of the world are smaller than a token of so small a model; nothing else is amiss.
    assert {one["term"] for one in told} <= {"sga_instance", "spa_instance"}
    assert {one["reason"] for one in told} <= {"mask track is empty in every frame", "not seen in the first frame"}
    with safe_open(trained.path / "adapter" / "input_projection.safetensors", framework="pt") as opened:
        assert '"image_tokens":false' in opened.metadata()["conditioning"]
    again = load_backbone(wan)
    assert load_adapter(again, trained.path / "adapter").sees_map
    assert {site.kind for site in again.sites()} == {"self", "cross"}


def test_the_paper_variant_takes_the_same_clips(
    official: Artifact, wan: str, cache: Cache, drawn: list[float | None], tmp_path: Path
) -> None:
    matrix = "matrix={variant: paper, v2t_layers: [1], v2v_layers: [0], decoder_width: 4, decoder_depth: 0}"
    trained = run(recipe(wan, matrix, "timestep_shift=null"), official, tmp_path / "out", cache=cache)
    assert drawn == [None]
    (row,) = csv.DictReader((trained.path / "losses.csv").open())
    for term in ("sga_subject", "sga_object", "spa_subject", "spa_object"):
        assert float(row[term]) > 0
    assert float(row["sga_verb"]) == 0  # the official captions mark no verb


def test_a_shift_of_a_model_that_has_none_is_refused(official: Artifact, backbone_folder: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"field timestep_shift: .* is not trained by flow matching"):
        run(recipe(backbone_folder, "matrix=null"), official, tmp_path / "out")
