"""Writing world clips as a store: the records, the pixels and the exact truth, split by composition."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from interplay.core.artifacts import Artifact, build
from interplay.core.config import Config
from interplay.core.progress import Progress
from interplay.records.clip import Clip, Instance, Interaction, Provenance
from interplay.records.masks import MaskTrack
from interplay.records.store.layout import video_path
from interplay.records.store.writer import StoreWriter
from interplay.world.captions import caption, describe
from interplay.world.render import Rendering
from interplay.world.sampling import render_at
from interplay.world.scene import Scene
from interplay.world.splits import SPLITS, Split

_MAKER = "interplay.world"


class WorldConfig(Config):
    """How many clips of each split, and their geometry. ``seed`` is the root of every scene."""

    seed: int = 0
    train: int = Field(0, ge=0)
    test: int = Field(0, ge=0)
    heldout: int = Field(0, ge=0)
    num_frames: int = Field(17, ge=2)
    size_hw: tuple[int, int] = (48, 80)
    fps: float = 8.0

    def count(self, split: Split) -> int:
        """Number of clips of a split."""
        return {"train": self.train, "test": self.test, "heldout": self.heldout}[split]


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
        interactions=(_interaction(scene, rendering, config.fps),),
        tracks={member: MaskTrack.from_array(mask) for member, mask in rendering.masks.items()},
        truth={"scene": scene.to_json(), "contacts": [vars(c) for c in rendering.motion.contacts]},
        provenance=dict.fromkeys(("caption", "instances", "interactions", "tracks", "truth"), made),
    )
    return clip, rendering


def _interaction(scene: Scene, rendering: Rendering, fps: float) -> Interaction:
    contacts = rendering.motion.contacts
    return Interaction(
        subject=scene.subject,
        verb=scene.verb,
        object=scene.object,
        recipient=scene.recipient,
        start_s=min(c.first for c in contacts) / fps,
        end_s=(max(c.last for c in contacts) + 1) / fps,
        contact=5,
        dynamism=5,
    )
