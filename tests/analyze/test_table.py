from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from interplay.analyze.scoring import SCHEMA
from interplay.analyze.table import join_parts, read_heads, read_variant, write_part
from interplay.core.errors import InputError


def _table(clip_id: str, variant: str, offset: float, *, boundary: int = 0) -> pa.Table:
    rows = [
        {
            "clip_id": clip_id,
            "draw": draw,
            "step": step,
            "timestep": 900 - 100 * step,
            "expert": int(900 - 100 * step < boundary),
            "layer": layer,
            "site": f"blocks.{layer}.joint",
            "variant": variant,
            "term": f"id{term}",
            "words": "word",
            "head": head,
            "aas": offset + 10 * layer + step + 4 * draw + 2 * term + (0.5 if head >= 0 else 0.0),
            "aas_per_area": 1.0,
            "area": 3.0,
        }
        for draw in range(2)
        for term in (-1, 1)
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
    assert (nouns.steps.tolist(), nouns.timesteps.tolist()) == ([0, 1], [900, 800])
    assert nouns.values.tolist() == [[[2, 3], [32, 33]], [[102, 103], [132, 133]]]
    assert nouns.step_mean.tolist() == [[2.5, 32.5], [102.5, 132.5]]
    assert nouns.by_draw.tolist() == [[[0.5, 30.5], [100.5, 130.5]], [[4.5, 34.5], [104.5, 134.5]]]
    assert not nouns.of_text_alone
    verbs = read_variant(tmp_path / "scores.parquet", "verb_v2t", "aas_per_area")
    assert verbs is not None
    assert np.all(verbs.values == 1.0)
    assert read_variant(tmp_path / "scores.parquet", "verb_v2v", "aas") is None
    heads = read_heads(tmp_path / "scores.parquet", "noun_v2t", "aas")
    assert heads is not None
    assert heads.tolist() == [[[3.0], [33.0]], [[103.0], [133.0]]]
    assert read_heads(tmp_path / "scores.parquet", "verb_v2v", "aas") is None


def test_every_expert_has_its_own_steps_and_means(tmp_path):
    path = tmp_path / "scores.parquet"
    write_part(tmp_path, "scores", _table("a", "noun_v2t", 0.0, boundary=850))
    noisy, clean = (read_variant(path, "noun_v2t", "aas", expert) for expert in (0, 1))
    assert noisy is not None
    assert clean is not None
    assert (noisy.steps.tolist(), noisy.timesteps.tolist(), noisy.values.tolist()) == ([0], [900], [[[2], [32]]])
    assert (clean.steps.tolist(), clean.timesteps.tolist(), clean.values.tolist()) == ([1], [800], [[[3], [33]]])
    assert clean.by_draw.tolist() == [[[1.0, 31.0]], [[5.0, 35.0]]]
    heads = [read_heads(path, "noun_v2t", "aas", expert) for expert in (0, 1)]
    assert [h.tolist() for h in heads if h is not None] == [[[[2.5], [32.5]]], [[[3.5], [33.5]]]]
    assert read_variant(path, "noun_v2t", "aas", 2) is None


def test_scores_of_another_version_are_refused(tmp_path):
    write_part(tmp_path / "parts", "a", _table("a", "noun_v2t", 0.0).drop_columns("expert"))
    with pytest.raises(InputError, match=r"another version of Interplay .*: expert"):
        join_parts(tmp_path / "parts", ["a"], tmp_path / "scores.parquet")


def test_cross_attention_is_known_by_its_address(tmp_path):
    table = _table("a", "noun_v2t", 0.0)
    sites = [name.replace("joint", "cross") for name in table["site"].to_pylist()]
    path = tmp_path / "scores.parquet"
    write_part(tmp_path, "scores", table.set_column(table.schema.get_field_index("site"), "site", pa.array(sites)))
    scores = read_variant(path, "noun_v2t", "aas")
    assert scores is not None
    assert scores.of_text_alone
