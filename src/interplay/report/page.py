"""The page: every section's view model in one place, and the templates that turn it into HTML.

All text is escaped by the templates (autoescape is always on); the only markup that passes is that of our own figures,
stylesheet and script. A content security policy inside the page forbids whatever is not in the page.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from interplay.core.artifacts import Artifact
from interplay.core.progress import track
from interplay.records.store.reader import ClipStore
from interplay.report.absent import Absent, or_absent
from interplay.report.analysis import read_layers
from interplay.report.cards import Card, Generation, Models, make_card, read_generation
from interplay.report.config import ReportConfig
from interplay.report.figures.curves import curve_figure
from interplay.report.figures.heat import heat_figure
from interplay.report.figures.intervals import difference_figure
from interplay.report.figures.layer_bars import layer_figure
from interplay.report.figures.stability import agreement_figure, share_figure
from interplay.report.figures.words import word_figure
from interplay.report.films import Films, read_films
from interplay.report.inputs import ReportInputs
from interplay.report.layers import Layers
from interplay.report.numbers import count, number, percent, rough, signed
from interplay.report.provenance import Provenance, comparability, trace
from interplay.report.questions import read_answers
from interplay.report.scores import METRICS, Scores, Verdict, gains, judge_models, read_scores, tabulate
from interplay.report.selection import HEADINGS, select
from interplay.report.training import Training, read_training

TEMPLATES = Path(__file__).parent / "templates"
T = TypeVar("T")


@dataclass(frozen=True)
class CardGroup:
    """The clips that were chosen for one reason."""

    heading: str
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Page:
    """Everything the templates show. ``facts`` stand under the verdict, ``comparability`` under the scores."""

    config: ReportConfig
    verdict: Verdict
    facts: tuple[str, ...]
    scores: Scores | Absent
    comparability: tuple[str, ...]
    rule: str
    groups: tuple[CardGroup, ...]
    layers: Layers | Absent
    films: Films | Absent
    training: Training | Absent
    provenance: Provenance


def assemble(config: ReportConfig, inputs: ReportInputs, folder: Path, place: Path) -> Page:
    """Read everything; ``folder`` is under construction, ``place`` is where the report's folder will lie."""
    models = _models(inputs)
    base, aligned = models.scores["base"], models.scores["aligned"]
    split_of = {} if isinstance(models.store, Absent) else {clip.clip_id: clip.split for clip in models.store}
    scores = tabulate(base, aligned, split_of, config)
    gain = gains(base, aligned)
    selection = select(gain, models.order(), config)
    chosen = [clip_id for ids in selection.groups.values() for clip_id in ids]
    cards = {c: make_card(c, models, gain.get(c), config, folder) for c in track(chosen, label="report: clips")}
    groups = [CardGroup(HEADINGS[g], tuple(cards[c] for c in ids)) for g, ids in selection.groups.items() if ids]
    training = _stage("training", inputs.training, read_training)
    return Page(
        config=config,
        verdict=judge_models(base, aligned, scores),
        facts=tuple(_facts(models, scores, inputs)),
        scores=scores,
        comparability=comparability(models.generations["base"], models.generations["aligned"]),
        rule=selection.rule,
        groups=tuple(groups),
        layers=_stage("analysis", inputs.analysis, lambda a: read_layers(a, config)),
        films=_stage("analysis", inputs.analysis, lambda a: read_films(a, chosen, config, folder)),
        training=training,
        provenance=trace(inputs, place),
    )


def _stage(name: str, artifact: Artifact | None, read: Callable[[Artifact], T | Absent]) -> T | Absent:
    """What ``read`` finds in a stage's artifact, or the reason why there is nothing."""
    if artifact is None:
        return Absent(name, f"No {name} was given to this report.")
    return or_absent(name, lambda: read(artifact))


def _models(inputs: ReportInputs) -> Models:
    generations = {"base": inputs.base_generation, "aligned": inputs.aligned_generation}
    evaluations = {"base": inputs.base_evaluation, "aligned": inputs.aligned_evaluation}
    return Models(
        store=_stage("dataset of clips", inputs.clips, lambda artifact: ClipStore(artifact.path)),
        generations={name: _stage(f"{name} generation", a, read_generation) for name, a in generations.items()},
        scores={name: _stage(f"{name} evaluation", a, read_scores) for name, a in evaluations.items()},
        answers={name: _stage(f"{name} evaluation", a, read_answers) for name, a in evaluations.items()},
    )


def _facts(models: Models, scores: Scores | Absent, inputs: ReportInputs) -> list[str]:
    given = [generation for generation in models.generations.values() if isinstance(generation, Generation)]
    facts = [f"{count(len(models.order()), 'generated clip')}"]
    backbones = dict.fromkeys(str(generation.shared.get("backbone", "unknown")) for generation in given)
    facts += [f"backbone {Path(name).name}" for name in backbones]
    if isinstance(scores, Scores):
        facts.append(f"judge: {', '.join(scores.judges)}")
    if inputs.training is not None and inputs.training.summary.get("steps") is not None:
        facts.append(f"aligned by {count(int(inputs.training.summary['steps']), 'training step')}")
    return facts


# --- HTML -----------------------------------------------------------------------------------------------------------


def render(page: Page) -> str:
    """The page as one HTML document."""
    script = (TEMPLATES / "script.js").read_text(encoding="utf-8")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            metrics=METRICS,
            style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
            script=Markup(script),
            script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "signed": signed, "counted": count}
    environment.filters |= {"rough": rough, "percent": percent}
    environment.tests["absent"] = lambda value: isinstance(value, Absent)
    environment.globals |= {
        "difference_figure": difference_figure,
        "layer_figure": layer_figure,
        "heat_figure": heat_figure,
        "share_figure": share_figure,
        "agreement_figure": agreement_figure,
        "word_figure": word_figure,
        "curve_figure": curve_figure,
    }
    return environment
