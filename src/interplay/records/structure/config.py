"""How structure videos are read."""

from __future__ import annotations

from pydantic import Field, PositiveFloat

from interplay.core.config import Config


class StructureVideoConfig(Config):
    """How a structure video is told apart into background, body and product.

    Chosen on the real structure videos at hand (three clips, two of them generated); see :mod:`.tracks`.
    """

    background_below: int = Field(default=40, ge=1, le=254)
    """A pixel whose brightest channel is below this is background (0 to 255)."""
    body_radius: PositiveFloat = 0.027
    """A pixel within this distance of the body's tone, in chromaticity (r, b), is body."""
    smallest_part: float = Field(default=0.0005, ge=0, lt=1)
    """A connected patch smaller than this share of the picture belongs to what surrounds it."""
    enclosed_share: float = Field(default=0.8, gt=0.5, le=1)
    """A patch with at least this share of its border along the product belongs to the product."""
