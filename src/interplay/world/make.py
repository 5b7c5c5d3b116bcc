"""Writing world clips as a store: the records, the pixels and the exact truth, split by composition.

Every clip follows from the seed, its split and its index alone, so several processes may make them; one writes them in
order, and the bytes are the same for any number of processes.

Shape legend: ``p`` pixel frames, ``y x`` rows and columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from jaxtyping import UInt8
from numpy import ndarray
from pydantic import Field, PositiveInt

from interplay.core.artifacts import Artifact, build
from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.core.progress import Progress
from interplay.records.clip import Clip, Instance, Interaction, Provenance
from interplay.records.masks import MaskTrack
from interplay.records.media.video import write_image, write_video
from interplay.records.rates import FrameRate
from interplay.records.store.layout import media_path, video_path
from interplay.records.store.writer import StoreWriter
from interplay.world.captions import caption, describe
from interplay.world.companions.pose import pose_frames
from interplay.world.companions.references import person_image, product_image
from interplay.world.companions.speech import speech, write_speech
from interplay.world.companions.structure import structure_frames
from interplay.world.render import Rendering, render
from interplay.world.sampling import render_at, scene_at
from interplay.world.scene import Scene
from interplay.world.splits import SPLITS, Split
from interplay.world.truth import boxes, event_span, truth
from interplay.world.twins import twin
from interplay.world.verbs import verb_named
from interplay.world.verbs.base import CATEGORIES
from interplay.world.workers import in_order

_MAKER = "interplay.world"
Companion = Literal["structure_video", "pose_video", "person_image", "product_image", "audio"]
COMPANIONS: tuple[Companion, ...] = ("structure_video", "pose_video", "person_image", "product_image", "audio")
_SUFFIX: Mapping[Companion, str] = {
    "structure_video": ".mp4",
    "pose_video": ".mp4",
    "person_image": ".png",
    "product_image": ".png",
    "audio": ".wav",
}
# The split of role-swapped twins, and the splits whose clips have one. Nothing is ever trained on it, so that the twin
# of a test clip may well show a composition that is held out.
TWINS = "twins"
_TWINNED: tuple[Split, ...] = ("test", "heldout")


class WorldConfig(Config):
    """How many clips of each split, their geometry, and which media come with them.

    ``seed`` is the root of every scene. ``companions`` are written for every clip that has what they show: a clip
    without a thing has no product image. ``twins`` adds a split of that name: every test and held-out clip once more
    with the roles swapped, where both could be either.
    """

    seed: int = 0
    train: int = Field(0, ge=0)
    test: int = Field(0, ge=0)
    heldout: int = Field(0, ge=0)
    solo: int = Field(0, ge=0)
    num_frames: int = Field(17, ge=2)
    size_hw: tuple[PositiveInt, PositiveInt] = (48, 80)
    fps: FrameRate = 8.0
    companions: tuple[Companion, ...] = ()
    twins: bool = False

    def count(self, split: Split) -> int:
        """Number of clips of a split."""
        return {"train": self.train, "test": self.test, "heldout": self.heldout, "solo": self.solo}[split]


@dataclass(frozen=True)
class Wanted:
    """Clip ``index`` of a split, or its twin."""

    split: Split
    index: int
    twin: bool = False

    @property
    def clip_id(self) -> str:
        """``test-00017``, its twin ``test-00017-twin``."""
        return f"{self.split}-{self.index:05d}" + ("-twin" if self.twin else "")


def run(config: WorldConfig, out: Path, *, workers: int = 1, overwrite: bool = False) -> Artifact:
    """Write the clips of ``config`` into the artifact ``out`` (kind ``clips``); goes on where it was broken off.

    ``workers`` processes make them. Python starts each anew, so that a script of your own that asks for several calls
    this below ``if __name__ == "__main__":``.
    """
    if config.twins and not any(map(config.count, _TWINNED)):
        problem = "are made of test and held-out clips, and none are asked for"
        raise InputError(problem, where="twins", cure="ask for such clips, or leave the twins out")
    return build(
        out,
        kind="clips",
        config=config,
        inputs={},
        make=lambda folder: _write(config, folder, workers),
        overwrite=overwrite,
    )


def _write(config: WorldConfig, folder: Path, workers: int) -> Mapping[str, Any]:
    wanted = [*_clips(config), *(_twins(config) if config.twins else ())]
    with StoreWriter(folder) as writer, Progress("world", len(wanted), done=len(writer.done)) as progress:
        missing = [one for one in wanted if one.clip_id not in writer.done]
        with closing(in_order(partial(_make, config, folder), missing, workers)) as made:
            for clip, frames in made:
                writer.add(clip, frames=frames)
                progress.advance()
    return _counts(config, wanted)


def _clips(config: WorldConfig) -> Iterator[Wanted]:
    for split in SPLITS:
        yield from (Wanted(split, index) for index in range(config.count(split)))


def _twins(config: WorldConfig) -> Iterator[Wanted]:
    """The twins of all clips that have one."""
    for split in _TWINNED:
        for index in range(config.count(split)):
            if twin(scene_at(config.seed, split, index, _aspect(config))) is not None:
                yield Wanted(split, index, twin=True)


def _counts(config: WorldConfig, wanted: list[Wanted]) -> Mapping[str, Any]:
    """Clips by split, and how many of those that might have had a twin have none."""
    counts = {split: config.count(split) for split in SPLITS}
    if not config.twins:
        return {"clips": counts}
    twins = sum(one.twin for one in wanted)
    return {"clips": {**counts, TWINS: twins}, "without_twin": sum(map(config.count, _TWINNED)) - twins}


def _make(config: WorldConfig, folder: Path, wanted: Wanted) -> tuple[Clip, UInt8[ndarray, "p y x 3"]]:
    """A clip and its frames; its companions are written."""
    at = twin_at if wanted.twin else clip_at
    clip, rendering = at(config, wanted.split, wanted.index)
    write_companions(config, clip, rendering, folder)
    return clip, rendering.frames


def clip_at(config: WorldConfig, split: Split, index: int) -> tuple[Clip, Rendering]:
    """Clip ``index`` of a split with everything known about it, and its pixels."""
    scene, rendering = render_at(config.seed, split, index, config.num_frames, config.size_hw)
    return _clip(config, Wanted(split, index), scene, rendering), rendering


def twin_at(config: WorldConfig, split: Split, index: int) -> tuple[Clip, Rendering]:
    """The twin of clip ``index`` of a split, and its pixels; ``ValueError`` when that clip has none."""
    wanted = Wanted(split, index, twin=True)
    scene = twin(scene_at(config.seed, split, index, _aspect(config)))
    if scene is None:
        raise ValueError(f"there is no {wanted.clip_id}")
    rendering = render(scene, config.num_frames, config.size_hw)
    return _clip(config, wanted, scene, rendering), rendering


def _aspect(config: WorldConfig) -> float:
    return config.size_hw[1] / config.size_hw[0]


def _clip(config: WorldConfig, wanted: Wanted, scene: Scene, rendering: Rendering) -> Clip:
    name = wanted.clip_id
    media: dict[str, str] = {
        medium: media_path(name, medium, _SUFFIX[medium]) for medium in config.companions if _has(scene, medium)
    }
    labels = ("caption", "instances", "interactions", "tracks", "boxes", "truth", *media)
    drawn: dict[str, Any] = {"seed": config.seed, "split": wanted.split, "index": wanted.index}
    twin_of = {"twin_of": Wanted(wanted.split, wanted.index).clip_id} if wanted.twin else {}
    return Clip(
        clip_id=name,
        video=video_path(name),
        caption=caption(scene),
        num_frames=config.num_frames,
        size_hw=config.size_hw,
        fps=config.fps,
        split=TWINS if wanted.twin else wanted.split,
        instances=tuple(Instance(m.id, m.noun, describe(m)) for m in scene.members),
        interactions=tuple(_interaction(scene, rendering, i, config.fps) for i in range(len(scene.events))),
        tracks={member: MaskTrack.from_array(mask) for member, mask in rendering.masks.items()},
        boxes=boxes(scene, rendering),
        media=media,
        truth={**truth(scene, rendering), **twin_of},
        provenance=dict.fromkeys(labels, Provenance(_MAKER, {**drawn, **twin_of})),
    )


def write_companions(config: WorldConfig, clip: Clip, rendering: Rendering, folder: Path) -> None:
    """Write the media that the clip lists into the store's folder."""
    assert clip.truth is not None
    scene, motion = Scene.from_json(clip.truth["scene"]), rendering.motion
    size_hw = config.size_hw
    for medium, path in ((medium, folder / path) for medium, path in clip.media.items()):
        if medium == "structure_video":
            write_video(path, structure_frames(scene, motion, size_hw), config.fps)
        elif medium == "pose_video":
            write_video(path, pose_frames(scene, motion, size_hw), config.fps)
        elif medium == "audio":
            write_speech(path, speech(scene, config.num_frames / config.fps))
        else:
            image = (person_image if medium == "person_image" else product_image)(scene, size_hw)
            assert image is not None
            write_image(path, image)


def _has(scene: Scene, medium: Companion) -> bool:
    """Whether a scene has what a companion shows."""
    families = {scene.member(member_id).family for member_id in scene.participants}
    needed = {"person_image": "person", "structure_video": "person", "product_image": "thing"}
    return medium not in needed or needed[medium] in families


def _interaction(scene: Scene, rendering: Rendering, number: int, fps: float) -> Interaction:
    event, verb = scene.events[number], verb_named(scene.events[number].verb)
    first, last = event_span(scene, rendering, number)
    return Interaction(
        subject=event.subject,
        verb=event.verb,
        object=event.object,
        recipient=event.recipient,
        start_s=first / fps,
        end_s=(last + 1) / fps,
        contact=verb.contact,
        dynamism=verb.dynamism,
        category=verb.category if verb.category in CATEGORIES else None,
        direction=("bidirectional" if verb.mutual else "unidirectional") if event.object is not None else None,
    )
