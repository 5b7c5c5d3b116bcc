"""``interplay analyze``: which layers carry the interactions, by how much of their attention falls inside the masks.

Writes ``scores.parquet`` (every clip, step, layer, variant and head), ``layers.json`` (the ranking and the chosen
layers, which a training reads), ``overlays/*.png`` with ``overlays.json``, and ``figures/layers.png`` and
``figures/heatmap.png``. A run that was broken off goes on after the last finished batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from interplay.analyze.charts import draw_heatmap, draw_layers
from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.labels import Labels, label_clips
from interplay.analyze.noising import Noising
from interplay.analyze.overlays import choose_cases, draw_overlays
from interplay.analyze.replay import Replay, ReplayInputs, load_generator
from interplay.analyze.scoring import VARIANTS, Scorer
from interplay.analyze.source import Case, Source, batches_of
from interplay.analyze.table import join_parts, part_path, read_variant, write_part
from interplay.analyze.verdict import VariantVerdict, judge_variant, summarise
from interplay.backbones.base import Backbone
from interplay.backbones.registry import backbone_input, load_backbone
from interplay.core.artifacts import Artifact, External, build, scratch
from interplay.core.errors import InputError
from interplay.core.files import write_json
from interplay.core.progress import Progress
from interplay.records.store.reader import ClipStore

# A replay on the same machine differs by rounding alone; other hardware or weights differ by more than a level.
_FAITHFUL_LEVELS = 1.0


def run(
    config: AnalyzeConfig,
    clips: Artifact,
    out: Path,
    *,
    generation: Artifact | None = None,
    evaluation: Artifact | None = None,
    overwrite: bool = False,
) -> Artifact:
    """Analyse clips of the dataset (mode ``data``), or the replay of a generation (mode ``replay``)."""
    replay = _replay_inputs(config, clips, generation, evaluation)
    given = {"clips": clips, "generation": generation, "evaluation": evaluation}
    inputs: dict[str, Artifact | External] = {name: part for name, part in given.items() if part is not None}
    if config.backbone is not None:  # a replay's backbone is the generation's, which is an input already
        inputs["backbone"] = backbone_input(config.backbone)
    return build(
        out,
        kind="analysis",
        config=config,
        inputs=inputs,
        make=lambda folder: _analyze(config, clips, replay, folder),
        overwrite=overwrite,
    )


def _replay_inputs(
    config: AnalyzeConfig, clips: Artifact, generation: Artifact | None, evaluation: Artifact | None
) -> ReplayInputs | None:
    if config.mode == "data":
        if generation is not None or evaluation is not None:
            problem = "mode data analyses the dataset itself and takes no generation or evaluation"
            raise InputError(problem, where="analyze", cure="leave them out or choose mode=replay")
        return None
    if generation is None or evaluation is None:
        missing = "generation" if generation is None else "evaluation"
        problem = f"mode replay needs a generation and its evaluation, the {missing} is missing"
        raise InputError(problem, where="analyze", cure="give both, or choose mode=data")
    inputs = ReplayInputs(clips, generation, evaluation)
    inputs.check()
    return inputs


def _analyze(config: AnalyzeConfig, clips: Artifact, replay: ReplayInputs | None, folder: Path) -> Mapping[str, Any]:
    source, backbone = _open_source(config, clips, replay)
    _score(config, source, backbone, scratch(folder) / "scores")
    scores = folder / "scores.parquet"
    join_parts(scratch(folder) / "scores", [case.clip.clip_id for case in source.cases], scores)
    labels = label_clips({case.clip.clip_id: case.fidelity for case in source.cases}, config)
    verdicts = _judge(config, scores, labels)
    if not verdicts:
        cure = "use clips whose interactions name instances with mask tracks and words in the caption"
        raise InputError("no clip has a noun or verb that can be scored", where=clips.path, cure=cure)
    draw_layers(verdicts, folder / "figures" / "layers.png")
    draw_heatmap(verdicts, folder / "figures" / "heatmap.png")
    cases = choose_cases(source.cases, labels, config.overlay_clips)
    entries, difference = draw_overlays(source, backbone, cases, verdicts, config.pool, folder / "overlays")
    write_json(folder / "overlays.json", entries)
    notes = _notes(source, difference)
    layers = summarise(verdicts, labels, config, notes) | {"mode": config.mode, "replay_difference_levels": difference}
    layers |= {"skipped": dict(source.skipped), "clips": len(source.cases), "steps": source.num_steps}
    write_json(folder / "layers.json", layers)
    return {name: layers[name] for name in ("clips", "steps", "chosen", "n_success", "n_failure", "notes")}


def _open_source(config: AnalyzeConfig, clips: Artifact, replay: ReplayInputs | None) -> tuple[Source, Backbone]:
    if replay is not None:
        backbone = load_generator(config, replay.generation)
        source: Source = Replay(config, replay, backbone)
    else:
        assert config.backbone is not None  # the config's own check
        backbone = load_backbone(config.backbone)
        source = Noising(config, ClipStore(clips.path), backbone)
    if not source.cases:
        reasons = "; ".join(sorted(set(source.skipped.values())))
        raise InputError(f"no clip can be analysed: {reasons}", where=clips.path, cure="give clips with mask tracks")
    return source, backbone


def _score(config: AnalyzeConfig, source: Source, backbone: Backbone, parts: Path) -> None:
    """Score batch after batch.

    A batch of which a clip is missing is done again as a whole, so no number depends on where a run was broken off.
    """
    batches = batches_of(source.cases, config.batch_size)
    waiting = [batch for batch in batches if not all(part_path(parts, c.clip.clip_id).is_file() for c in batch)]
    total = len(source.cases) * source.num_steps
    done = total - sum(map(len, waiting)) * source.num_steps
    with Progress("analyze (clip steps)", total, done=done) as progress:
        for batch in waiting:
            _score_batch(config, source, backbone, batch, parts, progress)


def _score_batch(
    config: AnalyzeConfig, source: Source, backbone: Backbone, batch: list[Case], parts: Path, progress: Progress
) -> None:
    scorer = Scorer(backbone, batch, config.pool)

    def watch(step: int, timestep: int, forward: Callable[[], Tensor]) -> Tensor:
        output = scorer(step, timestep, forward)
        progress.advance(len(batch))
        return output

    source.drive(batch, watch)
    for case, table in zip(batch, scorer.tables(), strict=True):
        write_part(parts, case.clip.clip_id, table)


def _judge(config: AnalyzeConfig, scores: Path, labels: Labels) -> dict[str, VariantVerdict]:
    verdicts = {}
    for name, _, _ in VARIANTS:
        of_variant = read_variant(scores, name, config.measure)
        if of_variant is not None:
            verdicts[name] = judge_variant(name, of_variant, labels, config)
    return verdicts


def _notes(source: Source, difference: float | None) -> list[str]:
    notes = []
    if source.skipped:
        reasons, total = ", ".join(sorted(set(source.skipped.values()))), len(source.skipped) + len(source.cases)
        notes.append(f"{len(source.skipped)} of {total} clips are left out: {reasons}.")
    if difference is not None and difference > _FAITHFUL_LEVELS:
        notes.append(
            f"The replay differs from the stored videos by {difference:.1f} of 255 levels on average: other weights, "
            "other hardware or another version made them."
        )
    return notes
