"""What an analysis is made of."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from interplay.core.config import Config, jsonable
from interplay.core.errors import InputError
from interplay.grid.buckets import BucketConfig
from interplay.grid.pooling import PoolRule

# MATRIX keeps the 10 best of CogVideoX-5B's 42 layers (paper section 4.5); other depths keep the same share.
_PAPER_TOP_K, _PAPER_LAYERS = 10, 42
# Fewer than three would leave nothing to rank by separation.
_SMALLEST_TOP_K = 3
_DEFAULT_TIMESTEPS, _DEFAULT_DRAWS = 4, 2
# What a forward is given at once where nobody says how much: the tokens of one clip of a real model (CogVideoX: 17,550;
# Wan: 32,760), or several small clips, which a CPU does faster together.
_TOKENS_AT_ONCE, _MOST_AT_ONCE = 20_000, 8

Measure = Literal["aas", "aas_per_area"]
# What only judges scores that are there already: another choice of these needs no model.
_OF_THE_VERDICT = frozenset(
    {
        "top_k",
        "layers_per_variant",
        "measure",
        "success_at_least",
        "failure_at_most",
        "bootstrap",
        "stable_share",
        "overlay_clips",
    }
)


class AnalyzeConfig(Config):
    """``mode`` says where the forwards come from that are observed.

    - ``replay``: the sampling of a generation artifact, every step, with the mask tracks that its evaluation recovered
      or that somebody made of its videos. Steps and guidance are the generation's. ``limit`` counts clips of the
      generation. ``backbone`` is the generation's unless it is given (the folder may have moved).
    - ``data``: clips of the dataset, noised to ``timesteps`` (fractions of the schedule, 1 = pure noise; or how many,
      evenly spread, noisiest first), one forward each, with ``draws`` different noises: what changes from draw to draw
      is told. ``split`` and ``limit`` choose clips. ``buckets`` bring clips of any size, length and rate to what the
      model takes; without them clips are taken as they are.

    Success and failure are told apart by a file of labels, or by the clips' interaction fidelity (IF) where an
    evaluation is given: the upper and the lower third, or ``success_at_least`` and ``failure_at_most``.

    ``text_to_video`` shows no first frame to a model that may be shown one (LTX-Video, Wan 2.2 TI2V); a replay does as
    its generation did.

    ``pool`` brings masks onto the token grid. ``max`` (ours) counts every token that a mask touches in any of its pixel
    frames, for under ``nearest`` a hand or a ball smaller than a token is lost between the pixels that are looked at.
    ``nearest`` takes the token's centre pixel and the union of its frames: the rule of MATRIX's released analysis
    (pixel > 0, nearest resize, union over the pixel frames of a latent frame), up to which pixel its resize takes.
    ``dtype`` is what the model computes in (scores are float32 always). ``heads: false`` keeps the mean over heads
    alone, which makes the table smaller by their number. ``batch_size`` is derived from the clips' tokens unless given;
    finished work is kept batch by batch.

    ``top_k`` layers per clip count as highly ranked, and as many are influential (default: 10 of 42, as in the paper,
    at least 3). ``layers_per_variant`` of them are chosen for training. ``measure`` is what layers are ranked by: the
    paper's raw ``aas`` or ``aas_per_area``; the other one's ranking is reported beside it. ``bootstrap`` is the number
    of resamples of the stability figures, and a choice is called stable when ``stable_share`` of them repeat it.
    """

    mode: Literal["replay", "data"]
    backbone: str | None = None
    text_to_video: bool | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    split: str | None = None
    limit: int | None = Field(default=None, ge=1)
    buckets: BucketConfig | None = None
    timesteps: int | tuple[float, ...] | None = None
    draws: int | None = Field(default=None, ge=1)
    batch_size: int | None = Field(default=None, ge=1)
    pool: PoolRule = "max"
    heads: bool = True
    top_k: int | None = Field(default=None, ge=1)
    layers_per_variant: int = Field(default=1, ge=1)
    measure: Measure = "aas"
    success_at_least: float | None = None
    failure_at_most: float | None = None
    bootstrap: int = Field(default=1000, ge=1)
    stable_share: float = Field(default=0.9, gt=0, le=1)
    overlay_clips: int = Field(default=2, ge=0)
    seed: int = 0

    @model_validator(mode="after")
    def _fits_mode(self) -> AnalyzeConfig:
        for name in ("split", "timesteps", "draws", "buckets", "text_to_video") if self.mode == "replay" else ():
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

    @property
    def num_draws(self) -> int:
        """How many noises every clip and timestep gets; a replay has the one that its generation had."""
        return 1 if self.mode == "replay" else self.draws or _DEFAULT_DRAWS

    def batch_size_for(self, num_tokens: int) -> int:
        """How many clips of so many video tokens go through the model at once."""
        return self.batch_size or max(1, min(_MOST_AT_ONCE, _TOKENS_AT_ONCE // num_tokens))

    def scoring(self) -> dict[str, Any]:
        """The settings on which scores depend: where these are the same, scores may be taken over."""
        return {name: value for name, value in jsonable(self).items() if name not in _OF_THE_VERDICT}

    def top_k_of(self, num_layers: int) -> int:
        """How many layers count as highly ranked in a model of this depth."""
        wanted = self.top_k or max(_SMALLEST_TOP_K, round(_PAPER_TOP_K * num_layers / _PAPER_LAYERS))
        return min(num_layers, wanted)
