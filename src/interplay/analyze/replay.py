"""Mode ``replay``: the sampling of a generation artifact once more, same model, seeds and steps, now observed.

The masks are the tracks that the judge recovered from the generated videos, so a clip is a case only when its
evaluation has tracks. What other stages wrote is read here as files; nothing of their code is needed.

Shape legend: ``b`` clips, ``c f h w`` latent channels, frames, height, width, ``p y x`` pixel frames, height, width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.source import Case, Moment, Source, Watch, sort_out
from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch
from interplay.backbones.registry import load_backbone
from interplay.core.artifacts import Artifact, open_artifact
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.diffusion.sampling import clip_generators, conditions_for, sample
from interplay.grid.pixels import to_tensor
from interplay.records.caption import parse_caption
from interplay.records.masks import MaskTrack
from interplay.records.media.video import read_video
from interplay.records.store.reader import ClipStore

INDEX, TRACKS, SCORES = "index.json", "tracks.json", "scores.json"
ADAPTER_FOLDER = "adapter"


@dataclass(frozen=True)
class ReplayInputs:
    """The artifacts of a replay: the dataset, the clips generated from it, and their evaluation."""

    clips: Artifact
    generation: Artifact
    evaluation: Artifact

    def check(self) -> None:
        """:class:`InputError` when one was not made from the other."""
        check_made_from(self.generation, self.clips, "clips")
        check_made_from(self.evaluation, self.generation, "generation")


def load_generator(config: AnalyzeConfig, generation: Artifact, device: torch.device) -> Backbone:
    """The model that made the generation, with its LoRA where it had one."""
    index = read_json(generation.path / INDEX)
    backbone = load_backbone(config.backbone or str(index["backbone"]), device, getattr(torch, config.dtype))
    if index["adapter"] is not None:
        training = open_artifact(generation.input_path("training"), "training")
        if training.identity != index["adapter"]:
            cure = "put back the training that the clips were generated with"
            raise InputError("is not the training of this generation", where=training.path, cure=cure)
        backbone.load_lora(training.path / ADAPTER_FOLDER)
    return backbone


class Replay(Source):
    """The generated clips of an artifact, sampled again."""

    def __init__(self, config: AnalyzeConfig, inputs: ReplayInputs, backbone: Backbone) -> None:
        self._folder = inputs.generation.path
        self._store, self._backbone = ClipStore(inputs.clips.path), backbone
        index = read_json(self._folder / INDEX)
        self._entries = {str(entry["clip_id"]): entry for entry in index["clips"][: config.limit]}
        self._guidance = float(index["guidance"])
        self.num_steps = int(index["steps"])
        self._choose_cases(inputs.evaluation)

    def _choose_cases(self, evaluation: Artifact) -> None:
        tracks, fidelity = _read_tracks(evaluation), read_fidelity(evaluation)
        self.cases, self.skipped = sort_out(
            [
                self._case(entry, tracks.get(clip_id, {}), fidelity.get(clip_id))
                for clip_id, entry in self._entries.items()
            ]
        )

    def _case(self, entry: Mapping[str, Any], tracks: Mapping[str, MaskTrack], fidelity: float | None) -> Case:
        return Case(replace(self._store.get(entry["clip_id"]), caption=entry["prompt"]), tracks, fidelity)

    def drive(self, batch: Sequence[Case], watch: Watch) -> Float[Tensor, "b c f h w"]:
        """The sampling loop of the generation; every forward goes through ``watch``."""
        backbone, entries = self._backbone, [self._entries[case.clip.clip_id] for case in batch]
        grid = backbone.grid(batch[0].clip.num_frames, batch[0].clip.size_hw)
        images = torch.stack([to_tensor(self._store.frames(case.clip)[:1])[:, 0] for case in batch])
        prompts = [parse_caption(case.clip.caption).text for case in batch]

        def denoise(step: int, latents: Tensor, timesteps: Tensor, text: Batch, first_frame: Batch) -> Tensor:
            moment = Moment(0, step, int(timesteps[0]))
            return watch(moment, lambda: backbone.denoise(latents, timesteps, text, first_frame))

        return sample(
            backbone,
            conditions_for(backbone, prompts, images, grid),
            clip_generators([int(entry["seed"]) for entry in entries]),
            steps=self.num_steps,
            guidance_scale=self._guidance,
            denoise=denoise,
        )

    def frames(self, case: Case) -> UInt8[ndarray, "p y x 3"]:
        """The generated video."""
        return read_video(self._folder / self._entries[case.clip.clip_id]["video"]).frames


def check_made_from(artifact: Artifact, source: Artifact, name: str) -> None:
    """:class:`InputError` when ``source`` is not among the inputs of ``artifact``."""
    made_from = {entry["identity"] for entry in artifact.manifest["inputs"].values()}
    if source.identity not in made_from:
        problem = f"was not made from {source.path}"
        raise InputError(problem, where=artifact.path, cure=f"give the {name} that it was made from")


def _read_tracks(evaluation: Artifact) -> dict[str, dict[str, MaskTrack]]:
    path = _member(evaluation, TRACKS)
    return {
        clip_id: {name: _track(entry, f"{path}, {clip_id}, {name}") for name, entry in of_clip.items() if entry}
        for clip_id, of_clip in read_json(path).items()
        if of_clip
    }


def _track(entry: Mapping[str, Any], where: str) -> MaskTrack:
    try:
        height, width = entry["size_hw"]
        frames = [None if counts is None else counts.encode("ascii") for counts in entry["frames"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        cure = "make the evaluation again with this version of Interplay"
        raise InputError("is no mask track (size_hw and frames)", where=where, cure=cure) from error
    return MaskTrack((int(height), int(width)), tuple(frames))


def read_fidelity(evaluation: Artifact) -> dict[str, float]:
    """Interaction fidelity of the scored clips; clips in any other state have none."""
    clips = read_json(_member(evaluation, SCORES))["clips"]
    return {clip_id: float(row["if"]) for clip_id, row in clips.items() if row["if"] is not None}


def _member(evaluation: Artifact, name: str) -> Path:
    path = evaluation.path / name
    if not path.is_file():
        cure = "evaluate with a judge that recovers tracks, or analyse the dataset with mode=data"
        raise InputError(f"holds no {name}, so the generated clips have no masks", where=evaluation.path, cure=cure)
    return path
