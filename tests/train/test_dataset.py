"""Clips of several sizes in their buckets, encoded once; whatever the cache holds, the numbers are the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from contracts import ltx_variants
from interplay.backbones.base import Backbone
from interplay.backbones.batch import Batch
from interplay.backbones.registry import load_backbone
from interplay.core.cache import Cache
from interplay.core.errors import InputError
from interplay.grid.pixels import to_tensor
from interplay.grid.pooling import pool_masks
from interplay.methods.matrix.config import MatrixConfig
from interplay.methods.matrix.install import install
from interplay.records.caption import parse_caption
from interplay.records.clip import Clip, Instance
from interplay.records.media.video import write_video
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter
from interplay.train.batches import ClipBatch
from interplay.train.config import TrainConfig
from interplay.train.dataset import EncodedClips, encode_clips
from interplay.world.make import WorldConfig, clip_at

MATRIX = MatrixConfig(v2t_layers=(0,), v2v_layers=(1,))
# Two sizes (height, width) and two lengths, smaller than the tiny model's own.
WIDE, TALL = (32, 48), (48, 32)
GEOMETRIES = ((WIDE, 9), (WIDE, 9), (TALL, 9), (WIDE, 5), (WIDE, 9))


@pytest.fixture(scope="module")
def backbone(backbone_folder: str) -> Backbone:
    return load_backbone(backbone_folder)


def world_store(
    folder: Path, geometries: Sequence[tuple[tuple[int, int], int]], change: Callable[[Clip], Clip]
) -> Path:
    with StoreWriter(folder) as writer:
        for index, (size_hw, frames) in enumerate(geometries):
            clip, rendering = clip_at(WorldConfig(num_frames=frames, size_hw=size_hw), "train", index)
            writer.add(change(clip), frames=rendering.frames)
    return folder


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five clips of three geometries."""
    return world_store(tmp_path_factory.mktemp("mixed") / "clips", GEOMETRIES, lambda clip: clip)


def config(**changes: Any) -> TrainConfig:
    settings = {"backbone": "", "matrix": MATRIX, "steps": 1, "batch_size": 4, "learning_rate": 1e-3}
    return TrainConfig.model_validate({**settings, **changes})


def encoded(backbone: Backbone, folder: Path, cache: Path, **changes: Any) -> EncodedClips:
    return encode_clips(backbone, ClipStore(folder), config(**changes), cache=Cache(cache), model="tiny")


def whole(data: EncodedClips) -> list[ClipBatch]:
    return [data.batch(group, [False] * len(group)) for group in data.groups]


def equal(one: Batch, other: Batch) -> bool:
    return one.tensors.keys() == other.tensors.keys() and all(
        torch.equal(one[name], other[name]) for name in one.tensors
    )


def same(ones: Sequence[ClipBatch], others: Sequence[ClipBatch]) -> bool:
    pairs = list(zip(ones, others, strict=True))
    tensors = all(
        torch.equal(one.latents, other.latents)
        and equal(one.first_frame, other.first_frame)
        and equal(one.text, other.text)
        for one, other in pairs
    )
    return tensors and all(
        a.key == b.key and a.tokens == b.tokens and torch.equal(a.track, b.track) and torch.equal(a.known, b.known)
        for one, other in pairs
        for mine, yours in zip(one.targets, other.targets, strict=True)
        for a, b in zip(mine.entities, yours.entities, strict=True)
    )


# --- the cache changes nothing ---------------------------------------------------------------------------------------


def test_with_and_without_what_is_cached_the_numbers_are_the_same(
    backbone: Backbone, mixed: Path, tmp_path: Path
) -> None:
    fresh = whole(encoded(backbone, mixed, tmp_path / "one"))
    again = whole(encoded(backbone, mixed, tmp_path / "one"))
    assert same(fresh, again)
    entries = sorted((tmp_path / "one").glob("*/??/*"))
    for entry in entries[::2]:
        entry.unlink()
    assert same(fresh, whole(encoded(backbone, mixed, tmp_path / "one")))
    assert sorted((tmp_path / "one").glob("*/??/*")) == entries


