"""What ways to compute one thing cost against each other: time, taken in turns, and memory at the worst moment.

On a CPU time is that of the process, so other work on the machine does not count (though it empties the caches). On a
GPU it is that of the clock on the wall.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from statistics import median, quantiles

import torch
from torch.profiler import ProfilerActivity, profile

Compute = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds of one way, and what it takes of the first way's in the same round (median and quartiles)."""

    seconds: float
    ratio: float
    quartiles: tuple[float, float]

    @property
    def spread(self) -> str:
        """The quartiles, as tables show them."""
        low, high = self.quartiles
        return f"{low:.3f} to {high:.3f}"


def in_turns(ways: Mapping[str, Callable[[int], float]], rounds: int) -> dict[str, Timing]:
    """Every way once a round. A way is given the round's number, from 0, and says how many seconds it took.

    Ratios are taken within a round and only then summed up: what slows the machine for a while slows both sides alike.
    """
    names = list(ways)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        # Each starts a round in its turn: whoever comes after the largest one finds colder caches.
        for place in range(len(names)):
            name = names[(number + place) % len(names)]
            seconds[name].append(ways[name](number))
    return {name: _timing(own, seconds[names[0]]) for name, own in seconds.items()}


def _timing(seconds: list[float], base: list[float]) -> Timing:
    ratios = [one / other for one, other in zip(seconds, base, strict=True)]
    low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return Timing(median(seconds), median(ratios), (low, high))


def seconds_of(compute: Compute, device: torch.device) -> float:
    """How long it takes."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    _wait_for(device)
    started = clock()
    compute()
    _wait_for(device)
    return clock() - started


def peak_of(compute: Compute, device: torch.device) -> int:
    """Bytes by which allocations grow at the worst moment, beyond what is there before."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        _wait_for(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        compute()
        _wait_for(device)
        return int(torch.cuda.max_memory_allocated(device) - before)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        compute()
    assert profiler.profiler is not None
    assert profiler.profiler.kineto_results is not None
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    return int(max(accumulate(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns()))))


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def name_of(device: torch.device) -> str:
    """What a page calls it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
