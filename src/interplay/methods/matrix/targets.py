"""From a clip to what MATRIX aligns: its entities (subjects, objects, verbs, instances), their words and tracks.

A clip's targets do not change while it is trained on, so a training stage builds them once per clip. Two steps, because
the second is dear and may come from a cache: :func:`cast_of` says which instances make up each entity, and
:func:`pool_cast` brings their tracks onto the token grid.

Where a clip lists interactions they say who is subject and who object. Where it lists none (the released dataset layout
has no place for them), the instances that its caption marks are all there is: nobody knows which of them acts, so each
counts as a subject and as an object, and the verb is the union of all of them. For a pair that gives the sum of the
same two losses as if its roles were known. The role ``instance`` does not ask for interactions at all: each marked
instance counts once, as in the released code.

A target at full rate has every pixel frame of the clip, and the height and width of its latents: what the decoder
(:mod:`.decoder`) makes of a map of tokens. (The paper says pixels; the released code has latents, 1/8 of them a side.)

Shape legend: ``e`` entities, ``f h w`` token frames, height, width, ``p y x`` pixel frames, latent height, width, ``n``
any positions of a target.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interplay.grid.pooling import Rate, pool_known, pool_tracks
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.config import Binding, MatrixConfig, Pooling, Role
from interplay.records.caption import Caption, marked_text, parse_caption
from interplay.records.check import roles_of
from interplay.records.clip import Clip, Interaction
from interplay.records.geometry import Transform
from interplay.records.masks import MaskTrack


@dataclass(frozen=True)
class Entity:
    """One subject, object, verb or instance: ``key`` is its instance id or verb label.

    ``tokens`` are its words' places in the text, empty where it has none. The track of a verb is the union of the
    instances that take part in it, known only where all of them are. ``full`` and ``full_known`` are the same at full
    rate, where that is what maps are compared with.
    """

    role: Role
    key: str
    tokens: tuple[int, ...]
    track: Float[Tensor, "f h w"]
    known: Bool[Tensor, " f"]
    full: Float[Tensor, "p y x"] | None = None
    full_known: Bool[Tensor, " p"] | None = None

    @property
    def target(self) -> tuple[Float[Tensor, "_ _ _"], Bool[Tensor, " _"]]:
        """What the entity's maps are compared with, and in which of its frames that is known."""
        if self.full is not None and self.full_known is not None:
            return self.full, self.full_known
        return self.track, self.known


@dataclass(frozen=True)
class Part:
    """An entity before its track is pooled: the ``instances`` whose union it is."""

    role: Role
    key: str
    instances: tuple[str, ...]


@dataclass(frozen=True)
class Cast:
    """Who takes part in a clip's interactions, or in a clip that lists none.

    ``trackless`` are the entities that want the mask track of an instance that has none; ``unused`` names what else of
    the clip no term can see, and why.
    """

    parts: tuple[Part, ...]
    trackless: tuple[tuple[Role, str], ...] = ()
    unused: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Pooled:
    """The tracks of a cast on the token grid, and the token frames in which each is known; the same at full rate."""

    tracks: Float[Tensor, "e f h w"]
    known: Bool[Tensor, "e f"]
    full: Float[Tensor, "e p y x"] | None = None
    full_known: Bool[Tensor, "e p"] | None = None

    def tensors(self) -> dict[str, Tensor]:
        """The tensors by name, for a file."""
        return {name: tensor for name, tensor in vars(self).items() if tensor is not None}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Pooled:
        """The inverse of :meth:`tensors`."""
        return cls(**tensors)


@dataclass(frozen=True)
class ClipTargets:
    """The entities of one clip on the token grid; ``trackless`` and ``unused`` as in :class:`Cast`."""

    clip_id: str
    entities: tuple[Entity, ...]
    trackless: tuple[tuple[Role, str], ...] = ()
    unused: tuple[tuple[str, str], ...] = ()


def caption_of(clip: Clip, config: MatrixConfig) -> Caption:
    """The caption as this variant reads it: encode its ``text`` and take the token spans of the same object."""
    return caption_as(config.binding, clip.caption)


def caption_as(binding: Binding, markup: str, *, where: str = "caption") -> Caption:
    """A caption as the model reads it where instances are bound in this way."""
    if binding == "words":
        return parse_caption(markup, where=where)
    return marked_text(markup, where=where, bound="markers" if binding == "markers" else "words")


def clip_targets(
    clip: Clip, *, roles: Collection[Role], tokens: Mapping[str, Sequence[int]], grid: TokenGrid, pooling: Pooling
) -> ClipTargets:
    """The targets of a clip; ``tokens`` are the text positions of its labels (``token_spans(...).tokens``)."""
    cast = cast_of(clip, roles)
    return targets_of(clip.clip_id, cast, tokens, pool_cast(clip, cast, grid, pooling))


def cast_of(clip: Clip, roles: Collection[Role]) -> Cast:
    """The entities of a clip that have one of these roles, in the order in which its interactions or caption name them.

    Subjects and objects are those of the clip's interactions, each id once per role; a recipient is one more object. Of
    a clip without interactions every instance that the caption marks is a subject and an object, see the file's head.
    """
    caption = parse_caption(clip.caption)
    members = {entity: ids for entity, ids in _members(clip, caption).items() if entity[0] in roles}
    tracked = {entity: all(i in clip.tracks for i in instances) for entity, instances in members.items()}
    return Cast(
        parts=tuple(Part(*entity, tuple(members[entity])) for entity, there in tracked.items() if there),
        trackless=tuple(entity for entity, there in tracked.items() if not there),
        unused=tuple(_unused(clip, caption, roles)),
    )


