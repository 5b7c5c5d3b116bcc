"""What is computed once per clip and kept in a cache: latents, first-frame conditions, text embeddings, pooled tracks.

A cache must not change a number, so what is computed may depend on nothing but the key:

- A clip is encoded alone; small clips in twos, a single one beside its own copy. The bits of a clip's latents
  then do not depend on which other clips were missing from the cache. (Two, because PyTorch on the CPU has a slow
  convolution for a small single clip and a fast one for all larger batches.)
- A caption is embedded alone; with its clip's first frame where the model reads it with the picture in view.
- Keys name content, not places: the video by the digest of its bytes, the model by that of its files, and with them the
  releases and the kind of device that the numbers come from.

Shape legend: ``p y x`` pixel frames, height, width, ``c f h w`` latent channels, frames, height, width, ``e`` entities.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from safetensors.torch import load, save
from torch import Tensor

from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch
from interplay.core.cache import Cache
from interplay.core.config import digest
from interplay.core.errors import InputError
from interplay.core.progress import Progress, track
from interplay.grid.assignment import Assignment
from interplay.grid.buckets import Bucket
from interplay.grid.pixels import to_tensor
from interplay.grid.pooling import PoolRule
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.targets import Cast, pool_cast
from interplay.records.clip import Clip
from interplay.records.masks import MaskTrack
from interplay.records.media.video import stream_video
from interplay.records.store.reader import ClipStore

LATENTS, TEXT, MASKS, DIGESTS = "latents", "text", "masks", "digests"
# Part of every key: to be raised when the code that computes an entry changes what it computes.
_RECIPE = 2
_RELEASES = ("torch", "diffusers", "transformers", "av")
_FIRST = "first_frame."  # the tensors of a first-frame condition, beside the latents of their clip
# Sixteen clips of the embedded world. Above, a single clip has the fast convolution too, and two would need twice the
# memory.
_SMALL_PX = 1 << 20


@dataclass(frozen=True)
class Source:
    """The pixels of a training clip: a video file, the digest of its bytes, and what is done to its frames."""

    path: Path
    digest: str
    assignment: Assignment


@dataclass(frozen=True)
class MaskSource:
    """The pooled tracks of a clip: whose tracks, a digest of them, what is done to them, and how they are pooled."""

    clip_id: str
    cast: Cast
    digest: str
    assignment: Assignment
    grid: TokenGrid
    pool: PoolRule


class Encoder:
    """Computes and keeps what the clips of ``store`` cost. ``model`` is the digest of the backbone's files."""

    def __init__(self, backbone: Backbone, store: ClipStore, cache: Cache, model: str) -> None:
        self._backbone, self._store, self._cache = backbone, store, cache
        self._made_by = {
            "recipe": _RECIPE,
            "model": model,
            "dtype": str(backbone.dtype),
            "device": backbone.device.type,
            "releases": {name: version(name) for name in _RELEASES},
        }

    def source(self, clip: Clip, assignment: Assignment) -> Source:
        """The pixels of a clip. The digest of a file that did not change is taken from the cache."""
        path = self._store.folder / clip.video
        if not path.is_file():
            raise InputError("there is no such file", where=path, cure="make the dataset again")
        stat = path.stat()
        key = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        found = self._cache.get_or_make(DIGESTS, key, lambda: _digest_of(path).encode("ascii"))
        return Source(path, found.decode("ascii"), assignment)

    def prepare(self, sources: Sequence[Source]) -> None:
        """Encode the clips that the cache does not have."""
        missing = [source for source in sources if not self._cache.has(LATENTS, self._pixel_key(source))]
        missing.sort(key=lambda source: source.assignment.bucket)
        with Progress("encode clips", len(sources), done=len(sources) - len(missing)) as progress:
            for bucket, members in groupby(missing, key=lambda source: source.assignment.bucket):
                for together in _in_groups(list(members), clips_at_once(bucket)):
                    for source, entry in zip(together, self._encode(together), strict=True):
                        self._cache.put(LATENTS, self._pixel_key(source), entry)
                    progress.advance(len(together))

    def pixels(self, source: Source) -> tuple[Float[Tensor, "c f h w"], Batch]:
        """A clip's latents and its first-frame condition (one row), on the CPU."""
        entry = load(self._cache.get_or_make(LATENTS, self._pixel_key(source), lambda: self._encode([source])[0]))
        latents = entry.pop("latents")
        return latents, Batch({name.removeprefix(_FIRST): tensor for name, tensor in entry.items()})

    def text(self, text: str, source: Source) -> Batch:
        """The condition (one row) that a plain caption is for this clip, on the CPU."""
        key = self._text_key(text, source)
        return Batch(load(self._cache.get_or_make(TEXT, key, lambda: self._embed(text, source))))

    def prepare_texts(self, captions: Iterable[tuple[str, Source]]) -> None:
        """Embed the captions that the cache does not have."""
        distinct = {digest(self._text_key(text, source)): (text, source) for text, source in captions}
        for text, source in track(list(distinct.values()), label="embed captions"):
            self.text(text, source)

    def masks(self, source: MaskSource) -> tuple[Float[Tensor, "e f h w"], Bool[Tensor, "e f"]]:
        """The pooled tracks of a clip's cast, and where they are known (:func:`.pool_cast`)."""
        key = {
            "recipe": _RECIPE,
            "tracks": source.digest,
            "pool": source.pool,
            "grid": asdict(source.grid),
            **_geometry_key(source.assignment),
        }
        entry = load(self._cache.get_or_make(MASKS, key, lambda: _pool(self._store.get(source.clip_id), source)))
        return entry["tracks"], entry["known"]

    def _pixel_key(self, source: Source) -> Mapping[str, Any]:
        return {**self._made_by, "video": source.digest, **_geometry_key(source.assignment)}

    def _text_key(self, text: str, source: Source) -> Mapping[str, Any]:
        key = {**self._made_by, "text": text, "length": self._backbone.text_length}
        return {**key, "seen": self._pixel_key(source)} if self._backbone.text_sees_first_frame else key

    def _encode(self, sources: Sequence[Source]) -> list[bytes]:
        """Clips of one bucket, as entries of the cache."""
        backbone, bucket = self._backbone, sources[0].assignment.bucket
        videos = [to_tensor(_read(source)) for source in sources]
        alone = len(videos) < clips_at_once(bucket)
        video = torch.stack(videos * 2 if alone else videos)
        latents = backbone.encode_video(video).cpu()
        grid = backbone.grid(bucket.frames, bucket.size_hw)
        first_frames = backbone.first_frame_condition(video[:, :, 0], grid)
        return [
            save({"latents": latents[row].contiguous(), **_tensors(first_frames.take([row]), _FIRST)})
            for row in range(len(sources))
        ]

    @torch.no_grad()
    def _embed(self, text: str, source: Source) -> bytes:
        _, first_frame = self.pixels(source)
        return save(_tensors(self._backbone.encode_text([text], first_frame.to(self._backbone.device))))


