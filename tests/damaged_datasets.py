"""A MATRIX dataset with good clips and one clip per way of being damaged, for readers, checks and conversions alike.

``make_damaged_matrix(folder)`` writes it. What a reader should say about each clip stands beside it: a word of the note
about what can be repaired, a word of the reason about what cannot.
"""

import io
import json
import os
import shutil
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from interplay.records.formats.common.mask_files import mask_png
from interplay.records.media.video import write_video

NUM_FRAMES, HEIGHT, WIDTH, FPS = 5, 32, 48, 8.0
PROMPT = "a <id1> man pushes a <id2> ball"
GIGABYTES_10 = 10 * 2**30


@dataclass
class DamagedDataset:
    """``read``: clip id -> a word of the note it comes with (``None``: no note); ``rejected``: id -> a word of why."""

    folder: Path
    read: dict = field(default_factory=dict)
    rejected: dict = field(default_factory=dict)

    @property
    def found(self):
        return len(self.read) + len(self.rejected)


def drawn(seed=0):
    """Frames in which a red and a blue square move, and the masks of both."""
    frames = np.full((NUM_FRAMES, HEIGHT, WIDTH, 3), 200, dtype=np.uint8)
    masks = {name: np.zeros((NUM_FRAMES, HEIGHT, WIDTH), dtype=bool) for name in ("id1", "id2")}
    for frame in range(NUM_FRAMES):
        masks["id1"][frame, 4:16, 2 + frame : 14 + frame] = True
        masks["id2"][frame, 18:28, 30 - frame + seed % 3 : 40 - frame] = True
    frames[masks["id1"]], frames[masks["id2"]] = (220, 30, 30), (30, 30, 220)
    return frames, masks


