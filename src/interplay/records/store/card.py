"""The dataset card of a store: what ``datasets`` needs to open the folder, and what a person needs to understand it."""

from __future__ import annotations

from pathlib import Path

from interplay.core.files import atomic_write_text
from interplay.records.store.layout import MEDIA_FOLDER, ROWS_FOLDER, VIDEOS_FOLDER

CARD = "README.md"
# The head is YAML that `datasets` reads. Without it the videos of the folder would be taken for the data.
_TEXT = f"""---
configs:
- config_name: default
  data_files: {ROWS_FOLDER}/*.parquet
---
# Clips with instances, interactions and mask tracks

A folder of clips in the layout of Interplay. It opens as it is:

    datasets.load_dataset("this/folder", split="train")          # every clip; its split is the column `split`
    pandas.read_parquet("this/folder/{ROWS_FOLDER}")
    duckdb.sql(
        "SELECT i.verb, count(*) FROM 'this/folder/{ROWS_FOLDER}/*.parquet', UNNEST(interactions) AS _(i) GROUP BY 1"
    )
    interplay.records.store.reader.ClipStore(Path("this/folder"))

One row per clip. Paths are relative to this folder: the clip's video in `{VIDEOS_FOLDER}/`, everything else in
`{MEDIA_FOLDER}/`.

- `caption` binds words to instances by markers (`a <id1> man <verb> pushes a <id2> ball`), `text` is the same without.
- `tracks.counts` holds one COCO run-length encoding per frame, of `height` x `width`; a null is a frame of which nobody
  knows, an encoding of no pixels a frame in which the instance is not to be seen.
- `boxes.frames.box_px` is (x1, y1, x2, y2) in pixels; a null is a part that is not in the frame.
- `truth`, `extra` and `provenance.settings` are JSON.
"""


def write_card(folder: Path) -> None:
    """Put the card into a store, unless the folder has one already."""
    if not (folder / CARD).exists():
        atomic_write_text(folder / CARD, _TEXT)
