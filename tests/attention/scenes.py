"""A very small scene of every family, for what is done to a model beside observing it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attention.conftest import CONFIG as COGVIDEOX
from attention.exactness import Scene, soft_region
from contracts import ltx_variants, wan_variants
from interplay.attention import Mass, RowMap, Scores
from interplay.attention.requests import Request
from interplay.backbones.base import Backbone, SiteKind, Stream
from interplay.backbones.cogvideox import tiny as cogvideox
from interplay.backbones.hunyuan_video import tiny as hunyuan_video
from interplay.backbones.hunyuan_video_15 import tiny as hunyuan_video_15

HUNYUAN_VIDEO = hunyuan_video.TinyHunyuanVideo(
    num_frames=9, size_hw=(16, 24), vae_channels=(8, 8, 8), dual_layers=1, single_layers=1, heads=2, text_length=16
)
HUNYUAN_VIDEO_15 = hunyuan_video_15.TinyHunyuanVideo15(num_frames=9, size_hw=(32, 64), layers=2)
# Joint attention; the same with a mask over the keys; with text sorted by its mask, and a mask of queries by keys;
# cross-attention with an added mask; and two calls in one module, to image tokens and to text.
BACKBONES: dict[str, Callable[[], Backbone]] = {
    "cogvideox": lambda: cogvideox.build(0, COGVIDEOX),
    "hunyuan_video": lambda: hunyuan_video.build(0, HUNYUAN_VIDEO),
    "hunyuan_video_15": lambda: hunyuan_video_15.build(0, HUNYUAN_VIDEO_15),
    "ltx_video": ltx_variants.first,
    "wan with image tokens": wan_variants.image_tokens,
}


def scene_of(name: str) -> Scene:
    """A fresh one."""
    return Scene.of(BACKBONES[name]())


def requests(scene: Scene) -> tuple[Request, ...]:
    """Every statistic once at every site: of the video, on text where there is some."""
    return tuple(request for kind in scene.layout for request in _of_kind(scene, kind))


def _of_kind(scene: Scene, kind: SiteKind) -> Iterator[Request]:
    layout = scene.layout[kind]
    sites = tuple(site.address for site in scene.backbone.sites() if site.kind == kind)
    told: tuple[Stream, ...] = ("text", "image", "video")
    over = next(stream for stream in told if stream in layout.keys)
    track = soft_region("video", layout.queries["video"], seed=2)
    keys = {stream: soft_region(stream, part, seed=1) for stream, part in layout.keys.items()}
    yield Scores(f"{kind} on keys", sites, keys=keys[over])
    yield Scores(f"{kind} both", sites, queries=track, keys=keys[over])
    yield Mass(f"{kind} mass", sites, track, tuple(keys.values()), "none")
    yield RowMap(f"{kind} map", sites, track, over=over)
