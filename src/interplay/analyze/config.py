"""What an analysis is made of."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from interplay.core.config import Config
from interplay.core.errors import InputError
from interplay.grid.pooling import PoolRule

# MATRIX keeps the 10 best of CogVideoX-5B's 42 layers (paper section 4.5); other depths keep the same share.
_PAPER_TOP_K, _PAPER_LAYERS = 10, 42
# Fewer than three would leave nothing to rank by separation.
_SMALLEST_TOP_K = 3
_DEFAULT_TIMESTEPS = 4


class AnalyzeConfig(Config):
    """``mode`` says where the forwards come from that are observed.

    - ``replay``: the sampling of a generation artifact, every step, with the tracks and scores of its evaluation. Steps
      and guidance are the generation's. ``limit`` counts clips of the generation. ``backbone`` is the generation's
      unless it is given (the folder may have moved). Success and failure are told apart by the clips' interaction
      fidelity (IF): the upper and the lower third, or ``success_at_least`` and ``failure_at_most``.
    - ``data``: clips of the dataset, noised to ``timesteps`` (fractions of the schedule, 1 = pure noise; or how many,
      evenly spread, noisiest first), one forward each. ``split`` and ``limit`` choose clips.

    ``pool`` brings masks onto the token grid. ``max`` counts every token that a mask touches in any of its pixel
    frames; ``nearest`` looks at the token's centre pixel, as MATRIX's released analysis does.
    ``top_k`` layers per clip count as highly ranked, and as many are influential (default: 10 of 42, as in the paper,
    at least 3). ``layers_per_variant`` of them are chosen for training. ``measure`` is what layers are ranked by: the
    paper's raw ``aas`` or ``aas_per_area``. ``bootstrap`` is the number of resamples of the stability figures.
    """

    mode: Literal["replay", "data"]
    backbone: str | None = None
    split: str | None = None
    limit: int | None = Field(default=None, ge=1)
    timesteps: int | tuple[float, ...] | None = None
    batch_size: int = Field(default=8, ge=1)
    pool: PoolRule = "max"
    top_k: int | None = Field(default=None, ge=1)
    layers_per_variant: int = Field(default=1, ge=1)
    measure: Literal["aas", "aas_per_area"] = "aas"
    success_at_least: float | None = None
    failure_at_most: float | None = None
    bootstrap: int = Field(default=200, ge=1)
    overlay_clips: int = Field(default=2, ge=0)
    seed: int = 0

    @model_validator(mode="after")
    def _fits_mode(self) -> AnalyzeConfig:
        foreign = ("split", "timesteps") if self.mode == "replay" else ("success_at_least", "failure_at_most")
        for name in foreign:
            if getattr(self, name) is not None:
                raise InputError(f"has no meaning in mode {self.mode}", where=f"analyze: {name}", cure="leave it out")
        if self.mode == "data" and self.backbone is None:
            raise InputError("is needed in mode data", where="analyze: backbone", cure="give a name or a folder")
        self._check_thresholds()
        self.fractions()
        return self

    def _check_thresholds(self) -> None:
        low, high = self.failure_at_most, self.success_at_least
        if (low is None) != (high is None):
            cure = "give both success_at_least and failure_at_most, or neither"
            raise InputError("one of two thresholds is missing", where="analyze", cure=cure)
        if low is not None and high is not None and low >= high:
            problem = f"{low} is not below success_at_least ({high})"
            raise InputError(problem, where="analyze: failure_at_most", cure="choose a smaller number")

    def fractions(self) -> tuple[float, ...]:
        """Noise levels of mode ``data``: the given ones, or the middles of so many equal parts of the schedule."""
        asked = _DEFAULT_TIMESTEPS if self.timesteps is None else self.timesteps
        given = tuple(1 - (k + 0.5) / asked for k in range(asked)) if isinstance(asked, int) else asked
        if not given or not all(0.0 <= fraction <= 1.0 for fraction in given):
            cure = "give a number of timesteps above 0, or fractions between 0 and 1"
            raise InputError(f"{self.timesteps} names no noise levels", where="analyze: timesteps", cure=cure)
        return given

    def top_k_of(self, num_layers: int) -> int:
        """How many layers count as highly ranked in a model of this depth."""
        wanted = self.top_k or max(_SMALLEST_TOP_K, round(_PAPER_TOP_K * num_layers / _PAPER_LAYERS))
        return min(num_layers, wanted)
