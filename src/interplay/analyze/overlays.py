"""Seeing attention: maps of a few clips at the chosen layers, as strips of frames and as videos, beside the masks.

The clips go through the model once more, observed at the chosen sites and at three steps only, so no map has to be kept
while the scores are computed. A *word* map shows the mean attention of every video token on a noun's or verb's
tokens; a *region* map shows where the tokens of an instance's first-frame mask look.

Shape legend: ``b`` clips, ``n`` video tokens, ``r`` terms, ``f th tw`` token frames, height, width, ``p y x`` pixel
frames, height, width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interplay.analyze.alignment import relations_of
from interplay.analyze.experts import expert_of, names_of
from interplay.analyze.films import draw_film
from interplay.analyze.judging import VariantVerdict
from interplay.analyze.labels import Labels
from interplay.analyze.scoring import batch_regions
from interplay.analyze.source import Case, Moment, Source, Watch, batches_of
from interplay.analyze.strips import Strip, draw_strip
from interplay.analyze.terms import Kind, Relation, Term, TermRegions
from interplay.attention import Mass, OfElements, Region, Request, RowMap, observe
from interplay.backbones.base import Backbone
from interplay.grid.pooling import PoolRule
from interplay.grid.token_grid import TokenGrid

# Verbs have no region map: their region is the union of two nouns that are shown already.
_SHOWN: tuple[tuple[str, Kind, Relation], ...] = (
    ("noun_v2t", "noun", "v2t"),
    ("verb_v2t", "verb", "v2t"),
    ("noun_v2v", "noun", "v2v"),
)
_MOST_STEPS = 3


@dataclass(frozen=True)
class View:
    """What is shown of a kind of term at some steps: one relation at the first layer of the verdict called ``name``."""

    name: str
    kind: Kind
    relation: Relation
    layer: int
    site: str
    steps: tuple[int, ...]

    def requests(self, regions: TermRegions) -> list[Request]:
        """Observations of all terms of a batch; together they make ``b r n`` (see :meth:`maps`)."""
        if self.relation == "v2v":
            rows = enumerate(regions.first_frame_regions())
            return [RowMap(f"{self.name} {k}", (self.site,), region) for k, region in rows]
        batch, _, tokens = regions.masks.shape
        everywhere = Region.all_video(batch, tokens, regions.masks.device)
        return [Mass(self.name, (self.site,), everywhere, regions.word_regions(), "none")]

    def maps(self, requests: Sequence[Request], seen: Mapping[str, Mapping[str, Tensor]]) -> Float[Tensor, "b r n"]:
        """The observed maps of every term, mean over heads."""
        values = [seen[request.name][self.site].mean(dim=1).cpu() for request in requests]
        return torch.stack(values, dim=1) if self.relation == "v2v" else values[0].transpose(1, 2)


def views_of(verdicts: Mapping[str, VariantVerdict], backbone: Backbone, grid: TokenGrid) -> list[View]:
    """The views of every variant that was scored."""
    layout = backbone.layout(grid, backbone.text_length)
    views = []
    for variant, kind, relation in _SHOWN:
        for name in names_of(variant, verdicts):
            layer = next(iter(verdicts[name].picks), None)
            sites = [s for s in backbone.sites() if s.layer == layer and relation in relations_of(layout[s.kind])]
            if layer is not None:
                steps = shown_steps(verdicts[name].scores.steps.tolist())
                views.append(View(name, kind, relation, layer, sites[0].address, steps))
    return views


def choose_cases(cases: Sequence[Case], labels: Labels, count: int) -> list[Case]:
    """The best success, the worst failure, the second best success and so on; without labels the first cases."""
    pairs = zip_longest(labels.success, reversed(labels.failure))
    order = [clip_id for pair in pairs for clip_id in pair if clip_id is not None]
    by_id = {case.clip.clip_id: case for case in cases}
    return [by_id[clip_id] for clip_id in (order or by_id)][:count]


def shown_steps(steps: Sequence[int]) -> tuple[int, ...]:
    """The first, the middle and the last of the steps."""
    last = len(steps) - 1
    return tuple(steps[place] for place in sorted({round(k * last / (_MOST_STEPS - 1)) for k in range(_MOST_STEPS)}))


@dataclass
class MapWatch:
    """A watch that keeps the maps of the views at their steps: ``maps[view]`` is a list along ``seen_steps[view]``.

    ``memory_bytes`` is what observation may take beyond the model's own.
    """

    backbone: Backbone
    regions: TermRegions
    grid: TokenGrid
    views: Sequence[View]
    memory_bytes: int | None = None
    seen_steps: dict[View, list[tuple[int, int]]] = field(default_factory=dict)
    maps: dict[View, list[Float[Tensor, "b r n"]]] = field(default_factory=dict)

    def __call__(self, moment: Moment, forward: Callable[[], Tensor]) -> Tensor:
        """One forward, observed for the views that are shown at its step, with the first of several noises."""
        shown = [view for view in self.views if moment.step in view.steps and moment.draw == 0]
        if not shown:
            return forward()
        requests = {view: view.requests(self.regions) for view in shown}
        size = len(self.regions.terms)
        flat = [OfElements.last(request, size) for of_view in requests.values() for request in of_view]
        layout = self.backbone.layout(self.grid, self.backbone.text_length)
        with observe(self.backbone, flat, layout, budget_bytes=self.memory_bytes) as seen, torch.no_grad():
            output = forward()
            for view, of_view in requests.items():
                self.maps.setdefault(view, []).append(view.maps(of_view, {r.name: seen[r.name] for r in of_view}))
                self.seen_steps.setdefault(view, []).append((moment.step, moment.timestep))
        return output


def draw_overlays(
    source: Source,
    backbone: Backbone,
    cases: Sequence[Case],
    verdicts: Mapping[str, VariantVerdict],
    pool: PoolRule,
    folder: Path,
    memory_bytes: int | None = None,
) -> tuple[list[dict[str, Any]], float | None]:
    """Draw every map of these cases into ``folder``.

    Returns the entries of ``overlays.json``, and for sources that make videos how far the clips that were made now are
    from the stored ones (mean difference in 8-bit levels): a replay of the very same model gives about 0.
    """
    entries: list[dict[str, Any]] = []
    differences: list[float] = []
    for batch in batches_of(cases, lambda clip: 1):
        regions, grid = batch_regions(backbone, batch, pool)
        watch = MapWatch(backbone, regions, grid, views_of(verdicts, backbone, grid), memory_bytes)
        differences += _difference(source, backbone, batch, watch)
        for position, case in enumerate(batch):
            entries += _draw_case(source, case, position, watch, folder)
    return entries, float(np.mean(differences)) if differences else None


def _difference(source: Source, backbone: Backbone, batch: Sequence[Case], watch: Watch) -> list[float]:
    latents = source.drive(batch, watch)
    if latents is None:
        return []
    videos = (backbone.decode_video(latents).permute(0, 2, 3, 4, 1).cpu().numpy() + 1.0) * 127.5
    return [float(np.abs(video - source.frames(case)).mean()) for video, case in zip(videos, batch, strict=True)]


def _draw_case(source: Source, case: Case, position: int, watch: MapWatch, folder: Path) -> Iterator[dict[str, Any]]:
    frames = source.frames(case)
    for view, maps in watch.maps.items():
        defined = watch.regions.defined(view.relation)[position]
        for index, term in enumerate(watch.regions.terms[position]):
            if term.kind != view.kind or not defined[index]:
                continue
            strip = Strip(
                title=_title(case, view, term),
                frames=frames,
                masks=term.track.to_array(),
                maps=np.stack([step[position, index].reshape(watch.grid.token_shape).numpy() for step in maps]),
                row_labels=tuple(f"step {step}\nt = {timestep}" for step, timestep in watch.seen_steps[view]),
                pixel_frames=_middle_frames(watch.grid),
                token_frames=_token_frames(watch.grid),
            )
            name = f"{case.clip.clip_id}_{view.relation}_{term.label}_layer{view.layer}{_of_expert(view, '_expert')}"
            draw_strip(strip, folder / f"{name}.png")
            draw_film(strip, case.clip.fps, folder / f"{name}.mp4")
            yield _entry(name, case, view, term, watch)


def _title(case: Case, view: View, term: Term) -> str:
    what = "attention on the word" if view.relation == "v2t" else "attention of the first-frame region of"
    words = f'"{term.words}" ({term.label})' if term.words else term.label
    return f"{case.clip.clip_id}: {what} {words}, layer {view.layer}{_of_expert(view, ', expert ')}, mean over heads"


def _of_expert(view: View, said: str) -> str:
    """Which expert a view is of, where there are several."""
    expert = expert_of(view.name)
    return "" if expert is None else f"{said}{expert}"


def _entry(name: str, case: Case, view: View, term: Term, watch: MapWatch) -> dict[str, Any]:
    return {
        "file": f"overlays/{name}.png",
        "video": f"overlays/{name}.mp4",
        "clip_id": case.clip.clip_id,
        "kind": "word" if view.relation == "v2t" else "region",
        "variant": view.name,
        "label": term.label,
        "words": term.words,
        "layer": view.layer,
        "site": view.site,
        "steps": [step for step, _ in watch.seen_steps[view]],
        "timesteps": [timestep for _, timestep in watch.seen_steps[view]],
        "title": _title(case, view, term),
    }


def _middle_frames(grid: TokenGrid) -> tuple[int, ...]:
    """One pixel frame for each token frame."""
    spans = [grid.pixel_frames_of_token(frame) for frame in range(grid.token_shape[0])]
    return tuple(span[len(span) // 2] for span in spans)


def _token_frames(grid: TokenGrid) -> tuple[int, ...]:
    """The token frame that each pixel frame belongs to."""
    spans = [grid.pixel_frames_of_token(frame) for frame in range(grid.token_shape[0])]
    return tuple(frame for frame, span in enumerate(spans) for _ in span)
