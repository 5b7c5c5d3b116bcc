from __future__ import annotations

import numpy as np
import pyarrow as pa

from interplay.analyze.scoring import SCHEMA
from interplay.analyze.table import join_parts, read_variant, write_part


def _table(clip_id: str, variant: str, offset: float) -> pa.Table:
    rows = [
        {
            "clip_id": clip_id,
            "step": step,
            "timestep": 900 - 100 * step,
            "layer": layer,
            "site": f"blocks.{layer}.joint",
            "variant": variant,
            "head": head,
            "aas": offset + 10 * layer + step + (0.5 if head >= 0 else 0.0),
            "aas_per_area": 1.0,
        }
        for step in range(2)
        for layer in (0, 3)
        for head in (-1, 0)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def test_parts_join_into_one_table_that_reads_by_clip_layer_and_step(tmp_path):
    write_part(tmp_path / "parts", "b", _table("b", "noun_v2t", 100.0))
    write_part(tmp_path / "parts", "a", pa.concat_tables([_table("a", "noun_v2t", 0.0), _table("a", "verb_v2t", 7.0)]))
    join_parts(tmp_path / "parts", ["b", "a"], tmp_path / "scores.parquet")
    nouns = read_variant(tmp_path / "scores.parquet", "noun_v2t", "aas")
    assert nouns is not None
    assert nouns.clip_ids == ("a", "b")
    assert nouns.layers.tolist() == [0, 3]
    assert nouns.timesteps.tolist() == [900, 800]
    assert nouns.values.tolist() == [[[0, 1], [30, 31]], [[100, 101], [130, 131]]]
    assert nouns.step_mean.tolist() == [[0.5, 30.5], [100.5, 130.5]]
    verbs = read_variant(tmp_path / "scores.parquet", "verb_v2t", "aas_per_area")
    assert verbs is not None
    assert np.all(verbs.values == 1.0)
    assert read_variant(tmp_path / "scores.parquet", "verb_v2v", "aas") is None
