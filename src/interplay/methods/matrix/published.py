"""The layers that others have published for real backbones, as data with their source (``published.yaml``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from interplay.backbones.base import Backbone
from interplay.backbones.widen import own_channels
from interplay.core.config import Config
from interplay.core.errors import InputError


class Published(Config):
    """What is known of one relation: dominant layers, the first of noun and verb, and those that were trained."""

    dominant: tuple[int, ...]
    noun: int
    verb: int
    trained: tuple[int, ...] | None


class PublishedLayers(Config):
    """One model: ``hub`` are its names; ``pipeline`` to ``channels`` recognise it."""

    name: str
    hub: tuple[str, ...]
    pipeline: str
    layers: int
    patch: tuple[int, int, int]
    transformers: int
    channels: int
    v2t: Published
    v2v: Published
    source: str


@lru_cache(maxsize=1)
def all_published() -> tuple[PublishedLayers, ...]:
    """Every model with published layers."""
    text = files("interplay.methods.matrix").joinpath("published.yaml").read_text(encoding="utf-8")
    return tuple(PublishedLayers.model_validate(entry) for entry in yaml.safe_load(text))


def published_layers(name: str) -> PublishedLayers:
    """The published layers of a model by the name used here, or by one of its names on the hub."""
    for entry in all_published():
        if name == entry.name or name.lower() in (hub.lower() for hub in entry.hub):
            return entry
    known = ", ".join(entry.name for entry in all_published())
    raise InputError("has no published layers", where=f"backbone {name}", cure=f"use one of {known}, or analyse it")


def recognise(
    pipeline: str, layers: int, patch: tuple[int, int, int], transformers: int, channels: int
) -> PublishedLayers | None:
    """The published layers of an architecture; ``None`` when nobody has published any."""
    told = (pipeline, layers, patch, transformers, channels)
    found = [e for e in all_published() if (e.pipeline, e.layers, e.patch, e.transformers, e.channels) == told]
    return found[0] if found else None


def published_for(backbone: Backbone) -> PublishedLayers | None:
    """:func:`recognise` a backbone, also one that was widened to be shown more."""
    patch = backbone.grid(backbone.native_frames, backbone.native_size_hw).patch
    layers = len({site.layer for site in backbone.sites()})
    return recognise(backbone.pipeline_class, layers, patch, len(backbone.transformers), own_channels(backbone))


def compared(entry: PublishedLayers, chosen: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """What was published for a backbone, and which of the ``chosen`` layers are among it, as plain JSON values."""
    known = {"v2t": entry.v2t, "v2v": entry.v2v}
    shared = {relation: [n for n in layers if n in known[relation].dominant] for relation, layers in chosen.items()}
    return {
        "name": entry.name,
        "source": entry.source,
        **{relation: told.model_dump(mode="json") for relation, told in known.items()},
        "shared": shared,
    }