def test_the_second_time_nothing_is_computed(
    backbone: Backbone, mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded(backbone, mixed, tmp_path)

    def refuse(*args: object) -> None:
        raise AssertionError("computed again")

    for name in ("encode_video", "encode_text"):
        monkeypatch.setattr(backbone, name, refuse)
    monkeypatch.setattr("interplay.train.encoding.pool_cast", refuse)
    monkeypatch.setattr("interplay.train.encoding.stream_video", refuse)
    whole(encoded(backbone, mixed, tmp_path))


def test_a_clip_is_the_same_whoever_is_encoded_with_it(backbone: Backbone, mixed: Path, tmp_path: Path) -> None:
    everyone = whole(encoded(backbone, mixed, tmp_path / "all"))
    alone = encoded(backbone, mixed, tmp_path / "one", limit=1).batch([0], [False])
    assert torch.equal(alone.latents[0], everyone[0].latents[0])
    assert equal(alone.first_frame, everyone[0].first_frame.take([0]))


def test_entries_that_vanish_or_break_under_a_running_training_are_made_again(
    backbone: Backbone,
    mixed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("interplay.train.encoding._HELD_BYTES", 0)
    data = encoded(backbone, mixed, tmp_path)
    before = whole(data)
    for number, entry in enumerate(sorted(tmp_path.glob("*/??/*"))):
        entry.unlink() if number % 2 else entry.write_bytes(entry.read_bytes()[:-1])
    assert same(before, whole(data))
    assert "damaged cache entry, made again" in capsys.readouterr().err


def test_what_is_cached_is_what_the_model_computes(backbone: Backbone, mixed: Path, tmp_path: Path) -> None:
    first, *_ = whole(encoded(backbone, mixed, tmp_path))
    store = ClipStore(mixed)
    clips = [store.get(f"train-{index:05d}") for index in (0, 1, 4)]
    video = torch.stack([to_tensor(store.frames(clip)) for clip in clips])
    assert torch.equal(first.latents, backbone.encode_video(video))
    assert equal(first.first_frame, backbone.first_frame_condition(video[:, :, 0], first.grid))
    texts = [clip_text(clip) for clip in clips]
    assert equal(first.text, backbone.encode_text(texts, first.first_frame))


def clip_text(clip: Clip) -> str:
    return parse_caption(clip.caption).text


def test_a_dropped_caption_is_the_empty_one(backbone: Backbone, mixed: Path, tmp_path: Path) -> None:
    data = encoded(backbone, mixed, tmp_path)
    batch = data.batch([0, 1], [False, True])
    shown, hidden = batch.text.take([0]), batch.text.take([1])
    assert equal(hidden, backbone.encode_text([""], batch.first_frame.take([1])))
    assert not equal(shown, hidden)


def test_other_content_under_the_same_name_is_encoded_anew(backbone: Backbone, tmp_path: Path) -> None:
    folder = world_store(tmp_path / "clips", GEOMETRIES[:1], lambda clip: clip)
    before = whole(encoded(backbone, folder, tmp_path / "cache"))
    path = folder / "videos" / "train-00000.mp4"
    write_video(path, np.zeros((9, *WIDE, 3), dtype=np.uint8), 8.0)
    after = whole(encoded(backbone, folder, tmp_path / "cache"))
    assert not torch.equal(before[0].latents, after[0].latents)


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"matrix": MATRIX.model_copy(update={"pool": "max"})}, "masks"), ({"model": "other"}, "latents")],
)
def test_another_rule_or_model_is_another_entry(
    backbone: Backbone, mixed: Path, tmp_path: Path, change: dict[str, Any], kind: str
) -> None:
    encoded(backbone, mixed, tmp_path)
    before = {size.kind: size.entries for size in Cache(tmp_path).sizes()}
    model = change.pop("model", "tiny")
    encode_clips(backbone, ClipStore(mixed), config(**change), cache=Cache(tmp_path), model=model)
    after = {size.kind: size.entries for size in Cache(tmp_path).sizes()}
    assert after[kind] == 2 * before[kind]


def test_texts_that_were_read_with_other_marker_rows_are_other_entries(backbone: Backbone, tmp_path: Path) -> None:
    """A table without rows to spare gets drawn ones, and another seed draws others; two runs share one cache."""
    markers = MatrixConfig(v2t_layers=(0,), v2v_layers=(1,), binding="markers", markers=12)
    assert markers.marker_embeddings == "spare"

    def twelfth(clip: Clip) -> Clip:
        tracks, own = {"id12": clip.tracks["id1"]}, (Instance("id12", "man"),)
        return replace(clip, caption="a <id12> man", tracks=tracks, instances=own, interactions=(), boxes={})

    folder = world_store(tmp_path / "clips", GEOMETRIES[:1], twelfth)
    read: list[Batch] = []
    for seed in (1, 2, 1):
        installed = install(backbone, markers, seed=seed)
        try:
            data = encode_clips(
                backbone,
                ClipStore(folder),
                config(matrix=markers),
                cache=Cache(tmp_path / "cache"),
                model="tiny",
                reading=installed.identity,
            )
            (batch,) = whole(data)
            assert equal(batch.text, backbone.encode_text(list(batch.captions), batch.first_frame))
        finally:
            installed.remove()
        read.append(batch.text)
    assert not equal(read[0], read[1])
    assert equal(read[0], read[2])


