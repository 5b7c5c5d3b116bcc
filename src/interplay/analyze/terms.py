"""The terms of alignment: for each noun and verb of a clip its tokens, its mask track and its first-frame region.

A *noun* term is one instance that takes part in an interaction (subject, object, recipient). A *verb* term is one
marked verb: its mask is the union of subject and object of its interaction (MATRIX, section 4: without a recipient).
Ours: MATRIX scores subject and object alone as nouns. Whoever is handed something is named in the caption, has a mask
of its own and is what models mix up, so it is a noun here as the others are.

Shape legend: ``b`` clips, ``r`` terms (padded to the largest count), ``n`` video tokens, ``t`` text tokens, ``f h w``
token frames, height, width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interplay.attention import Region
from interplay.backbones.base import Backbone
from interplay.grid.pooling import PoolRule, pool_track
from interplay.grid.token_grid import TokenGrid
from interplay.records.caption import Caption, parse_caption
from interplay.records.clip import Clip, Interaction
from interplay.records.masks import MaskTrack

Kind = Literal["noun", "verb"]
Relation = Literal["v2t", "v2v"]
RELATIONS: tuple[Relation, ...] = ("v2t", "v2v")


@dataclass(frozen=True)
class Term:
    """One noun or verb: ``label`` is its marker in the caption, ``words`` the text, ``tokens`` their positions."""

    kind: Kind
    label: str
    words: str
    tokens: tuple[int, ...]
    track: MaskTrack


def terms_of(
    clip: Clip, tracks: Mapping[str, MaskTrack], backbone: Backbone, read: Caption | None = None
) -> tuple[Term, ...]:
    """The nouns and verbs of a clip's interactions that have a mask track; nouns first.

    ``read`` is the caption as the model reads it, where that is not the plain text (marker tokens).
    """
    caption = read or parse_caption(clip.caption, where=f"clip {clip.clip_id}, caption")
    tokens = backbone.token_spans(caption).tokens

    def term(kind: Kind, label: str, track: MaskTrack) -> Term:
        return Term(kind, label, " / ".join(dict.fromkeys(caption.words(label))), tokens.get(label, ()), track)

    nouns = dict.fromkeys(role for interaction in clip.interactions for role in roles_of(interaction))
    found = [term("noun", name, tracks[name]) for name in nouns if name in tracks]
    for label, members in _verb_members(clip.interactions, caption.verb_labels).items():
        # Half a union would be a made-up mask, so every member needs its track.
        if all(name in tracks for name in members):
            found.append(term("verb", label, reduce(MaskTrack.union, [tracks[name] for name in members])))
    return tuple(found)


def roles_of(interaction: Interaction) -> list[str]:
    """The instances that take part in an interaction."""
    named = (interaction.subject, interaction.object, interaction.recipient)
    return [role for role in named if role is not None]


def _verb_members(interactions: Sequence[Interaction], labels: Sequence[str]) -> dict[str, list[str]]:
    """The subjects and objects that each verb label stands for.

    One label serves all interactions; as many labels as interactions go in their order; otherwise nobody can say which
    word is whose, and there is no verb term. (The rule of :mod:`interplay.methods.matrix.targets`.)
    """
    matched = list(labels) * len(interactions) if len(labels) == 1 else list(labels)
    if len(matched) != len(interactions):
        return {}
    members: dict[str, list[str]] = {}
    for label, interaction in zip(matched, interactions, strict=True):
        pair = [name for name in (interaction.subject, interaction.object) if name is not None]
        members[label] = list(dict.fromkeys([*members.get(label, []), *pair]))
    return members


@dataclass(frozen=True)
class TermRegions:
    """The terms of a batch on the token grid. Padding terms are zero everywhere."""

    terms: tuple[tuple[Term, ...], ...]
    masks: Float[Tensor, "b r n"]
    first_frame: Float[Tensor, "b r n"]
    words: Float[Tensor, "b r t"]

    def defined(self, relation: Relation) -> Bool[Tensor, "b r"]:
        """Which terms have a score: a mask with words to attend to (v2t), or with a region in frame 0 (v2v)."""
        other = self.words if relation == "v2t" else self.first_frame
        return (self.masks > 0).any(dim=-1) & (other > 0).any(dim=-1)

    def word_regions(self) -> list[Region]:
        """Per term, its tokens with weights that make a mass on them the mean over tokens."""
        return [Region("text", words).normalised() for words in self.words.unbind(dim=1)]

    def mask_regions(self) -> list[Region]:
        """Per term, its mask track."""
        return [Region("video", mask) for mask in self.masks.unbind(dim=1)]

    def first_frame_regions(self) -> list[Region]:
        """Per term, the part of its mask in token frame 0."""
        return [Region("video", mask) for mask in self.first_frame.unbind(dim=1)]


def regions_of(
    terms: Sequence[tuple[Term, ...]], grid: TokenGrid, text_length: int, rule: PoolRule, device: torch.device
) -> TermRegions:
    """The terms of each clip of a batch, pooled onto the clips' common grid."""
    most = max(len(of_clip) for of_clip in terms)
    masks = torch.zeros(len(terms), most, grid.num_tokens)
    words = torch.zeros(len(terms), most, text_length)
    for clip, of_clip in enumerate(terms):
        for position, term in enumerate(of_clip):
            masks[clip, position] = pool_track(term.track, grid, rule=rule, rate="latent").flatten()
            words[clip, position, list(term.tokens)] = 1.0
    first_frame = masks.clone()
    first_frame[..., grid.tokens_per_frame :] = 0.0
    return TermRegions(tuple(terms), masks.to(device), first_frame.to(device), words.to(device))
