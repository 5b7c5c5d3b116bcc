"""The numbers of MATRIX, each with its source, in two variants: as the paper says and as its code was released.

Sources: *paper* = "MATRIX: Mask Track Alignment for Interaction-aware Video Generation" (ICLR 2026); *released* = the
authors' published training code (commit 4ee8698), which differs from the paper in almost every number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from interplay.core.config import Config
from interplay.grid.pooling import PoolRule, Rate
from interplay.methods.matrix.layers import LayerListsField, Layers

# "instance" is everybody who is marked and tracked, whatever they do: how the released code supervises.
Role = Literal["subject", "object", "verb", "instance"]
Kind = Literal["sga", "spa"]
Supervision = Literal["full_rate", "latent"]
Binding = Literal["words", "marked_words", "markers"]

# What the released code does differently; everything else it shares with the paper or the paper does not say.
_RELEASED: dict[str, Any] = {
    "binding": "markers",  # released: the columns of the <idN> tokens
    # released: one map per <idN> token, whether or not it takes part in an interaction, no verb; one mean over all ids
    "sga_roles": ("instance",),
    "spa_roles": ("instance",),
    "dice": 0.0,  # released: binary cross-entropy alone; L2 is commented out, there is no Dice
    "l2": 0.0,
    "positive_weight_cap": 10.0,  # released: pos_weight = min(negatives / positives, 10)
    "positive_weight_over": "clip",  # released: counted over all ids jointly
    "pool": "nearest",  # released: nearest resize of the masks
    "layer_reduction": "mean",  # released: maps are averaged over layers
    "decoders": "shared",  # released: one SegHead for both kinds of term
    "timestep_weight": "bell",  # released: all losses times the weight of the timestep
}


@dataclass(frozen=True)
class Pooling:
    """How tracks become targets: by which rule, and at which rate."""

    rule: PoolRule
    rate: Rate = "latent"


class MatrixConfig(Config):
    """What to align, where, and how strongly. ``variant: released`` changes the defaults, never a value that is set.

    Two things that the released code does on its one model are no defaults of the variant, because few models have
    them, and stand in its recipe: ``image_tokens: false``, and ``timestep_shift`` beside this section.

    Layers are one list for all transformers of a model, ``[7, 11]``, or one list for each of them where experts share
    the noise levels (Wan 2.2 A14B), the noisy one first: ``[[7, 11], [3]]``.

    Without roles nothing is aligned and only the conditioning is left, which is the baseline that alignment is compared
    with.
    """

    variant: Literal["paper", "released"] = "paper"

    instance_map: bool = Field(
        True, description="show the first frame's instance map through widened input channels (paper 5 and D.1)"
    )
    map_dropout: float = Field(
        0.0, ge=0, lt=1, description="share of clips whose map is not shown; ours, for generating without a map"
    )
    image_tokens: bool = Field(
        True,
        description="show what the image encoder sees of the first frame, too (Wan 2.1); false: never (released code)",
    )
    binding: Binding = Field(
        "words",
        description="text tokens of an instance: its words; its words, in a prompt that shows an <idN> marker token "
        "before them (marked_words; paper 4 and 5: T_sub and T_obj); or that token itself (markers; released code)",
    )
    markers: int = Field(5, ge=1, description="where they are shown: how many <idN> tokens there are (both: 5)")
    marker_embeddings: Literal["spare", "trained"] = Field(
        "spare",
        description="rows of the marker tokens: as they lie in the embedding table, untrained (released), or trained",
    )

    v2t_layers: LayerListsField = Field(
        (),
        description="layers of SGA; empty = none chosen yet (paper D: 7, 11 for CogVideoX-5B-I2V; analysis finds them)",
    )
    v2v_layers: LayerListsField = Field(
        (), description="layers of SPA; empty = none chosen yet (paper D: 12 for CogVideoX-5B-I2V; analysis finds them)"
    )
    sga_direction: Literal["v2t", "t2v"] = Field(
        "v2t", description="whose queries SGA reads: the video's (paper), or the words' (paper, Table 1 row V: worse)"
    )
    sga_roles: tuple[Role, ...] = Field(
        ("subject", "object", "verb"),
        description="whose maps are aligned, one mean per role: sub, obj, verb (paper, L_SGA); instance (released)",
    )
    spa_roles: tuple[Role, ...] = Field(
        ("subject", "object"), description="the same for L_SPA: sub, obj, no verb (paper); instance (released)"
    )
    head_reduction: Literal["mean", "each"] = Field(
        "mean", description="one map of all heads (paper D.1; released: their sum), or each head aligned by itself"
    )
    layer_reduction: Literal["each", "mean"] = Field(
        "each",
        description="each layer's map aligned by itself (ours, the paper does not say), or their mean (released)",
    )

    supervision: Supervision = Field(
        "full_rate",
        description="decoded to all frames and compared there (paper 5), or on the token grid (ours)",
    )
    decoders: Literal["two", "shared"] = Field(
        "two", description="one decoder for grounding and one for propagation (paper D.1), or one for both (released)"
    )
    decoder_width: int = Field(8, ge=1, description="channels of the decoder; ours (released: 96 at the narrowest)")
    decoder_depth: int = Field(1, ge=0, description="residual blocks of the decoder; ours (released: a VAE's decoder)")
    pool: PoolRule = Field("area", description="how masks become targets; ours (the paper does not say)")

    bce: float = Field(1.0, ge=0, description="b_bce; not published, ours")
    dice: float = Field(1.0, ge=0, description="b_dice; not published, ours")
    l2: float = Field(1.0, ge=0, description="b_2; not published, ours")
    positive_weight_cap: float | None = Field(
        None, gt=0, description="cap of the weight of mask pixels in the cross-entropy; none = 1 (paper: plain BCE)"
    )
    positive_weight_over: Literal["instance", "clip"] = Field(
        "instance", description="whether that weight is each instance's own (ours) or one for a clip's (released)"
    )
    lambda_sga: float = Field(0.01, ge=0, description="weight of L_SGA; released code (the paper does not say)")
    lambda_spa: float = Field(0.005, ge=0, description="weight of L_SPA; released code (the paper does not say)")
    timestep_weight: Literal["none", "bell"] = Field(
        "none", description="weight of the whole loss by timestep: 1, or a bell around the middle (released)"
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_variant(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("variant") == "released":
            return {**_RELEASED, **data}
        return data

    @property
    def pooling(self) -> Pooling:
        """How this config's targets are made."""
        return Pooling(self.pool, "full" if self.supervision == "full_rate" else "latent")

    @property
    def roles(self) -> frozenset[Role]:
        """The roles that any term is about."""
        return frozenset((*self.sga_roles, *self.spa_roles))

    @property
    def needs_v2t(self) -> bool:
        """Whether layers for SGA must be chosen."""
        return bool(self.sga_roles)

    @property
    def needs_v2v(self) -> bool:
        """Whether layers for SPA must be chosen."""
        return bool(self.spa_roles)

    @property
    def aligned(self) -> Layers:
        """The layers that the terms are about; none of a kind without a term."""
        return Layers(v2t=self.v2t_layers if self.needs_v2t else (), v2v=self.v2v_layers if self.needs_v2v else ())

    def terms(self) -> tuple[tuple[str, Kind, Role], ...]:
        """Every loss term: its name (``sga_subject``, ...), its kind and its role."""
        kinds: tuple[tuple[Kind, tuple[Role, ...]], ...] = (("sga", self.sga_roles), ("spa", self.spa_roles))
        return tuple((f"{kind}_{role}", kind, role) for kind, roles in kinds for role in roles)

    def weight(self, kind: Kind) -> float:
        """Lambda of this kind of term."""
        return self.lambda_sga if kind == "sga" else self.lambda_spa