# --- buckets ---------------------------------------------------------------------------------------------------------


def test_clips_as_they_are_form_a_group_per_geometry(backbone: Backbone, mixed: Path, tmp_path: Path) -> None:
    data = encoded(backbone, mixed, tmp_path)
    assert data.groups == [[0, 1, 4], [2], [3]]
    assert [tuple(batch.latents.shape[2:]) for batch in whole(data)] == [(3, 8, 12), (3, 12, 8), (2, 8, 12)]
    assert [batch.grid.token_shape[0] for batch in whole(data)] == [3, 3, 2]


def test_a_draw_never_mixes_buckets_and_is_the_generators(backbone: Backbone, mixed: Path, tmp_path: Path) -> None:
    data = encoded(backbone, mixed, tmp_path)
    found = [data.draw(4, torch.Generator().manual_seed(step)).tolist() for step in range(200)]
    assert found == [data.draw(4, torch.Generator().manual_seed(step)).tolist() for step in range(200)]
    assert all(any(set(rows) <= set(group) for group in data.groups) for rows in found)
    shares = [sum(set(rows) <= set(group) for rows in found) / 200 for group in data.groups]
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.1)


def test_with_one_geometry_the_draw_is_one_choice_among_all(backbone: Backbone, tmp_path: Path) -> None:
    folder = world_store(tmp_path / "clips", [(WIDE, 5)] * 4, lambda clip: clip)
    data = encoded(backbone, folder, tmp_path / "cache")
    expected = torch.randint(4, (8,), generator=torch.Generator().manual_seed(3))
    assert torch.equal(data.draw(8, torch.Generator().manual_seed(3)), expected)


def test_configured_buckets_take_what_fits_and_list_the_rest(backbone: Backbone, mixed: Path, tmp_path: Path) -> None:
    data = encoded(backbone, mixed, tmp_path, buckets={"sizes": ["40x32x5"], "fps": 4.0})
    assert len(data) == 3
    assert data.report.reasons == {"too short": 1, "too much cropped": 1}
    assert [drop.clip_id for drop in data.report.dropped] == ["train-00002", "train-00003"]
    (batch,) = whole(data)
    assert tuple(batch.latents.shape[2:]) == (2, 8, 10)


def test_masks_go_through_the_same_frames_and_the_same_crop(backbone: Backbone, mixed: Path, tmp_path: Path) -> None:
    data = encoded(backbone, mixed, tmp_path, buckets={"sizes": ["40x32x5"], "fps": 4.0})
    (batch,) = whole(data)
    clip, fit = ClipStore(mixed).get("train-00000"), data.report.assigned[0].fit
    subject = batch.targets[0].entities[0]
    dense = fit.masks(clip.tracks[subject.key].to_array()[::2])
    expected = pool_masks(torch.from_numpy(dense)[None], batch.grid, rule="area", rate="latent")[0]
    assert torch.equal(subject.track, expected)
    video = to_tensor(fit.frames(ClipStore(mixed).frames(clip)[::2]))
    assert torch.equal(batch.latents[0], backbone.encode_video(torch.stack([video, video]))[0])