def pool_cast(
    clip: Clip,
    cast: Cast,
    grid: TokenGrid,
    pooling: Pooling,
    *,
    frames: Sequence[int] | None = None,
    fit: Transform | None = None,
) -> Pooled:
    """The tracks of the cast on the grid.

    ``frames`` and ``fit`` are what was done to the video: the source frames that were taken, and the transform to the
    grid's pixel size.
    """
    unions = [reduce(MaskTrack.union, [clip.tracks[name] for name in part.instances]) for part in cast.parts]
    tracks = unions if frames is None else [union.select(frames) for union in unions]
    known = torch.from_numpy(np.array([track.known() for track in tracks], dtype=bool).reshape(-1, grid.frames))
    at_tokens = Pooled(_pooled(tracks, grid, pooling, "latent", fit), pool_known(known, grid))
    if pooling.rate == "latent":
        return at_tokens
    latents = replace(grid, patch=(grid.patch[0], 1, 1))
    return replace(at_tokens, full=_pooled(tracks, latents, pooling, "full", fit), full_known=known)


def targets_of(
    clip_id: str,
    cast: Cast,
    tokens: Mapping[str, Sequence[int]],
    pooled: Pooled,
) -> ClipTargets:
    """The targets of a clip from its cast and what :func:`pool_cast` made of it."""
    entities = tuple(
        Entity(
            part.role,
            part.key,
            tuple(tokens.get(part.key, ())),
            pooled.tracks[row],
            pooled.known[row],
            None if pooled.full is None else pooled.full[row],
            None if pooled.full_known is None else pooled.full_known[row],
        )
        for row, part in enumerate(cast.parts)
    )
    return ClipTargets(clip_id, entities, cast.trackless, cast.unused)


def _pooled(
    tracks: Sequence[MaskTrack], grid: TokenGrid, pooling: Pooling, rate: Rate, fit: Transform | None
) -> Float[Tensor, "e _ _ _"]:
    if not tracks:
        frames = grid.frames if rate == "full" else grid.token_shape[0]
        return torch.zeros(0, frames, *grid.token_shape[1:])
    return pool_tracks(tracks, grid, rule=pooling.rule, rate=rate, fit=fit)


def _members(clip: Clip, caption: Caption) -> dict[tuple[Role, str], list[str]]:
    """Which instances make up each entity of every role."""
    members: dict[tuple[Role, str], list[str]] = {("instance", name): [name] for name in caption.instance_ids}
    if clip.interactions:
        return members | _members_of_interactions(clip.interactions, caption.verb_labels)
    return members | _members_of_anybody(caption.instance_ids, caption.verb_labels)


def _members_of_interactions(
    interactions: Sequence[Interaction], verb_labels: Sequence[str]
) -> dict[tuple[Role, str], list[str]]:
    """Subjects, objects and verbs in order of appearance.

    One verb label serves all interactions; as many labels as interactions go in their order; otherwise nobody can say
    which word is whose, and there is no verb entity.
    """
    labels = list(verb_labels) * len(interactions) if len(verb_labels) == 1 else list(verb_labels)
    members: dict[tuple[Role, str], list[str]] = {}
    for index, interaction in enumerate(interactions):
        subject, *others = roles_of(interaction)
        members[("subject", subject)] = [subject]
        members.update({("object", instance): [instance] for instance in others})
        if len(labels) == len(interactions):
            part = members.setdefault(("verb", labels[index]), [])
            part += [instance for instance in (subject, *others) if instance not in part]
    return members


def _members_of_anybody(instance_ids: Sequence[str], verb_labels: Sequence[str]) -> dict[tuple[Role, str], list[str]]:
    """Each marked instance as a subject and as an object; one verb label is the verb of all of them."""
    members: dict[tuple[Role, str], list[str]] = {("subject", name): [name] for name in instance_ids}
    members.update({("object", name): [name] for name in instance_ids})
    if len(verb_labels) == 1 and instance_ids:
        members[("verb", verb_labels[0])] = list(instance_ids)
    return members


def _unused(clip: Clip, caption: Caption, roles: Collection[Role]) -> Iterator[tuple[str, str]]:
    """What no term can see although the clip names it: (its id or label, why).

    Where interactions count, who is marked and tracked and takes part in none is a bystander, and nothing is amiss.
    What those who take part lack is found term by term.
    """
    if not clip.interactions and not caption.instance_ids:
        yield "interactions", "the caption marks no instance and the clip lists no interactions"
    acting = _acting(clip, caption, roles)
    for instance in dict.fromkeys((*caption.instance_ids, *clip.tracks)):
        if instance not in acting and instance not in clip.tracks:
            yield instance, "a marker without a mask track"
        if instance not in acting and instance not in caption.instance_ids:
            yield instance, "a mask track without a marker"
    if "verb" in roles and acting and (told := _unused_verb(len(caption.verb_labels), len(clip.interactions))):
        yield "verb", told


def _acting(clip: Clip, caption: Caption, roles: Collection[Role]) -> set[str]:
    """Who is an entity of one of these roles, or would be if nothing was lacking."""
    by_interaction = {instance for interaction in clip.interactions for instance in roles_of(interaction)}
    marked = set(caption.instance_ids)
    if not clip.interactions:
        return marked
    return (by_interaction if set(roles) - {"instance"} else set()) | (marked if "instance" in roles else set())


def _unused_verb(verbs: int, interactions: int) -> str:
    """Why so many verb markers are the words of no entity; empty when they are."""
    if not verbs:
        return "no verb marker in the caption"
    if verbs in (1, interactions):
        return ""
    if not interactions:
        return f"{verbs} verb markers, and no interactions that say whose they are"
    return f"verb markers do not match the interactions ({verbs} and {interactions})"
