from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from interplay.analyze.films import draw_film
from interplay.analyze.labels import Labels
from interplay.analyze.overlays import MapWatch, View, choose_cases, shown_steps
from interplay.analyze.scoring import Scorer, batch_regions
from interplay.analyze.source import Case, Moment
from interplay.analyze.strips import Strip, draw_strip
from interplay.backbones.batch import Batch
from interplay.records.caption import parse_caption
from interplay.records.media.video import read_image, read_video


def test_maps_summed_over_the_masks_are_the_scores(backbone, store):
    clips = store.select(limit=2)
    batch = [Case(clip, clip.tracks) for clip in clips]
    regions, grid = batch_regions(backbone, batch, "max")
    generator = torch.Generator().manual_seed(2)
    shape = (4, backbone.vae.config.latent_channels, *grid.latent_shape)
    latents, condition = (torch.randn(shape, generator=generator) for _ in range(2))
    first_frame = Batch({"latents": condition[:, :, :1]})
    text = backbone.encode_text(["", "", *[parse_caption(clip.caption).text for clip in clips]], first_frame)
    forward = partial(backbone.denoise, latents, torch.full((4,), 300), text, first_frame)

    site = backbone.sites()[1]
    views = [View(f"noun_{kind}", "noun", kind, 1, site.address, steps=(0,)) for kind in ("v2t", "v2v")]
    watch = MapWatch(backbone, regions, grid, views)
    scorer = Scorer(backbone, batch, "max")
    for observer in (watch, scorer):
        observer(Moment(0, 0, 300), forward)
    for view in views:
        (maps,) = watch.maps[view]
        sums = (maps * regions.masks).sum(dim=-1)
        for clip, table in enumerate(scorer.tables()):
            rows = [
                r["aas"]
                for r in table.to_pylist()
                if (r["variant"], r["layer"], r["head"]) == (f"noun_{view.relation}", 1, -1)
            ]
            nouns = [term.kind == "noun" for term in regions.terms[clip]]
            np.testing.assert_allclose(rows, sums[clip][: len(nouns)][torch.tensor(nouns)], rtol=1e-5)


def test_a_step_that_is_not_shown_is_not_observed(backbone, store):
    batch = [Case(clip, clip.tracks) for clip in store.select(limit=1)]
    regions, grid = batch_regions(backbone, batch, "max")
    view = View("noun_v2t", "noun", "v2t", 1, backbone.sites()[1].address, steps=(0, 2))
    watch = MapWatch(backbone, regions, grid, [view])
    assert watch(Moment(0, 1, 500), lambda: torch.ones(1)) == 1
    assert watch(Moment(1, 0, 900), lambda: torch.ones(1)) == 1  # another noise of a step that is shown
    assert watch.seen_steps == {}


def test_shown_steps_are_first_middle_last():
    assert shown_steps(range(20)) == (0, 10, 19)
    assert shown_steps([0, 1]) == (0, 1)
    assert shown_steps([0]) == (0,)
    assert shown_steps([3, 4, 5, 6, 7]) == (3, 5, 7)  # of an expert that begins at step 3


def test_successes_and_failures_are_shown_in_turn(store):
    cases = [Case(clip, clip.tracks) for clip in store.select(limit=5)]
    ids = [case.clip.clip_id for case in cases]
    labels = Labels((ids[4], ids[3]), (ids[1], ids[0]), "rule")
    assert [case.clip.clip_id for case in choose_cases(cases, labels, 3)] == [ids[4], ids[0], ids[3]]
    assert choose_cases(cases, Labels((), (), "none"), 2) == cases[:2]


def test_a_strip_shows_map_and_outline(tmp_path):
    masks = np.zeros((5, 16, 24), dtype=bool)
    masks[:, 4:12, 8:16] = True
    maps = np.zeros((1, 2, 4, 6), dtype=np.float32)
    frames = np.full((5, 16, 24, 3), 200, dtype=np.uint8)
    pictures = []
    for name, peak in (("flat", 0.0), ("peak", 1.0)):
        maps[0, 1, 2, 3] = peak
        draw_strip(Strip("title", frames, masks, maps, ("step 0",), (0, 4), (0, 1, 1, 1, 1)), tmp_path / f"{name}.png")
        pictures.append(read_image(tmp_path / f"{name}.png").astype(int))
    green = (pictures[0][..., 1] - pictures[0][..., 0] > 120).sum()
    assert green > 100  # the outline
    changed = np.abs(pictures[1] - pictures[0]).sum(axis=-1) > 100
    assert changed.any()
    assert not changed[: changed.shape[0] // 3].any()  # the row of frames stays as it is


def test_a_film_shows_every_frame_beside_the_map_of_its_token_frame(tmp_path):
    masks = np.zeros((5, 16, 24), dtype=bool)
    masks[:, 4:12, 8:16] = True
    maps = np.zeros((2, 2, 4, 6), dtype=np.float32)
    maps[1, 1, 0, 5] = 0.5  # second step, second token frame, the upper right corner
    frames = np.full((5, 16, 24, 3), 200, dtype=np.uint8)
    strip = Strip("title", frames, masks, maps, ("step 0", "step 9"), (0, 4), (0, 1, 1, 1, 1))
    draw_film(strip, 8.0, tmp_path / "film.mp4")
    film = read_video(tmp_path / "film.mp4").frames.astype(int)
    assert len(film) == 5
    panels = 3 * 24 * 10
    assert film.shape[2] - 6 * 4 == panels
    corner = film[:, 34 + 2 : 34 + 38, -6 - 38 : -6 - 2]
    assert corner[1:].mean(axis=(1, 2, 3)) == pytest.approx(corner[1].mean(), abs=3)
    assert corner[1].mean() > corner[0].mean() + 50  # bright in the frames of token frame 1 alone
    green = (film[0, ..., 1] - film[0, ..., 0] > 80).sum()
    assert green > 3 * 100  # an outline in each panel
