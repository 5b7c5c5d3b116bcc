"""Remarks of the libraries stay out of the stages' output, and come back afterwards."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from interplay.backbones.quiet import quiet


def test_deepspeed_remarks_nothing_and_keeps_its_settings(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("DeepSpeed")
    log.addHandler(caplog.handler)
    try:
        with quiet():
            log.setLevel(logging.INFO)  # what its import does
            log.warning("no GPU")
            log.error("broken")
        log.warning("afterwards")
    finally:
        log.removeHandler(caplog.handler)
    assert {record.message for record in caplog.records} == {"broken", "afterwards"}


def test_a_model_is_saved_without_a_remark() -> None:
    # In a process of its own, where nothing was imported before.
    program = (
        "import tempfile, pathlib\n"
        "from interplay.backbones.registry import load_backbone\n"
        "load_backbone('tiny-cogvideox').save(pathlib.Path(tempfile.mkdtemp()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "DeepSpeed" not in done.stderr
    assert "accelerator" not in done.stderr
