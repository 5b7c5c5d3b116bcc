"""The shipped recipes: they are read, they fit the models they name, and no number stands without its source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml

from backbones import released_configs
from interplay.backbones.registry import load_skeleton
from interplay.core.config import load_recipe
from interplay.grid.buckets import Bucket
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.published import published_layers
from interplay.recipes import recipe_names, recipe_path
from interplay.train.config import TrainConfig
from interplay.train.doctor.estimate import estimate

NAMES = [name for name in recipe_names() if name.startswith("matrix-")]


def test_there_is_one_for_each_tiny_backbone_the_paper_and_the_released_code() -> None:
    tiny = {f"matrix-tiny-{family}" for family in ("cogvideox", "wan", "hunyuan-video")}
    assert tiny | {"matrix-cogvideox-5b", "matrix-wan2.1-14b"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_reads(name: str) -> None:
    recipe = load_recipe(recipe_path(name), TrainConfig)
    assert recipe.matrix is not None
    assert recipe.matrix.instance_map
    if name.startswith("matrix-tiny-"):
        assert recipe.backbone == name.removeprefix("matrix-")
        assert not recipe.matrix.v2t_layers


@pytest.mark.parametrize("name", ["matrix-cogvideox-5b", "matrix-wan2.1-14b"])
def test_the_layers_are_the_published_ones(name: str) -> None:
    recipe = load_recipe(recipe_path(name), TrainConfig)
    published = published_layers(recipe.backbone)
    assert (recipe.matrix.v2t_layers, recipe.matrix.v2v_layers) == (published.v2t.trained, published.v2v.trained)


@pytest.mark.parametrize("name", NAMES)
def test_it_says_every_number_of_the_losses_and_of_the_optimiser(name: str) -> None:
    """So that nobody has to look for defaults, and a default that changes changes no recipe."""
    told = yaml.safe_load(recipe_path(name).read_text(encoding="utf-8"))
    numbers = {name for name, field in MatrixConfig.model_fields.items() if field.default is not None}
    silent = numbers - told["matrix"].keys() - {"map_dropout", "image_tokens", "positive_weight_over"}
    # Layers are the analysis's business in the tiny recipes; marker tokens are of no use where none is shown.
    silent -= {"v2t_layers", "v2v_layers"} if name.startswith("matrix-tiny-") else set()
    silent -= {"markers", "marker_embeddings"} if told["matrix"]["binding"] == "words" else set()
    assert silent == set()
    of_the_optimiser = {
        "optimizer",
        "betas",
        "learning_rate",
        "schedule",
        "warmup_steps",
        "weight_decay",
        "spike_factor",
    }
    assert of_the_optimiser <= told.keys()


@pytest.mark.parametrize("name", ["matrix-cogvideox-5b", "matrix-wan2.1-14b"])
def test_what_it_spells_out_is_what_its_variant_means(name: str) -> None:
    """What a recipe says must not drift from what its variant means."""
    matrix = load_recipe(recipe_path(name), TrainConfig).matrix
    meant = MatrixConfig(variant=matrix.variant)
    # The variant leaves image tokens alone, because few models have any; the released recipe does not. Markers are
    # shown in the paper's prompts, but by default only where they are bound: few users write them.
    own = {"v2t_layers", "v2v_layers", "decoder_width", "decoder_depth", "image_tokens", "binding"}
    assert matrix.model_dump(exclude=own) == meant.model_dump(exclude=own)


@pytest.mark.parametrize(
    ("name", "release", "channels", "trained"),
    [
        # LoRA: 2 x rank x width for each of q, k, v, o of three layers; and the input layer of 2 x 2 patches.
        ("matrix-cogvideox-5b", "cogvideox-5b-i2v", 16, 3 * 4 * 2 * 128 * 3072 + 3072 * (48 * 4 + 1)),
        ("matrix-wan2.1-14b", "wan-2.1-i2v-14b-480p", 20, 4 * 4 * 2 * 16 * 5120 + 5120 * (56 * 4 + 1)),
    ],
)
def test_it_fits_the_model_that_it_names(name: str, release: str, channels: int, trained: int, tmp_path: Path) -> None:
    """A step and all that it needs, rehearsed on the released configuration (without the blocks behind the last)."""
    recipe = load_recipe(recipe_path(name), TrainConfig)
    config = released_configs.read(release)
    assert recipe.backbone.split("/")[1] == config["repository"].split("/")[1]  # CogVideoX moved to another owner
    layers = max(*recipe.matrix.v2t_layers, *recipe.matrix.v2v_layers) + 1
    config["networks"]["transformer"]["num_layers"] = layers
    released_configs.lay_out(config, tmp_path)
    skeleton = load_skeleton(str(tmp_path), torch.bfloat16)
    assert skeleton.picture_channels == channels
    needs = estimate(recipe, skeleton, {Bucket.parse(str(recipe.buckets.sizes[0])): 1})
    decoders = 0.01 * trained
    assert trained < needs.trained < trained + decoders


@pytest.mark.parametrize("name", NAMES)
def test_numbers_have_a_source(name: str) -> None:
    lines = recipe_path(name).read_text(encoding="utf-8").splitlines()
    told = re.compile(r"^\s*(\w+): [^#]*[0-9]")
    silent = [line for line in lines if (m := told.match(line)) and m[1] != "backbone" and "#" not in line]
    assert silent == []
