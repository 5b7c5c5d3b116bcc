"""Two evaluations of the same clips, clip by clip: by how much is the second better than the first?

The clips are paired, so what makes a clip easy or hard for both cancels out of the difference.
"""

from __future__ import annotations

from collections.abc import Mapping

from interplay.core.artifacts import Artifact
from interplay.core.errors import InputError
from interplay.core.files import read_json
from interplay.core.seeds import derive_seed
from interplay.evaluate.bootstrap import Estimate, estimate
from interplay.evaluate.run import SCORES
from interplay.evaluate.scores import METRICS


def compare(first: Artifact, second: Artifact, *, seed: int = 0, resamples: int = 2000) -> dict[str, Estimate]:
    """Mean of ``second - first`` per metric with its paired bootstrap interval.

    A clip that either of the two did not score is not scored here. :class:`InputError` when they were made by different
    judges or of different clips: such scores say nothing about each other.
    """
    before, after = read_json(first.path / SCORES), read_json(second.path / SCORES)
    if before["judge"] != after["judge"]:
        problem = f'its judge is "{after["judge"]}", that of {first.path} is "{before["judge"]}"'
        raise InputError(problem, where=second.path, cure="evaluate both with the same judge")
    if set(before["clips"]) != set(after["clips"]):
        problem = f"does not score the clips that {first.path} scores"
        raise InputError(problem, where=second.path, cure="generate and evaluate the same clips with both models")
    return {
        metric: estimate(
            _differences(before["clips"], after["clips"], metric),
            seed=derive_seed(seed, "compare", metric),
            resamples=resamples,
        )
        for metric in METRICS
    }


def _differences(
    before: Mapping[str, Mapping[str, float | None]], after: Mapping[str, Mapping[str, float | None]], metric: str
) -> list[float | None]:
    pairs = ((before[clip_id][metric], after[clip_id][metric]) for clip_id in before)
    return [None if one is None or other is None else other - one for one, other in pairs]
