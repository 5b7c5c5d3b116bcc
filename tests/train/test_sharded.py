"""Weights that are shared out among processes (FSDP2): the same run, saved whole and gone on with."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate.utils import FullyShardedDataParallelPlugin
from safetensors.torch import load_file

from contracts.wan_variants import experts
from interplay.core.artifacts import Artifact, open_artifact
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.train.checkpoints import Checkpoints
from interplay.train.config import TrainConfig
from train import sharded_runs
from train.launched import Launched
from train.test_exact_resume import recipe, trained

# As `accelerate launch` says it: efficient loading, which would leave the other processes' text encoders without
# weights, is on unless a configuration turns it off.
CONFIGURED = {
    "ACCELERATE_USE_CPU": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",
}


def start(part: Callable[..., object], *arguments: object) -> Launched:
    """Begin a part of :mod:`.sharded_runs` in two processes."""
    return Launched(part, *arguments, processes=2, environment=CONFIGURED)


def test_shards_end_as_one_process_does_also_where_gradients_are_missing(tmp_path: Path) -> None:
    sharded_runs.small(tmp_path / "taken", accumulate=2).advance(7)
    start(sharded_runs.small_runs, tmp_path).finish()
    found = torch.load(tmp_path / "results.pt")
    unbroken, gone_on = found["unbroken"], found["gone on"]
    assert torch.equal(unbroken["weights"], gone_on["weights"])
    assert unbroken["examined"] == gone_on["examined"]
    alone = sharded_runs.small(tmp_path / "alone", accumulate=2)
    alone.run()
    handed = sharded_runs.small(tmp_path / "handed", accumulate=2)
    assert handed.step == 14
    handed.run()
    expected = sharded_runs.result(alone)
    for other in (unbroken, found["taken"], sharded_runs.result(handed)):
        assert other["losses"] == pytest.approx(expected["losses"], rel=1e-4)
        assert torch.allclose(other["weights"], expected["weights"], rtol=1e-4, atol=1e-5)
        for row, another in zip(other["examined"], expected["examined"], strict=True):
            assert row == pytest.approx(another, rel=1e-3, abs=1e-5)


def test_shards_killed_at_a_random_point_end_with_the_same_bits(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "killed", "fit", 1)
    process = start(sharded_runs.slow_run, tmp_path)
    try:
        while process.is_running and not checkpoints.steps():
            time.sleep(0.01)
        time.sleep(random.uniform(0.0, 0.5))
    finally:
        process.kill()
    start(sharded_runs.runs_after_a_kill, tmp_path).finish()
    found = torch.load(tmp_path / "results.pt")
    assert 0 < found["went on"] < sharded_runs.STEPS, "the kill came too late to test anything"
    unbroken, gone_on = found["unbroken"], found["gone on"]
    assert torch.equal(unbroken["weights"], gone_on["weights"])
    assert (unbroken["losses"], unbroken["examined"]) == (gone_on["losses"], gone_on["examined"])


def test_a_whole_model_in_shards_ends_as_in_copies_though_broken_off(
    backbone_folder: str, clips: Artifact, tmp_path: Path
) -> None:
    matrix = {"v2t_layers": [0], "v2v_layers": [1], "supervision": "latent", "instance_map": True}
    short = {"steps": 4, "save_every": 2, "gradient_accumulation": 2, "gradient_checkpointing": True, "matrix": matrix}
    sampled = {"samples": 1, "sample_steps": 1, "sample_every": 4}
    settings = recipe(backbone_folder, **short, validation={"every": 2, "limit": 1, "timesteps": [0.5], **sampled})
    told = start(sharded_runs.whole_runs, tmp_path, settings.model_dump_json(), str(clips.path)).finish()
    copies, shards = (open_artifact(tmp_path / name) for name in ("copies", "shards"))
    weights, others = trained(copies), trained(shards)
    assert weights.keys() == others.keys()
    assert all(torch.allclose(weights[key], others[key], rtol=1e-4, atol=1e-6) for key in weights)
    rows, other_rows = (read_json(one.path / "validation.json")["rows"] for one in (copies, shards))
    for row, other in zip(rows, other_rows, strict=True):
        assert row == pytest.approx(other, rel=1e-4)
    assert told.count("encode clips: done") == 6, "one of the processes speaks: thrice, of clips and of held-out ones"


def test_processes_draw_the_same_expert_where_two_are_shared_out(clips: Artifact, tmp_path: Path) -> None:
    """Each has layers of its own, for alignment and for its LoRA, and learns at those alone."""
    backbone = experts()
    backbone.pipeline.register_to_config(boundary_ratio=0.7)  # so that both are drawn in a few steps
    backbone.save(tmp_path / "backbone")
    matrix = {"v2t_layers": [[0], [1]], "v2v_layers": [[0], [1]], "supervision": "latent", "instance_map": False}
    length = {"limit": 2, "steps": 6, "batch_size": 2, "learning_rate": 1e-3}
    settings = TrainConfig.model_validate({"backbone": str(tmp_path / "backbone"), **length, "matrix": matrix})
    start(sharded_runs.expert_runs, tmp_path, settings.model_dump_json(), str(clips.path)).finish()
    drawn = [torch.load(tmp_path / f"drawn-{number}.pt") for number in range(2)]
    experts_of, timesteps_of = ([one[start::3] for one in drawn] for start in (0, 1))
    assert experts_of[0] == experts_of[1]
    assert set(experts_of[0]) == {True, False}
    assert timesteps_of[0] != timesteps_of[1]
    for name, block in (("pytorch_lora_weights", 0), ("pytorch_lora_weights_2", 1)):
        learnt = load_file(tmp_path / "experts" / "adapter" / f"{name}.safetensors")
        assert any("lora_B" in key for key in learnt)
        assert all(f".blocks.{block}." in key for key in learnt)
        assert all(value.any() for key, value in learnt.items() if "lora_B" in key)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"activation_checkpointing": True}, "activation checkpointing.*gradient_checkpointing: true in the recipe"),
        ({"cpu_offload": True}, "memory of the CPU; set fsdp_offload_params: false"),
        ({"auto_wrap_policy": "size_based_wrap"}, "by size.*fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP"),
        ({"mixed_precision": "bf16"}, "asks for bfloat16 and shares weights out.*mixed_precision: no"),
    ],
)
def test_what_shards_cannot_do_is_refused(
    asked: dict[str, Any], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precision = asked.pop("mixed_precision", "no")
    accelerator = SimpleNamespace(
        distributed_type=SimpleNamespace(value="FSDP"),
        is_fsdp2=True,
        gradient_accumulation_steps=1,
        mixed_precision=precision,
        state=SimpleNamespace(fsdp_plugin=FullyShardedDataParallelPlugin(fsdp_version=2, **asked)),
    )
    monkeypatch.setattr("interplay.train.loop.make_accelerator", lambda **settings: accelerator)
    with pytest.raises(InputError, match=f"accelerate's configuration: .*{told}"):
        sharded_runs.small(tmp_path, accumulate=1)


def test_shards_that_accelerate_would_not_make_on_a_cpu_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accelerator = SimpleNamespace(
        distributed_type=SimpleNamespace(value="MULTI_CPU"), gradient_accumulation_steps=1, mixed_precision="no"
    )
    monkeypatch.setattr("interplay.train.loop.make_accelerator", lambda **settings: accelerator)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(InputError, match=r"asks for shards.*on GPUs alone; use DDP"):
        sharded_runs.small(tmp_path, accumulate=1)
