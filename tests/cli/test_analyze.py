"""``interplay analyze`` as a user meets it: what the options mean, and bad input. The stage has its own tests."""

from __future__ import annotations

import pytest
import torch

from interplay.cli.analyze import _config, _device
from interplay.cli.analyze import analyze as command
from interplay.core.errors import InputError


def test_named_options_and_set_make_one_config() -> None:
    given = {"mode": "data", "backbone": "tiny-cogvideox", "split": None, "limit": 5, "seed": 3}
    config = _config(given, ["720x480x49"], 8.0, ["timesteps=[0.9, 0.5]", "top_k=4"])
    assert (config.backbone, config.split, config.limit, config.seed) == ("tiny-cogvideox", None, 5, 3)
    assert config.buckets is not None
    assert (config.buckets.sizes, config.buckets.fps) == (("720x480x49",), 8.0)
    assert (config.fractions(), config.top_k) == ((0.9, 0.5), 4)


@pytest.mark.parametrize(
    ("sizes", "fps", "overrides", "problem"),
    [
        ([], 8.0, [], "--fps"),
        (["480"], None, [], "is no bucket"),
        ([], None, ["topk=3"], "top_k"),
        ([], None, ["dtype=int8"], "dtype"),
    ],
)
def test_what_cannot_be_meant_is_refused(sizes, fps, overrides, problem) -> None:
    with pytest.raises(InputError, match=problem):
        _config({"mode": "data", "backbone": "b"}, sizes, fps, overrides)


def test_a_device_that_is_not_there_is_refused() -> None:
    assert _device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="no device of this machine"):
        _device("warp:7")


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ({"offload": "all"}, "--offload all: .*use none, networks or blocks"),
        ({"memory": "lots"}, "--memory lots: is no"),
    ],
)
def test_what_the_machine_cannot_give_is_refused(clips, tmp_path, option, problem) -> None:
    with pytest.raises(InputError, match=problem):
        command(clips.path, tmp_path / "out", backbone="tiny-cogvideox", **option)
    assert not (tmp_path / "out").exists()
