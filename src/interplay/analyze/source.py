"""Where the forwards come from that an analysis observes: the interface of its two modes.

Shape legend: ``b`` clips, ``c f h w`` latent channels, frames, height, width, ``p y x`` pixel frames, height, width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from interplay.analyze.terms import roles_of
from interplay.records.clip import Clip
from interplay.records.masks import MaskTrack


@dataclass(frozen=True)
class Moment:
    """When a forward happens: the number of the noise, of the step, and the timestep of the model's schedule."""

    draw: int
    step: int
    timestep: int


# (moment, forward) -> what forward() returns. The forward's batch ends with the batch's clips, in their order.
Watch = Callable[[Moment, Callable[[], Tensor]], Tensor]


@dataclass(frozen=True)
class Case:
    """One clip to analyse: ``clip.caption`` is what the model reads, ``tracks`` fit the video that it makes or sees.

    ``fidelity`` is the clip's interaction fidelity, ``None`` where nobody scored it.
    """

    clip: Clip
    tracks: Mapping[str, MaskTrack]
    fidelity: float | None = None


class Source(ABC):
    """Cases, and the forwards of a batch of them. ``skipped`` says of every other clip why it is no case.

    Every case goes through ``num_draws`` x ``num_steps`` forwards.
    """

    cases: tuple[Case, ...]
    skipped: Mapping[str, str]
    num_steps: int
    num_draws: int = 1

    @abstractmethod
    def drive(self, batch: Sequence[Case], watch: Watch) -> Float[Tensor, "b c f h w"] | None:
        """Run every forward of these clips through ``watch``; the latents that came out, where the mode makes any."""

    @abstractmethod
    def frames(self, case: Case) -> UInt8[ndarray, "p y x 3"]:
        """The video that the tracks of the case belong to."""


def sort_out(found: Sequence[Case]) -> tuple[tuple[Case, ...], dict[str, str]]:
    """The cases that can be scored, and for every other clip why it cannot."""
    cases: list[Case] = []
    skipped: dict[str, str] = {}
    for case in found:
        roles = {role for interaction in case.clip.interactions for role in roles_of(interaction)}
        if not roles:
            skipped[case.clip.clip_id] = "no interaction is known"
        elif not roles & case.tracks.keys():
            skipped[case.clip.clip_id] = "no instance of its interactions has a mask track"
        else:
            cases.append(case)
    return tuple(cases), skipped


def batches_of(cases: Sequence[Case], size_for: Callable[[Clip], int]) -> list[list[Case]]:
    """Neighbours of one geometry together, at most ``size_for`` one of them; the same batches in every run."""
    batches = []
    for _, run in groupby(cases, key=lambda case: (case.clip.num_frames, case.clip.size_hw)):
        alike = list(run)
        size = size_for(alike[0].clip)
        batches += [alike[first : first + size] for first in range(0, len(alike), size)]
    return batches
