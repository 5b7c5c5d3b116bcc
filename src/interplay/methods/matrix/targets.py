"""From a clip to what MATRIX aligns: its entities (subjects, objects, verbs) with their tokens and pooled tracks.

A clip's targets do not change while it is trained on, so a training stage builds them once per clip.

Shape legend: ``f h w`` token frames, height, width, ``p`` pixel frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interplay.grid.pooling import PoolRule, pool_known, pool_masks
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.config import MatrixConfig, Role
from interplay.records.caption import Caption, marked_text, parse_caption
from interplay.records.clip import Clip, Interaction
from interplay.records.masks import MaskTrack


@dataclass(frozen=True)
class Entity:
    """One subject, object or verb: ``key`` is its instance id or verb label; ``tokens`` may be empty (not in the text).

    The track of a verb is the union of the instances that take part in it, known only where all of them are.
    """

    role: Role
    key: str
    tokens: tuple[int, ...]
    track: Float[Tensor, "f h w"]
    known: Bool[Tensor, " f"]


@dataclass(frozen=True)
class ClipTargets:
    """The entities of one clip on the token grid, and the ids (or verb labels) that have no mask track."""

    clip_id: str
    entities: tuple[Entity, ...]
    trackless: tuple[tuple[Role, str], ...] = ()


def caption_of(clip: Clip, config: MatrixConfig) -> Caption:
    """The caption as this variant reads it: encode its ``text`` and take the token spans of the same object."""
    return parse_caption(clip.caption) if config.binding == "words" else marked_text(clip.caption)


def clip_targets(clip: Clip, *, tokens: Mapping[str, Sequence[int]], grid: TokenGrid, pool: PoolRule) -> ClipTargets:
    """The targets of a clip; ``tokens`` are the text positions of its labels (``token_spans(...).tokens``).

    Subjects and objects are those of the clip's interactions, each id once per role; a recipient is one more object.
    """
    members = _members(clip.interactions, list(parse_caption(clip.caption).verb_labels))
    entities: list[Entity] = []
    trackless: list[tuple[Role, str]] = []
    for (role, key), ids in members.items():
        if any(instance not in clip.tracks for instance in ids):
            trackless.append((role, key))
            continue
        track = reduce(MaskTrack.union, [clip.tracks[instance] for instance in ids])
        entities.append(Entity(role, key, tuple(tokens.get(key, ())), *_on_grid(track, grid, pool)))
    return ClipTargets(clip.clip_id, tuple(entities), tuple(trackless))


def _members(interactions: Iterable[Interaction], verb_labels: Sequence[str]) -> dict[tuple[Role, str], list[str]]:
    """Which instances make up each entity, in order of appearance.

    One verb label serves all interactions; as many labels as interactions go in their order; otherwise nobody can say
    which word is whose, and there is no verb entity.
    """
    listed = list(interactions)
    labels = list(verb_labels) * len(listed) if len(verb_labels) == 1 else list(verb_labels)
    members: dict[tuple[Role, str], list[str]] = {}
    for index, interaction in enumerate(listed):
        others = [instance for instance in (interaction.object, interaction.recipient) if instance is not None]
        members[("subject", interaction.subject)] = [interaction.subject]
        members.update({("object", instance): [instance] for instance in others})
        if len(labels) == len(listed):
            part = members.setdefault(("verb", labels[index]), [])
            part += [instance for instance in (interaction.subject, *others) if instance not in part]
    return members


def _on_grid(track: MaskTrack, grid: TokenGrid, pool: PoolRule) -> tuple[Float[Tensor, "f h w"], Bool[Tensor, " f"]]:
    masks = torch.from_numpy(track.to_array())[None]
    known = torch.from_numpy(track.known())[None]
    return pool_masks(masks, grid, rule=pool, rate="latent", known=known)[0], pool_known(known, grid)[0]
