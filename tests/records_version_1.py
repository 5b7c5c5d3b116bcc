"""The schema of rows of version 1, as that version wrote it: no roles, categories, directions, dates and extras."""

import pyarrow as pa

_TEXT, _INT, _REAL = pa.string(), pa.int32(), pa.float64()
_INTERACTION = {
    "subject": _TEXT,
    "verb": _TEXT,
    "object": _TEXT,
    "recipient": _TEXT,
    "start_s": _REAL,
    "end_s": _REAL,
    "contact": _INT,
    "dynamism": _INT,
}
_TRACK = {"id": _TEXT, "height": _INT, "width": _INT, "counts": pa.list_(_TEXT)}
_BOX = pa.struct({"frame": _INT, "box_px": pa.list_(_REAL)})
VERSION_1 = pa.schema(
    {
        "clip_id": _TEXT,
        "split": _TEXT,
        "video": _TEXT,
        "num_frames": _INT,
        "height": _INT,
        "width": _INT,
        "fps": _REAL,
        "caption": _TEXT,
        "text": _TEXT,
        "instances": pa.list_(pa.struct({"id": _TEXT, "noun": _TEXT, "appearance": _TEXT})),
        "interactions": pa.list_(pa.struct(_INTERACTION)),
        "tracks": pa.list_(pa.struct(_TRACK)),
        "boxes": pa.list_(pa.struct({"name": _TEXT, "frames": pa.list_(_BOX)})),
        "media": pa.list_(pa.struct({"name": _TEXT, "path": _TEXT})),
        "truth": _TEXT,
        "provenance": pa.list_(pa.struct({"label": _TEXT, "maker": _TEXT, "settings": _TEXT})),
        "record_version": _INT,
    }
)
