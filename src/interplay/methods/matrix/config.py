"""The numbers of MATRIX, each with its source, in two variants: as the paper says and as its code was released.

Sources: *paper* = "MATRIX: Mask Track Alignment for Interaction-aware Video Generation" (ICLR 2026); *released* = the
authors' published training code (commit 4ee8698), which differs from the paper in almost every number.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from interplay.core.config import Config
from interplay.grid.pooling import PoolRule

Role = Literal["subject", "object", "verb"]
Kind = Literal["sga", "spa"]

# What the released code does differently; everything else it shares with the paper or the paper does not say.
_RELEASED: dict[str, Any] = {
    "binding": "markers",  # released: the columns of the <idN> tokens
    "sga_roles": ("subject", "object"),  # released: no verb term
    "dice": 0.0,  # released: binary cross-entropy alone; L2 is commented out, there is no Dice
    "l2": 0.0,
    "positive_weight_cap": 10.0,  # released: pos_weight = min(negatives / positives, 10)
    "pool": "nearest",  # released: nearest resize of the masks
}


class MatrixConfig(Config):
    """What to align, where, and how strongly. ``variant: released`` changes the defaults, never a value that is set."""

    variant: Literal["paper", "released"] = "paper"
    v2t_layers: tuple[int, ...] = Field(
        (),
        description="layers of SGA; empty = none chosen yet (paper D: 7, 11 for CogVideoX-5B-I2V; analysis finds them)",
    )
    v2v_layers: tuple[int, ...] = Field(
        (), description="layers of SPA; empty = none chosen yet (paper D: 12 for CogVideoX-5B-I2V; analysis finds them)"
    )
    binding: Literal["words", "markers"] = Field(
        "words",
        description="text tokens of an instance: its words (paper 4, T_sub and T_obj) or its <idN> marker token",
    )
    sga_roles: tuple[Role, ...] = Field(("subject", "object", "verb"), description="paper eq. of L_SGA: sub, obj, verb")
    spa_roles: tuple[Role, ...] = Field(("subject", "object"), description="paper eq. of L_SPA: sub, obj, no verb")
    bce: float = Field(1.0, ge=0, description="b_bce; not published, ours")
    dice: float = Field(1.0, ge=0, description="b_dice; not published, ours")
    l2: float = Field(1.0, ge=0, description="b_2; not published, ours")
    positive_weight_cap: float | None = Field(
        None, gt=0, description="cap of the weight of mask tokens in the cross-entropy; none = 1 (paper: plain BCE)"
    )
    lambda_sga: float = Field(0.01, ge=0, description="weight of L_SGA; released code (the paper does not say)")
    lambda_spa: float = Field(0.005, ge=0, description="weight of L_SPA; released code (the paper does not say)")
    pool: PoolRule = Field(
        "area", description="how masks pool onto tokens; ours, because targets are at latent rate here"
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_variant(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("variant") == "released":
            return {**_RELEASED, **data}
        return data

    def terms(self) -> tuple[tuple[str, Kind, Role], ...]:
        """Every loss term: its name (``sga_subject``, ...), its kind and its role."""
        kinds: tuple[tuple[Kind, tuple[Role, ...]], ...] = (("sga", self.sga_roles), ("spa", self.spa_roles))
        return tuple((f"{kind}_{role}", kind, role) for kind, roles in kinds for role in roles)

    def weight(self, kind: Kind) -> float:
        """Lambda of this kind of term."""
        return self.lambda_sga if kind == "sga" else self.lambda_spa
