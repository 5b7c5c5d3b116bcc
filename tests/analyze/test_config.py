from __future__ import annotations

import pytest

from interplay.analyze.config import AnalyzeConfig
from interplay.core.errors import InputError


@pytest.mark.parametrize(("layers", "expected"), [(42, 10), (8, 3), (30, 7), (2, 2), (60, 14)])
def test_the_share_of_highly_ranked_layers_is_the_papers(layers, expected):
    assert AnalyzeConfig(mode="replay").top_k_of(layers) == expected


def test_noise_levels():
    assert AnalyzeConfig(mode="data", backbone="b", timesteps=2).fractions() == (0.75, 0.25)
    assert AnalyzeConfig(mode="data", backbone="b", timesteps=(0.9, 0.1)).fractions() == (0.9, 0.1)
    assert len(AnalyzeConfig(mode="data", backbone="b").fractions()) == 4


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"mode": "data"}, "backbone"),
        ({"mode": "data", "backbone": "b", "timesteps": (1.5,)}, "timesteps"),
        ({"mode": "data", "backbone": "b", "timesteps": 0}, "timesteps"),
        ({"mode": "data", "backbone": "b", "success_at_least": 0.5}, "thresholds"),
        ({"mode": "replay", "timesteps": 3}, "timesteps"),
        ({"mode": "replay", "split": "test"}, "split"),
        ({"mode": "replay", "draws": 2}, "draws"),
        ({"mode": "replay", "text_to_video": True}, "text_to_video"),
        ({"mode": "replay", "buckets": {"sizes": ["8x8x1"]}}, "buckets"),
        ({"mode": "replay", "success_at_least": 0.5}, "thresholds"),
        ({"mode": "replay", "success_at_least": 0.5, "failure_at_most": 0.5}, "failure_at_most"),
    ],
)
def test_options_that_would_do_nothing_or_contradict_are_refused(settings, named):
    with pytest.raises(InputError, match=named):
        AnalyzeConfig(**settings)


def test_large_clips_go_alone_and_small_ones_together():
    config = AnalyzeConfig(mode="replay")
    assert config.batch_size_for(17_550) == 1
    assert config.batch_size_for(32_760) == 1
    assert config.batch_size_for(384) == 8
    assert AnalyzeConfig(mode="replay", batch_size=3).batch_size_for(100_000) == 3


def test_only_what_moves_a_score_is_a_setting_of_scoring():
    base = AnalyzeConfig(mode="data", backbone="b")
    judged = AnalyzeConfig(mode="data", backbone="b", top_k=4, measure="aas_per_area", overlay_clips=0, bootstrap=9)
    assert judged.scoring() == base.scoring()
    for name, value in (("pool", "nearest"), ("draws", 3), ("seed", 1), ("dtype", "bfloat16"), ("limit", 2)):
        assert AnalyzeConfig(mode="data", backbone="b", **{name: value}).scoring() != base.scoring()