def test_when_no_clip_fits_the_first_drop_says_why(backbone: Backbone, mixed: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none of the 5 clips fits a bucket \(the first, train-00000: has 8 frames"):
        encoded(backbone, mixed, tmp_path, buckets={"sizes": ["40x32x5"], "fps": 9.0})


def test_a_clip_that_the_model_cannot_take_is_named_with_both_cures(backbone: Backbone, tmp_path: Path) -> None:
    folder = world_store(tmp_path / "clips", [(WIDE, 9), (WIDE, 8)], lambda clip: clip)
    with pytest.raises(InputError) as caught:
        encoded(backbone, folder, tmp_path / "cache")
    assert caught.value.where == "clip train-00001, number of frames"
    assert "use 5 or 9" in caught.value.cure
    assert "`buckets`" in caught.value.cure


def test_a_video_of_another_size_than_its_row_is_named(backbone: Backbone, tmp_path: Path) -> None:
    folder = world_store(tmp_path / "clips", GEOMETRIES[:1], lambda clip: clip)
    write_video(folder / "videos" / "train-00000.mp4", np.zeros((9, *TALL, 3), dtype=np.uint8), 8.0)
    with pytest.raises(InputError, match=r"32x48 pixels .* the dataset says 48x32"):
        encoded(backbone, folder, tmp_path / "cache")


def test_a_video_that_is_gone_is_named(backbone: Backbone, tmp_path: Path) -> None:
    folder = world_store(tmp_path / "clips", GEOMETRIES[:1], lambda clip: clip)
    (folder / "videos" / "train-00000.mp4").unlink()
    with pytest.raises(InputError, match=r"train-00000.mp4: there is no such file"):
        encoded(backbone, folder, tmp_path / "cache")


# --- what alignment cannot use ---------------------------------------------------------------------------------------


def test_complete_clips_miss_nothing(backbone: Backbone, mixed: Path, tmp_path: Path) -> None:
    assert encoded(backbone, mixed, tmp_path, limit=1).missing == ()


def _without_track(clip: Clip) -> Clip:
    return replace(clip, tracks={name: track for name, track in clip.tracks.items() if name != "id1"})


def _without_markers(clip: Clip) -> Clip:
    return replace(clip, caption=clip_text(clip))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            _without_track,
            {
                ("sga_subject", "id1", "no mask track"),
                ("spa_subject", "id1", "no mask track"),
                ("sga_verb", "verb", "no mask track"),
            },
        ),
        (
            _without_markers,
            {
                ("sga_subject", "id1", "no text tokens"),
                ("sga_object", "id4", "no text tokens"),
                ("all", "verb", "no verb marker in the caption"),
                ("all", "id2", "a mask track without a marker"),
                ("all", "id3", "a mask track without a marker"),
            },
        ),
    ],
)
def test_what_a_clip_lacks_is_listed(
    backbone: Backbone, tmp_path: Path, change: Callable[[Clip], Clip], told: set[tuple[str, str, str]]
) -> None:
    folder = world_store(tmp_path / "clips", GEOMETRIES[:1], change)
    data = encoded(backbone, folder, tmp_path / "cache")
    assert {(missing.term, missing.key, missing.reason) for missing in data.missing} == told
    assert {missing.clip_id for missing in data.missing} == {"train-00000"}


def test_clips_without_interactions_are_aligned_by_their_markers(backbone: Backbone, tmp_path: Path) -> None:
    folder = world_store(tmp_path / "clips", GEOMETRIES[:1], lambda clip: replace(clip, interactions=()))
    (targets,) = (batch.targets[0] for batch in whole(encoded(backbone, folder, tmp_path / "cache")))
    marked = parse_caption(ClipStore(folder).get(targets.clip_id).caption).instance_ids
    for role in ("subject", "object"):
        assert [entity.key for entity in targets.entities if entity.role == role] == list(marked)


def test_alignment_of_clips_that_have_nothing_to_align_is_an_error(backbone: Backbone, tmp_path: Path) -> None:
    folder = world_store(
        tmp_path / "clips", GEOMETRIES[:2], lambda clip: replace(clip, interactions=(), caption=clip_text(clip))
    )
    with pytest.raises(InputError, match="none of the 2 clips has anything to align") as caught:
        encoded(backbone, folder, tmp_path / "cache")
    assert "the caption marks no instance and the clip lists no interactions" in caught.value.problem
    assert "mark instances in the captions" in caught.value.cure
    assert "or list interactions" in caught.value.cure
    assert encoded(backbone, folder, tmp_path / "cache", matrix=None).missing == ()


def test_clips_with_and_without_their_first_frame_are_entries_of_their_own(mixed: Path, tmp_path: Path) -> None:
    shown = ltx_variants.first()
    plain = {"matrix": None, "limit": 1}
    with_frame, without = (
        whole(encoded(one, mixed, tmp_path / "cache", **plain))[0] for one in (shown, shown.without_first_frame())
    )
    assert set(with_frame.first_frame.tensors) == {"latents"}
    assert equal(without.first_frame, Batch.empty(1))
    assert torch.equal(with_frame.latents, without.latents)
