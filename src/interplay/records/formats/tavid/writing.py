"""Writing TAViD's inputs: one folder per clip, from its first frame, and what a picture with a mask cannot hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from interplay.core.errors import InputError
from interplay.core.files import atomic_copy, atomic_write_text
from interplay.records.caption import Caption, parse_caption
from interplay.records.clip import Clip, Instance
from interplay.records.formats.base import LocatedClip
from interplay.records.formats.common.losses import lost_parts
from interplay.records.formats.common.mask_files import replaced_folder, write_mask
from interplay.records.formats.common.media_files import PICTURE_SUFFIXES
from interplay.records.formats.tavid.prompts import BoundPrompt, bind_targets, prompt_of
from interplay.records.masks import MaskTrack
from interplay.records.media.video import stream_video, write_image

FORMAT, ROLE, PROMPT_NAME = "tavid", "target", "prompt.txt"


@dataclass(frozen=True)
class _Plan:
    """The targets of a clip in the order of their masks, the prompt, and what a reader makes of the prompt."""

    targets: tuple[str, ...]
    prompt: str
    bound: BoundPrompt

    @property
    def told_apart(self) -> bool:
        """Whether the prompt says which mask is whose."""
        return len(self.bound.nouns) == len(self.targets)

    @property
    def caption(self) -> Caption:
        """The caption that a reader makes of it."""
        return self.bound.caption if self.told_apart else replace(self.bound.caption, spans=())

    @property
    def read_as(self) -> Mapping[str, Instance]:
        """What every target is read as."""
        numbered = {f"id{number}": "" for number, _ in enumerate(self.targets, 1)}
        nouns = self.bound.nouns if self.told_apart else numbered
        instances = [Instance(name, noun, role=ROLE) for name, noun in nouns.items()]
        return dict(zip(self.targets, instances, strict=True))


def write_pair(located: LocatedClip, out: Path) -> tuple[str, ...]:
    """Write the clip's folder in one step; what is lost. :class:`InputError` when it has no mask to write."""
    clip = located.clip
    plan = _plan(clip)
    with replaced_folder(out / clip.clip_id) as folder:
        _write_picture(located.video, folder)
        for number, target in enumerate(plan.targets):
            write_mask(folder / f"mask_{number}.png", clip.tracks[target].select([0]).to_array()[0])
        if plan.prompt:
            atomic_write_text(folder / PROMPT_NAME, plan.prompt)
    return tuple(_losses(clip, plan))


def _write_picture(source: Path, folder: Path) -> None:
    suffix = source.suffix.lower()
    if suffix in PICTURE_SUFFIXES and source.is_file():
        atomic_copy(source, folder / f"image{suffix}")
        return
    for picture in stream_video(source, [0]):
        write_image(folder / "image.png", picture)


def _plan(clip: Clip) -> _Plan:
    """All targets where one prompt can tell them apart, else the first of them."""
    targets = _targets(clip)
    plan = _planned(clip, targets)
    return plan if len(targets) == 1 or plan.told_apart else _planned(clip, targets[:1])


def _planned(clip: Clip, targets: tuple[str, ...]) -> _Plan:
    own = clip.extra.get(FORMAT)
    said = own.get("prompt") if isinstance(own, Mapping) else None
    prompt = prompt_of(clip, targets, said if isinstance(said, str) else None)
    return _Plan(targets, prompt, bind_targets(prompt, where=f"clip {clip.clip_id}, caption"))


def _targets(clip: Clip) -> tuple[str, ...]:
    """Instances whose role is target; else what interactions act on; else all. In the order of their mention."""
    usable = [name for name, track in clip.tracks.items() if _is_usable(track)]
    by_role = [instance.id for instance in clip.instances if instance.role == ROLE]
    acted_on = [interaction.object for interaction in clip.interactions if interaction.object is not None]
    named = [name for name in by_role or acted_on or usable if name in usable]
    if not named:
        cure = "give a mask of the target in frame 0, neither empty nor full"
        raise InputError("no target has a mask in the first frame", where=f"clip {clip.clip_id}", cure=cure)
    mentioned = [name for name in parse_caption(clip.caption).instance_ids if name in named]
    return tuple(dict.fromkeys([*mentioned, *named]))


def _is_usable(track: MaskTrack) -> bool:
    return 0 < int(track.areas()[0]) < track.size_hw[0] * track.size_hw[1]


# --- losses ----------------------------------------------------------------------------------------------------------


def _losses(clip: Clip, plan: _Plan) -> Iterator[str]:
    if clip.num_frames > 1:
        yield f"frames 1 to {clip.num_frames - 1}: the layout holds one picture"
    for name, instance in plan.read_as.items():
        if name != instance.id:
            yield f"the id {name}, which reads back as {instance.id}"
    yield from _caption_losses(clip, plan)
    others = {name: track for name, track in clip.tracks.items() if name not in plan.targets}
    # That a target gets its role by being written here is no loss.
    by_role = tuple(replace(one, role=one.role or (ROLE if one.id in plan.targets else None)) for one in clip.instances)
    rest = replace(clip, tracks=others, instances=by_role)
    yield from lost_parts(rest, holds=["gaps"], own=FORMAT, instances=plan.read_as)


def _caption_losses(clip: Clip, plan: _Plan) -> Iterator[str]:
    before, after = parse_caption(clip.caption), plan.caption
    if before.text != after.text:
        yield "the caption's own wording: the trigger word was put before the target"
    renamed = {instance.id: name for name, instance in plan.read_as.items()}
    kept = {(renamed[label], words) for label in after.labels for words in after.words(label)}
    for label in before.labels:
        if unbound := [words for words in before.words(label) if (label, words) not in kept]:
            yield f"the binding of {label} to {', '.join(map(repr, dict.fromkeys(unbound)))}"
