"""An analysis with made-up scores, judged and written by the real stage, so that its format is the real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from interplay.analyze.config import AnalyzeConfig
from interplay.analyze.experts import name_of
from interplay.analyze.heads import write_heads
from interplay.analyze.judging import judge_table
from interplay.analyze.labels import Labels
from interplay.analyze.scoring import SCHEMA
from interplay.analyze.verdict import summarise
from interplay.core.artifacts import Artifact, build
from interplay.core.files import write_json
from interplay.methods.matrix.published import compared, published_layers
from interplay.records.media.video import write_video
from interplay.records.store.reader import ClipStore

CONFIG = AnalyzeConfig(mode="data", backbone="tiny-cogvideox", bootstrap=60, seed=5)
PEAKS = {"noun_v2t": 2, "verb_v2t": 1, "noun_v2v": 3, "verb_v2v": 4}
LAYERS, STEPS, DRAWS, HEADS, CLIPS = 6, 5, 2, 3, 6
FILM_HW = (64, 400)


def make_analysis(
    out: Path,
    clips: Artifact,
    *,
    labelled: bool = True,
    films: bool = True,
    layers: int = LAYERS,
    published: str | None = None,
    words: str = "man in red",
    experts: int = 1,
) -> Artifact:
    """Scores that peak in one layer of each variant, there the more the better the clip; the last clip has no label.

    With two experts the first runs the first step, and peaks two layers later.
    """
    ids = ClipStore(clips.path).ids[:CLIPS]
    labels = (
        Labels(tuple(ids[:2]), tuple(ids[2:4]), "by hand; <b>ties</b> split") if labelled else Labels((), (), "none")
    )

    def make(folder: Path) -> dict:
        scores = folder / "scores.parquet"
        pq.write_table(pa.Table.from_pylist(score_rows(ids, layers, words, experts), SCHEMA), scores)
        names = [name_of(variant, expert, experts) for variant in PEAKS for expert in range(experts)]
        judged = {name: judge_table(scores, name, labels, CONFIG) for name in names}
        tables = [verdict.heads.table(name, verdict.scores.layers.tolist()) for name, verdict in judged.items()]
        write_heads(tables, folder / "heads.parquet")
        told = summarise(judged, labels, CONFIG, ["a note with <i>markup</i>"])
        told |= {"mode": "data", "clips": len(ids), "steps": STEPS, "draws": DRAWS}
        told["published"] = compared(published_layers(published), told["chosen"]) if published else None
        write_json(folder / "layers.json", told)
        write_films(folder, ids[:4] if films else [], words)
        return {}

    config = {"labelled": labelled, "films": films, "layers": layers, "published": published, "words": words}
    config["experts"] = experts
    return build(out, kind="analysis", config={"seed": 5, **config}, inputs={"clips": clips}, make=make)


def score_rows(ids, layers: int, words: str, experts: int = 1) -> list[dict]:
    rng = np.random.default_rng(0)
    rows = []
    for place, clip_id in enumerate(ids):
        for variant, peak in PEAKS.items():
            said = words if variant.startswith("noun") else "pushes"
            for term, text in (("id1", said), ("id2", "ball")) if variant.startswith("noun") else (("verb", said),):
                for draw, step, layer in np.ndindex(DRAWS, STEPS, layers):
                    expert = int(step > 0) if experts == 2 else 0
                    late = 2 if experts == 2 and expert == 0 else 0
                    level = np.exp(-((layer - peak - late) ** 2) / 3) * (1.5 if place < 2 else 1.0) * (0.4 + 0.1 * step)
                    heads = level * rng.uniform(0.8, 1.2, HEADS) * np.arange(1, HEADS + 1)
                    for head, aas in zip(range(-1, HEADS), (heads.mean(), *heads), strict=True):
                        rows.append(
                            {
                                "clip_id": clip_id,
                                "draw": draw,
                                "step": step,
                                "timestep": 900 - 200 * step,
                                "expert": expert,
                                "layer": layer,
                                "site": f"blocks.{layer}.joint",
                                "variant": variant,
                                "term": term,
                                "words": text,
                                "head": head,
                                "aas": aas,
                                "aas_per_area": aas / 40,
                                "area": 40.0,
                            }
                        )
    return rows


def write_films(folder: Path, ids, words: str) -> None:
    """Two nouns and a verb of each clip, and a region."""
    entries = []
    cases = (
        ("noun_v2t", "id1", words),
        ("noun_v2t", "id2", "ball"),
        ("verb_v2t", "verb", "pushes"),
        ("noun_v2v", "id1", ""),
    )
    for clip_id in ids:
        for variant, label, said in cases:
            name = f"overlays/{clip_id}_{variant}_{label}"
            frames = np.random.default_rng(0).integers(0, 255, (5, *FILM_HW, 3), dtype=np.uint8)
            write_video(folder / f"{name}.mp4", frames, 8.0, lossless=False)
            entries.append(
                {
                    "file": f"{name}.png",
                    "video": f"{name}.mp4",
                    "clip_id": clip_id,
                    "variant": variant,
                    "label": label,
                    "words": said,
                    "layer": PEAKS[variant],
                    "timesteps": [900, 500, 100],
                }
            )
    write_json(folder / "overlays.json", entries)
