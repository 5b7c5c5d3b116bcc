"""``interplay report``: artifacts in, one self-contained HTML file out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interplay.core.artifacts import Artifact, build
from interplay.core.files import atomic_write_text
from interplay.report.config import ReportConfig
from interplay.report.inputs import ReportInputs
from interplay.report.page import assemble, render

PAGE = "index.html"


def run(config: ReportConfig, inputs: ReportInputs, out: Path, overwrite: bool = False) -> Artifact:
    """Write the report of ``inputs`` into ``out`` (kind ``report``); same inputs and config, same page."""
    inputs.check()
    return build(
        out,
        kind="report",
        config=config,
        inputs=inputs.given(),
        make=lambda folder: _write(config, inputs, folder, out.absolute().parent),
        overwrite=overwrite,
    )


def _write(config: ReportConfig, inputs: ReportInputs, folder: Path, place: Path) -> Mapping[str, Any]:
    page = assemble(config, inputs, folder, place)
    atomic_write_text(folder / PAGE, render(page))
    return {
        "outcome": page.verdict.outcome,
        "verdict": page.verdict.sentence,
        "clips_shown": [card.clip_id for group in page.groups for card in group.cards],
        "missing": list(page.provenance.missing),
    }
