"""What is computed once per clip and kept in a cache: latents, first-frame conditions, texts, pooled tracks, maps.

A cache must not change a number, so what is computed may depend on nothing but the key:

- A clip is encoded alone; small clips in twos, a single one beside its own copy. The bits of a clip's latents
  then do not depend on which other clips were missing from the cache. (Two, because PyTorch on the CPU has a slow
  convolution for a small single clip and a fast one for all larger batches.)
- A caption is embedded alone; with its clip's first frame where the model reads it with the picture in view.
- Keys name content, not places: the video by the digest of its bytes, the model by that of its files, and with them the
  releases and the kind of device that the numbers come from.

What was read once stays in memory, up to a bound: many runs see a few hundred clips again and again.

Shape legend: ``p y x`` pixel frames, height, width, ``c f h w`` latent channels, frames, height, width, ``e`` entities.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
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
from interplay.grid.token_grid import TokenGrid
from interplay.methods.matrix.config import Pooling
from interplay.methods.matrix.instance_map import paint, shown_maps
from interplay.methods.matrix.targets import Cast, Pooled, pool_cast
from interplay.records.clip import Clip
from interplay.records.masks import MaskTrack
from interplay.records.media.video import stream_video
from interplay.records.store.reader import ClipStore

LATENTS, TEXT, MASKS, MAPS, DIGESTS = "latents", "text", "masks", "maps", "digests"
# Part of every key: to be raised when the code that computes an entry changes what it computes.
_RECIPE = 2
_RELEASES = ("torch", "diffusers", "transformers", "av")
_FIRST = "first_frame."  # the tensors of a first-frame condition, beside the latents of their clip
# Sixteen clips of the embedded world. Above, a single clip has the fast convolution too, and two would need twice the
# memory.
_SMALL_PX = 1 << 20
# What an encoder keeps in memory of what it read; then it reads from the disk again.
_HELD_BYTES = 1 << 28


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
    pooling: Pooling


@dataclass(frozen=True)
class MapSource:
    """The instance map of a clip: whose tracks, a digest of their frame that is painted, and what is done to it."""

    clip_id: str
    digest: str
    assignment: Assignment
    grid: TokenGrid


class Encoder:
    """Computes and keeps what the clips of ``store`` cost. ``model`` is the digest of the backbone's files.

    ``reading`` is what beside those decides how a text is read: marker tokens that a method added.
    """

    def __init__(
        self, backbone: Backbone, store: ClipStore, cache: Cache, model: str, reading: Mapping[str, Any] | None = None
    ) -> None:
        self._backbone, self._store, self._cache, self._reading = backbone, store, cache, dict(reading or {})
        self._held: dict[tuple[str, Hashable], dict[str, Tensor]] = {}
        self._room = _HELD_BYTES
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
        entry = self._read(LATENTS, source, lambda: self._pixel_key(source), lambda: self._encode([source])[0])
        first_frame = {n.removeprefix(_FIRST): tensor for n, tensor in entry.items() if n.startswith(_FIRST)}
        return entry["latents"], Batch(first_frame)

    def text(self, text: str, source: Source) -> Batch:
        """The condition (one row) that a plain caption is for this clip, on the CPU."""
        what = (text, source) if self._backbone.text_sees_first_frame else text
        return Batch(self._read(TEXT, what, lambda: self._text_key(text, source), lambda: self._embed(text, source)))

    def prepare_texts(self, captions: Iterable[tuple[str, Source]]) -> None:
        """Embed the captions that the cache does not have."""
        distinct = {digest(self._text_key(text, source)): (text, source) for text, source in captions}
        for text, source in track(list(distinct.values()), label="embed captions"):
            self.text(text, source)

    def masks(self, source: MaskSource) -> Pooled:
        """The pooled tracks of a clip's cast."""

        def key() -> Mapping[str, Any]:
            grid, pooling = asdict(source.grid), asdict(source.pooling)
            geometry = _geometry_key(source.assignment)
            return {"recipe": _RECIPE, "tracks": source.digest, "pooling": pooling, "grid": grid, **geometry}

        return Pooled.of(self._read(MASKS, source, key, lambda: _pool(self._store.get(source.clip_id), source)))

    def map(self, source: MapSource) -> Float[Tensor, "c f h w"]:
        """The channels that show a clip's instance map to the model, on the CPU; zeros when nobody is in it."""

        def key() -> Mapping[str, Any]:
            grid, geometry = asdict(source.grid), _geometry_key(source.assignment)
            return {**self._made_by, "map": source.digest, "grid": grid, **geometry}

        return self._read(MAPS, source, key, lambda: self._show(source))["map"]

    def _read(
        self, kind: str, what: Hashable, key: Callable[[], Any], make: Callable[[], bytes]
    ) -> Mapping[str, Tensor]:
        """An entry of the cache, from memory where it was read before; nobody changes these tensors."""
        held = self._held.get((kind, what))
        if held is None:
            held = load(self._cache.get_or_make(kind, key(), make))
            size = sum(tensor.nbytes for tensor in held.values())
            if size <= self._room:
                self._room -= size
                self._held[kind, what] = held
        return held

    def _pixel_key(self, source: Source) -> Mapping[str, Any]:
        # The same weights may be shown a first frame or none, and the entry holds its condition.
        shown = {} if self._backbone.sees_first_frame else {"first_frame": None}
        return {**self._made_by, **shown, "video": source.digest, **_geometry_key(source.assignment)}

    def _text_key(self, text: str, source: Source) -> Mapping[str, Any]:
        key = {**self._made_by, **self._reading, "text": text, "length": self._backbone.text_length}
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
    def _show(self, source: MapSource) -> bytes:
        fit, tracks = source.assignment.fit, self._store.get(source.clip_id).tracks
        resized = None if fit.source_hw == fit.target_hw else fit
        picture = paint(tracks, frame=source.assignment.frames[0], fit=resized)
        (channels,) = shown_maps(self._backbone, [picture], source.grid)
        return save({"map": channels.to(self._backbone.dtype).cpu().contiguous()})

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
    pooled = pool_cast(
        clip,
        source.cast,
        source.grid,
        source.pooling,
        frames=None if frames == tuple(range(clip.num_frames)) else frames,
        fit=None if fit.source_hw == fit.target_hw else fit,
    )
    return save({name: tensor.contiguous() for name, tensor in pooled.tensors().items()})


def _geometry_key(assignment: Assignment) -> dict[str, Any]:
    return {"fit": asdict(assignment.fit), "frames": list(assignment.frames)}


def _digest_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of_tracks(clip: Clip, cast: Cast) -> str:
    """Names what :func:`.pool_cast` reads of a clip: the tracks of the cast, in its order."""
    names = {name: _digest_of_track(clip.tracks[name]) for part in cast.parts for name in part.instances}
    return digest([[names[name] for name in part.instances] for part in cast.parts])


def digest_of_map(clip: Clip, assignment: Assignment) -> str:
    """Names what the instance map of a clip is painted from: every track, in the frame that comes first."""
    first = assignment.frames[:1]
    return digest([[name, _digest_of_track(track.select(first))] for name, track in clip.tracks.items()])


def _digest_of_track(track: MaskTrack) -> str:
    # COCO counts are printable ASCII, so neither the separator nor the mark of a gap can be part of one.
    frames = b"\n".join(b"\0" if counts is None else counts for counts in track.frames)
    return hashlib.sha256(f"{track.size_hw}".encode("ascii") + frames).hexdigest()
