"""What curation is asked to do. Required fields have no default: only the user knows them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from interplay.core.config import Config
from interplay.records.formats.cointeract import FORMAT_FPS


class StructureVideoConfig(Config):
    """How a structure video is told apart into background, body and product.

    Chosen on the real structure videos at hand (three clips, two of them generated); see :mod:`.structure_video`.
    """

    background_below: int = Field(default=40, ge=1, le=254)
    """A pixel whose brightest channel is below this is background (0 to 255)."""
    body_radius: PositiveFloat = 0.027
    """A pixel within this distance of the body's tone, in chromaticity (r, b), is body."""
    smallest_part: float = Field(default=0.0005, ge=0, lt=1)
    """A connected patch smaller than this share of the picture belongs to what surrounds it."""
    enclosed_share: float = Field(default=0.8, gt=0.5, le=1)
    """A patch with at least this share of its border along the product belongs to the product."""


class CurateConfig(Config):
    """One dataset: its layout, the size of the clips that are wanted, and how words and labels are bound to pictures.

    ``labels_lead`` is how many frames the structure video, the pose video and the boxes run ahead of the video (label
    frame i belongs to video frame i + lead): a number, or ``measure`` (see :mod:`.lag`).

    ``captions`` maps a clip id (``clip-00000`` is the first row) to a caption in markup that replaces its prompt. The
    three ``*_words`` name, for every clip, the exact words of the prompt to bind; unset, the rule of :mod:`.binding`
    finds them.

    ``caption`` is what a clip says in the end: the ``full`` prompt, or the ``clause`` alone of who does what to what
    (short enough for a model with a short text window; the prompt stays in the caption's provenance).
    """

    target_hw: tuple[PositiveInt, PositiveInt]
    num_frames: PositiveInt
    fps: PositiveFloat
    source_format: Literal["cointeract"] = "cointeract"
    source_fps: PositiveFloat = FORMAT_FPS
    labels_lead: int | Literal["measure"] = "measure"
    fit: Literal["cover", "contain"] = "cover"
    split: str = "train"
    caption: Literal["full", "clause"] = "full"
    person_words: str | None = None
    verb_words: str | None = None
    product_words: str | None = None
    captions: dict[str, str] = Field(default_factory=dict)
    structure: StructureVideoConfig = StructureVideoConfig()
