"""What curation is asked to do. Required fields have no default: only the user knows them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from interplay.core.config import Config
from interplay.records.formats.cointeract.rows import FORMAT_FPS
from interplay.records.rates import FrameRate
from interplay.records.structure.config import StructureVideoConfig


class CurateConfig(Config):
    """One dataset: its layout, the size of the clips that are wanted, and how words and labels are bound to pictures.

    ``labels_lead`` is how many frames the structure video, the pose video and the boxes run ahead of the video (label
    frame i belongs to video frame i + lead): a number, or ``measure`` (see :mod:`interplay.records.structure.lag`).

    ``captions`` maps a clip id (``clip-00000`` is the first row) to a caption in markup that replaces its prompt. The
    three ``*_words`` name, for every clip, the exact words of the prompt to bind; unset, the rule of :mod:`.binding`
    finds them.

    ``follow_links`` admits links in the dataset that lead out of its folder.

    ``caption`` is what a clip says in the end: the ``full`` prompt, or the ``clause`` alone of who does what to what
    (short enough for a model with a short text window; the prompt stays in the caption's provenance).
    """

    target_hw: tuple[PositiveInt, PositiveInt]
    num_frames: PositiveInt
    fps: FrameRate
    source_format: Literal["cointeract"] = "cointeract"
    source_fps: PositiveFloat = FORMAT_FPS
    labels_lead: int | Literal["measure"] = "measure"
    fit: Literal["cover", "contain"] = "cover"
    split: str = "train"
    follow_links: bool = False
    caption: Literal["full", "clause"] = "full"
    person_words: str | None = None
    verb_words: str | None = None
    product_words: str | None = None
    captions: dict[str, str] = Field(default_factory=dict)
    structure: StructureVideoConfig = StructureVideoConfig()
