"""The shipped recipes: they are read, they fit the models they name, and no number stands without its source."""

from __future__ import annotations

import re

import pytest

from interplay.analyze.published import published_layers
from interplay.core.config import load_recipe
from interplay.methods.matrix.config import MatrixConfig
from interplay.recipes import recipe_names, recipe_path
from interplay.train.config import TrainConfig

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


@pytest.mark.parametrize("name", ["matrix-cogvideox-5b", "matrix-wan2.1-14b"])
def test_what_it_spells_out_is_what_its_variant_means(name: str) -> None:
    """A recipe says every number, so that nobody has to look for defaults; they must not drift from the variant's."""
    matrix = load_recipe(recipe_path(name), TrainConfig).matrix
    meant = MatrixConfig(variant=matrix.variant)
    own = {"v2t_layers", "v2v_layers", "decoder_width", "decoder_depth"}
    assert matrix.model_dump(exclude=own) == meant.model_dump(exclude=own)


@pytest.mark.parametrize("name", ["matrix-cogvideox-5b", "matrix-wan2.1-14b"])
def test_numbers_have_a_source(name: str) -> None:
    lines = recipe_path(name).read_text(encoding="utf-8").splitlines()
    told = re.compile(r"^\s*(\w+): [^#]*[0-9]")
    free = {"backbone", "save_every"}
    silent = [line for line in lines if (found := told.match(line)) and found[1] not in free and "#" not in line]
    assert silent == []
