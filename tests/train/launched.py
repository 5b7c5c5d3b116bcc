"""A whole training run as a process of its own: what the tests start, kill and start again."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

CODE = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from interplay.core.artifacts import open_artifact
from interplay.core.cache import Cache
from interplay.train.config import TrainConfig
from interplay.train.run import run
recipe, clips, out, cache = sys.argv[1:]
run(TrainConfig.model_validate_json(recipe), open_artifact(Path(clips)), Path(out), cache=Cache(Path(cache)))
"""


def start(recipe: str, clips: Path, out: Path, cache: Path, *, processes: int = 1) -> subprocess.Popen[bytes]:
    """Begin a run; several processes are started as torchrun does (accelerate's launcher starts one on a CPU)."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    script = out.with_name(f"{out.name}.py")
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(CODE)
    arguments = [str(script), recipe, str(clips), str(out), str(cache)]
    command = [sys.executable, *(launcher if processes > 1 else []), *arguments]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the run and to all that it started; torchrun's workers are in sessions of their own."""
    if process.poll() is None:
        launcher = psutil.Process(process.pid)
        for one in (launcher, *launcher.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                one.kill()
    process.communicate()


def finish(process: subprocess.Popen[bytes]) -> str:
    """Wait for the end, which must be a good one."""
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output.decode()
    return output.decode()
