"""The store as it is, opened by the tools of the field, and read back from what they write.

What nulls and empty lists become: ``datasets`` and DuckDB give them as ``None`` and ``[]``; pandas gives an empty list
as an empty array, a null inside a list as ``None`` and a null text as ``NaN``.
"""

import json
import shutil

import duckdb
import pandas as pd
import pytest

from interplay.records.clip import Interaction
from interplay.records.store.layout import ROWS_FOLDER
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter

EMPTY = {"instances": (), "interactions": (), "tracks": {}, "boxes": {}, "media": {}, "truth": None, "provenance": {}}
LISTS = ("instances", "interactions", "tracks", "boxes", "media", "provenance")


@pytest.fixture
def store(tmp_path, add):
    """Two parts: a clip of which nothing is known, one with everything, and one of another split with two verbs."""
    with StoreWriter(tmp_path / "store") as writer:
        add(writer, "bare", caption="a street", **EMPTY)
        add(writer, "c0")
        writer.flush()
        add(writer, "c1", split="test", interactions=(Interaction("id1", "kicks", "id2"), Interaction("id1", "pushes")))
    return ClipStore(tmp_path / "store")


@pytest.fixture
def caches(tmp_path, monkeypatch):
    """``datasets`` keeps its caches in the test's own folder. It reads these variables when it is imported."""
    for variable in ("HF_HOME", "HF_DATASETS_CACHE"):
        monkeypatch.setenv(variable, str(tmp_path / "cache"))
    return str(tmp_path / "cache")


def counts_of(clip, name):
    return [None if counts is None else counts.decode() for counts in clip.tracks[name].frames]


# --- datasets ---------------------------------------------------------------------------------------------------------


def test_datasets_opens_the_folder(store, caches):
    import datasets

    datasets.disable_progress_bars()
    rows = datasets.load_dataset(str(store.folder), cache_dir=caches)["train"]
    assert rows["clip_id"][:] == list(store.ids)
    assert rows["split"][:] == ["train", "train", "test"]
    assert [rows[0][name] for name in (*LISTS, "truth")] == [[]] * 6 + [None]
    full = rows[1]
    assert full["tracks"][1]["counts"] == counts_of(store.get("c0"), "id2")
    assert full["tracks"][1]["counts"][2] is None
    assert full["boxes"] == [
        {"name": "face", "frames": [{"frame": 0, "box_px": [1.0, 2.0, 3.0, 4.5]}, {"frame": 3, "box_px": None}]}
    ]
    assert json.loads(full["truth"]) == {"events": [{"verb": "push", "t": 0.5}]}


def test_datasets_streams_the_folder_and_opens_the_files(store, caches):
    import datasets

    datasets.disable_progress_bars()
    stream = datasets.load_dataset(str(store.folder), split="train", streaming=True, cache_dir=caches)
    assert [row["clip_id"] for row in stream] == list(store.ids)
    files = str(store.folder / ROWS_FOLDER / "*.parquet")
    rows = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=caches)
    assert [row["interactions"] for row in rows] == [
        row["interactions"] for row in store.columns(["interactions"]).to_pylist()
    ]


def test_what_datasets_writes_is_a_store(store, caches, tmp_path):
    import datasets

    datasets.disable_progress_bars()
    rows = datasets.load_dataset(str(store.folder), split="train", cache_dir=caches)
    rows.to_parquet(tmp_path / "copy" / ROWS_FOLDER / "train-00000-of-00001.parquet")
    assert list(ClipStore(tmp_path / "copy")) == list(store)


# --- pandas -----------------------------------------------------------------------------------------------------------


def test_pandas_opens_the_rows(store):
    frame = pd.read_parquet(store.folder / ROWS_FOLDER).set_index("clip_id")
    assert list(frame.index) == list(store.ids)
    assert [len(frame.loc["bare", name]) for name in LISTS] == [0] * 6
    assert pd.isna(frame.loc["bare", "truth"])
    assert list(frame.loc["c0", "tracks"][1]["counts"]) == counts_of(store.get("c0"), "id2")
    assert frame.loc["c0", "boxes"][0]["frames"][1]["box_px"] is None
    assert frame["interactions"].explode().dropna().str["verb"].value_counts().to_dict() == {"pushes": 2, "kicks": 1}


def test_what_pandas_writes_is_a_store(store, tmp_path):
    frame = pd.read_parquet(store.folder / ROWS_FOLDER)
    (tmp_path / "copy" / ROWS_FOLDER).mkdir(parents=True)
    frame.to_parquet(tmp_path / "copy" / ROWS_FOLDER / "all.parquet")
    assert list(ClipStore(tmp_path / "copy")) == list(store)


# --- DuckDB -----------------------------------------------------------------------------------------------------------


def test_duckdb_counts_clips_per_verb(store):
    query = f"""
        SELECT i.verb, count(DISTINCT clip_id)
        FROM '{store.folder}/{ROWS_FOLDER}/*.parquet', UNNEST(interactions) AS _(i) GROUP BY ALL ORDER BY ALL"""
    assert duckdb.sql(query).fetchall() == [("kicks", 1), ("pushes", 2)]


def test_duckdb_looks_into_tracks_and_boxes(store):
    query = f"""
        SELECT len(tracks), tracks[2].counts, boxes[1].frames[2], truth->'events'->0->>'verb'
        FROM '{store.folder}/{ROWS_FOLDER}/*.parquet'"""
    full = (2, counts_of(store.get("c0"), "id2"), {"frame": 3, "box_px": None}, "push")
    assert duckdb.sql(query).fetchall() == [(0, None, None, None), full, full]


def test_what_duckdb_writes_is_a_store(store, tmp_path):
    target = tmp_path / "copy" / ROWS_FOLDER / "all.parquet"
    target.parent.mkdir(parents=True)
    rows = f"SELECT * FROM '{store.folder}/{ROWS_FOLDER}/*.parquet' ORDER BY clip_id"
    duckdb.sql(f"COPY ({rows}) TO '{target}' (FORMAT parquet)")
    assert list(ClipStore(tmp_path / "copy")) == list(store)


def test_the_query_on_the_card_runs(store, monkeypatch):
    monkeypatch.chdir(store.folder.parent)
    shutil.copytree(store.folder, "this/folder")
    card = (store.folder / "README.md").read_text()
    query = card.split("duckdb.sql(", 1)[1].split('"', 2)[1]
    assert sorted(duckdb.sql(query).fetchall()) == [("kicks", 1), ("pushes", 2)]
