"""Layers in one list for all transformers of a model, or in one list for each."""

from __future__ import annotations

import pytest

from interplay.core.config import from_mapping
from interplay.core.errors import InputError
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.guidance import GuidanceConfig
from interplay.methods.matrix.layers import Layers, as_lists, in_any, in_words, lists_of_each


def test_one_list_is_that_of_every_transformer() -> None:
    assert lists_of_each((7, 11), 1, where="x") == ((7, 11),)
    assert lists_of_each((7, 11), 2, where="x") == ((7, 11), (7, 11))
    assert lists_of_each((), 2, where="x") == ((), ())
    assert lists_of_each(((7, 11), (3,)), 2, where="x") == ((7, 11), (3,))


@pytest.mark.parametrize("transformers", [1, 3])
def test_another_number_of_lists_is_refused(transformers: int) -> None:
    told = f"matrix.v2t_layers: lists layers for 2 transformers, and the model has {transformers}; give one list"
    with pytest.raises(InputError, match=told):
        lists_of_each(((7,), (3,)), transformers, where="matrix.v2t_layers")


def test_what_all_transformers_share_is_one_list() -> None:
    assert as_lists([[7, 11]]) == as_lists([[7, 11], [7, 11]]) == (7, 11)
    assert as_lists([[7, 11], [3]]) == ((7, 11), (3,))
    assert as_lists([[], []]) == ()


def test_layers_are_told_once_and_in_words() -> None:
    assert in_any((7, 11)) == (7, 11)
    assert in_any(((7, 11), (3, 7))) == (7, 11, 3)
    assert (in_words([7, 11]), in_words([])) == ("7, 11", "none")
    assert in_words([[7, 11], [3]]) == "7, 11 (expert 0); 3 (expert 1)"


@pytest.mark.parametrize("layers", [[], [7, 11], [[7, 11], [3]]])
def test_configs_take_both_forms_and_give_them_back(layers: list[object]) -> None:
    matrix = MatrixConfig.model_validate({"v2t_layers": layers})
    assert matrix.model_dump(mode="json")["v2t_layers"] == layers
    assert matrix.aligned == Layers.model_validate({"v2t": layers})
    guidance = GuidanceConfig.model_validate({"cag_layers": layers})
    assert guidance.model_dump(mode="json")["cag_layers"] == layers


def test_layers_of_terms_that_a_config_does_not_have_are_not_aligned() -> None:
    assert MatrixConfig(v2t_layers=(1,), v2v_layers=(0,), sga_roles=()).aligned == Layers(v2v=(0,))


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        (["seven"], r'key "v2t_layers\.0" is "seven": input should be a valid integer'),
        ([[7], [1.5]], r'key "v2t_layers\.1\.0" is 1\.5: input should be a valid integer'),
        ([[7], 3], r'key "v2t_layers\.1" is 3: input should be a valid tuple'),
        (7, r'key "v2t_layers" is 7: input should be a valid tuple'),
    ],
)
def test_a_mistake_is_told_of_the_form_that_was_meant(layers: object, told: str) -> None:
    with pytest.raises(InputError, match=told):
        from_mapping(MatrixConfig, {"v2t_layers": layers}, where="recipe")
