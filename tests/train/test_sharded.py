"""Weights that are shared out among processes (FSDP2): the same run, saved whole and gone on with.

Accelerate's configuration shards on GPUs alone; what it calls then works on a CPU too, so the script asks for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch

from train.test_loop import trainer, weights

CODE = """
import sys
from pathlib import Path
import torch
from accelerate import PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from interplay.train import loop
from train.test_loop import trainer, weights
torch.set_num_threads(1)
make = loop.make_accelerator
def sharding(**settings):
    accelerator = make(**settings)
    PartialState().distributed_type = accelerator.state.distributed_type = DistributedType.FSDP
    accelerator.state.fsdp_plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2, auto_wrap_policy="transformer_based_wrap", cpu_ram_efficient_loading=False
    )
    return accelerator
loop.make_accelerator = sharding
folder = Path(sys.argv[1])
options = {"optimizer": {"name": "adamw"}, "accumulate": 1}
begun = trainer(folder, options)
assert begun._sharded
begun.advance(21)
gone_on = trainer(folder, options)
assert gone_on.step == 21
gone_on.run()
if gone_on._processes.is_main:
    torch.save(weights(gone_on), folder / "weights.pt")
"""


def test_sharded_and_gone_on_with_it_is_the_same_run(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(CODE)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "PYTHONPATH": os.pathsep.join(paths)}
    ended = subprocess.run([*command, str(tmp_path)], env=environment, capture_output=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    whole = tmp_path / "whole"
    whole.mkdir()
    alone = trainer(whole, {"optimizer": {"name": "adamw"}, "accumulate": 2})
    alone.run()
    assert torch.allclose(torch.load(tmp_path / "weights.pt"), weights(alone), rtol=1e-4, atol=1e-5)