class MatrixFolder:
    """Writes clips in the official layout without the code under test."""

    def __init__(self, root):
        self.root, self.rows = root, []
        self.template = root.parent / f".{root.name}-template.mp4"
        (root / "videos").mkdir(parents=True)
        (root / "mask_annotation").mkdir()
        write_video(self.template, drawn()[0], FPS)

    def video(self, name):
        return self.root / "videos" / f"{name}.mp4"

    def masks(self, name, instance_id="id1"):
        return self.root / "mask_annotation" / name / f"<{instance_id}>"

    def add(self, name, *, prompt=PROMPT, row=None, picture=mask_png):
        """A good clip; ``picture`` makes the bytes of a mask file out of a mask."""
        shutil.copyfile(self.template, self.video(name))
        for instance_id, masks in drawn()[1].items():
            folder = self.masks(name, instance_id)
            folder.mkdir(parents=True)
            for frame, mask in enumerate(masks):
                (folder / f"{frame:03d}.png").write_bytes(picture(mask))
        self.rows.append({"video": f"{name}.mp4", "prompt": prompt} if row is None else row)

    def finish(self):
        lines = [row if isinstance(row, str) else json.dumps(row) for row in self.rows]
        (self.root / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.template.unlink()


def png(image):
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()


def zero_one_png(mask):
    return png(Image.fromarray(mask.astype(np.uint8)))


def palette_png(mask):
    image = Image.fromarray(mask.astype(np.uint8))
    image.putpalette([0, 0, 0, 128, 0, 0])
    return png(image)


def id_map_png(mask):
    values = mask.astype(np.uint8)
    values[:4, :4] = 2
    values[:4, 4:8] = 3
    return png(Image.fromarray(values))


def huge_png(width=100_000, height=100_000):
    """A picture of 10 GB by its header, and of a few bytes in truth."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 64)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def with_many_samples(mp4):
    """An mp4 whose table of samples declares 10 GB: 2.5 thousand million entries of four bytes."""
    at = mp4.index(b"stsz") + 4
    return mp4[: at + 4] + struct.pack(">II", 0, GIGABYTES_10 // 4) + mp4[at + 12 :]


def with_long_media(mp4):
    """An mp4 whose box of media data declares 10 GB, so that everything behind it would lie behind its end."""
    at = mp4.index(b"mdat")
    rest = mp4[at + 4 :]
    return mp4[: at - 4] + struct.pack(">I4sQ", 1, b"mdat", GIGABYTES_10) + rest


def make_damaged_matrix(root):
    """Write the dataset into ``root`` and say what should be found in it."""
    folder, expected = MatrixFolder(root), DamagedDataset(root)
    for add in (_good, _repairable, _bad_videos, _bad_masks, _bad_rows, _bad_paths, _left_over):
        add(folder, expected)
    folder.finish()
    return expected


def _good(folder, expected):
    for name in ("good-0", "good-1"):
        folder.add(name)
        expected.read[name] = None


def _repairable(folder, expected):
    folder.add("masks-zero-one", picture=zero_one_png)
    folder.add("masks-palette", picture=palette_png)
    expected.read |= {"masks-zero-one": "official loader", "masks-palette": "palette index"}


def _bad_videos(folder, expected):
    for name, reason in (
        ("video-truncated", "breaks off"),
        ("video-empty", "empty"),
        ("video-no-video", "video"),
        ("video-many-samples", "declares"),
        ("video-long-media", "breaks off"),
    ):
        folder.add(name)
        expected.rejected[name] = reason
    whole = folder.video("good-0").read_bytes()
    folder.video("video-truncated").write_bytes(whole[: len(whole) // 2])
    folder.video("video-empty").write_bytes(b"")
    folder.video("video-no-video").write_bytes(b"this is text, whatever its name says\n" * 50)
    folder.video("video-many-samples").write_bytes(with_many_samples(whole))
    folder.video("video-long-media").write_bytes(with_long_media(whole))


def _bad_masks(folder, expected):
    folder.add("masks-several-ids", picture=id_map_png)
    expected.rejected["masks-several-ids"] = "stays open"
    for name, reason in (
        ("masks-one-short", "004.png is missing"),
        ("masks-with-hole", "002.png is missing"),
        ("masks-one-more", "6 masks"),
        ("masks-other-size", "24x16"),
        ("masks-truncated", "no readable PNG"),
        ("masks-empty-file", "empty"),
        ("masks-huge-header", "10000000000 pixels"),
        ("masks-loop", "cannot be followed"),
    ):
        folder.add(name)
        expected.rejected[name] = reason
    folder.masks("masks-one-short").joinpath("004.png").unlink()
    folder.masks("masks-with-hole", "id2").joinpath("002.png").unlink()
    folder.masks("masks-one-more").joinpath("005.png").write_bytes(mask_png(drawn()[1]["id1"][0]))
    folder.masks("masks-other-size").joinpath("003.png").write_bytes(mask_png(drawn()[1]["id1"][0, ::2, ::2]))
    picture = folder.masks("masks-truncated") / "001.png"
    picture.write_bytes(picture.read_bytes()[:-30])
    folder.masks("masks-empty-file").joinpath("001.png").write_bytes(b"")
    folder.masks("masks-huge-header").joinpath("000.png").write_bytes(huge_png())
    loop = folder.masks("masks-loop")
    shutil.rmtree(loop)
    loop.symlink_to(loop.name)


def _bad_rows(folder, expected):
    folder.add("prompt-is-a-number", row={"video": "prompt-is-a-number.mp4", "prompt": 5})
    folder.add("prompt-is-a-list", row={"video": "prompt-is-a-list.mp4", "prompt": ["a", "b"]})
    folder.add("prompt-is-empty", row={"video": "prompt-is-empty.mp4", "prompt": ""})
    folder.add("prompt-is-broken", prompt="a <id0> man pushes")
    expected.rejected |= {
        "prompt-is-a-number": "not text",
        "prompt-is-a-list": "not text",
        "prompt-is-empty": "empty",
        "prompt-is-broken": "id0",
    }
    for row, reason in (
        ({"video": ["x.mp4"], "prompt": PROMPT}, "not text"),
        ('["good-0.mp4", "a man"]', "not an object"),
        ('{"video": "good-0.mp4", "prompt": "a', "not valid JSON"),
        ({"prompt": PROMPT}, "no column"),
    ):
        folder.rows.append(row)
        expected.rejected[f"row-{len(folder.rows)}"] = reason
    folder.rows.append({"video": "absent.mp4", "prompt": PROMPT})
    expected.rejected["absent"] = "there is no file"


def _bad_paths(folder, expected):
    secret = folder.root.parent / f"{folder.root.name}-secret.mp4"
    shutil.copyfile(folder.template, secret)
    folder.rows += [
        {"video": f"../../{secret.name}", "prompt": PROMPT},
        {"video": "video-loop.mp4", "prompt": PROMPT},
        {"video": "link-outside.mp4", "prompt": PROMPT},
    ]
    folder.video("video-loop").symlink_to("video-loop.mp4")
    folder.video("link-outside").symlink_to(os.path.relpath(secret, folder.root / "videos"))
    expected.rejected |= {
        secret.stem: "leaves the dataset",
        "video-loop": "cannot be followed",
        "link-outside": "link that leaves",
    }


def _left_over(folder, expected):
    folder.add("no-row")
    folder.rows.pop()
    folder.add("no-video")
    folder.rows.pop()
    folder.video("no-video").unlink()
    expected.rejected |= {"no-row": "has no row", "no-video": "masks of no video"}


@pytest.fixture(scope="session")
def damaged_matrix(tmp_path_factory):
    """The dataset, made once: read it, do not write into it."""
    return make_damaged_matrix(tmp_path_factory.mktemp("damaged") / "matrix")
