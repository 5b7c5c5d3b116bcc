"""Mode ``replay``: the sampling of a generation artifact once more, same model, seeds and steps, now observed.

The masks are the tracks that the judge recovered from the generated videos, or those of a dataset that somebody made of
these videos (with SAM 2, by hand), whose clips are called as the generated ones. A clip is a case only when it has
tracks. What other stages wrote is read here as files; nothing of their code is needed.

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
from interplay.analyze.machine import Machine
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
from interplay.records.clip import Clip
from interplay.records.masks import MaskTrack
from interplay.records.media.video import read_video
from interplay.records.store.reader import ClipStore

INDEX, TRACKS, SCORES = "index.json", "tracks.json", "scores.json"
ADAPTER_FOLDER = "adapter"


@dataclass(frozen=True)
class ReplayInputs:
    """The artifacts of a replay: the dataset, the clips generated from it, and what is known of these.

    That is an evaluation (mask tracks and interaction fidelity), or clips with mask ``tracks`` of the generated videos,
    or both: then the masks are those of ``tracks``, and the evaluation says how good the clips are.
    """

    clips: Artifact
    generation: Artifact
    evaluation: Artifact | None = None
    tracks: Artifact | None = None

    def check(self) -> None:
        """:class:`InputError` when there are no masks, or when one was not made from the other."""
        _check_of_clips(self.generation)
        if self.evaluation is None and self.tracks is None:
            cure = (
                "give its evaluation, or clips with mask tracks of the generated videos (--tracks), or choose mode=data"
            )
            raise InputError("mode replay needs masks of the generated clips", where="analyze", cure=cure)
        check_made_from(self.generation, self.clips, "clips")
        if self.evaluation is not None:
            check_made_from(self.evaluation, self.generation, "generation")
        if self.tracks is not None and self.tracks.identity == self.clips.identity:
            problem = "are the clips that the generation was made from: their masks fit their own videos alone"
            cure = f"give clips whose tracks were made of the videos in {self.generation.path}"
            raise InputError(problem, where=self.tracks.path, cure=cure)


def load_generator(config: AnalyzeConfig, generation: Artifact, machine: Machine) -> tuple[Backbone, Adapter]:
    """The model that made the generation, and its adapter."""
    index = read_json(generation.path / INDEX)
    named = config.backbone or str(index["backbone"])
    # Generations of before did not say it.
    of_text = bool(generation.config.get("text_to_video"))
    backbone = load_backbone(named, machine.loads_on, getattr(torch, config.dtype), text_to_video=of_text)
    adapter = _adapter(backbone, generation, index["adapter"])
    machine.take(backbone)
    return backbone, adapter


def _adapter(backbone: Backbone, generation: Artifact, identity: str | None) -> Adapter:
    """What the generation had been trained, loaded into its backbone."""
    if identity is None:
        return Adapter(None)
    if "adapter" in generation.manifest["inputs"]:  # weights from elsewhere
        return load_adapter(backbone, generation.input_path("adapter"))
    training = open_artifact(generation.input_path("training"), "training")
    if training.identity != identity:
        cure = "put back the training that the clips were generated with"
        raise InputError("is not the training of this generation", where=training.path, cure=cure)
    return load_adapter(backbone, training.path / ADAPTER_FOLDER)


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
        self._choose_cases(inputs)

    def _choose_cases(self, inputs: ReplayInputs) -> None:
        fidelity = {} if inputs.evaluation is None else read_fidelity(inputs.evaluation)
        tracks = self._tracks(inputs)
        self.cases, self.skipped = sort_out(
            [
                self._case(entry, tracks.get(clip_id, {}), fidelity.get(clip_id))
                for clip_id, entry in self._entries.items()
            ]
        )

    def _tracks(self, inputs: ReplayInputs) -> dict[str, Mapping[str, MaskTrack]]:
        """Mask tracks of the generated videos, by clip: those of the clips that were given for it go first."""
        if inputs.tracks is not None:
            return _tracks_of_store(inputs.tracks, self._entries, self._folder)
        assert inputs.evaluation is not None  # check() of the inputs
        return _read_tracks(inputs.evaluation)

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


def _check_of_clips(generation: Artifact) -> None:
    """:class:`InputError` about videos of a table of prompts: no dataset says who takes part in what in them."""
    if "prompts" not in generation.manifest["inputs"]:
        return
    problem = f"was made from a table of prompts ({generation.input_path('prompts')}), and mode replay needs a dataset"
    cure = (
        "bring its videos with mask tracks as clips (interplay data convert) and analyze these in mode data: --clips "
        "with --backbone, without --generation"
    )
    raise InputError(problem, where=generation.path, cure=cure)


def check_made_from(artifact: Artifact, source: Artifact, name: str) -> None:
    """:class:`InputError` when ``source`` is not among the inputs of ``artifact``."""
    made_from = {entry["identity"] for entry in artifact.manifest["inputs"].values()}
    if source.identity not in made_from:
        problem = f"was not made from {source.path}"
        raise InputError(problem, where=artifact.path, cure=f"give the {name} that it was made from")


def _tracks_of_store(
    tracks: Artifact, entries: Mapping[str, Mapping[str, Any]], generation: Path
) -> dict[str, Mapping[str, MaskTrack]]:
    """The tracks of the clips that are called as generated ones; each has to fit its generated video."""
    store = ClipStore(tracks.path)
    known = set(store.ids)
    found = {clip_id: store.get(clip_id) for clip_id in entries if clip_id in known}
    if not found:
        cure = f"name its clips as the generated ones: {next(iter(entries), 'there are none')}, ..."
        raise InputError(f"holds no clip of the generation {generation}", where=tracks.path, cure=cure)
    for clip_id, clip in found.items():
        _check_fits(clip, entries[clip_id], f"{tracks.path}, clip {clip_id}", generation)
    return {clip_id: clip.tracks for clip_id, clip in found.items()}


def _check_fits(clip: Clip, entry: Mapping[str, Any], where: str, generation: Path) -> None:
    made, found = (entry["num_frames"], tuple(entry["size_hw"])), (clip.num_frames, clip.size_hw)
    if made != found:
        (frames, (height, width)), (own_frames, (own_height, own_width)) = made, found
        problem = (
            f"has {own_frames} frames of {own_width}x{own_height}, its generated video {frames} of {width}x{height}"
        )
        cure = f"make its tracks of {generation / str(entry['video'])}"
        raise InputError(problem, where=where, cure=cure)


def _read_tracks(evaluation: Artifact) -> dict[str, Mapping[str, MaskTrack]]:
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
        cure = (
            "evaluate with a judge that recovers tracks, give clips with tracks of the generated videos (--tracks), or "
            "analyse the dataset with mode=data"
        )
        raise InputError(f"holds no {name}, so the generated clips have no masks", where=evaluation.path, cure=cure)
    return path
