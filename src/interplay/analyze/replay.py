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
from interplay.diffusion.sampling import clip_generators, sample
from interplay.methods.matrix.adapter import Adapter, load_adapter
from interplay.methods.matrix.guidance import Course, GuidanceConfig
from interplay.methods.matrix.showing import Shown, shown_at, shown_conditions, shown_guides
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


def load_generator(config: AnalyzeConfig, generation: Artifact, device: torch.device) -> tuple[Backbone, Adapter]:
    """The model that made the generation, and its adapter."""
    index = read_json(generation.path / INDEX)
    name, dtype = config.backbone or str(index["backbone"]), getattr(torch, config.dtype)
    # Generations of before did not say it.
    of_text = bool(generation.config.get("text_to_video"))
    backbone = load_backbone(name, device, dtype, text_to_video=of_text)
    if index["adapter"] is None:
        return backbone, Adapter(None)
    if "adapter" in generation.manifest["inputs"]:  # weights from elsewhere
        return backbone, load_adapter(backbone, generation.input_path("adapter"))
    training = open_artifact(generation.input_path("training"), "training")
    if training.identity != index["adapter"]:
        cure = "put back the training that the clips were generated with"
        raise InputError("is not the training of this generation", where=training.path, cure=cure)
    return backbone, load_adapter(backbone, training.path / ADAPTER_FOLDER)


class Replay(Source):
    """The generated clips of an artifact, sampled again."""

    def __init__(self, config: AnalyzeConfig, inputs: ReplayInputs, backbone: Backbone, adapter: Adapter) -> None:
        self._folder = inputs.generation.path
        self._store, self._backbone, self._adapter = ClipStore(inputs.clips.path), backbone, adapter
        index = read_json(self._folder / INDEX)
        self._entries = {str(entry["clip_id"]): entry for entry in index["clips"][: config.limit]}
        self._scale = float(index["guidance"])
        # Generations of before had neither.
        self._negative = str(index.get("negative_prompt", ""))
        self._guidance = GuidanceConfig.model_validate(index.get("attention_guidance", {}))
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
        height, width = entry["size_hw"]
        made = {"caption": entry["prompt"], "num_frames": entry["num_frames"], "size_hw": (height, width)}
        clip = replace(self._store.get(entry["clip_id"]), **made)
        return Case(clip, tracks, fidelity, self._adapter.caption(clip.caption, where=f"clip {clip.clip_id}, caption"))

    def drive(self, batch: Sequence[Case], watch: Watch) -> Float[Tensor, "b c f h w"]:
        """The sampling loop of the generation; every forward goes through ``watch``, but those of guidance."""
        backbone, entries = self._backbone, [self._entries[case.clip.clip_id] for case in batch]
        grid = backbone.grid(batch[0].clip.num_frames, batch[0].clip.size_hw)
        shown = [self._shown(case) for case in batch]

        def denoise(step: int, latents: Tensor, timesteps: Tensor, text: Batch, first_frame: Batch) -> Tensor:
            moment = Moment(0, step, int(timesteps[0]))
            return watch(moment, lambda: backbone.denoise(latents, timesteps, text, first_frame))

        return sample(
            backbone,
            shown_conditions(backbone, self._adapter, shown, grid, negative=self._negative),
            clip_generators([int(entry["seed"]) for entry in entries]),
            steps=self.num_steps,
            guidance_scale=self._scale,
            guides=shown_guides(backbone, self._guidance, shown, grid),
            denoise=denoise,
        )

    def _shown(self, case: Case) -> Shown:
        """What the generation showed: first frame and masks of the dataset's clip, and its course where it guides."""
        source, where = self._store.get(case.clip.clip_id), f"clip {case.clip.clip_id}"
        image = self._store.frames(source)[0] if self._backbone.sees_first_frame else None
        fps = float(self._entries[case.clip.clip_id]["fps"])
        course = Course.of(source, num_frames=case.clip.num_frames, fps=fps)
        caption = self._adapter.caption(case.clip.caption, where=f"{where}, caption")
        return shown_at(case.clip.size_hw, caption, image, course.first, where=where, course=course)

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
