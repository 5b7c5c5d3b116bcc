"""The probes that ``interplay train`` brings along: stages do not know each other, so the command composes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from interplay.analyze.scoring import VARIANTS, Scorer
from interplay.analyze.source import Case, Moment
from interplay.backbones.base import Backbone
from interplay.evaluate.judges import JUDGES
from interplay.evaluate.judges.base import Judge, Media
from interplay.evaluate.scores import score_clip
from interplay.grid.assignment import Assignment
from interplay.grid.pooling import PoolRule
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.layers import lists_of_each
from interplay.methods.matrix.targets import caption_of
from interplay.records.clip import Clip
from interplay.train.config import TrainConfig
from interplay.train.probes import Probes


def probes_for(config: TrainConfig) -> Probes:
    """What the recipe's validation asks for of other stages."""
    wanted = config.validation
    if wanted is None:
        return Probes()
    return Probes(
        alignment=AttentionAlignment(config.matrix) if wanted.aas else None,
        judge=None if wanted.judge is None else Fidelity(JUDGES.get(wanted.judge)()),
    )


@dataclass(frozen=True)
class AttentionAlignment:
    """The attention alignment score of nouns and verbs, as the analysis measures it; heads are averaged.

    It is the mean over the layers that the recipe aligns in a relation, in the expert that runs, or over all where it
    names none. The terms are the tokens that the recipe binds: words or markers.
    """

    matrix: MatrixConfig | None = None
    pool: PoolRule = "area"

    def __call__(
        self, backbone: Backbone, clip: Clip, assignment: Assignment, timestep: int, forward: Callable[[], Tensor]
    ) -> Mapping[str, float]:
        """``aas_noun_v2t`` and so on, as far as the clip has such a term."""
        whole = clip.size_hw == assignment.fit.target_hw and assignment.frames == tuple(range(clip.num_frames))
        tracks = {
            name: track if whole else assignment.fit.track(track.select(assignment.frames))
            for name, track in clip.tracks.items()
        }
        size_hw, frames = assignment.fit.target_hw, len(assignment.frames)
        shown = replace(clip, num_frames=frames, size_hw=size_hw, tracks=tracks)
        read = None if self.matrix is None else caption_of(clip, self.matrix)
        scorer = Scorer(backbone, [Case(shown, tracks, read=read)], self.pool, heads=False)
        scorer(Moment(0, 0, timestep), forward)
        (table,) = scorer.tables()
        rows = table.select(["variant", "layer", "aas"]).to_pylist()
        found: dict[str, float] = {}
        for variant, _, relation in VARIANTS:
            layers = self._layers(relation, backbone, timestep)
            values = [
                row["aas"] for row in rows if row["variant"] == variant and (not layers or row["layer"] in layers)
            ]
            if values:
                found[f"aas_{variant}"] = float(np.mean(values))
        return found

    def _layers(self, relation: str, backbone: Backbone, timestep: int) -> tuple[int, ...]:
        """Those that the recipe names for the transformer that runs at this timestep."""
        if self.matrix is None:
            return ()
        layers = {"v2t": self.matrix.v2t_layers, "v2v": self.matrix.v2v_layers}[relation]
        each = lists_of_each(layers, len(backbone.transformers), where=f"matrix.{relation}_layers")
        return each[backbone.expert_of(timestep)]


@dataclass(frozen=True)
class Fidelity:
    """Interaction fidelity by a judge; a clip that it cannot score has none."""

    judge: Judge

    def __call__(self, clip: Clip, video: Path) -> Mapping[str, float]:
        """``fidelity``, between -4 and 1."""
        media = Media.of(clip, video)
        questions = self.judge.questions(media)
        answers = self.judge.answer(media, questions)
        score = score_clip(tuple(zip(questions, answers, strict=True)), self.judge.presence(media))
        return {} if score.fidelity is None else {"fidelity": score.fidelity}