def clips_at_once(bucket: Bucket) -> int:
    """How many clips of this size are encoded together."""
    return 2 if bucket.volume <= _SMALL_PX else 1


def _tensors(batch: Batch, prefix: str = "") -> dict[str, Tensor]:
    """A batch as safetensors keeps it."""
    return {f"{prefix}{name}": tensor.cpu().contiguous() for name, tensor in batch.tensors.items()}


def _in_groups(sources: Sequence[Source], size: int) -> list[Sequence[Source]]:
    return [sources[start : start + size] for start in range(0, len(sources), size)]


def _read(source: Source) -> UInt8[ndarray, "p y x 3"]:
    """The frames of a training clip, made small one by one, so that a long video never lies in memory at full size."""
    fit, frames = source.assignment.fit, []
    for frame in stream_video(source.path, source.assignment.frames):
        if frame.shape[:2] != fit.source_hw:
            sizes = [f"{width}x{height}" for height, width in (frame.shape[:2], fit.source_hw)]
            problem = f"its pictures are {sizes[0]} pixels (width x height) and the dataset says {sizes[1]}"
            raise InputError(problem, where=source.path, cure="see `interplay data check`, and make the dataset again")
        frames.append(frame if fit.source_hw == fit.target_hw else fit.frames(frame[None])[0])
    return np.stack(frames)


def _pool(clip: Clip, source: MaskSource) -> bytes:
    fit, frames = source.assignment.fit, source.assignment.frames
    tracks, known = pool_cast(
        clip,
        source.cast,
        source.grid,
        source.pool,
        frames=None if frames == tuple(range(clip.num_frames)) else frames,
        fit=None if fit.source_hw == fit.target_hw else fit,
    )
    return save({"tracks": tracks, "known": known})


def _geometry_key(assignment: Assignment) -> dict[str, Any]:
    return {"fit": asdict(assignment.fit), "frames": list(assignment.frames)}


def _digest_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of_tracks(clip: Clip, cast: Cast) -> str:
    """Names what :func:`.pool_cast` reads of a clip: the tracks of the cast, in its order."""
    names = {name: _digest_of_track(clip.tracks[name]) for part in cast.parts for name in part.instances}
    return digest([[names[name] for name in part.instances] for part in cast.parts])


def _digest_of_track(track: MaskTrack) -> str:
    # COCO counts are printable ASCII, so neither the separator nor the mark of a gap can be part of one.
    frames = b"\n".join(b"\0" if counts is None else counts for counts in track.frames)
    return hashlib.sha256(f"{track.size_hw}".encode("ascii") + frames).hexdigest()
