"""``interplay analyze``: which layers carry the interactions, by how much of their attention falls inside the masks.

Writes ``scores.parquet`` (every clip, forward, layer, term and head), ``heads.parquet``, ``layers.json`` (the ranking
and the chosen layers, which a training reads), ``overlays/`` (strips and videos) with ``overlays.json``, and figures.
A run that was broken off goes on after the last finished batch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from interplay.analyze.charts import draw_heads, draw_heatmap, draw_layers
from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.experts import expert_of, name_of
from interplay.analyze.heads import write_heads
from interplay.analyze.judging import VariantVerdict, judge_table
from interplay.analyze.labels import Labels, label_clips, read_labels
from interplay.analyze.machine import Machine
from interplay.analyze.noising import Noising
from interplay.analyze.overlays import choose_cases, draw_overlays
from interplay.analyze.replay import Replay, ReplayInputs, check_made_from, load_generator, read_fidelity
from interplay.analyze.scoring import VARIANTS, Scorer
from interplay.analyze.shards import (
    KIND,
    PARTS,
    Inputs,
    Shard,
    check_scored_alike,
    finished_shards,
    moving,
    scored_with,
    take_over,
)
from interplay.analyze.source import Moment, Source, batches_of
from interplay.analyze.stability_chart import draw_stability
from interplay.analyze.table import join_parts, part_path, write_part
from interplay.analyze.verdict import choose, summarise
from interplay.backbones.base import Backbone
from interplay.backbones.placement import Offload
from interplay.backbones.registry import backbone_input, load_backbone
from interplay.core.artifacts import Artifact, External, build, scratch
from interplay.core.errors import InputError
from interplay.core.files import write_json
from interplay.core.manifest import sha256_on_disk
from interplay.core.progress import Progress
from interplay.methods.matrix.published import compared, published_for
from interplay.records.clip import Clip
from interplay.records.store.reader import ClipStore

# A replay on the same machine differs by rounding alone; other hardware or weights differ by more than a level.
_FAITHFUL_LEVELS = 1.0


@dataclass(frozen=True)
class Material:
    """What an analysis is given: the dataset, a generation and its masks (replay), and who says what succeeded."""

    clips: Artifact
    generation: Artifact | None = None
    evaluation: Artifact | None = None
    tracks: Artifact | None = None
    labels: Path | None = None

    def inputs(self, config: AnalyzeConfig) -> dict[str, Artifact | External]:
        """All of it, as inputs of the artifact."""
        found: dict[str, Artifact | External] = {"clips": self.clips}
        if self.generation is not None:
            found["generation"] = self.generation
        if self.evaluation is not None:
            found["evaluation"] = self.evaluation
        if self.tracks is not None:
            found["tracks"] = self.tracks
        if self.labels is not None:
            if not self.labels.is_file():
                raise InputError("there is no such file", where=self.labels, cure="check the path")
            found["labels"] = External(self.labels, sha256_on_disk(self.labels))
        if config.backbone is not None:  # a replay's backbone is the generation's, which is an input already
            found["backbone"] = backbone_input(config.backbone)
        return found


def run(
    config: AnalyzeConfig,
    clips: Artifact,
    out: Path,
    *,
    generation: Artifact | None = None,
    evaluation: Artifact | None = None,
    tracks: Artifact | None = None,
    labels: Path | None = None,
    scores: Sequence[Artifact] = (),
    device: torch.device | None = None,
    offload: Offload = "none",
    memory_bytes: int | None = None,
    overwrite: bool = False,
) -> Artifact:
    """Analyse clips of the dataset (mode ``data``), or the replay of a generation (mode ``replay``).

    The masks of generated clips are those of ``tracks`` (clips with mask tracks of the generated videos, called as
    these), else those that the evaluation recovered. ``labels`` is a file that says which clips are successes and
    failures; else the evaluation does. Scores that finished shards beside ``out`` hold, and those of the analyses
    ``scores``, are taken over.

    ``device``, ``offload`` and ``memory_bytes`` (what observation may take beyond the model's own memory) are of the
    machine: no part of what the artifact is made from, so that another machine goes on with the work.
    """
    material = Material(clips, generation, evaluation, tracks, labels)
    replay = _replay_inputs(config, material)
    machine = Machine(device or torch.device("cpu"), offload, memory_bytes)
    inputs = material.inputs(config)

    def make(folder: Path) -> Mapping[str, Any]:
        there = _scored_alike([*finished_shards(out), *scores], config, inputs)
        return _analyze(config, material, replay, there, machine, folder)

    return build(out, kind="analysis", config=config, inputs=inputs, make=make, overwrite=overwrite)


def run_shard(
    config: AnalyzeConfig,
    clips: Artifact,
    out: Path,
    shard: Shard,
    *,
    generation: Artifact | None = None,
    evaluation: Artifact | None = None,
    tracks: Artifact | None = None,
    labels: Path | None = None,
    scores: Sequence[Artifact] = (),
    device: torch.device | None = None,
    offload: Offload = "none",
    memory_bytes: int | None = None,
    overwrite: bool = False,
) -> Artifact:
    """Score this shard's clips only; :func:`run` with the same arguments takes them over.

    Nothing is judged here, so a file of ``labels`` is only checked, before hours are spent on scores.
    """
    material = Material(clips, generation, evaluation, tracks, labels)
    replay = _replay_inputs(config, material)
    machine = Machine(device or torch.device("cpu"), offload, memory_bytes)
    given = material.inputs(config)
    inputs: Inputs = {name: given[name] for name in moving(given, config)}

    def make(folder: Path) -> Mapping[str, Any]:
        there = _scored_alike(scores, config, inputs)
        source, backbone = _open_source(config, material, replay, machine)
        _labels(config, material, source)
        scored = _score(config, source, backbone, there, folder / PARTS, shard, machine.memory_bytes)
        return {"clips": scored, "of": len(source.cases)}

    told = {"analysis": config.scoring(), "shard": str(shard)}
    return build(shard.out(out), kind=KIND, config=told, inputs=inputs, make=make, overwrite=overwrite)


def _scored_alike(sources: Sequence[Artifact], config: AnalyzeConfig, inputs: Inputs) -> Sequence[Artifact]:
    """These shards and analyses, once it is sure that their scores may be taken over."""
    for source in sources:
        check_scored_alike(source, scored_with(config, inputs))
    return sources


def _replay_inputs(config: AnalyzeConfig, material: Material) -> ReplayInputs | None:
    if config.mode == "data":
        for name, given in (("generation", material.generation), ("tracks", material.tracks)):
            if given is not None:
                problem = f"mode data analyses the dataset itself, with its own masks, and takes no {name}"
                raise InputError(problem, where="analyze", cure="leave it out or choose mode=replay")
        if material.evaluation is not None:
            check_made_from(material.evaluation, material.clips, "clips")
        return None
    if material.generation is None:
        cure = "give one, or choose mode=data"
        raise InputError("mode replay needs a generation", where="analyze", cure=cure)
    inputs = ReplayInputs(material.clips, material.generation, material.evaluation, material.tracks)
    inputs.check()
    return inputs


def _analyze(
    config: AnalyzeConfig,
    material: Material,
    replay: ReplayInputs | None,
    there: Sequence[Artifact],
    machine: Machine,
    folder: Path,
) -> Mapping[str, Any]:
    source, backbone = _open_source(config, material, replay, machine)
    labels = _labels(config, material, source)
    _score(config, source, backbone, there, scratch(folder) / "scores", Shard(1, 1), machine.memory_bytes)
    scores = folder / "scores.parquet"
    join_parts(scratch(folder) / "scores", [case.clip.clip_id for case in source.cases], scores)
    verdicts = _judge(config, scores, labels, len(backbone.transformers))
    if not verdicts:
        cure = "use clips whose interactions name instances with mask tracks and words in the caption"
        raise InputError("no clip has a noun or verb that can be scored", where=material.clips.path, cure=cure)
    tables = [v.heads.table(name, v.scores.layers.tolist()) for name, v in verdicts.items() if v.heads is not None]
    write_heads(tables, folder / "heads.parquet")
    _draw(verdicts, folder)
    cases = choose_cases(source.cases, labels, config.overlay_clips)
    entries, difference = draw_overlays(
        source, backbone, cases, verdicts, config.pool, folder / "overlays", machine.memory_bytes
    )
    write_json(folder / "overlays.json", entries)
    layers = summarise(verdicts, labels, config, _notes(source, backbone, verdicts, difference))
    layers |= {"mode": config.mode, "replay_difference_levels": difference, "skipped": dict(source.skipped)}
    layers |= {"clips": len(source.cases), "steps": source.num_steps, "draws": source.num_draws}
    layers["experts"] = _experts(backbone, verdicts)
    known = published_for(backbone)
    layers["published"] = None if known is None else compared(known, layers["chosen"])
    write_json(folder / "layers.json", layers)
    return {name: layers[name] for name in ("clips", "steps", "chosen", "stable", "n_success", "n_failure", "notes")}


def _draw(verdicts: Mapping[str, VariantVerdict], folder: Path) -> None:
    """The figures; that of the heads where single heads were scored."""
    figures = folder / "figures"
    draw_layers(verdicts, figures / "layers.png")
    draw_heatmap(verdicts, figures / "heatmap.png")
    draw_stability(verdicts, figures / "stability.png")
    with_heads = {name: verdict for name, verdict in verdicts.items() if verdict.heads is not None}
    if with_heads:
        draw_heads(with_heads, figures / "heads.png")


def _labels(config: AnalyzeConfig, material: Material, source: Source) -> Labels:
    if material.labels is None:
        return label_clips({case.clip.clip_id: case.fidelity for case in source.cases}, config)
    known = ClipStore(material.clips.path).ids
    return read_labels(material.labels, [case.clip.clip_id for case in source.cases], known)


def _open_source(
    config: AnalyzeConfig, material: Material, replay: ReplayInputs | None, machine: Machine
) -> tuple[Source, Backbone]:
    if replay is not None:
        backbone, adapter = load_generator(config, replay.generation, machine)
        source: Source = Replay(config, replay, backbone, adapter)
    else:
        assert config.backbone is not None  # the config's own check
        of_text, dtype = bool(config.text_to_video), getattr(torch, config.dtype)
        backbone = load_backbone(config.backbone, machine.loads_on, dtype, text_to_video=of_text)
        machine.take(backbone)
        fidelity = {} if material.evaluation is None else read_fidelity(material.evaluation)
        source = Noising(config, ClipStore(material.clips.path), backbone, fidelity)
    if not source.cases:
        reasons = "; ".join(sorted(set(source.skipped.values())))
        cure = "give clips with mask tracks, of a size and length that the model or the buckets take"
        raise InputError(f"no clip can be analysed: {reasons}", where=material.clips.path, cure=cure)
    return source, backbone


def _score(
    config: AnalyzeConfig,
    source: Source,
    backbone: Backbone,
    there: Sequence[Artifact],
    parts: Path,
    shard: Shard,
    memory_bytes: int | None,
) -> int:
    """Take over what is scored already (``there``), score the rest of a shard batch by batch; how many clips it has.

    A batch of which a clip is missing is done again as a whole, so no number depends on where a run was broken off.
    """

    def size_for(clip: Clip) -> int:
        return config.batch_size_for(backbone.grid(clip.num_frames, clip.size_hw).num_tokens)

    batches = batches_of(source.cases, size_for)[shard.number - 1 :: shard.count]
    clip_ids = [case.clip.clip_id for batch in batches for case in batch]
    for scored in there:
        taken = take_over(scored, parts, clip_ids)
        print(f"{scored.path}: the scores of {taken} clips taken over", file=sys.stderr, flush=True)
    waiting = [batch for batch in batches if not all(part_path(parts, c.clip.clip_id).is_file() for c in batch)]
    clips, forwards = len(clip_ids), source.num_steps * source.num_draws
    done = (clips - sum(map(len, waiting))) * forwards
    with Progress("analyze (clip steps)", clips * forwards, done=done) as progress:
        for batch in waiting:
            scorer = Scorer(backbone, batch, config.pool, config.heads, memory_bytes)
            _score_batch(source, scorer, parts, progress)
    return clips


def _score_batch(source: Source, scorer: Scorer, parts: Path, progress: Progress) -> None:
    batch = scorer.batch

    def watch(moment: Moment, forward: Callable[[], Tensor]) -> Tensor:
        output = scorer(moment, forward)
        progress.advance(len(batch))
        return output

    source.drive(batch, watch)
    for case, table in zip(batch, scorer.tables(), strict=True):
        write_part(parts, case.clip.clip_id, table)


def _judge(config: AnalyzeConfig, scores: Path, labels: Labels, experts: int) -> dict[str, VariantVerdict]:
    """The verdict on every variant; on every variant in every expert where there are several."""
    names = [name_of(variant, expert, experts) for variant, _, _ in VARIANTS for expert in range(experts)]
    judged = {name: judge_table(scores, name, labels, config) for name in names}
    return {name: verdict for name, verdict in judged.items() if verdict is not None}


def _experts(backbone: Backbone, verdicts: Mapping[str, VariantVerdict]) -> list[dict[str, Any]]:
    """Of every transformer: the timesteps that are its own, the steps that it ran, and what it alone would choose."""
    told = []
    for number, timesteps in enumerate(backbone.expert_timesteps):
        own = {name: verdict for name, verdict in verdicts.items() if (expert_of(name) or 0) == number}
        steps = sorted({int(step) for verdict in own.values() for step in verdict.scores.steps})
        span = [timesteps.start, timesteps.stop - 1]
        told.append({"expert": number, "timesteps": span, "steps": steps, "chosen": choose(own)})
    return told


def _notes(
    source: Source, backbone: Backbone, verdicts: Mapping[str, VariantVerdict], difference: float | None
) -> list[str]:
    notes = _notes_of_experts(_experts(backbone, verdicts)) if len(backbone.transformers) > 1 else []
    if source.skipped:
        reasons, total = ", ".join(sorted(set(source.skipped.values()))), len(source.skipped) + len(source.cases)
        notes.append(f"{len(source.skipped)} of {total} clips are left out: {reasons}.")
    if difference is not None and difference > _FAITHFUL_LEVELS:
        notes.append(
            f"The replay differs from the stored videos by {difference:.1f} of 255 levels on average: other weights, "
            "other hardware or another version made them."
        )
    return notes


def _notes_of_experts(experts: Sequence[Mapping[str, Any]]) -> list[str]:
    shares = ", ".join("expert {expert} at {timesteps[0]} to {timesteps[1]}".format_map(told) for told in experts)
    notes = [
        f"The model has {len(experts)} experts that share the timesteps: {shares}. Each is judged alone, over its own "
        "steps, and training aligns each at the layers that it chooses itself (experts); chosen lists them all."
    ]
    for told in experts:
        if not told["steps"]:
            notes.append(
                f"No step of this analysis runs expert {told['expert']}, so nothing is known of its layers: training "
                "aligns it at those that the others choose."
            )
    return notes
