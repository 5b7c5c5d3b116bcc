"""Writing world clips as a store: the records, the pixels and the exact truth, split by composition."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from interplay.core.artifacts import Artifact, build
from interplay.core.config import Config
from interplay.core.progress import Progress
from interplay.records.clip import Clip, Instance, Interaction, Provenance
from interplay.records.masks import MaskTrack
from interplay.records.media.video import write_image, write_video
from interplay.records.store.layout import media_path, video_path
from interplay.records.store.writer import StoreWriter
from interplay.world.captions import caption, describe
from interplay.world.companions.pose import pose_frames
from interplay.world.companions.references import person_image, product_image
from interplay.world.companions.speech import speech, write_speech
from interplay.world.companions.structure import structure_frames
from interplay.world.render import Rendering
from interplay.world.sampling import render_at
from interplay.world.scene import Scene
from interplay.world.splits import SPLITS, Split
from interplay.world.truth import boxes, event_span, truth
from interplay.world.verbs import verb_named
from interplay.world.verbs.base import CATEGORIES

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


class WorldConfig(Config):
    """How many clips of each split, their geometry, and which media come with them.

    ``seed`` is the root of every scene. ``companions`` are written for every clip that has what they show: a clip
    without a thing has no product image.
    """

    seed: int = 0
    train: int = Field(0, ge=0)
    test: int = Field(0, ge=0)
    heldout: int = Field(0, ge=0)
    solo: int = Field(0, ge=0)
    num_frames: int = Field(17, ge=2)
    size_hw: tuple[int, int] = (48, 80)
    fps: float = Field(8.0, gt=0)
    companions: tuple[Companion, ...] = ()

    def count(self, split: Split) -> int:
        """Number of clips of a split."""
        return {"train": self.train, "test": self.test, "heldout": self.heldout, "solo": self.solo}[split]


def run(config: WorldConfig, out: Path, *, overwrite: bool = False) -> Artifact:
    """Write the clips of ``config`` into the artifact ``out`` (kind ``clips``); goes on where it was broken off."""
    return build(
        out, kind="clips", config=config, inputs={}, make=lambda folder: _write(config, folder), overwrite=overwrite
    )


def _write(config: WorldConfig, folder: Path) -> Mapping[str, Any]:
    counts = {split: config.count(split) for split in SPLITS}
    with StoreWriter(folder) as writer, Progress("world", sum(counts.values()), done=len(writer.done)) as progress:
        for split, count in counts.items():
            for index in range(count):
                if clip_id(split, index) not in writer.done:
                    clip, rendering = clip_at(config, split, index)
                    write_companions(config, clip, rendering, folder)
                    writer.add(clip, frames=rendering.frames)
                    progress.advance()
    return {"clips": counts}


def clip_id(split: Split, index: int) -> str:
    """``test-00017``."""
    return f"{split}-{index:05d}"


def clip_at(config: WorldConfig, split: Split, index: int) -> tuple[Clip, Rendering]:
    """Clip ``index`` of a split with everything known about it, and its pixels."""
    scene, rendering = render_at(config.seed, split, index, config.num_frames, config.size_hw)
    name = clip_id(split, index)
    media: dict[str, str] = {
        medium: media_path(name, medium, _SUFFIX[medium]) for medium in config.companions if _has(scene, medium)
    }
    labels = ("caption", "instances", "interactions", "tracks", "boxes", "truth", *media)
    made = Provenance(_MAKER, {"seed": config.seed, "split": split, "index": index})
    clip = Clip(
        clip_id=name,
        video=video_path(name),
        caption=caption(scene),
        num_frames=config.num_frames,
        size_hw=config.size_hw,
        fps=config.fps,
        split=split,
        instances=tuple(Instance(m.id, m.noun, describe(m)) for m in scene.members),
        interactions=tuple(_interaction(scene, rendering, i, config.fps) for i in range(len(scene.events))),
        tracks={member: MaskTrack.from_array(mask) for member, mask in rendering.masks.items()},
        boxes=boxes(scene, rendering),
        media=media,
        truth=truth(scene, rendering),
        provenance=dict.fromkeys(labels, made),
    )
    return clip, rendering


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
