from __future__ import annotations

import pytest
from pydantic import ValidationError

from interplay.methods.matrix.config import MatrixConfig


def test_the_paper_is_the_default() -> None:
    config = MatrixConfig()
    assert [name for name, _, _ in config.terms()] == [
        "sga_subject",
        "sga_object",
        "sga_verb",
        "spa_subject",
        "spa_object",
    ]
    assert (config.lambda_sga, config.lambda_spa) == (0.01, 0.005)
    assert config.binding == "words"


def test_the_released_variant_changes_defaults_but_no_value_that_is_set() -> None:
    config = MatrixConfig.model_validate({"variant": "released", "dice": 0.3})
    assert (config.binding, config.pool, config.positive_weight_cap) == ("markers", "nearest", 10.0)
    assert (config.bce, config.dice, config.l2) == (1.0, 0.3, 0.0)
    assert "sga_verb" not in [name for name, _, _ in config.terms()]


def test_a_resolved_config_reads_back_as_itself() -> None:
    config = MatrixConfig.model_validate({"variant": "released", "v2t_layers": [7, 11], "positive_weight_cap": None})
    assert MatrixConfig.model_validate(config.model_dump(mode="json")) == config


def test_unknown_keys_and_negative_weights_are_refused() -> None:
    for wrong in ({"lamda_sga": 1}, {"bce": -1.0}):
        with pytest.raises(ValidationError):
            MatrixConfig.model_validate(wrong)
