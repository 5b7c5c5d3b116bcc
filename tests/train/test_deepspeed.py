"""DeepSpeed's ZeRO in two processes: the run that one process makes, saved whole, gone on with, killed."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch

from interplay.core.artifacts import Artifact, open_artifact
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.train import processes
from interplay.train.run import run
from train import sharded_runs
from train.test_exact_resume import assert_same, recipe, trained

pytest.importorskip("deepspeed", reason="an extra: pip install 'interplay[deepspeed]'")

# What `accelerate launch` sets for `distributed_type: DEEPSPEED` and `zero_stage: 2`.
CONFIGURED = {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "2"}
STEPS = {"steps": 4, "gradient_checkpointing": True, "validation": {"every": 2, "limit": 1, "timesteps": [0.5]}}


def launch(*arguments: str) -> tuple[int, str]:
    """Run a part of :mod:`.zero_runs` in two processes: how it ended, and what it said."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, **CONFIGURED, "PYTHONPATH": os.pathsep.join(paths)}
    command += ["-m", "train.zero_runs", *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output, _ = process.communicate(timeout=600)
    finally:
        kill(process)  # processes that do not agree wait for each other
    return process.returncode, output.decode()


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the launcher and to all that it started; torchrun's workers are in sessions of their own."""
    if process.poll() is None:
        launcher = psutil.Process(process.pid)
        for one in (launcher, *launcher.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                one.kill()
    process.communicate()


@pytest.fixture(scope="module")
def runs(backbone_folder: str, clips: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All runs of two processes: one that is killed right after its first checkpoint, and goes on, among them."""
    folder = tmp_path_factory.mktemp("zero")
    sharded_runs.small(folder / "small" / "taken", accumulate=2).advance(7)
    settings = recipe(backbone_folder, **STEPS, gradient_accumulation=1).model_dump_json()
    code, told = launch("all", str(folder), settings, str(clips.path))
    assert code != 0, "nobody was killed"
    assert "SIGKILL" in told, told
    assert not (folder / "killed").exists()
    code, told = launch("gone on", str(folder), settings, str(clips.path))
    assert code == 0, told
    return folder


def test_parts_end_as_one_process_does_also_where_gradients_are_missing(runs: Path, tmp_path: Path) -> None:
    found = torch.load(runs / "small" / "results.pt")
    alone = sharded_runs.small(tmp_path / "alone", accumulate=2)
    alone.run()
    handed = sharded_runs.small(runs / "small" / "handed", accumulate=2)
    assert handed.step == 14
    handed.run()
    found["handed"], expected = sharded_runs.result(handed), sharded_runs.result(alone)
    for other in found.values():
        assert other["losses"] == pytest.approx(expected["losses"], rel=1e-5)
        assert torch.allclose(other["weights"], expected["weights"], rtol=1e-5, atol=1e-6)
        for row, another in zip(other["examined"], expected["examined"], strict=True):
            assert row == pytest.approx(another, rel=1e-4, abs=1e-6)


def test_what_goes_on_ends_with_the_same_bits(runs: Path) -> None:
    found = torch.load(runs / "small" / "results.pt")
    assert torch.equal(found["unbroken"]["weights"], found["gone on"]["weights"])
    assert found["unbroken"]["examined"] == found["gone on"]["examined"]


def test_a_whole_model_that_is_killed_ends_with_the_same_bits(runs: Path) -> None:
    assert_same(open_artifact(runs / "unbroken"), open_artifact(runs / "killed"))


def test_a_whole_model_ends_as_in_one_process(
    runs: Path, backbone_folder: str, clips: Artifact, tmp_path: Path
) -> None:
    alone = run(recipe(backbone_folder, **STEPS), clips, tmp_path / "alone")
    parts = open_artifact(runs / "unbroken")
    weights, others = trained(alone), trained(parts)
    assert weights.keys() == others.keys()
    assert all(torch.allclose(weights[key], others[key], rtol=1e-4, atol=1e-6) for key in weights)
    rows, other_rows = (read_json(one.path / "validation.json")["rows"] for one in (alone, parts))
    for row, other in zip(rows, other_rows, strict=True):
        assert row == pytest.approx(other, rel=1e-4)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"zero_optimization": {"stage": 3}}, "asks for ZeRO 3, .* FSDP2"),
        ({"zero_optimization": {"stage": 0}}, "asks for ZeRO 0, .* DDP"),
        ({"zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}}}, "offload_optimizer to cpu"),
        ({"zero_optimization": {"stage": 2, "reduce_bucket_size": "auto"}}, "leaves reduce_bucket_size .*a number"),
        ({"zero_optimization": {"stage": 2, "zenflow": {}}}, "says zenflow to DeepSpeed"),
        ({"optimizer": {"type": "Adam"}}, "says optimizer to DeepSpeed, .*take it out"),
        ({"gradient_clipping": 0.5}, "says gradient_clipping 0.5 .*set gradient_clipping: auto"),
        ({"gradient_accumulation_steps": 4}, "says gradient_accumulation_steps 4"),
        ({"train_batch_size": 16}, "says train_batch_size 16"),
        ({"mixed_precision": "bf16"}, "asks for DeepSpeed in bfloat16.*mixed_precision: no"),
    ],
)
def test_what_deepspeed_cannot_do_here_is_refused(
    asked: dict[str, Any], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precision = asked.get("mixed_precision", "no")
    config = {"zero_optimization": {"stage": 2}, **{key: value for key, value in asked.items() if "mixed" not in key}}
    accelerator = SimpleNamespace(
        distributed_type=SimpleNamespace(value="DEEPSPEED"),
        gradient_accumulation_steps=1,
        mixed_precision=precision,
        deepspeed_plugin=SimpleNamespace(deepspeed_config=config),
    )
    monkeypatch.setattr("interplay.train.loop.make_accelerator", lambda **settings: accelerator)
    with pytest.raises(InputError, match=f"accelerate's configuration: .*{told}"):
        sharded_runs.small(tmp_path, accumulate=1)


def test_compiled_blocks_are_refused(
    backbone_folder: str, clips: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    with pytest.raises(InputError, match=r"compiled blocks, and .* for DeepSpeed; .*; set compile: false"):
        run(recipe(backbone_folder, compile=True), clips, tmp_path / "out")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("found", "on_cpu", "told"),
    [
        (None, "false", r"not installed; pip install 'interplay\[deepspeed\]'"),
        ("there", "true", "for the CPU, and accelerate would then leave DeepSpeed out; set use_cpu: false"),
    ],
)
def test_deepspeed_that_is_not_to_be_had_is_told(
    found: str | None, on_cpu: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "find_spec", lambda name: found)
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    monkeypatch.setenv("ACCELERATE_USE_CPU", on_cpu)
    with pytest.raises(InputError, match=f"accelerate's configuration: asks for DeepSpeed.*{told}"):
        processes.Processes()
